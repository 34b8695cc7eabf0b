//! Targets behind `https`, SSH and `git://`: connected to by libgit2, pushed to by us.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::credential::RefusedCredential;
use super::decide::{decide, outcome};
use super::exchange::{self, Unanswered};
use super::failure::{explain, rejected};
use super::fetched::{download, keep};
use super::receive_pack::{Advertisement, Answer, ObjectFormat};
use super::second::{Second, listed_refs};
use super::session::{Failure, Session};
use super::{Destination, PublishError, RefOutcome, RefUpdate, Said, Target, content, parts};
use crate::base::{Interrupt, Limits, Progress};
use crate::git::ObjectId;
use crate::git::pack::{LargeFile, Outgoing, WorkflowFile};
use crate::git::reference::Reference;
use crate::git::repository::{BareRepository, RepositoryError};
use crate::net::TokenSource;
use crate::net::url::Location;

/// What was listed ahead is used for so long. A server that waits for a push longer than this may not.
const FRESH: Duration = Duration::from_secs(5);

/// A push of fewer bytes than this takes hardly longer than a connection over SSH.
const SHORT_PUSH: u64 = 4 << 20;

/// A target behind a network.
///
/// A connection has one list of refs and one push, in this order. One whose list was asked for is kept
/// for a push that follows; what is listed after a push comes over a new one.
pub(super) struct NetworkDestination {
    source: BareRepository,
    target: Target,
    /// What libgit2 connects to: without a secret, for SSH with the user.
    address: String,
    kept: Option<Opened>,
    refused: RefusedCredential,
    large: RefCell<Vec<LargeFile>>,
    /// What a push brings that the credential may not write.
    workflows: RefCell<Vec<WorkflowFile>>,
    /// What the target will be listed over after the push that goes on.
    second: RefCell<Option<Second>>,
    /// What was found when the target was listed ahead, and when.
    ahead: Option<(Instant, Result<Vec<Reference>, PublishError>)>,
}

/// A connection on which nothing was asked yet.
struct Opened {
    connection: Connection,
    session: Rc<Session>,
}

/// How a push over one connection ended without its outcomes.
enum Ended {
    /// Nothing came of it, as far as we know, and the connection is gone.
    Silent(PublishError),
    /// For good.
    Failed(PublishError),
}

impl NetworkDestination {
    /// Prepares to push from the bare repository `git_dir`. Nothing is connected yet.
    pub(super) fn open(target: &Target, git_dir: &Path) -> Result<Self, PublishError> {
        let source = BareRepository::open(git_dir)?;
        let user = target.access.key.as_ref().and_then(|key| key.user.as_deref());
        let address = target.url.connection(user);
        let (refused, large) = (RefusedCredential::default(), RefCell::default());
        let (target, workflows, second) = (target.clone(), RefCell::default(), RefCell::default());
        let (kept, ahead) = (None, None);
        Ok(Self { source, target, address, kept, refused, large, workflows, second, ahead })
    }

    /// A connection that is to be made, with the credential as it is now: one that this server has
    /// refused is not shown to it again.
    fn session(&self, interrupt: &Interrupt) -> Result<Rc<Session>, PublishError> {
        let session = Session::new(&self.target, interrupt)?;
        match self.refused.is(&session.credential) {
            true => Err(rejected(&self.target)),
            false => Ok(session),
        }
    }

