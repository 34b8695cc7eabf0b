//! Submodules: what an identity makes of subrepositories that are Git's.

use std::collections::BTreeMap;

use crate::base::RepoPathBuf;
use crate::git::ObjectId;
use crate::git::tree::Mode;
use crate::hg::Changeset;

/// The file in which Git keeps what it knows of submodules.
pub const MODULES: &str = ".gitmodules";

/// What is in a tree because of subrepositories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submodules {
    /// The commit of each submodule, by its path.
    pub links: BTreeMap<RepoPathBuf, ObjectId>,
    /// What stands at [`MODULES`].
    pub modules: Modules,
}

/// What stands at [`MODULES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Modules {
    /// What the manifest has there, if the identity has a place for it.
    #[default]
    Tracked,
    /// Nothing, whatever the manifest has.
    Nothing,
    /// A file that was made from what is known of subrepositories.
    Made(Mode, ObjectId),
}

/// A subrepository of Git whose commit is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitSubrepository {
    /// Where it is checked out.
    pub path: RepoPathBuf,
    /// Where it comes from.
    pub source: RepoPathBuf,
    /// The commit.
    pub commit: ObjectId,
}

/// The changeset whose submodules those of another are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// The first parent.
    FirstParent,
    /// The one that has a commit and comes before it in revision order, whatever its parents are.
    Previous,
}

/// How a file differs between two changesets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileChange {
    /// Only the first one has it.
    Removed,
    /// Both have it, and not the same.
    Modified,
    /// Only the second one has it.
    Added,
}

/// What leads from the submodules of one changeset to those of the next.
#[derive(Clone, Copy, Debug)]
pub struct SubrepoStep<'s> {
    /// The submodules of the one.
    pub before: &'s Submodules,
    /// How `.hgsub` differs, if it does.
    pub sub: Option<FileChange>,
    /// How `.hgsubstate` differs.
    pub state: Option<FileChange>,
    /// How the tracked [`MODULES`] differs.
    pub tracked: Option<FileChange>,
    /// The mode of the next one's `.hgsub`.
    pub mode: Mode,
    /// The next one's subrepositories, in the order of `.hgsub`.
    pub subrepositories: &'s [GitSubrepository],
    /// The contents of the next one's tracked [`MODULES`].
    pub contents: Option<&'s [u8]>,
}

impl SubrepoStep<'_> {
    /// Whether `.hgsub` or `.hgsubstate` differs: nothing else is looked at if neither does.
    pub fn is_about_subrepositories(&self) -> bool {
        self.sub.is_some() || self.state.is_some()
    }

    /// The commit of each subrepository, by its path.
    pub fn links(&self) -> BTreeMap<RepoPathBuf, ObjectId> {
        self.subrepositories.iter().map(|sub| (sub.path.clone(), sub.commit)).collect()
    }
}

/// How an identity turns subrepositories into submodules.
pub trait SubmoduleRules: Sync {
    /// What submodules are made from.
    fn follows(&self) -> Follows;

    /// Whether another changeset can follow this one.
    fn is_followed(&self, _changeset: &Changeset) -> bool {
        true
    }

    /// The submodules after a step, and the text of the file that was made, if one was.
    fn next(&self, step: &SubrepoStep<'_>) -> (Submodules, Option<Vec<u8>>);
}
