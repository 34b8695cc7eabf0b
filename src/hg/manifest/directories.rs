//! The manifests of directories: as many revlogs as there are directories, some of them open.

use std::collections::HashMap;
use std::fmt;

use crate::base::compress::Decompressor;
use crate::base::{Limits, RepoPath, RepoPathBuf};
use crate::hg::revlog::{Revlog, RevlogError, Text, TextCache};
use crate::hg::store::Layout;
use crate::hg::{Node, Rev};

/// Most directories are opened once, to be read in order of revisions later; each takes a file
/// handle.
const MOST_OPEN: usize = 64;

/// Where the manifests of directories are.
pub trait DirectoryManifests: fmt::Debug + Send + Sync {
    /// The manifests of the directory at `path`, which ends in a slash; `None` if it has none.
    fn open(&self, path: &RepoPath, limits: &Limits) -> Result<Option<Revlog>, RevlogError>;
}

impl DirectoryManifests for Layout {
    fn open(&self, path: &RepoPath, limits: &Limits) -> Result<Option<Revlog>, RevlogError> {
        // A name that leads out of the store has no history in it.
        let Ok(files) = self.directory_manifest(path) else { return Ok(None) };
        Revlog::open(&name(path), &files, limits)
    }
}

/// Reads the manifests of directories and keeps those open that were read last.
pub(super) struct Directories<'m> {
    place: &'m dyn DirectoryManifests,
    /// Those of one directory.
    limits: Limits,
    /// How many bytes all that is open may hold.
    capacity: usize,
    open: HashMap<RepoPathBuf, Open>,
    decompressor: Decompressor,
    tick: u64,
}

/// The manifests of one directory.
struct Open {
    revlog: Revlog,
    texts: TextCache,
    used: u64,
}

impl Open {
    fn held(&self) -> usize {
        self.revlog.index_bytes() + self.texts.held()
    }
}

/// One manifest of one directory.
pub(super) struct DirectoryText {
    pub rev: Rev,
    pub text: Text,
}

impl<'m> Directories<'m> {
    pub(super) fn new(place: &'m dyn DirectoryManifests, limits: &Limits) -> Self {
        let capacity = limits.text_cache_bytes;
        let limits = Limits { text_cache_bytes: capacity / MOST_OPEN, ..limits.clone() };
        let (open, decompressor) = (HashMap::new(), Decompressor::default());
        Self { place, limits, capacity, open, decompressor, tick: 0 }
    }

    /// The manifest `node` of the directory at `path`, which ends in a slash, checked against its
    /// node; `None` if there is none.
    pub(super) fn text(
        &mut self,
        path: &RepoPath,
        node: Node,
    ) -> Result<Option<DirectoryText>, RevlogError> {
        self.open(path)?;
        let Some(open) = self.open.get_mut(path) else { return Ok(None) };
        open.used = self.tick;
        let Some(rev) = open.revlog.rev(node) else { return Ok(None) };
        let Open { revlog, texts, .. } = open;
        let text = revlog.read_on(texts, &mut self.decompressor, |reader| reader.text(rev));
        self.forget(path);
        Ok(Some(DirectoryText { rev, text: text? }))
    }

    /// Opens the directory at `path`, if it has a history.
    fn open(&mut self, path: &RepoPath) -> Result<(), RevlogError> {
        self.tick += 1;
        if self.open.contains_key(path) {
            return Ok(());
        }
        if let Some(revlog) = self.place.open(path, &self.limits)? {
            let texts = TextCache::new(self.limits.text_cache_bytes);
            self.open.insert(path.to_owned(), Open { revlog, texts, used: 0 });
        }
        Ok(())
    }

    /// Closes what was not read for longest if too much is open. What is at `path` stays.
    fn forget(&mut self, path: &RepoPath) {
        let mut held: usize = self.open.values().map(Open::held).sum();
        while self.open.len() > 1 && (self.open.len() > MOST_OPEN || held > self.capacity) {
            let others = self.open.iter().filter(|(other, _)| *other != path);
            let Some(oldest) = others.min_by_key(|(_, open)| open.used) else { return };
            let oldest = oldest.0.clone();
            held -= self.open.remove(&oldest).map_or(0, |open| open.held());
        }
    }
}

/// How errors call the manifests of the directory at `path`.
pub(super) fn name(path: &RepoPath) -> String {
    format!("{path}00manifest")
}
