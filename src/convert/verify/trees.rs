//! The tree that a manifest must have, computed from all its lines.

use std::collections::{HashMap, HashSet};

use super::Differences;
use super::files::Blobs;
use crate::base::{RepoPath, RepoPathBuf, sha1};
use crate::convert::identity::{Identity, Place};
use crate::git::tree::Mode;
use crate::git::tree_name::MAX_DEPTH;
use crate::git::{ObjectId, ObjectKind};
use crate::hg::manifest::{FileKind, Line, Manifest};

/// Computes trees. A directory whose lines were seen before is not computed again.
pub(super) struct TreeHasher<'t> {
    identity: &'static dyn Identity,
    /// Whether a plain file at a path is in the tree, for the paths met so far.
    placed: HashMap<RepoPathBuf, bool>,
    blobs: &'t Blobs,
    /// The objects that the target has.
    sound: &'t HashSet<ObjectId>,
    /// The tree of each directory by the hash of its depth and lines; `None` if nothing in it has a place in
    /// Git.
    seen: HashMap<[u8; 20], Option<ObjectId>>,
}

/// One entry of a tree, or one file with its whole path.
#[derive(Clone, Copy)]
pub(super) struct Entry<'m> {
    pub name: &'m [u8],
    pub mode: Mode,
    pub id: ObjectId,
}

impl<'t> TreeHasher<'t> {
    pub(super) fn new(
        identity: &'static dyn Identity,
        blobs: &'t Blobs,
        sound: &'t HashSet<ObjectId>,
    ) -> Self {
        Self { identity, placed: HashMap::new(), blobs, sound, seen: HashMap::new() }
    }

    /// The tree of a whole manifest. Says which of its objects are not known or not there.
    pub(super) fn tree(&mut self, manifest: &[u8], differences: &mut Differences) -> ObjectId {
        self.directory(Manifest::new(manifest), 0, differences)
            .unwrap_or_else(|| ObjectId::of(ObjectKind::Tree, b""))
    }

    /// The tree of the directory whose lines these are; their paths share the first `depth` bytes.
    fn directory(
        &mut self,
        lines: Manifest<'_>,
        depth: usize,
        differences: &mut Differences,
    ) -> Option<ObjectId> {
        // Where all files lie in one subdirectory, it has the same lines.
        let digest = sha1::digest(&[&depth.to_be_bytes(), lines.text()]);
        if let Some(known) = self.seen.get(&digest) {
            return *known;
        }
        let mut entries: Vec<Entry<'_>> = Vec::new();
        let mut rest = lines;
        while let Some(Ok(line)) = rest.lines().next() {
            let path: &[u8] = line.path;
            let below = path.get(depth..).unwrap_or_default();
            let Some(slash) = below.iter().position(|&byte| byte == b'/') else {
                entries.extend(self.file(line, below, differences));
                rest = rest.after_first();
                continue;
            };
            let (name, end) = (below.get(..slash).unwrap_or_default(), depth + slash + 1);
            let (inside, after) = rest.split_directory(path.get(..end).unwrap_or_default());
            rest = after;
            let level = path.iter().take(end).filter(|byte| **byte == b'/').count();
            if level <= MAX_DEPTH
                && let Some(id) = self.directory(inside, end, differences)
            {
                // Where a file has the same name, the directory stays.
                entries.retain(|entry| entry.name != name);
                entries.push(Entry { name, mode: Mode::Directory, id });
            }
        }
        let id = self.hash(&entries, differences);
        self.seen.insert(digest, id);
        id
    }

    /// The entry of one file, unless it has no place in Git or is not known.
    fn file<'m>(
        &mut self,
        line: Line<'m>,
        name: &'m [u8],
        differences: &mut Differences,
    ) -> Option<Entry<'m>> {
        let mode = mode(line.kind);
        if !self.has_place(line.path, mode) {
            return None;
        }
        let id = self.blobs.id(line.path, line.node);
        if id.is_none() {
            differences.add_missing(line);
        }
        id.map(|id| Entry { name, mode, id })
    }

    /// Whether the identity has a place for this file. One elsewhere than in the manifest does not
    /// come here.
    fn has_place(&mut self, path: &RepoPath, mode: Mode) -> bool {
        let known = self.placed.get(path).copied().filter(|_| mode != Mode::Symlink);
        known.unwrap_or_else(|| {
            let placed = self.identity.place(path, mode) == Place::Same;
            if mode != Mode::Symlink {
                self.placed.insert(path.to_owned(), placed);
            }
            placed
        })
    }

    /// The id of the tree with these entries; `None` for an empty one.
    fn hash(&self, entries: &[Entry<'_>], differences: &mut Differences) -> Option<ObjectId> {
        if entries.is_empty() {
            return None;
        }
        for Entry { id, .. } in entries.iter().filter(|entry| !self.sound.contains(&entry.id)) {
            differences.add(format!("the target has no sound object {id}"));
        }
        Some(hash(entries))
    }
}

/// What Git calls what a manifest calls `kind`.
pub(super) fn mode(kind: FileKind) -> Mode {
    match kind {
        FileKind::Regular => Mode::Regular,
        FileKind::Executable => Mode::Executable,
        FileKind::Symlink => Mode::Symlink,
    }
}

/// The id of the tree with these entries.
fn hash(entries: &[Entry<'_>]) -> ObjectId {
    let mut bytes = Vec::new();
    for Entry { name, mode, id } in entries {
        bytes.extend_from_slice(format!("{} ", mode.digits()).as_bytes());
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(id.as_bytes());
    }
    ObjectId::of(ObjectKind::Tree, &bytes)
}

/// The id of the tree with these files, sorted by path, whose first `depth` bytes they share;
/// `None` for none.
pub(super) fn hash_entries(files: &[Entry<'_>], depth: usize) -> Option<ObjectId> {
    let mut entries = Vec::new();
    let mut rest = files;
    while let Some(first) = rest.first() {
        let below = first.name.get(depth..).unwrap_or_default();
        let Some(slash) = below.iter().position(|&byte| byte == b'/') else {
            entries.push(Entry { name: below, ..*first });
            rest = rest.get(1..).unwrap_or_default();
            continue;
        };
        let end = depth + slash + 1;
        let folder = first.name.get(..end).unwrap_or_default();
        let inside = rest.iter().take_while(|file| file.name.starts_with(folder)).count();
        let (inside, after) = rest.split_at(inside);
        let id = hash_entries(inside, end)?;
        let name = below.get(..slash).unwrap_or_default();
        entries.push(Entry { name, mode: Mode::Directory, id });
        rest = after;
    }
    (!entries.is_empty()).then(|| hash(&entries))
}
