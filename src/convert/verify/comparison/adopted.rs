//! One changeset against a commit that another tool made: what both hold, not what the commit says.

use super::Comparison;
use crate::convert::adoption::{parents_fit, same_time};
use crate::convert::submodules::Overlay;
use crate::convert::verify::{Difference, Differences};
use crate::git::commit::ReadCommit;
use crate::git::{ObjectId, ObjectKind};
use crate::hg::revlog::RevlogError;
use crate::hg::{Changeset, Rev};

impl Comparison<'_> {
    /// Compares a changeset with the commit `id` of another tool, by what it holds.
    pub(super) fn adopted(
        &mut self,
        rev: Rev,
        changeset: &Changeset,
        manifest: &[u8],
        id: ObjectId,
        differences: &mut Differences,
    ) -> Result<(), RevlogError> {
        // Trees that follow on this one are made from what it would be.
        if self.replay.is_some() {
            self.tree(rev, changeset, manifest, differences)?;
        } else if let Err(error) = self.overlay(rev, changeset, manifest) {
            differences.add_error(&error);
        }
        let node = self.context.source.changelog().node(rev);
        let commit = match self.context.target.read(id) {
            Ok(Some((ObjectKind::Commit, contents))) => ReadCommit::parse(&contents),
            Ok(_) => None,
            Err(error) => {
                differences.add_error(&error);
                return Ok(());
            }
        };
        let Some(commit) = commit else {
            differences.add(Difference::CommitNotThere { changeset: node, commit: id });
            return Ok(());
        };
        let expected = self.contents.tree(manifest, &Overlay::new(), differences);
        match self.content_trees.top(commit.tree) {
            Ok(content) if content == expected => {}
            Ok(_) => {
                differences.add(Difference::ContentDiffers { changeset: node, commit: id });
            }
            Err(error) => differences.add_error(&error),
        }
        if !same_time(commit.authored, changeset.date.seconds) {
            differences.add(Difference::TimeDiffers { changeset: node, commit: id });
        }
        let changelog = self.context.source.changelog();
        let commit_of = |parent| self.commits.get(&changelog.node(parent)).copied();
        let parents = &commit.parents;
        if !parents_fit(rev, changeset, &mut self.history, commit_of, parents)? {
            differences.add(Difference::ParentsDiffer { changeset: node, commit: id });
        }
        Ok(())
    }
}
