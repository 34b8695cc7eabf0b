//! The paths of a run as numbers, and where an identity puts each.

use std::collections::HashMap;

use super::identity::{Identity, Place};
use super::left_out::LeftOutReason;
use crate::base::{RepoPath, RepoPathBuf};
use crate::git::tree::Mode;
use crate::hg::manifest::FileKind;

/// Where a file is in a tree, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// At the path with this number.
    At(u32),
    /// Nowhere, which is not reported.
    Nowhere,
    /// Nowhere, for this reason.
    LeftOut(LeftOutReason),
}

/// Paths, numbered, each with the place that an identity gives it.
#[derive(Debug)]
pub(super) struct Places {
    identity: &'static dyn Identity,
    numbers: HashMap<RepoPathBuf, u32>,
    paths: Vec<RepoPathBuf>,
    /// Where a plain file is, by number; found out when it is first asked for.
    spots: Vec<Option<Spot>>,
}

impl Places {
    pub(super) fn new(identity: &'static dyn Identity) -> Self {
        Self { identity, numbers: HashMap::new(), paths: Vec::new(), spots: Vec::new() }
    }

    /// The number of `path`.
    pub(super) fn number(&mut self, path: &RepoPath) -> u32 {
        if let Some(number) = self.numbers.get(path) {
            return *number;
        }
        // Each path takes more than a byte of memory, so there are fewer than fit.
        let number = u32::try_from(self.paths.len()).unwrap_or(u32::MAX);
        self.numbers.insert(path.to_owned(), number);
        self.paths.push(path.to_owned());
        self.spots.push(None);
        number
    }

    /// The path with this number.
    pub(super) fn path(&self, number: u32) -> Option<&RepoPathBuf> {
        self.paths.get(number as usize)
    }

    /// Where the file at `path`, whose number is `number`, is in a tree.
    pub(super) fn spot(&mut self, path: &RepoPath, number: u32, mode: Mode) -> Spot {
        // Symbolic links are few: what is special about them is found out each time.
        let known = self.spots.get(number as usize).copied().flatten();
        if let Some(spot) = known.filter(|_| mode != Mode::Symlink) {
            return spot;
        }
        let spot = match self.identity.place(path, mode) {
            Place::Same => Spot::At(number),
            Place::At(path) => Spot::At(self.number(path.as_ref())),
            Place::Nowhere => Spot::Nowhere,
            Place::LeftOut(why) => Spot::LeftOut(why),
        };
        if let Some(slot) = self.spots.get_mut(number as usize).filter(|_| mode != Mode::Symlink) {
            *slot = Some(spot);
        }
        spot
    }

    /// All paths, by number.
    pub(super) fn into_paths(self) -> Vec<RepoPathBuf> {
        self.paths
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