    /// What the end of a connection means.
    fn explain(&self, failure: Failure, session: &Session) -> PublishError {
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

    /// The connection that was kept, if it listens to this `interrupt`.
    fn take_kept(&mut self, interrupt: &Interrupt) -> Option<Opened> {
        self.kept.take().filter(|kept| kept.session.interrupt.is(interrupt))
    }

    fn connect(&self, interrupt: &Interrupt) -> Result<Opened, PublishError> {
        let session = self.session(interrupt)?;
        let connection = session
            .run(|| Connection::open(&self.address, session.callbacks()))
            .map_err(|failure| self.explain(failure, &session))?;
        Ok(Opened { connection, session })
    }

    /// Asks for `updates` over a connection. `is_again` if it was asked for them before, and has not
    /// answered.
    fn attempt(
        &self,
        opened: Opened,
        updates: &[RefUpdate],
        is_again: bool,
        progress: &dyn Progress,
    ) -> Result<Vec<RefOutcome>, Ended> {
        let Opened { mut connection, session } = opened;
        let failed = |failure| self.explain(failure, &session);
        let (decided, pack) = {
            let server = connection.advertisement();
            self.check(&server).map_err(Ended::Failed)?;
            let mut decided = decide(updates, &server, is_again);
            let select = |decided: &[Option<RefOutcome>]| {
                self.select(decided, updates, &server, progress, &session.interrupt)
                    .map_err(|failure| Ended::Failed(failed(failure)))
            };
            let mut pack = select(&decided)?;
            if self
                .refuse_contents(updates, &server, &mut decided)
                .map_err(|error| Ended::Failed(PublishError::Cache(error)))?
            {
                pack = select(&decided)?;
            }
            (decided, pack)
        };
        let asked = updates.iter().zip(&decided).filter(|(_, decided)| decided.is_none());
        let mut asked: Vec<_> = asked.map(|(update, _)| update).collect();
        // A name may have to go before another one can be the folder, or in the folder, of it.
        asked.sort_by_key(|update| update.new.is_some());
        let answer = match asked.as_slice() {
            [] => None,
            asked => {
                let from = self.source.path();
                self.connect_again(pack.as_ref(), &session.interrupt);
                let answer = exchange::push(
                    &mut connection,
                    &session,
                    asked,
                    (from, pack.as_ref()),
                    progress,
                );
                let answer = answer.map_err(|Unanswered { failure, is_silent }| {
                    let error = failed(failure);
                    if is_silent { Ended::Silent(error) } else { Ended::Failed(error) }
                })?;
                Some(answer)
            }
        };
        let report = answer.as_ref().and_then(Answer::report);
        if let Some(Err(reason)) = report.and_then(|report| report.unpacked.as_ref()) {
            let failure = Failure::NotUnpacked(String::from_utf8_lossy(reason).into_owned());
            return Err(Ended::Failed(failed(failure)));
        }
        let outcome = |(update, decided): (&RefUpdate, Option<RefOutcome>)| {
            let status = report.and_then(|report| report.status(&update.name));
            decided.unwrap_or_else(|| outcome(update, status, &session))
        };
        Ok(updates.iter().zip(decided).map(outcome).collect())
    }

    /// Refuses what the server would refuse, once all has been sent to it.
    fn refuse_contents(
        &self,
        updates: &[RefUpdate],
        server: &Advertisement,
        decided: &mut [Option<RefOutcome>],
    ) -> Result<bool, RepositoryError> {
        let (limits, source) = (self.target.limits, &self.source);
        let (large, workflows) = (self.large.borrow(), self.workflows.borrow());
        let is_large = content::refuse_large(limits, &large, updates, decided, source)?;
        let refs = &server.refs;
        let has_workflow = content::refuse_workflows(&workflows, refs, updates, decided, source)?;
        Ok(is_large || has_workflow)
    }

    /// Lists the target over a new connection, which is kept for a push.
    fn list(&mut self, interrupt: &Interrupt) -> Result<Vec<Reference>, PublishError> {
        // The old connection must be gone before there is another one.
        self.kept = None;
        if let Some(found) = self.second.take().and_then(|second| second.list(interrupt)) {
            return Ok(found);
        }
        let opened = self.connect(interrupt)?;
        let found = {
            let server = opened.connection.advertisement();
            self.check(&server)?;
            listed_refs(&server)
        };
        self.kept = Some(opened);
        Ok(found)
    }

    /// Begins to make the connection for the list that follows a push, where that takes longer than the
    /// push itself. One for a long push would only stand idle.
    fn connect_again(&self, pack: Option<&Outgoing>, interrupt: &Interrupt) {
        let is_ssh = matches!(self.target.url.location(), Location::Ssh { .. });
        let is_short = pack.is_none_or(|pack| pack.bytes() < SHORT_PUSH);
        let mut second = self.second.borrow_mut();
        if is_ssh && is_short && second.is_none() {
            *second = Second::begin(&self.target, &self.address, interrupt);
        }
    }

    /// Whether the server's objects are as ours.
    fn check(&self, server: &Advertisement) -> Result<(), PublishError> {
        match server.capabilities.object_format {
            ObjectFormat::Unsaid | ObjectFormat::Sha1 => Ok(()),
            ObjectFormat::Other => Err(PublishError::Unsupported {
                target: self.target.url.to_string(),
                source: Said("its object ids are not SHA-1".to_owned()),
            }),
        }
    }

    /// What has to be sent for what is not decided; `None` if that only removes refs, or is nothing.
    fn select(
        &self,
        decided: &[Option<RefOutcome>],
        updates: &[RefUpdate],
        server: &Advertisement,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Option<Outgoing>, Failure> {
        let asked = updates.iter().zip(decided).filter(|(_, decided)| decided.is_none());
        let tips: Vec<ObjectId> = asked.filter_map(|(update, _)| update.new).collect();
        if tips.is_empty() {
            return Ok(None);
        }
        let (has, limits, watch) = (&server.has, Limits::default(), self.target.limits.watch());
        let (source, tips) = (&self.source, &tips);
        let (pack, found) =
            Outgoing::select_watching(source, tips, has, watch, &limits, progress, interrupt)
                .map_err(Failure::Pack)?;
        self.workflows.replace(found.workflows);
        let mut large = self.large.borrow_mut();
        for file in found.large {
            if !large.contains(&file) {
                large.push(file);
            }
        }
        // Some servers know no deltas against what they have.
        Ok(Some(if server.capabilities.no_thin { pack.complete() } else { pack }))
    }
}

impl Destination for NetworkDestination {
    fn references(&mut self, interrupt: &Interrupt) -> Result<Vec<Reference>, PublishError> {
        match self.ahead.take() {
            Some((at, found)) if at.elapsed() < FRESH => {
                // There may be more to push than there was then.
                self.source.refresh().map_err(PublishError::Cache)?;
                found
            }
            _ => self.list(interrupt),
        }
    }

    fn list_ahead(&mut self, interrupt: &Interrupt) {
        let found = self.list(interrupt);
        self.ahead = Some((Instant::now(), found));
    }

    fn fetch(
        &mut self,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Vec<Reference>, PublishError> {
        self.kept = None;
        let session = self.session(interrupt)?;
        let found = session
            .run(|| download(&self.source, &self.address, session.fetching(progress)))
            .map_err(|failure| self.explain(failure, &session))?;
        keep(&self.source, &found)
    }

    fn parts(
        &mut self,
        updates: &[RefUpdate],
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Vec<Vec<RefUpdate>>, PublishError> {
        let most = self.target.limits.push;
        // What is sent is hardly more than what is here.
        if self.source.object_bytes() <= most {
            return Ok(vec![updates.to_vec()]);
        }
        let opened = match self.take_kept(interrupt) {
            Some(opened) => opened,
            None => self.connect(interrupt)?,
        };
        let cut = {
            let server = opened.connection.advertisement();
            self.check(&server)?;
            let (source, has, limits) = (&self.source, &server.has, Limits::default());
            parts::parts(source, updates, has, most, &limits, progress, interrupt)
        };
        let cut = cut.map_err(|error| self.explain(Failure::Pack(error), &opened.session))?;
        self.kept = Some(opened);
        Ok(cut)
    }

    fn large_files(&mut self) -> Vec<LargeFile> {
        self.large.take()
    }

    fn push(
        &mut self,
        updates: &[RefUpdate],
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Vec<RefOutcome>, PublishError> {
        interrupt.check()?;
        let first = match self.take_kept(interrupt) {
            Some(kept) => self.attempt(kept, updates, false, progress),
            None => return self.last_attempt(updates, false, progress, interrupt),
        };
        match first {
            Ok(outcomes) => Ok(outcomes),
            Err(Ended::Failed(error)) => Err(error),
            // Servers close connections on which nothing happens for a while.
            Err(Ended::Silent(_)) => self.last_attempt(updates, true, progress, interrupt),
        }
    }
}

impl NetworkDestination {
    /// Asks for `updates` over a new connection.
    fn last_attempt(
        &self,
        updates: &[RefUpdate],
        is_again: bool,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Vec<RefOutcome>, PublishError> {
        let opened = self.connect(interrupt)?;
        self.attempt(opened, updates, is_again, progress).map_err(|ended| match ended {
            Ended::Silent(error) | Ended::Failed(error) => error,
        })
    }
}
