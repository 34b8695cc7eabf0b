//! Targets behind `https` and SSH, pushed to with libgit2.

use std::collections::HashMap;
use std::path::Path;

use git2::{Direction, PushOptions, RemoteRedirect};

use super::credential::{Credential, RefusedCredential};
use super::failure::explain;
use super::fetched::{download, keep};
use super::remote_text::{RemoteText, clean};
use super::session::{Failure, Session};
use super::{Destination, PublishError, RefOutcome, RefUpdate, Target, refusal};
use crate::base::{Interrupt, NoProgress, Progress};
use crate::git::ObjectId;
use crate::git::reference::{Reference, is_mirrored};
use crate::git::repository::BareRepository;
use crate::net::TokenSource;

/// A target behind a network.
///
/// Each call makes its own connection: the protocol has one list of references and one push to
/// a connection, and what is listed after a push must not come from memory.
pub(super) struct NetworkDestination {
    source: BareRepository,
    target: Target,
    /// What libgit2 connects to: without a secret, for SSH with the user.
    address: String,
    refused: RefusedCredential,
}

impl NetworkDestination {
    /// Prepares to push from the bare repository `git_dir`. Nothing is connected yet.
    pub(super) fn open(target: &Target, git_dir: &Path) -> Result<Self, PublishError> {
        let source = BareRepository::open(git_dir)?;
        let user = target.access.key.as_ref().and_then(|key| key.user.as_deref());
        let address = target.url.connection(user);
        Ok(Self { source, target: target.clone(), address, refused: RefusedCredential::default() })
    }

    /// A connection that is to be made, with the credential as it is now: one that this server has
    /// refused is not shown to it again.
    fn session<'a>(
        &'a self,
        progress: &'a dyn Progress,
        interrupt: &'a Interrupt,
        expected: HashMap<String, ObjectId>,
    ) -> Result<Session<'a>, PublishError> {
        let session = Session::new(&self.target, progress, interrupt, expected)?;
        match self.refused.is(&session.credential) {
            true => Err(PublishError::Rejected { target: self.target.url.to_string() }),
            false => Ok(session),
        }
    }

    /// What the end of a connection means.
    fn explain(&self, failure: Failure, session: &Session<'_>) -> PublishError {
        let error = explain(failure, &self.target, session);
        if matches!(error, PublishError::Rejected { .. }) {
            self.refused.note(&session.credential);
            // One that was made is made anew by the next run.
            if let Some(TokenSource::Made(maker)) =
                self.target.access.token.as_ref().map(|token| &token.source)
            {
                maker.forget();
            }
        }
        error
    }

    /// What a refusal by the server means for `update`: by its report, and what it said to people.
    fn refused(
        update: &RefUpdate,
        refusal: &str,
        text: &RemoteText,
        credential: &Credential,
    ) -> RefOutcome {
        let refusal = clean(refusal, credential);
        let kind = refusal::classify(&update.name, &refusal, &text.lines(credential));
        let reason = match text.summary(credential) {
            text if text.is_empty() => refusal,
            text => format!("{refusal}: {text}"),
        };
        RefOutcome::refused(update, kind, reason)
    }

    /// Asks the server to move the references of `updates`.
    fn send(&self, session: &Session<'_>, updates: &[RefUpdate]) -> Result<(), PublishError> {
        // With `+`: the caller has decided what may move.
        let refspec = |update: &RefUpdate| match update.new {
            Some(id) => format!("+{id}:{}", update.name),
            None => format!(":{}", update.name),
        };
        let refspecs: Vec<String> = updates.iter().map(refspec).collect();
        let mut options = PushOptions::new();
        options.remote_callbacks(session.callbacks());
        options.follow_redirects(RemoteRedirect::None);
        // As many threads as there are processors search for deltas.
        options.packbuilder_parallelism(0);
        session
            .run(|| {
                let mut remote = self.source.repository().remote_anonymous(&self.address)?;
                remote.push(&refspecs, Some(&mut options))
            })
            .map_err(|failure| self.explain(failure, session))
    }
}

impl Destination for NetworkDestination {
    fn references(&mut self, interrupt: &Interrupt) -> Result<Vec<Reference>, PublishError> {
        let session = self.session(&NoProgress, interrupt, HashMap::new())?;
        let list = || {
            let mut remote = self.source.repository().remote_anonymous(&self.address)?;
            let callbacks = session.callbacks();
            let connection = remote.connect_auth(Direction::Push, Some(callbacks), None)?;
            let mut found: Vec<Reference> = connection
                .list()?
                .iter()
                .filter(|head| is_mirrored(head.name()))
                .map(|head| Reference::new(head.name(), head.oid().into()))
                .collect();
            found.sort();
            Ok(found)
        };
        session.run(list).map_err(|failure| self.explain(failure, &session))
    }

    fn fetch(
        &mut self,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Vec<Reference>, PublishError> {
        let session = self.session(progress, interrupt, HashMap::new())?;
        let found = session
            .run(|| download(&self.source, &self.address, session.callbacks()))
            .map_err(|failure| self.explain(failure, &session))?;
        keep(&self.source, &found)
    }

    fn push(
        &mut self,
        updates: &[RefUpdate],
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Vec<RefOutcome>, PublishError> {
        let expected =
            updates.iter().filter_map(|update| Some((update.name.clone(), update.old?))).collect();
        let session = self.session(progress, interrupt, expected)?;
        self.send(&session, updates)?;
        let state = session.state();
        let outcome = |update: &RefUpdate| match state.report.get(&update.name) {
            Some(Some(refusal)) => Self::refused(update, refusal, &state.text, &session.credential),
            // A server that gives no report leaves it to the list that follows.
            Some(None) | None => RefOutcome::accepted(update),
        };
        Ok(updates.iter().map(outcome).collect())
    }
}
