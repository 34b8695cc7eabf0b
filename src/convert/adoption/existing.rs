//! The commits that a target has.

use std::collections::HashSet;

use crate::git::ObjectId;
use crate::git::commit::ReadCommit;

/// One commit that exists already.
#[derive(Clone, Debug)]
pub struct ExistingCommit {
    /// Its id.
    pub id: ObjectId,
    /// Its contents.
    pub contents: Vec<u8>,
}

impl ExistingCommit {
    /// Parses the commit; `None` if it is malformed.
    pub(super) fn read(&self) -> Option<ReadCommit> {
        ReadCommit::parse(&self.contents)
    }
}

/// The ids of `commits`.
pub(super) fn ids(commits: &[ExistingCommit]) -> HashSet<ObjectId> {
    commits.iter().map(|commit| commit.id).collect()
}
