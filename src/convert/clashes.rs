//! Paths that are a file and a directory at once, which Mercurial lets happen and Git cannot have.

use super::identity::{Identity, Place};
use super::places::mode;
use crate::base::RepoPath;
use crate::base::repo_path::components;
use crate::hg::manifest::{Change, Manifest};

/// The files of two manifests whose places are taken: a path that is a file and a directory stays a
/// directory, which holds more. Each list is in path order.
pub(super) struct Hidden<'m> {
    /// Those of the manifest that a changeset's is compared with.
    pub before: Vec<&'m RepoPath>,
    /// Those of the changeset's manifest.
    pub after: Vec<&'m RepoPath>,
}

impl<'m> Hidden<'m> {
    /// Whether no place is taken, before and after.
    pub(super) fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    /// The paths whose places were taken and are not any more.
    pub(super) fn freed(&self) -> impl Iterator<Item = &'m RepoPath> {
        only(&self.before, &self.after)
    }

    /// The paths whose places were not taken and are now.
    pub(super) fn taken(&self) -> impl Iterator<Item = &'m RepoPath> {
        only(&self.after, &self.before)
    }
}

/// What is in one sorted list and not in the other.
fn only<'m>(these: &[&'m RepoPath], others: &[&'m RepoPath]) -> impl Iterator<Item = &'m RepoPath> {
    these.iter().copied().filter(|path| others.binary_search(path).is_err())
}

/// The files of a manifest whose path is a directory too, in a tree without what has no place in it.
pub(super) fn clashes<'m>(identity: &dyn Identity, manifest: &'m [u8]) -> Vec<&'m RepoPath> {
    Manifest::new(manifest).clashes(|line| {
        let place = identity.place(line.path, mode(line.kind));
        matches!(place, Place::Same | Place::At(_))
    })
}

/// Up to so many directories are looked up one by one; then looking at each line is cheaper.
const MANY_LOOKUPS: usize = 1000;

/// Whether a manifest may have a clash that its base has not: one that `changes` made.
pub(super) fn may_clash(changes: &[Change<'_>], new: Manifest<'_>) -> bool {
    let added = || changes.iter().filter(|change| matches!(change, Change::Added(_)));
    let mut lookups = added().flat_map(|change| components(change.path()));
    lookups.nth(MANY_LOOKUPS).is_some() || added().any(|change| new.clashes_at(change.path()))
}
