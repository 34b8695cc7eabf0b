//! The file revisions that changesets introduced, for identities that record copies.

use std::collections::HashSet;

use super::{Delta, Planner};
use crate::base::RepoPath;
use crate::convert::ConvertError;
use crate::hg::manifest::{Change, Line, Manifest};
use crate::hg::revlog::Text;
use crate::hg::{Changeset, Node, Rev};

impl Planner<'_> {
    /// Plans to read what the changeset introduced: the file revisions that it lists and neither
    /// parent has.
    pub(super) fn introduced(
        &mut self,
        changes: &[Change<'_>],
        delta: Delta<'_>,
        changeset: &Changeset,
        second: Option<&(Rev, Node)>,
    ) -> Result<(), ConvertError> {
        if !self.input.rules.identity.records_copies() {
            return Ok(());
        }
        let other = match second {
            Some((parent, manifest)) => self.manifest_text(*manifest, *parent)?.1,
            None => Text::default(),
        };
        let has = |text, line: Line<'_>| {
            Manifest::new(text).file(line.path).is_some_and(|found| found.node == line.node)
        };
        let listed: HashSet<&RepoPath> = changeset.files.iter().map(AsRef::as_ref).collect();
        for change in changes {
            let (Change::Added(line) | Change::Modified(line)) = *change else { continue };
            if listed.contains(line.path) && !has(delta.old, line) && !has(&other, line) {
                let path = self.places.number(line.path);
                let file = self.wanted_file(delta.rev, path, line.node, false);
                self.plan.introduced.push(file);
            }
        }
        Ok(())
    }
}
