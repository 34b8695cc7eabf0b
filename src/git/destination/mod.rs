//! Where commits go: one trait, one function from an address to its implementation.

mod connection;
mod content;
mod credential;
mod decide;
mod error;
mod exchange;
mod failure;
mod fetched;
mod history;
mod host_key;
mod line;
mod local;
mod network;
mod objects;
mod pace;
mod parts;
mod plan;
mod publish;
pub(in crate::git) mod receive_pack;
mod refusal;
mod remote_text;
mod response;
mod rules;
mod second;
mod session;
mod stream;

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::pack::LargeFile;
use super::reference::Reference;
use super::{ObjectId, init};
use crate::base::{Interrupt, Progress, hex, sha1};
use crate::net::url::Location;
use crate::net::{Access, KeySource, SecretSource, TargetUrl, TokenSource};
use credential::Credential;

pub(super) use stream::register as register_streams;

pub use content::PushLimits;
pub use error::{PublishError, Said};
pub use fetched::{FETCHED, fetched_name};
pub use host_key::host_key;
pub use plan::{
    Ancestry, Decision, History, KnownRef, Orders, Planned, Stays, Turn, backup_prefix, plan,
};
pub use publish::{Journal, NoJournal, Published, publish};
pub use refusal::{Refusal, RefusalKind, diagnose};
pub use rules::{Divergence, Prune, PublishRules};

/// A target, and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it is.
    pub url: TargetUrl,
    /// How it is reached. Its token or key is read anew for each connection. SSH servers that its
    /// `known_hosts` does not mention are unknown, but for GitHub's, whose keys are built in.
    pub access: Access,
    /// What it takes at most. A path takes everything.
    pub limits: PushLimits,
}

impl Target {
    /// The target at `url`, with the limits that are known of it.
    pub fn new(url: TargetUrl, access: Access) -> Self {
        let limits = PushLimits::of(&url);
        Self { url, access, limits }
    }

    /// The repository at a path of this machine.
    pub fn local(path: impl Into<PathBuf>) -> Self {
        Self::new(TargetUrl::local(path), Access::default())
    }

    /// Stands for how it is reached and what it takes: it is another one once the configuration says
    /// otherwise, the file with the credential has changed, or the credential may do something else.
    /// What it is made of cannot be told from it.
    pub fn way(&self) -> String {
        let Access { token, key, proxy, ca_file, .. } = &self.access;
        let stored = |source: &SecretSource| {
            let path = source.path().ok()?;
            let changed = path.metadata().ok()?.modified().ok()?;
            Some((path, changed.duration_since(UNIX_EPOCH).ok()?))
        };
        let token = token.as_ref().map(|token| match &token.source {
            TokenSource::Stored(source) => (&token.user, stored(source), None),
            TokenSource::Variable(name) => (&token.user, None, Some(name)),
            // What makes tokens goes on making them, with rights that others change.
            TokenSource::Made(_) => (&token.user, None, None),
        });
        let key = key.as_ref().map(|key| match &key.source {
            KeySource::Stored(source) => (&key.user, stored(source)),
            KeySource::Agent => (&key.user, None),
        });
        let all = format!("{:?}", (token, key, proxy, ca_file, self.limits));
        let mut digest = hex::encode(&sha1::digest(&[all.as_bytes()]));
        digest.truncate(16);
        digest
    }
}

/// What is to become of one reference of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefUpdate {
    /// The full name.
    pub name: String,
    /// What the target has now; `None` if it has no reference of that name. It is not touched if it
    /// has something else when the push arrives.
    pub old: Option<ObjectId>,
    /// What it shall point at; `None` removes it. Everything it needs must be in the repository we
    /// push from.
    pub new: Option<ObjectId>,
}

/// What became of one reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefOutcome {
    /// The full name.
    pub name: String,
    /// What the target had before; `None` if it had no reference of that name.
    pub old: Option<ObjectId>,
    /// What it was to have; `None` if it was to be removed.
    pub new: Option<ObjectId>,
    /// How that went.
    pub result: RefResult,
}

/// How it went with one reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefResult {
    /// The target had it already.
    UpToDate,
    /// The target has it now, and did not before.
    Created,
    /// The target has moved it.
    Moved,
    /// The target has removed it.
    Removed,
    /// The target has not moved it, or we did not ask it to.
    Refused {
        /// What kind of refusal it is.
        kind: RefusalKind,
        /// Why, in the words of whoever refused.
        reason: String,
    },
}

