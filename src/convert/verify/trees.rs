//! The tree that a manifest must have, computed from all its lines.

use std::collections::{HashMap, HashSet};

use super::files::Blobs;
use super::{Difference, Differences};
use crate::base::{RepoPath, RepoPathBuf, sha1};
use crate::convert::identity::{Identity, Place};
use crate::convert::placeholder::{Placeholder, PlaceholderKind};
use crate::convert::submodules::Overlay;
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
    /// The objects that the target has; `None` if the trees need not be there.
    sound: Option<&'t HashSet<ObjectId>>,
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

impl<'m> Entry<'m> {
    /// Git's order: by name, where a directory's name ends in a slash.
    fn sort_key(self) -> impl Iterator<Item = u8> + 'm {
        self.name.iter().copied().chain((self.mode == Mode::Directory).then_some(b'/'))
    }
}

/// An entry that replaces what the manifest has at a path; `None` for nothing there.
type Over<'m> = (&'m [u8], Option<(Mode, ObjectId)>);

/// Takes out of `over` what is in the directory `folder`, whose path ends in a slash.
fn split_over<'m>(over: &mut Vec<Over<'m>>, folder: &[u8]) -> Vec<Over<'m>> {
    over.extract_if(.., |(path, _)| path.starts_with(folder)).collect()
}

/// Bytes that differ for whatever differs.
fn over_bytes(over: &[Over<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (path, entry) in over {
        bytes.extend([path, b"\0".as_slice()].concat());
        if let Some((mode, id)) = entry {
            bytes.extend([mode.digits().as_bytes(), id.as_bytes()].concat());
        }
        bytes.push(b'\n');
    }
    bytes
}

impl<'t> TreeHasher<'t> {
    pub(super) fn new(
        identity: &'static dyn Identity,
        blobs: &'t Blobs,
        sound: Option<&'t HashSet<ObjectId>>,
    ) -> Self {
        Self { identity, placed: HashMap::new(), blobs, sound, seen: HashMap::new() }
    }

    /// The tree of a whole manifest with `overlay` over it. Says which of its objects are not known
    /// or not there.
    pub(super) fn tree(
        &mut self,
        manifest: &[u8],
        overlay: &Overlay,
        differences: &mut Differences,
    ) -> ObjectId {
        let over: Vec<Over<'_>> =
            overlay.iter().map(|(path, entry)| (path.as_slice(), *entry)).collect();
        self.directory(Manifest::new(manifest), &over, 0, differences)
            .unwrap_or_else(|| ObjectId::of(ObjectKind::Tree, b""))
    }

    /// The tree of the directory whose lines these are, with `over` over them; their paths share
    /// the first `depth` bytes.
    fn directory<'m>(
        &mut self,
        lines: Manifest<'m>,
        over: &[Over<'m>],
        depth: usize,
        differences: &mut Differences,
    ) -> Option<ObjectId> {
        // Where all files lie in one subdirectory, it has the same lines.
        let digest = sha1::digest(&[&depth.to_be_bytes(), &over_bytes(over), lines.text()]);
        if let Some(known) = self.seen.get(&digest) {
            return *known;
        }
        let mut entries: Vec<Entry<'_>> = Vec::new();
        let mut over_rest = over.to_vec();
        let mut rest = lines;
        while let Some(Ok(line)) = rest.lines().next() {
            let path: &[u8] = line.path;
            let below = path.get(depth..).unwrap_or_default();
            let Some(slash) = below.iter().position(|&byte| byte == b'/') else {
                if over.binary_search_by_key(&path, |(path, _)| path).is_err() {
                    entries.extend(self.file(line, below, differences));
                }
                rest = rest.after_first();
                continue;
            };
            let (name, end) = (below.get(..slash).unwrap_or_default(), depth + slash + 1);
            let folder = path.get(..end).unwrap_or_default();
            let (inside, after) = rest.split_directory(folder);
            rest = after;
            let over = split_over(&mut over_rest, folder);
            let level = path.iter().take(end).filter(|byte| **byte == b'/').count();
            if level <= MAX_DEPTH
                && let Some(id) = self.directory(inside, &over, end, differences)
            {
                // Where a file has the same name, the directory stays.
                entries.retain(|entry| entry.name != name);
                entries.push(Entry { name, mode: Mode::Directory, id });
            }
        }
        self.put_over(&mut entries, over_rest, depth, differences);
        let id = self.hash(&entries, differences);
        self.seen.insert(digest, id);
        id
    }

    /// Adds what is over places where the manifest has nothing.
    fn put_over<'m>(
        &mut self,
        entries: &mut Vec<Entry<'m>>,
        mut over: Vec<Over<'m>>,
        depth: usize,
        differences: &mut Differences,
    ) {
        if over.is_empty() {
            return;
        }
        while let Some(&(path, entry)) = over.first() {
            let below = path.get(depth..).unwrap_or_default();
            let Some(slash) = below.iter().position(|&byte| byte == b'/') else {
                over.remove(0);
                entries.extend(entry.map(|(mode, id)| Entry { name: below, mode, id }));
                continue;
            };
            let (name, end) = (below.get(..slash).unwrap_or_default(), depth + slash + 1);
            let inside = split_over(&mut over, path.get(..end).unwrap_or_default());
            if let Some(id) = self.directory(Manifest::new(b""), &inside, end, differences) {
                entries.push(Entry { name, mode: Mode::Directory, id });
            }
        }
        entries.sort_by(|a, b| a.sort_key().cmp(b.sort_key()));
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
        let id = self.blobs.id(line.path, line.node).or_else(|| self.placeholder(line));
        if id.is_none() {
            differences.add_missing(line);
        }
        id.map(|id| Entry { name, mode, id })
    }

    /// The placeholder for a file revision that the source does not have at all, if it is there.
    fn placeholder(&self, line: Line<'_>) -> Option<ObjectId> {
        let (path, kind) = (line.path.to_owned(), PlaceholderKind::Damaged);
        let id = Placeholder { path, node: line.node, kind }.blob();
        self.sound.is_some_and(|sound| sound.contains(&id)).then_some(id)
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
        let is_missing = |entry: &&Entry<'_>| {
            // The commit of a submodule is in another repository.
            entry.mode != Mode::Gitlink
                && self.sound.is_some_and(|sound| !sound.contains(&entry.id))
        };
        for Entry { id, .. } in entries.iter().filter(is_missing) {
            differences.add(Difference::ObjectMissing { object: *id });
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
