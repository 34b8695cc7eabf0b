//! The history behind references, as the repository has it that we push from.

use std::collections::HashSet;

use super::plan::{Ancestry, History};
use crate::git::ObjectId;
use crate::git::reference::Reference;
use crate::git::repository::{BareRepository, RepositoryError};

impl History for BareRepository {
    type Error = RepositoryError;

    fn ancestry(&self, old: ObjectId, new: ObjectId) -> Result<Ancestry, RepositoryError> {
        if !self.contains(old) {
            return Ok(Ancestry::Unknown);
        }
        match self.is_ancestor(old, new) {
            Ok(true) => Ok(Ancestry::Ancestor),
            // A branch that was pushed by hand may name something that is no commit.
            Ok(false) | Err(RepositoryError::Object { .. }) => Ok(Ancestry::NotAncestor),
            Err(error) => Err(error),
        }
    }

    fn lost(
        &self,
        commits: &[ObjectId],
        tips: &[ObjectId],
    ) -> Result<HashSet<ObjectId>, RepositoryError> {
        let is_here = |tip: &ObjectId| self.contains(*tip);
        let tips: HashSet<ObjectId> = tips.iter().copied().filter(is_here).collect();
        let mut asked: HashSet<ObjectId> = commits.iter().copied().collect();
        asked.retain(|commit| !tips.contains(commit));
        // libgit2 is much faster. It goes by the times of commits, and does not read all of them: what
        // it does not find among the others is looked for once more, without it.
        let mut lost = self.unreached(&asked, &tips).unwrap_or(asked);
        if lost.is_empty() {
            return Ok(lost);
        }
        let tips: Vec<_> = tips.into_iter().map(|tip| Reference::new("", tip)).collect();
        for commit in self.commits_behind(&tips)? {
            lost.remove(&commit?.0);
            if lost.is_empty() {
                break;
            }
        }
        Ok(lost)
    }
}

impl BareRepository {
    /// Those of `commits` that libgit2 does not reach from `tips`.
    fn unreached(
        &self,
        commits: &HashSet<ObjectId>,
        tips: &HashSet<ObjectId>,
    ) -> Result<HashSet<ObjectId>, git2::Error> {
        let mut unreached = HashSet::new();
        if commits.is_empty() {
            return Ok(unreached);
        }
        let mut walk = self.repository().revwalk()?;
        for commit in commits {
            walk.push((*commit).into())?;
        }
        for tip in tips {
            walk.hide((*tip).into())?;
        }
        for found in walk {
            let found = ObjectId::from(found?);
            if commits.contains(&found) {
                unreached.insert(found);
            }
        }
        Ok(unreached)
    }
}