impl RefOutcome {
    /// Whether the target has what it was to have.
    pub fn is_there(&self) -> bool {
        !matches!(self.result, RefResult::Refused { .. })
    }

    /// What was refused, if it was.
    pub fn refusal(self) -> Option<Refusal> {
        match self.result {
            RefResult::Refused { kind, reason } => Some(Refusal { name: self.name, kind, reason }),
            RefResult::UpToDate | RefResult::Created | RefResult::Moved | RefResult::Removed => {
                None
            }
        }
    }

    /// What a push that was accepted means for `update`.
    fn accepted(update: &RefUpdate) -> Self {
        let result = match (update.old, update.new) {
            (_, None) => RefResult::Removed,
            (None, Some(_)) => RefResult::Created,
            (Some(_), Some(_)) => RefResult::Moved,
        };
        Self { name: update.name.clone(), old: update.old, new: update.new, result }
    }

    /// What a refusal means for `update`.
    fn refused(update: &RefUpdate, kind: RefusalKind, reason: impl Into<String>) -> Self {
        let result = RefResult::Refused { kind, reason: reason.into() };
        Self { name: update.name.clone(), old: update.old, new: update.new, result }
    }
}

/// A repository to publish to: it lists its refs, and sends and receives objects. [`publish()`]
/// decides what goes there.
pub trait Destination {
    /// The branches, tags and notes of changesets that the target has now, by name.
    fn references(&mut self, interrupt: &Interrupt) -> Result<Vec<Reference>, PublishError>;

    /// Asks for them ahead, where that takes time: what [`Destination::references`] says within the next few
    /// seconds is what was found then, an error too. Something else must keep us busy meanwhile.
    fn list_ahead(&mut self, interrupt: &Interrupt) {
        let _ = interrupt;
    }

    /// Sends what `updates` need, and asks the target to move these references. The result has one
    /// outcome for each, by the target's own report.
    ///
    /// Whether a reference may move, back as well as forward, the caller has decided. The target
    /// touches one only if it still has [`RefUpdate::old`].
    fn push(
        &mut self,
        updates: &[RefUpdate],
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Vec<RefOutcome>, PublishError>;

    /// Brings all that the branches and tags of the target reach into our repository, and keeps it
    /// there under names below [`FETCHED`], which are never published. Returns these names.
    fn fetch(
        &mut self,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Vec<Reference>, PublishError>;

    /// The parts in which `updates` are pushed, one after the other: several if what they need is more
    /// than the target takes at once. Branches move step by step then.
    fn parts(
        &mut self,
        updates: &[RefUpdate],
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Vec<Vec<RefUpdate>>, PublishError> {
        let _ = (progress, interrupt);
        Ok(vec![updates.to_vec()])
    }

    /// The files among what was sent, or was not, that are near the limit of the target or beyond it.
    fn large_files(&mut self) -> Vec<LargeFile> {
        Vec::new()
    }

    /// How many pushes a minute it takes. GitHub wants no more than six to one repository (its page
    /// "Repository limits"), and others are spared the same.
    fn pushes_a_minute(&self) -> Option<usize> {
        Some(6)
    }

    /// Called before the first push to a target that has no branch yet, which brings `main_branch`
    /// (the full name) there. Forges make that the default branch themselves.
    fn make_default(&mut self, main_branch: &str) -> Result<(), PublishError> {
        let _ = main_branch;
        Ok(())
    }
}

/// The destination that `target` names, to which objects are sent from the bare repository
/// `git_dir`. The one place that knows which implementation an address means.
pub fn open(target: &Target, git_dir: &Path) -> Result<Box<dyn Destination>, PublishError> {
    init::ensure()?;
    let wrong =
        |expected| Err(PublishError::WrongCredential { target: target.url.to_string(), expected });
    match (target.url.location(), &target.access) {
        (Location::Path(path), _) => Ok(Box::new(local::LocalDestination::open(path, git_dir)?)),
        (Location::Http { .. }, Access { key: Some(_), token: None, .. }) => {
            wrong("a user and a token, not a private key")
        }
        (Location::Ssh { .. }, Access { token: Some(_), key: None, .. }) => {
            wrong("a private key, not a token")
        }
        (Location::Http { .. } | Location::Git { .. } | Location::Ssh { .. }, _) => {
            Ok(Box::new(network::NetworkDestination::open(target, git_dir)?))
        }
    }
}
