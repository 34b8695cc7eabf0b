//! What libgit2 asks and tells while it is connected: for credentials, whether a host key is good,
//! how far it is.

use std::cell::{RefCell, RefMut};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;

use git2::cert::Cert;
use git2::{CertificateCheckStatus, Cred, CredentialType, ErrorClass, ErrorCode, RemoteCallbacks};
use secrecy::{ExposeSecret as _, SecretString};

use super::line::Line;
use super::remote_text::RemoteText;
use super::{Credential, PublishError, Target};
use crate::base::{Interrupt, Interrupted, Progress, Stage};
use crate::git::pack::OutgoingError;
use crate::net::NetError;
use crate::net::known_hosts::{self, HostKey, HostKeyError};
use crate::net::url::Location;

/// One connection, from both sides of libgit2's callbacks.
pub(super) struct Session {
    target: Target,
    /// What opens it, read when this began.
    pub(super) credential: Credential,
    pub(super) interrupt: Interrupt,
    /// The connections.
    pub(super) line: Arc<Line>,
    state: RefCell<State>,
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
    /// What the server says to people.
    pub(super) text: RemoteText,
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
    /// The answer ends before its end.
    Cut,
    /// The answer is none.
    Unintelligible(&'static str),
    /// The server cannot read what was sent, for this reason.
    NotUnpacked(String),
    /// The server gives up, with these words.
    Fatal(Vec<u8>),
    /// What is to be sent cannot be read.
    Pack(OutgoingError),
}

impl Session {
    /// A session with `target`, which ends when `interrupt` is raised.
    pub(super) fn new(target: &Target, interrupt: &Interrupt) -> Result<Rc<Self>, PublishError> {
        let credential = Credential::read(&target.access, target.url.location(), interrupt)?;
        Ok(Rc::new(Self {
            target: target.clone(),
            credential,
            interrupt: interrupt.clone(),
            line: Line::new(target, interrupt),
            state: RefCell::default(),
        }))
    }

    /// What was seen so far.
    pub(super) fn state(&self) -> RefMut<'_, State> {
        self.state.borrow_mut()
    }

    /// Runs a call of libgit2 that uses the callbacks of this session.
    ///
    /// The binding lets a callback end a transfer only by unwinding: it catches that at the border
    /// to C, makes libgit2 give up in its own way, and goes on unwinding here.
    pub(super) fn run<T>(
        &self,
        call: impl FnOnce() -> Result<T, git2::Error>,
    ) -> Result<T, Failure> {
        match self.line.during(|| catch_unwind(AssertUnwindSafe(call))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.failure(error)),
            _ if self.interrupt.is_raised() => Err(Failure::Interrupted),
            Err(_) => Err(Failure::BrokenText),
        }
    }

    /// What an error of libgit2 comes from.
    pub(super) fn failure(&self, error: git2::Error) -> Failure {
        if self.interrupt.is_raised() {
            return Failure::Interrupted;
        }
        match self.line.take_failure() {
            Some(NetError::Interrupted(_)) => Failure::Interrupted,
            Some(cause) => Failure::Connection(cause),
            None => Failure::Error(error),
        }
    }

    /// The callbacks with which libgit2 connects.
    pub(super) fn callbacks<'a>(self: &Rc<Self>) -> RemoteCallbacks<'a> {
        let mut callbacks = RemoteCallbacks::new();
        let session = Rc::clone(self);
        callbacks.credentials(move |_, user, allowed| session.log_in(user, allowed));
        let session = Rc::clone(self);
        callbacks.certificate_check(move |certificate, host| session.check(certificate, host));
        callbacks
    }

    /// The callbacks with which libgit2 fetches.
    pub(super) fn fetching<'a>(self: &Rc<Self>, progress: &'a dyn Progress) -> RemoteCallbacks<'a> {
        let mut callbacks = self.callbacks();
        let session = Rc::clone(self);
        let mut fetching = Fetching { progress, done: None };
        callbacks.transfer_progress(move |stats| {
            session.line.working();
            session.stop_if_asked();
            fetching.advance(stats.received_objects(), stats.total_objects());
            true
        });
        let session = Rc::clone(self);
        callbacks.sideband_progress(move |piece| {
            session.state().text.add(piece);
            !session.interrupt.is_raised()
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

    fn stop_if_asked(&self) {
        if self.interrupt.is_raised() {
            // Not a panic: nothing is wrong and nothing shall be printed. See `run`.
            resume_unwind(Box::new(Interrupted));
        }
    }
}

/// Passes on how far libgit2's fetch is.
struct Fetching<'a> {
    progress: &'a dyn Progress,
    /// How many objects are there, once it has begun.
    done: Option<usize>,
}

impl Fetching<'_> {
    fn advance(&mut self, done: usize, total: usize) {
        if self.done.is_none() {
            let total = u64::try_from(total).ok().filter(|&total| total > 0);
            self.progress.begin(Stage::FetchingObjects, total);
        }
        let before = self.done.replace(done).unwrap_or(0);
        let more = done.saturating_sub(before);
        self.progress.advance(u64::try_from(more).unwrap_or_default());
    }
}

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        if self.done.is_some() {
            self.progress.end();
        }
    }
}
