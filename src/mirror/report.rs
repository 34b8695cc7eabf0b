//! What one sync did.

use std::time::Duration;

use crate::git::ObjectId;

/// What a successful sync did.
#[derive(Clone, Debug, Default)]
pub struct SyncReport {
    /// Served changesets of the source.
    pub changesets: u64,
    /// How many of them were converted by this run; the others were in the cache.
    pub converted: u64,
    /// References that the target, or the cache if there is none, now has as the source wants them.
    pub refs: Vec<RefChange>,
    /// What a person should know: paths left out, names mapped, references left behind.
    pub notes: Vec<String>,
    /// Wall time of the whole run.
    pub elapsed: Duration,
}

/// One reference after a sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefChange {
    /// The full name, `refs/heads/…` or `refs/tags/…`.
    pub name: String,
    /// What it was before; `None` if it is new.
    pub old: Option<ObjectId>,
    /// What it is now. Equal to `old` when nothing had to change.
    pub new: ObjectId,
}
