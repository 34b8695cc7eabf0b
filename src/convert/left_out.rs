//! Paths of a source that a Git tree cannot have: they are left out, with the reason.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::base::text::serialize_printable;
use crate::base::{RepoPath, RepoPathBuf};
use crate::git::tree_name::Forbidden;
use crate::hg::Node;

/// Why a path has no place in Git.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutReason {
    /// The same path is a directory too.
    IsDirectory,
    /// hg-git writes this file itself.
    WrittenByHgGit,
    /// `.hgsub` cannot be gone by, since it or `.hgsubstate` cannot be read.
    SubrepositoriesUnreadable,
    /// `.hgsub` cannot be gone by, since it or `.hgsubstate` is malformed.
    SubrepositoriesMalformed,
    /// A subrepository whose commit `.hgsubstate` does not have.
    SubrepositoryWithoutCommit,
    /// A subrepository at a path where Mercurial keeps files of its own.
    SubrepositoryReserved,
    /// A subrepository where the manifest has files.
    SubrepositoryOverFiles,
    /// A subrepository that contains another one.
    SubrepositoryAroundAnother,
    /// Git forbids a name in the path.
    #[serde(untagged)]
    Forbidden(Forbidden),
}

/// The end of a sentence that begins with the path.
impl fmt::Display for LeftOutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IsDirectory => "is also a directory",
            Self::WrittenByHgGit => "is a file that hg-git writes itself, for subrepositories",
            Self::SubrepositoriesUnreadable => {
                "names subrepositories, and it or .hgsubstate cannot be read"
            }
            Self::SubrepositoriesMalformed => {
                "names subrepositories, and it or .hgsubstate is malformed"
            }
            Self::SubrepositoryWithoutCommit => {
                "is a subrepository whose commit .hgsubstate does not have"
            }
            Self::SubrepositoryReserved => {
                "is a subrepository at a path where Mercurial keeps files of its own"
            }
            Self::SubrepositoryOverFiles => "is a subrepository where there are files",
            Self::SubrepositoryAroundAnother => "is a subrepository that contains another one",
            Self::Forbidden(forbidden) => forbidden.reason(),
        })
    }
}

impl From<Forbidden> for LeftOutReason {
    fn from(forbidden: Forbidden) -> Self {
        Self::Forbidden(forbidden)
    }
}

/// One path that is left out of one or more commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The path.
    #[serde(serialize_with = "serialize_printable")]
    pub path: RepoPathBuf,
    /// Why.
    pub reason: LeftOutReason,
    /// The first changeset that has it.
    pub first: Node,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, reason, first } = self;
        write!(f, "left out {path:?}, since changeset {}: it {reason}", first.short())
    }
}

/// Collects what is left out, each path once for each reason.
#[derive(Debug, Default)]
pub(super) struct Collector(BTreeMap<(RepoPathBuf, LeftOutReason), Node>);

impl Collector {
    pub(super) fn add(&mut self, path: &RepoPath, reason: LeftOutReason, changeset: Node) {
        self.0.entry((path.to_owned(), reason)).or_insert(changeset);
    }

    pub(super) fn into_list(self) -> Vec<LeftOut> {
        let entries = self.0.into_iter();
        entries.map(|((path, reason), first)| LeftOut { path, reason, first }).collect()
    }
}
