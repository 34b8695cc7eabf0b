//! Finds objects that are missing from a cache, before new ones are built on them, so that they are
//! converted again.

use std::collections::HashSet;

use super::update::Sync;
use super::{CacheLocation, Note, SyncError};
use crate::base::{Progress as _, Stage};
use crate::convert::IdMap;
use crate::git::{BareRepository, ObjectId};
use crate::hg::{Node, RevSet};

impl Sync<'_> {
    /// Removes from `map` the commits that are missing in `git`, so that they are converted again. Returns
    /// the changesets that have a commit then, and a note about the others, if there were any.
    ///
    /// Every run checks whether packs have vanished since the last one, and whether the commits that
    /// new ones may be built on exist. Everything is checked only if one of these fails, which is so
    /// after each `git gc`, too.
    pub(super) fn repair(
        &self,
        git: &BareRepository,
        map: &mut IdMap,
    ) -> Result<(RevSet, Option<Note>), SyncError> {
        let mapped = self.mapped(map);
        let lone = git.remove_lone_indexes()?;
        let present = git.pack_names()?;
        if lone == 0 && self.has_all(&present) && self.has_heads(git, map, &mapped) {
            return Ok((mapped, None));
        }
        map.doubt();
        let mapped = self.mapped(map);
        let mut damaged = 0;
        if matches!(self.mirror.cache, CacheLocation::Folder(_)) {
            damaged = git.remove_damaged_packs()?;
        }
        git.refresh()?;
        let mut lost = self.lost(git, map)?;
        if lost.iter().any(|(node, _)| map.is_adopted(*node)) {
            // The target has what another tool made.
            self.fetch(git)?;
            lost = self.lost(git, map)?;
        }
        if let Some((node, commit)) = lost.iter().find(|(node, _)| map.is_adopted(*node)) {
            let (node, commit, path) = (*node, *commit, self.cache.git().to_owned());
            return Err(SyncError::LostAdopted { node, commit, path });
        }
        if lost.is_empty() && damaged == 0 {
            self.cache.record_packs(&present)?;
            return Ok((mapped, None));
        }
        let nodes: HashSet<Node> = lost.iter().map(|(node, _)| *node).collect();
        map.forget(&nodes)?;
        let (cache, lost) = (self.cache.git().to_owned(), nodes.len());
        let note = Note::CacheRepaired { cache, lost, commits: map.len() + lost };
        Ok((self.mapped(map), Some(note)))
    }

    /// Whether all packs are there that the last run left.
    fn has_all(&self, present: &[String]) -> bool {
        let recorded = self.cache.recorded_packs();
        recorded.is_some_and(|recorded| recorded.iter().all(|name| present.contains(name)))
    }

    /// Whether the commits are there that have no children yet, and the parents of new ones.
    fn has_heads(&self, git: &BareRepository, map: &IdMap, mapped: &RevSet) -> bool {
        let changelog = self.repository().changelog();
        let dag = changelog.dag();
        let commit_of = |rev| map.commit(changelog.node(rev));
        let mut asked = RevSet::empty(dag.len());
        for rev in RevSet::full(dag.len()).without(mapped) {
            for parent in dag.parents(rev) {
                asked.insert(parent);
            }
        }
        for head in mapped.heads(dag) {
            asked.insert(head);
        }
        let mut asked = asked.iter().filter(|rev| mapped.contains(*rev));
        asked.all(|rev| commit_of(rev).is_some_and(|commit| git.contains(commit)))
    }

    /// The records of `map` whose commits are not there, or not all that belongs to them.
    fn lost(&self, git: &BareRepository, map: &IdMap) -> Result<Vec<(Node, ObjectId)>, SyncError> {
        let mut completeness = git.completeness()?;
        let mut lost = Vec::new();
        self.events.begin(Stage::CheckingCache, Some(map.len() as u64));
        for (node, commit) in map.records() {
            self.interrupt.check()?;
            if !completeness.is_complete(commit) {
                lost.push((node, commit));
            }
            self.events.advance(1);
        }
        self.events.end();
        Ok(lost)
    }

    /// Records the packs that there are, once all is in them.
    pub(super) fn record_packs(&self, git: &BareRepository) -> Result<(), SyncError> {
        let present = git.pack_names()?;
        match self.cache.recorded_packs() {
            Some(recorded) if recorded == present => Ok(()),
            _ => self.cache.record_packs(&present),
        }
    }
}
