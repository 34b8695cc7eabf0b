//! What of a source has no place in Git and is left out, with its reason.

use std::collections::BTreeMap;

use crate::base::{RepoPath, RepoPathBuf};
use crate::hg::Node;

/// One path that is left out of one or more commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The path.
    pub path: RepoPathBuf,
    /// Why, as the end of a sentence that begins with the path.
    pub reason: &'static str,
    /// The first changeset that has it.
    pub first: Node,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, reason, first } = self;
        write!(f, "left out {path:?}, since changeset {}: it {reason}", first.short())
    }
}

/// Collects what is left out, each path once for each reason.
#[derive(Debug, Default)]
pub(super) struct Collector(BTreeMap<(RepoPathBuf, &'static str), Node>);

impl Collector {
    pub(super) fn add(&mut self, path: &RepoPath, reason: &'static str, changeset: Node) {
        self.0.entry((path.to_owned(), reason)).or_insert(changeset);
    }

    pub(super) fn into_list(self) -> Vec<LeftOut> {
        let entries = self.0.into_iter();
        entries.map(|((path, reason), first)| LeftOut { path, reason, first }).collect()
    }
}
