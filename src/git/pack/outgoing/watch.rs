//! What a server may refuse, found while what is sent is selected: nothing is read for it but headers,
//! and the trees on the way to workflow files.

use std::collections::{BTreeMap, HashMap};

use bstr::BString;

use super::error::OutgoingError;
use super::trees::{Objects, read_tree};
use crate::git::ObjectId;
use crate::git::pack::lookup::Lookup;
use crate::git::tree::entries;
use crate::git::workflows::{FOLDER, MAX_DEPTH};

/// What to look for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Files of so many bytes or more.
    pub large_from: Option<u64>,
    /// Files below `.github/workflows` that a commit adds or changes.
    pub workflows: bool,
}

/// A large file that is among what is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LargeFile {
    /// Where it is in that commit.
    pub path: BString,
    /// A commit that has it and whose parents have not.
    pub commit: ObjectId,
    /// How many bytes it has.
    pub size: u64,
}

/// A workflow file that a commit that is sent adds or changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkflowFile {
    /// Where it is.
    pub path: BString,
    /// The commit.
    pub commit: ObjectId,
}

/// What was found, in the order of the commits, parents first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Large files, each once; the first [`MAX_FOUND`].
    pub large: Vec<LargeFile>,
    /// Workflow files, once for each commit that changes them; the first [`MAX_FOUND`].
    pub workflows: Vec<WorkflowFile>,
}

/// How many of each are told.
pub const MAX_FOUND: usize = 100;

/// Looks while objects are selected.
#[derive(Default)]
pub(super) struct Watcher {
    watch: Watch,
    large: Vec<(LargeFile, ObjectId)>,
    workflows: Vec<WorkflowFile>,
    /// The folder of workflow files that a tree of a commit has, if it has one.
    folders: HashMap<ObjectId, Option<ObjectId>>,
}

/// How many trees of commits are remembered.
const MAX_FOLDERS: usize = 10_000;

impl Watcher {
    pub(super) fn new(watch: Watch) -> Self {
        Self { watch, ..Self::default() }
    }

    /// Whether the paths of files are needed.
    pub(super) fn needs_paths(&self) -> bool {
        self.watch.large_from.is_some()
    }

    /// Whether the trees of parents are needed.
    pub(super) fn needs_parents(&self) -> bool {
        self.watch.workflows
    }

    /// Looks at a file of `commit` that is to be sent.
    pub(super) fn file(
        &mut self,
        lookup: &mut Lookup,
        commit: ObjectId,
        id: ObjectId,
        path: impl FnOnce() -> BString,
    ) -> Result<(), OutgoingError> {
        let Some(from) = self.watch.large_from else { return Ok(()) };
        let place = lookup.find(&id)?.ok_or(OutgoingError::Missing { id })?;
        let size = lookup.size(&id, place)?;
        if size >= from {
            self.large.push((LargeFile { path: path(), commit, size }, id));
        }
        Ok(())
    }

    /// Looks at the tree of `commit`, whose parents have the trees `old`.
    pub(super) fn commit(
        &mut self,
        lookup: &mut Lookup,
        commit: ObjectId,
        tree: ObjectId,
        old: &[ObjectId],
    ) -> Result<(), OutgoingError> {
        if !self.watch.workflows || self.workflows.len() >= MAX_FOUND {
            return Ok(());
        }
        let Some(folder) = self.folder(lookup, tree)? else { return Ok(()) };
        let mut before = Vec::with_capacity(old.len());
        for tree in old {
            before.push(self.folder(lookup, *tree)?);
        }
        if before.contains(&Some(folder)) {
            return Ok(());
        }
        let now = files(lookup, folder)?;
        let mut others = Vec::with_capacity(before.len());
        for folder in before.into_iter().flatten() {
            others.push(files(lookup, folder)?);
        }
        for (path, file) in now {
            if others.iter().all(|files| files.get(&path) != Some(&file)) {
                let path = [&FOLDER.join(&b'/')[..], b"/", &path].concat();
                self.workflows.push(WorkflowFile { path: path.into(), commit });
            }
        }
        Ok(())
    }

    /// The folder of workflow files in the tree of a commit.
    fn folder(
        &mut self,
        lookup: &mut Lookup,
        tree: ObjectId,
    ) -> Result<Option<ObjectId>, OutgoingError> {
        if let Some(folder) = self.folders.get(&tree) {
            return Ok(*folder);
        }
        let mut found = Some(tree);
        for name in FOLDER {
            let Some(id) = found else { break };
            let text = read_tree(lookup, &id)?;
            let mut folders = entries(&text.1).flatten().filter(|entry| entry.is_directory);
            found = folders.find(|entry| entry.name == name).map(|entry| entry.id);
        }
        if self.folders.len() >= MAX_FOLDERS {
            self.folders.clear();
        }
        self.folders.insert(tree, found);
        Ok(found)
    }

    /// What was found and is really sent.
    pub(super) fn finish(self, objects: &Objects) -> Found {
        let is_sent = |id: &ObjectId| objects.number(id).is_some_and(|it| !objects.is_there(it));
        let large = self.large.into_iter().filter(|(_, id)| is_sent(id)).map(|(file, _)| file);
        let mut workflows = self.workflows;
        workflows.truncate(MAX_FOUND);
        Found { large: large.take(MAX_FOUND).collect(), workflows }
    }
}

/// The files below a folder, each with its mode and id.
type Files = BTreeMap<Vec<u8>, (Vec<u8>, ObjectId)>;

fn files(lookup: &mut Lookup, folder: ObjectId) -> Result<Files, OutgoingError> {
    let mut files = Files::new();
    let mut left = vec![(Vec::new(), folder, 0)];
    while let Some((path, id, depth)) = left.pop() {
        let text = read_tree(lookup, &id)?;
        for entry in entries(&text.1).flatten() {
            let path = [&path, entry.name].concat();
            if entry.is_directory && depth < MAX_DEPTH {
                left.push(([&path[..], b"/"].concat(), entry.id, depth + 1));
            } else if !entry.is_gitlink() {
                files.insert(path, (entry.mode.to_vec(), entry.id));
            }
        }
    }
    Ok(files)
}
