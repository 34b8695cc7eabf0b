//! The history behind refs before it is converted: that of the source.

use std::collections::{HashMap, HashSet};

use super::SyncError;
use super::cache::ReadCache;
use crate::git::ObjectId;
use crate::git::destination::{Ancestry, History};
use crate::hg::{Dag, Rev, RevSet};

/// The history of the source, with the commits that its changesets have, and beyond it that of the
/// cache.
pub(super) struct SourceHistory<'h> {
    pub dag: &'h Dag,
    /// The changeset of each commit, and of what stands for one.
    pub rev_of: HashMap<ObjectId, Rev>,
    pub cache: &'h ReadCache,
}

impl History for SourceHistory<'_> {
    type Error = SyncError;

    fn ancestry(&self, old: ObjectId, new: ObjectId) -> Result<Ancestry, SyncError> {
        Ok(match (self.rev_of.get(&old), self.rev_of.get(&new)) {
            (Some(old), Some(new)) if is_ancestor(self.dag, *old, *new) => Ancestry::Ancestor,
            // One of ours that the source does not have any more.
            (None, _) if !self.cache.contains(old) => Ancestry::Unknown,
            _ => Ancestry::NotAncestor,
        })
    }

    fn lost(
        &self,
        commits: &[ObjectId],
        tips: &[ObjectId],
    ) -> Result<HashSet<ObjectId>, SyncError> {
        let rev = |id: &ObjectId| self.rev_of.get(id).copied();
        let reached = RevSet::below(self.dag, tips.iter().filter_map(rev));
        let is_reached = |id: &&ObjectId| rev(id).is_some_and(|rev| reached.contains(rev));
        let left: Vec<_> = commits.iter().filter(|id| !is_reached(id)).copied().collect();
        match self.cache.history() {
            // What the source does not have any more is known there.
            Some(git) if !left.is_empty() => Ok(git.lost(&left, tips)?),
            _ => Ok(left.into_iter().collect()),
        }
    }
}

/// Whether `old` is `new` or one of its ancestors.
fn is_ancestor(dag: &Dag, old: Rev, new: Rev) -> bool {
    let mut seen = HashSet::new();
    let mut next = vec![new];
    while let Some(rev) = next.pop() {
        if rev == old {
            return true;
        }
        // Parents come before their children.
        if rev > old && seen.insert(rev) {
            next.extend(dag.parents(rev));
        }
    }
    false
}
