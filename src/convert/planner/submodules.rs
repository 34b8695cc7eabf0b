//! What submodules change in the trees of a plan.

use super::{Delta, Planner};
use crate::base::RepoPath;
use crate::convert::ConvertError;
use crate::convert::plan::{Planned, PlannedEdit};
use crate::convert::submodules::{Earlier, Overlay};
use crate::hg::manifest::{Change, Manifest};
use crate::hg::revlog::Text;
use crate::hg::{Changeset, Rev};

/// What lies over the files of two changesets.
#[derive(Default)]
pub(super) struct Overlays {
    before: Overlay,
    pub after: Overlay,
}

impl<'p> Planner<'p> {
    /// What lies over the files of a changeset and of its base.
    pub(super) fn overlays(
        &mut self,
        delta: Delta<'_>,
        changeset: &Changeset,
        base: Option<Rev>,
    ) -> Result<Overlays, ConvertError> {
        let Delta { rev, old, new, .. } = delta;
        let Some(mut history) = self.submodules.take() else { return Ok(Overlays::default()) };
        let earlier = &mut |rev| self.earlier(rev);
        let brought = history.add(rev, changeset, new, earlier)?;
        let before = match base {
            Some(base) => history.overlay(base, old, earlier)?.0,
            None => Overlay::new(),
        };
        let (after, without) = history.overlay(rev, new, earlier)?;
        for lost in history.take_lost() {
            let path = self.places.number(lost.path.as_ref());
            let file = self.wanted_file(rev, path, lost.node, false);
            self.plan.flaws.insert(file, lost.flaw);
            self.plan.introduced.push(file);
        }
        self.submodules = Some(history);
        self.plan.made.extend(brought.made);
        let node = self.input.changelog.node(rev);
        for (path, why) in brought.without.into_iter().chain(without) {
            self.plan.left_out.add(path.as_ref(), why, node);
        }
        Ok(Overlays { before, after })
    }

    /// A changeset that an earlier run converted.
    fn earlier(&mut self, rev: Rev) -> Result<Option<Earlier<'p>>, ConvertError> {
        let Some(commit) = self.input.map.commit(self.input.changelog.node(rev)) else {
            return Ok(None);
        };
        let changeset = self.input.changelog.reader().changeset(rev)?;
        let (_, manifest) = self.manifest_text(changeset.manifest, rev)?;
        Ok(Some(Earlier { changeset, manifest, commit, objects: self.existing }))
    }

    /// Plans what differs between two overlays; the manifest of the second has the text `new`.
    pub(super) fn edit_overlays(&mut self, rev: Rev, new: &Text, overlays: Overlays) {
        let Overlays { before, after } = overlays;
        for path in before.keys().filter(|path| !after.contains_key(*path)) {
            self.clear(path.as_ref());
            // What lay there no longer hides the file.
            if let Some(line) = Manifest::new(new).file(path.as_ref()) {
                self.edit(rev, Change::Added(line));
            }
        }
        for (path, entry) in &after {
            match entry {
                _ if before.get(path) == Some(entry) => {}
                Some((mode, id)) => {
                    let path = self.places.number(path.as_ref());
                    let entry = Some((*mode, Planned::Object(*id)));
                    self.plan.edits.push(PlannedEdit { path, entry });
                }
                None => self.clear(path.as_ref()),
            }
        }
    }

    /// Plans that nothing is at `path`.
    fn clear(&mut self, path: &RepoPath) {
        let path = self.places.number(path);
        self.plan.edits.push(PlannedEdit { path, entry: None });
    }
}
