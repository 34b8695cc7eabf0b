//! Whether all that commits consist of is there.

use std::collections::{HashMap, HashSet};

use super::{BareRepository, KnownObjects, RepositoryError};
use crate::git::tree::entries;
use crate::git::{ObjectId, ObjectKind, commit};

/// Looks for commits of which something is missing. What was looked at once is remembered.
pub struct Completeness<'r> {
    repository: &'r BareRepository,
    known: KnownObjects<'r>,
    /// The trees that were looked at, and whether all below each is there.
    trees: HashMap<ObjectId, bool>,
    /// The files that are there.
    blobs: HashSet<ObjectId>,
}

impl std::fmt::Debug for Completeness<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Completeness").field(&self.repository.path).finish()
    }
}

impl BareRepository {
    /// Looks for what is missing, as the repository is now.
    pub fn completeness(&self) -> Result<Completeness<'_>, RepositoryError> {
        let known = self.known()?;
        Ok(Completeness { repository: self, known, trees: HashMap::new(), blobs: HashSet::new() })
    }
}

impl Completeness<'_> {
    /// Whether the commit `id`, its parents, and all directories and files of its tree are there. The
    /// commits and directories were read for this; of files it is known that they are there.
    pub fn is_complete(&mut self, id: ObjectId) -> bool {
        let Ok(Some((ObjectKind::Commit, contents))) = self.repository.read(id) else {
            return false;
        };
        let (Some(tree), Some(parents)) = (commit::tree(&contents), commit::parents(&contents))
        else {
            return false;
        };
        parents.iter().all(|parent| self.known.contains(*parent)) && self.is_tree_complete(tree)
    }

    fn is_tree_complete(&mut self, root: ObjectId) -> bool {
        // A tree, and whether those below it were looked at.
        let mut next = vec![(root, false)];
        while let Some((id, seen)) = next.pop() {
            if self.trees.contains_key(&id) {
                continue;
            }
            let Ok(Some((ObjectKind::Tree, contents))) = self.repository.read(id) else {
                self.trees.insert(id, false);
                continue;
            };
            if !seen {
                next.push((id, true));
            }
            let mut is_complete = true;
            for entry in entries(&contents) {
                let Ok(entry) = entry else {
                    is_complete = false;
                    break;
                };
                if entry.is_directory {
                    match self.trees.get(&entry.id) {
                        Some(found) => is_complete &= found,
                        None if seen => is_complete = false,
                        None => next.push((entry.id, false)),
                    }
                } else if !entry.is_gitlink() && !self.blobs.contains(&entry.id) {
                    // The commit of a submodule is in another repository.
                    match self.known.contains(entry.id) {
                        true => drop(self.blobs.insert(entry.id)),
                        false => is_complete = false,
                    }
                }
            }
            if seen || !is_complete {
                self.trees.insert(id, is_complete);
            }
        }
        self.trees.get(&root).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_far_below_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let repository = BareRepository::open_or_create(folder.path(), "master").unwrap();
        let git = repository.repository();
        let blob = git.blob(b"text").unwrap();
        let tree = |entries: &[(&str, git2::Oid, i32)]| {
            let mut builder = git.treebuilder(None).unwrap();
            for (name, id, mode) in entries {
                builder.insert(name, *id, *mode).unwrap();
            }
            builder.write().unwrap()
        };
        let link = git2::Oid::from_str(&"1".repeat(40)).unwrap();
        let deep = tree(&[("file", blob, 0o100_644), ("module", link, 0o160_000)]);
        let middle = tree(&[("deep", deep, 0o040_000), ("other", blob, 0o100_755)]);
        let root = tree(&[("a", middle, 0o040_000), ("b", deep, 0o040_000)]);
        let who = git2::Signature::new("a", "b", &git2::Time::new(0, 0)).unwrap();
        let commit = |parents: &[&git2::Commit<'_>]| {
            let tree = git.find_tree(root).unwrap();
            git.commit(None, &who, &who, "message", &tree, parents).unwrap()
        };
        let first = commit(&[]);
        let second = commit(&[&git.find_commit(first).unwrap()]);
        let are_complete = || {
            let repository = BareRepository::open(folder.path()).unwrap();
            let mut completeness = repository.completeness().unwrap();
            [first, second, first].map(|id| completeness.is_complete(id.into()))
        };
        let file = |id: git2::Oid| {
            let (start, rest) = (&id.to_string()[..2], &id.to_string()[2..]);
            folder.path().join("objects").join(start).join(rest)
        };
        assert_eq!(are_complete(), [true, true, true]);
        for (missing, expected) in [
            (blob, [false, false, false]),
            (deep, [false, false, false]),
            (root, [false, false, false]),
            (first, [false, false, false]),
            (second, [true, false, true]),
        ] {
            let (there, away) = (file(missing), folder.path().join("away"));
            std::fs::rename(&there, &away).unwrap();
            assert_eq!(are_complete(), expected, "{missing}");
            std::fs::rename(&away, &there).unwrap();
        }
    }
}
