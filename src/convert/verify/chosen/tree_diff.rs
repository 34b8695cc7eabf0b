//! What differs between two trees.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::base::{Cause, HasFault, RepoPath, RepoPathBuf};
use crate::convert::verify::{TreeFile, TreeProblem};
use crate::git::tree::{self, Mode};
use crate::git::{BareRepository, ObjectId, ObjectKind};

/// The entries of one tree, by name.
type Entries = BTreeMap<Vec<u8>, (Mode, ObjectId)>;

/// Files by path, as the second tree has them; `None` if it has none there.
pub(super) type Differing = BTreeMap<RepoPathBuf, Option<TreeFile>>;

/// How many trees are kept: those of one changeset are those of the next, but for a few.
const KEPT: usize = 20_000;

/// Reads trees, and keeps the latest.
pub(super) struct Trees<'t> {
    git: &'t BareRepository,
    kept: HashMap<ObjectId, Arc<Entries>>,
}

impl<'t> Trees<'t> {
    pub(super) fn new(git: &'t BareRepository) -> Self {
        Self { git, kept: HashMap::new() }
    }

    /// The files that differ between two trees; the first is empty if it is `None`. The error says
    /// which tree cannot be read, or is none that Git would write.
    pub(super) fn differences(
        &mut self,
        old: Option<ObjectId>,
        new: ObjectId,
    ) -> Result<Differing, BadTree> {
        let mut differing = Differing::new();
        if old == Some(new) {
            return Ok(differing);
        }
        // Pairs of trees that differ, each with the path of both, its slash included.
        let mut open = vec![(Vec::new(), old, Some(new))];
        while let Some((path, old, new)) = open.pop() {
            let (old, new) = (self.entries_of(old)?, self.entries_of(new)?);
            for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
                let (was, is) = (old.get(name).copied(), new.get(name).copied());
                if was == is {
                    continue;
                }
                let here = [&path, name.as_slice()].concat();
                let (old_tree, new_tree) = (folder(was), folder(is));
                if old_tree.is_some() || new_tree.is_some() {
                    open.push(([&here, &b"/"[..]].concat(), old_tree, new_tree));
                }
                let (was, is) = (leaf(was), leaf(is));
                if was != is {
                    differing.insert(here.into(), is);
                }
            }
        }
        Ok(differing)
    }

    /// The file at `path` in a tree.
    pub(super) fn find(
        &mut self,
        root: ObjectId,
        path: &RepoPath,
    ) -> Result<Option<TreeFile>, BadTree> {
        self.entry(root, path).map(leaf)
    }

    /// The entry at `path` in a tree.
    pub(super) fn entry(
        &mut self,
        root: ObjectId,
        path: &RepoPath,
    ) -> Result<Option<(Mode, ObjectId)>, BadTree> {
        let mut found = Some((Mode::Directory, root));
        for name in path.split(|&byte| byte == b'/') {
            found = self.entries_of(folder(found))?.get(name).copied();
        }
        Ok(found)
    }

    fn entries_of(&mut self, tree: Option<ObjectId>) -> Result<Arc<Entries>, BadTree> {
        let Some(id) = tree else { return Ok(Arc::default()) };
        if let Some(kept) = self.kept.get(&id) {
            return Ok(kept.clone());
        }
        let bytes = match self.git.read(id) {
            Ok(Some((ObjectKind::Tree, bytes))) => bytes,
            Ok(_) => return Err((id, TreeProblem::NotThere)),
            Err(error) => return Err(damaged(id, &error)),
        };
        let mut entries = Entries::new();
        // Git sorts a folder as if its name ended in a slash.
        let mut last = Vec::new();
        for entry in tree::entries(&bytes) {
            let entry = entry.map_err(|_| (id, TreeProblem::Malformed))?;
            let mut key = entry.name.to_vec();
            if entry.is_directory {
                key.push(b'/');
            }
            let mode = Mode::from_digits(entry.mode).ok_or((id, TreeProblem::UnknownMode))?;
            let name = entry.name.to_vec();
            if key <= last || entries.insert(name, (mode, entry.id)).is_some() {
                return Err((id, TreeProblem::NotInOrder));
            }
            last = key;
        }
        if self.kept.len() >= KEPT {
            self.kept.clear();
        }
        let entries = Arc::new(entries);
        self.kept.insert(id, entries.clone());
        Ok(entries)
    }
}

/// A tree that cannot be read, and why.
pub(super) type BadTree = (ObjectId, TreeProblem);

fn damaged(tree: ObjectId, error: &dyn HasFault) -> BadTree {
    (tree, TreeProblem::Damaged { cause: Cause::of(error) })
}

fn folder(entry: Option<(Mode, ObjectId)>) -> Option<ObjectId> {
    entry.filter(|(mode, _)| *mode == Mode::Directory).map(|(_, id)| id)
}

/// The file that an entry is. A commit of another repository is none: manifests do not tell of it.
fn leaf(entry: Option<(Mode, ObjectId)>) -> Option<TreeFile> {
    let file = entry.filter(|(mode, _)| !matches!(mode, Mode::Directory | Mode::Gitlink));
    file.map(|(mode, id)| TreeFile { mode, id })
}
