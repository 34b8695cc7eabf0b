//! Identities: the rules that decide a commit's bytes, and so its id.
//!
//! An identity is one file and one line in [`IDENTITIES`].

mod native;

use crate::git::ObjectId;
use crate::git::commit::Commit;
use crate::hg::{Changeset, Node};

/// What a commit is made from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The changeset's hash.
    pub node: Node,
    /// The changeset.
    pub changeset: &'a Changeset,
    /// Its snapshot.
    pub tree: ObjectId,
    /// The commits of its parents, in order.
    pub parents: &'a [ObjectId],
}

/// The rules that decide a commit's bytes.
pub trait Identity: Sync {
    /// What configuration calls it.
    fn name(&self) -> &'static str;

    /// The commit of a changeset. Never fails: whatever people typed has a commit.
    fn commit(&self, facts: &Facts<'_>) -> Commit;

    /// The changeset that a commit says it was made from, if this identity writes that down.
    fn node_of(&self, commit: &[u8]) -> Option<Node>;
}

/// Every identity there is, the default first.
pub const IDENTITIES: &[&dyn Identity] = &[&native::Native];

/// The identity that is used unless another is asked for.
pub const NATIVE: &dyn Identity = &native::Native;
