//! What a run has to do: which file revisions become blobs, and what each changeset's manifest
//! changes in the tree of its parent.

use std::collections::HashMap;

use super::flaw::Flaw;
use super::left_out::Collector;
use crate::base::RepoPathBuf;
use crate::git::ObjectId;
use crate::git::tree::Mode;
use crate::hg::{Node, Rev};

/// Everything that a run has to do, in compact numbers.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The paths that occur.
    pub paths: Vec<RepoPathBuf>,
    /// The file revisions that are read.
    pub files: Vec<WantedFile>,
    /// One entry for each changeset, in the order of the input.
    pub trees: Vec<TreePlan>,
    /// The edits of all trees, one after the other.
    pub edits: Vec<PlannedEdit>,
    /// The file revisions, in [`Plan::files`], that each changeset needs whether they are in its tree
    /// or not, one changeset after the other: those that it introduced, for identities that record
    /// copies, and those that would say which submodules it has, if they could be read.
    pub introduced: Vec<u32>,
    /// What is wrong with the latter.
    pub flaws: HashMap<u32, Flaw>,
    /// Further blobs: what was made from several files.
    pub made: Vec<Vec<u8>>,
    /// What has no place in Git.
    pub left_out: Collector,
}

/// A file revision that becomes a blob, or may be a copy of another.
#[derive(Clone, Copy, Debug)]
pub(super) struct WantedFile {
    /// Its path, in [`Plan::paths`].
    pub path: u32,
    /// Its node in the path's filelog.
    pub node: Node,
    /// The first changeset that needs it.
    pub changeset: Rev,
    /// Whether it becomes a blob.
    pub in_tree: bool,
}

/// How one changeset's tree is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct TreePlan {
    /// The changeset whose tree is edited; the empty tree if there is none.
    pub base: Option<Rev>,
    /// How many of [`Plan::edits`] are this tree's.
    pub edits: usize,
    /// How many of [`Plan::introduced`] are this changeset's.
    pub introduced: usize,
}

/// One path of one tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlannedEdit {
    /// The path, in [`Plan::paths`].
    pub path: u32,
    /// What is there afterwards; `None` for nothing.
    pub entry: Option<(Mode, Planned)>,
}

/// What is to stand at a path.
#[derive(Clone, Copy, Debug)]
pub(super) enum Planned {
    /// A file revision, in [`Plan::files`].
    File(u32),
    /// An object whose id is known already.
    Object(ObjectId),
}
