//! Hidden refs: they protect from `git gc` the commits that the id map names and that no branch or tag
//! reaches, such as closed heads, and changesets that the source does not have any more.

use std::collections::HashSet;

use super::SyncError;
use super::update::Sync;
use crate::convert::IdMap;
use crate::convert::identity::Identity;
use crate::git::reference::KEPT;
use crate::git::repository::RefEdit;
use crate::git::{BareRepository, ObjectId, Reference};
use crate::hg::{Rev, RevSet};

/// What has become of so many new changesets' parents is looked at one by one.
const FEW: usize = 64;

impl Sync<'_> {
    /// The edits of the hidden refs after which each commit of `map` is reached by one of them
    /// or by the commits of `tips`, which branches and tags will name. `mapped` are the changesets that
    /// have a commit, `before` are the refs as they are now, and `new` is what this run has converted.
    ///
    /// A commit is taken to reach those of its changeset's ancestors, unless `identity` bypasses them.
    pub(super) fn edits_to_keep(
        &self,
        git: &BareRepository,
        (map, mapped, identity): (&IdMap, &RevSet, &dyn Identity),
        tips: impl Iterator<Item = Rev>,
        before: &[Reference],
        new: &[Rev],
    ) -> Result<Vec<RefEdit>, SyncError> {
        let changelog = self.repository().changelog();
        let dag = changelog.dag();
        let commit_of = |rev: Rev| map.commit(changelog.node(rev));
        let mut others = mapped.clone();
        let tips: Vec<Rev> = tips.collect();
        others.remove_all(&RevSet::below(dag, tips.iter().copied()));
        let heads = others.heads(dag);
        let mut keep: HashSet<ObjectId> = heads.iter().copied().filter_map(commit_of).collect();
        let kept = git.references_below(&[KEPT])?;
        // The changesets of what was reached until now: most are still reached by name, or the parents of
        // new ones. For the others the map is looked through.
        let mut reached: HashSet<ObjectId> =
            before.iter().chain(&kept).map(Reference::finally).collect();
        let mut bypassed = new.to_vec();
        let parents = new.iter().take(FEW).flat_map(|rev| dag.parents(*rev));
        for rev in tips.into_iter().chain(heads).chain(parents) {
            if commit_of(rev).is_some_and(|commit| reached.remove(&commit)) {
                bypassed.push(rev);
            }
        }
        let of_others = (!reached.is_empty()).then(|| map.records());
        for (node, id) in of_others.into_iter().flatten().filter(|(_, id)| reached.contains(id)) {
            match changelog.rev(node) {
                Some(rev) => bypassed.push(rev),
                // The source does not have it any more, so nothing else tells what reaches it.
                None => drop(keep.insert(id)),
            }
        }
        let mut changesets = changelog.reader();
        for rev in bypassed.into_iter().filter(|rev| dag.parents(*rev).count() == 2) {
            if identity.is_bypassed(&changesets.changeset(rev)?) {
                keep.extend(commit_of(rev));
            }
        }
        let name = |id: ObjectId| format!("{KEPT}{id}");
        let there: HashSet<ObjectId> = kept.iter().map(|reference| reference.id).collect();
        let unneeded = kept.iter().filter(|reference| !keep.contains(&reference.id));
        let removals = unneeded.map(|r| RefEdit { name: r.name.clone(), new: None });
        let mut added: Vec<_> = keep.difference(&there).collect();
        added.sort_unstable();
        let additions = added.into_iter().map(|id| RefEdit { name: name(*id), new: Some(*id) });
        Ok(removals.chain(additions).collect())
    }
}
