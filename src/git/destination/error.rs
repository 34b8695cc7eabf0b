//! Why a push did not happen.

use std::path::PathBuf;

use super::RefusalKind;
use crate::base::{FenceError, Interrupted, faults};
use crate::git::init::InitError;
use crate::git::pack::OutgoingError;
use crate::git::repository::{RepositoryError, UpdateRefsError};
use crate::net::known_hosts::HostKeyError;
use crate::net::url::UrlError;
use crate::net::{NetError, SecretError};

/// What libgit2 or the other side said, without secrets and without what a terminal would obey.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Said(pub(super) String);

/// Why a push did not happen. A reference that the target refused is not among these: that is in
/// its [`super::RefOutcome`].
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A stop was requested.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// Whoever pushes has no right to any more.
    #[error(transparent)]
    Fenced(#[from] FenceError),
    /// libgit2 could not be set up.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The connection cannot be made, or the server does not answer.
    #[error(transparent)]
    Net(NetError),
    /// The address is not valid.
    #[error(transparent)]
    Address(UrlError),
    /// The credential cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// What is to be sent cannot be found or read, or does not go out.
    #[error(transparent)]
    Outgoing(#[from] OutgoingError),
    /// The repository that we push from cannot be read.
    #[error("read the converted history")]
    Cache(#[from] RepositoryError),
    /// The target does not exist, or we may not know that it does: servers answer both alike.
    #[error("find {target}, or get access to it")]
    Missing {
        /// The address.
        target: String,
        /// What the other side said.
        #[source]
        source: Said,
    },
    /// There is no repository at a path of this machine.
    #[error("open the target {target}: {}", if *is_there {
        "it is not a Git repository"
    } else {
        "there is nothing at this path"
    })]
    NoRepository {
        /// The path.
        target: String,
        /// Whether there is something else.
        is_there: bool,
    },
    /// The repository on this machine belongs to another user.
    #[error("open the target {target}: it belongs to another user")]
    ForeignOwner {
        /// The path.
        target: String,
    },
    /// The target on this machine is a shallow clone, whose history is incomplete.
    #[error("read the history of {target}: it is a shallow clone, which lacks the beginning of it")]
    Shallow {
        /// The path.
        target: String,
    },
    /// The target exists, and we may not push to it.
    #[error("get permission to push to {target}")]
    Denied {
        /// The address.
        target: String,
        /// What the other side said.
        #[source]
        source: Said,
    },
    /// The target wants a credential, and none is configured.
    #[error("log in to {target}: it asks for a credential, and none is configured")]
    NoCredential {
        /// The address.
        target: String,
    },
    /// The configured credential is of a kind that this target has no use for.
    #[error("log in to {target}: it takes {expected}")]
    WrongCredential {
        /// The address.
        target: String,
        /// What it takes.
        expected: &'static str,
    },
    /// The target does not accept the credential.
    #[error("log in to {target}: the credential was rejected")]
    Rejected {
        /// The address.
        target: String,
        /// What to do.
        hint: String,
    },
    /// The private key cannot be used.
    #[error("log in to {target}: the private key cannot be used")]
    UnusableKey {
        /// The address.
        target: String,
        /// What libgit2 says.
        #[source]
        source: Said,
    },
    /// The SSH server is not known to be the one it says it is.
    #[error("trust the SSH server of {target}")]
    HostKey {
        /// The address.
        target: String,
        /// What is wrong with its key.
        #[source]
        source: Box<HostKeyError>,
    },
    /// The web server is not known to be the one it says it is.
    #[error("trust the certificate of {target}")]
    Certificate {
        /// The address.
        target: String,
        /// What libgit2 says.
        #[source]
        source: Said,
    },
    /// There is no connection to the server, or it broke.
    #[error("reach {target}")]
    Unreachable {
        /// The address.
        target: String,
        /// What libgit2 says.
        #[source]
        source: Said,
    },
    /// The server cannot do it now.
    #[error("push to {target}: the server cannot do it now")]
    Busy {
        /// The address.
        target: String,
        /// What the server said.
        #[source]
        source: Said,
    },
    /// The server sends us elsewhere, and we do not follow with our credential.
    #[error("push to {target}: the server has moved it")]
    Moved {
        /// The address.
        target: String,
        /// What libgit2 says.
        #[source]
        source: Said,
    },
    /// What the server answers is not what a Git server says.
    #[error("understand what {target} answers")]
    Unintelligible {
        /// The address.
        target: String,
        /// What libgit2 says.
        #[source]
        source: Said,
    },
    /// The server refused everything that was sent.
    #[error("push to {target}: it refused the pack: {reason}")]
    PackRefused {
        /// The address.
        target: String,
        /// What kind of refusal it is.
        kind: RefusalKind,
        /// What the server said.
        reason: String,
    },
    /// The target is in a format that we do not write.
    #[error("open {target}")]
    Unsupported {
        /// The path.
        target: String,
        /// What libgit2 says.
        #[source]
        source: Said,
    },
    /// The references of the target on this machine cannot be moved.
    #[error("move the refs of {target}")]
    References {
        /// The path.
        target: String,
        /// What stands in the way.
        #[source]
        source: UpdateRefsError,
    },
    /// The target on this machine cannot be read.
    #[error("read what {target} has")]
    Read {
        /// The path.
        target: String,
        /// What is wrong with it.
        #[source]
        source: RepositoryError,
    },
    /// What was read of the target cannot be kept in our own repository.
    #[error("keep what the target has in {}", path.display())]
    Keep {
        /// Our repository.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The target on this machine cannot be written.
    #[error("write to {target}")]
    Write {
        /// The path.
        target: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

/// What to do where a target does not let us push, by what it said.
fn denied_hint(said: &str) -> &'static str {
    let said = said.to_ascii_lowercase();
    if said.contains("archived") {
        "the repository is archived: take it out of the archive, or end this mirror"
    } else if said.contains("saml sso") {
        "the organisation of the target wants the key or token to be authorised: its owner can do that at \
         the page that the server names, or in the settings of the key or token"
    } else if said.contains("read only") || said.contains("read-only") {
        RefusalKind::ReadOnly.hint()
    } else {
        "give the credential's owner write access, or use another credential"
    }
}

faults!(PublishError {
    Self::Interrupted(error) => of(error),
    Self::Fenced(error) => of(error),
    Self::Init(error) => of(error).at(Here),
    Self::Net(error @ NetError::Unintelligible { .. }) => {
        of(error).at(Target).hint("check that the address is that of a Git repository")
    },
    Self::Net(error) => of(error).at(Target),
    Self::Address(error) => of(error),
    Self::Secret(error) => of(error).at(Here),
    Self::Cache(error) => of(error).at(Here),
    Self::Outgoing(error) => of(error),
    Self::Keep { source, .. } => io(source).at(Here),
    Self::Read { source, .. } => of(source).at(Target),
    Self::References { source, .. } => of(source).at(Target),
    Self::NoRepository { target, is_there: false } => NOT_THERE
        .at(Target)
        .hint(format!("`git init --bare {target}` makes an empty repository")),
    Self::NoRepository { .. } => NOT_THERE.at(Target).hint(
        "name the folder of a repository; `git init --bare` makes one of an empty folder"
    ),
    Self::Shallow { .. } => {
        RefusalKind::Shallow.fault().at(Target).hint(RefusalKind::Shallow.hint())
    },
    Self::ForeignOwner { .. } => Config.at(Target).hint(
        "run synchroniser as the user who owns the repository, or change its owner"
    ),
    Self::Missing { .. } => Auth.at(Target).hint(
        "check the address, make the repository if there is none, and give the credential's owner \
         write access"
    ),
    Self::Denied { source, .. } => Auth.at(Target).hint(denied_hint(&source.0)),
    Self::NoCredential { .. } => Auth.at(Target).hint(
        "set `target.token_file` (https) or `target.key_file` (ssh) of this mirror"
    ),
    Self::WrongCredential { .. } => Config.at(Target).hint(
        "https:// goes with `target.token_file`, ssh:// with `target.key_file`: change the address or \
         the key of the configuration"
    ),
    Self::Rejected { hint, .. } => Auth.at(Target).hint(hint),
    Self::UnusableKey { .. } => Config.at(Target).hint(
        "check that the file is an unencrypted key, or that its passphrase is right"
    ),
    Self::HostKey { source, .. } => {
        Diagnosis { hint: source.hint(), ..UNTRUSTED.at(Target) }
    },
    Self::Certificate { .. } => UNTRUSTED.at(Target).hint(
        "if the server has a certificate authority of its own, add its certificate to those that this machine trusts \
         (`update-ca-certificates`, or `update-ca-trust`), or name it as `target.ca_file`"
    ),
    Self::Moved { .. } => MOVED.at(Target).hint("use the new address, if you trust it"),
    Self::Unintelligible { .. } => {
        UNINTELLIGIBLE.at(Target).hint("check that the address is that of a Git repository")
    },
    Self::Unreachable { .. } | Self::Busy { .. } => Unavailable.at(Target),
    Self::PackRefused { kind, .. } => kind.fault().at(Target).hint(kind.hint()),
    Self::Unsupported { .. } => Unsupported.at(Target),
    Self::Write { source, .. } => match source.kind() {
        std::io::ErrorKind::PermissionDenied => io(source).at(Target),
        _ => Unavailable.at(Target),
    },
});
