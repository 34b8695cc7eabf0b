//! What libgit2 asks and tells while it is connected: for credentials, whether a host key is good,
//! how far it is, what the server says about each reference.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use git2::cert::Cert;
use git2::{
    CertificateCheckStatus, Cred, CredentialType, ErrorClass, ErrorCode, PackBuilderStage,
    PushUpdate, RemoteCallbacks,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::remote_text::RemoteText;
use super::stream::Line;
use super::{Credential, PublishError, Target};
use crate::base::{Interrupt, Interrupted, Progress, Stage};
use crate::git::ObjectId;
use crate::net::NetError;
use crate::net::known_hosts::{self, HostKey, HostKeyError};
use crate::net::url::Location;

/// One connection, from both sides of libgit2's callbacks.
///
/// libgit2 calls [`PackBuilderStage`] progress from its worker threads, one at a time; all that the
/// callbacks touch is therefore behind a lock.
pub(super) struct Session<'a> {
    target: &'a Target,
    /// What opens it, read when this began.
    pub(super) credential: Credential,
    progress: &'a dyn Progress,
    interrupt: &'a Interrupt,
    /// The connections.
    line: Arc<Line>,
    /// What each reference that we push must be at, for the connection to go on.
    expected: HashMap<String, ObjectId>,
    state: Mutex<State>,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct State {
    /// How often libgit2 has asked for a credential.
    asked: u32,
    /// Why logging in failed, if it did.
    pub(super) login: Option<LoginProblem>,
    /// Why the server is not trusted, if it is not.
    pub(super) host_key: Option<HostKeyError>,
    /// A reference that was not what it must be.
    pub(super) raced: Option<String>,
    /// The server's word on each reference: `None` is yes, `Some` says why not.
    pub(super) report: BTreeMap<String, Option<String>>,
    /// What the server says to people.
    pub(super) text: RemoteText,
    /// The stage that runs, and how many of its units are done.
    stage: Option<(Stage, usize)>,
}

/// Why logging in failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginProblem {
    /// The server asks, and we have nothing.
    NothingConfigured,
    /// The server does not take the kind that we have.
    WrongKind,
    /// The server asked again.
    Rejected,
}

/// How a call of libgit2 under a session can end badly.
pub(super) enum Failure {
    /// A stop was requested.
    Interrupted,
    /// A connection could not be made, or broke.
    Connection(NetError),
    /// libgit2 says no.
    Error(git2::Error),
    /// The other side sent text that is not UTF-8 where libgit2's binding takes no other.
    BrokenText,
}

impl<'a> Session<'a> {
    /// A session that pushes references which the target must have at `expected`.
    pub(super) fn new(
        target: &'a Target,
        progress: &'a dyn Progress,
        interrupt: &'a Interrupt,
        expected: HashMap<String, ObjectId>,
    ) -> Result<Self, PublishError> {
        let credential = Credential::read(&target.access, target.url.location(), interrupt)?;
        let (line, state) = (Line::new(target, interrupt), Mutex::default());
        Ok(Self { target, credential, progress, interrupt, line, expected, state })
    }

    /// What was seen so far.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a call of libgit2 that uses [`Session::callbacks`].
    ///
    /// The binding lets a callback end a transfer only by unwinding: it catches that at the border
    /// to C, makes libgit2 give up in its own way, and goes on unwinding here.
    pub(super) fn run<T>(
        &self,
        call: impl FnOnce() -> Result<T, git2::Error>,
    ) -> Result<T, Failure> {
        let result = self.line.during(|| catch_unwind(AssertUnwindSafe(call)));
        if self.state().stage.take().is_some() {
            self.progress.end();
        }
        match result {
            Ok(Ok(value)) => Ok(value),
            _ if self.interrupt.is_raised() => Err(Failure::Interrupted),
            Ok(Err(error)) => match self.line.take_failure() {
                Some(NetError::Interrupted(_)) => Err(Failure::Interrupted),
                Some(cause) => Err(Failure::Connection(cause)),
                None => Err(Failure::Error(error)),
            },
            Err(_) => Err(Failure::BrokenText),
        }
    }

    /// The callbacks that libgit2 gets.
    pub(super) fn callbacks(&self) -> RemoteCallbacks<'_> {
        let mut callbacks = RemoteCallbacks::new();
        callbacks.credentials(|_, user, allowed| self.log_in(user, allowed));
        callbacks.certificate_check(|certificate, host| self.check(certificate, host));
        callbacks.transfer_progress(|stats| {
            self.advance(Stage::FetchingObjects, stats.received_objects(), stats.total_objects());
            true
        });
        callbacks.push_negotiation(|updates| self.compare(updates));
        callbacks.pack_progress(|stage, done, total| {
            let stage = match stage {
                PackBuilderStage::AddingObjects => Stage::CountingObjects,
                PackBuilderStage::Deltafication => Stage::CompressingObjects,
            };
            self.advance(stage, done, total);
        });
        callbacks.push_transfer_progress(|done, total, _| {
            self.advance(Stage::SendingObjects, done, total);
        });
        callbacks.sideband_progress(|piece| {
            self.state().text.add(piece);
            !self.interrupt.is_raised()
        });
        callbacks.push_update_reference(|name, refusal| {
            self.state().report.insert(name.to_owned(), refusal.map(str::to_owned));
            Ok(())
        });
        callbacks
    }

    /// Gives the credential once. A second question means that it was not good enough; answering
    /// it again would get accounts locked.
    fn log_in(&self, user: Option<&str>, allowed: CredentialType) -> Result<Cred, git2::Error> {
        let mut state = self.state();
        state.asked += 1;
        let problem = match &self.credential {
            _ if state.asked > 1 => LoginProblem::Rejected,
            Credential::None => LoginProblem::NothingConfigured,
            Credential::Token { user, token } if allowed.is_user_pass_plaintext() => {
                return Cred::userpass_plaintext(user, token.expose_secret());
            }
            Credential::SshKey { key, passphrase, .. } if allowed.is_ssh_memory() => {
                let passphrase = passphrase.as_ref().map(SecretString::expose_secret);
                let user = user.unwrap_or_default();
                self.line.logged_in();
                return Cred::ssh_key_from_memory(user, None, key.expose_secret(), passphrase);
            }
            Credential::SshAgent { .. } if allowed.is_ssh_key() => {
                self.line.logged_in();
                return Cred::ssh_key_from_agent(user.unwrap_or_default());
            }
            Credential::Token { .. } | Credential::SshKey { .. } | Credential::SshAgent { .. } => {
                LoginProblem::WrongKind
            }
        };
        state.login = Some(problem);
        Err(git2::Error::new(ErrorCode::Auth, ErrorClass::Callback, "no credential that would do"))
    }

    /// Decides about SSH host keys. Certificates of web servers were checked when the connection was
    /// made.
    fn check(&self, cert: &Cert<'_>, host: &str) -> Result<CertificateCheckStatus, git2::Error> {
        let Some(shown) = cert.as_hostkey() else {
            return Ok(CertificateCheckStatus::CertificatePassthrough);
        };
        let refuse =
            |message: &str| git2::Error::new(ErrorCode::Certificate, ErrorClass::Callback, message);
        let (Some(blob), Some(sha256)) = (shown.hostkey(), shown.hash_sha256()) else {
            return Err(refuse("the server shows no host key"));
        };
        let port = match self.target.url.location() {
            Location::Ssh { remote, .. } => remote.port,
            _ => None,
        };
        let known_hosts = self.target.access.known_hosts.as_ref();
        known_hosts::check(known_hosts, host, port, &HostKey::new(blob, sha256))
            .map(|()| CertificateCheckStatus::CertificateOk)
            .map_err(|error| {
                let message = error.to_string();
                self.state().host_key = Some(error);
                refuse(&message)
            })
    }

    /// Stops the push if the server announces other values than those it was planned with.
    fn compare(&self, updates: &[PushUpdate<'_>]) -> Result<(), git2::Error> {
        self.stop_if_asked();
        for update in updates {
            let name = update.dst_refname()?;
            let expected = self.expected.get(name).copied().unwrap_or_default();
            if ObjectId::from(update.src()) != expected {
                self.state().raced = Some(name.to_owned());
                return Err(git2::Error::new(
                    ErrorCode::Modified,
                    ErrorClass::Callback,
                    "a reference moved",
                ));
            }
        }
        Ok(())
    }

    /// Passes progress on, and stops if that was requested.
    fn advance(&self, stage: Stage, done: usize, total: usize) {
        self.line.working();
        self.stop_if_asked();
        let mut seen = self.state();
        if seen.stage.is_none_or(|(current, _)| current != stage) {
            if seen.stage.is_some() {
                self.progress.end();
            }
            // While it counts, libgit2 gives no total.
            let total = u64::try_from(total).ok().filter(|&total| total > 0);
            self.progress.begin(stage, total);
            seen.stage = Some((stage, 0));
        }
        if let Some((_, before)) = &mut seen.stage {
            let more = done.saturating_sub(*before);
            *before = done.max(*before);
            self.progress.advance(u64::try_from(more).unwrap_or_default());
        }
    }

    fn stop_if_asked(&self) {
        if self.interrupt.is_raised() {
            // Not a panic: nothing is wrong and nothing shall be printed. See `run`.
            resume_unwind(Box::new(Interrupted));
        }
    }
}
