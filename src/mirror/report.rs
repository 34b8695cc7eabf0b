//! What one sync did.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::base::{Fault, Severity, Side};
use crate::convert;
use crate::git::ObjectId;
use crate::hg::pull::PullNote;

/// What a successful sync did.
#[derive(Clone, Debug, Default)]
pub struct SyncReport {
    /// Served changesets of the source.
    pub changesets: u64,
    /// How many of them were converted by this run; the others were in the cache.
    pub converted: u64,
    /// References that the target, or the cache if there is none, now has as the source wants them.
    pub refs: Vec<RefChange>,
    /// What a person should know: paths left out, names mapped, references left behind.
    pub notes: Vec<Note>,
    /// Wall time of the whole run.
    pub elapsed: Duration,
}

/// One reference after a sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefChange {
    /// The full name, `refs/heads/…` or `refs/tags/…`.
    pub name: String,
    /// What it was before; `None` if it is new.
    pub old: Option<ObjectId>,
    /// What it is now. Equal to `old` when nothing had to change.
    pub new: ObjectId,
}

/// What a person should know of a sync that went well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Note {
    /// The source does not have, or does not show, changesets that it once had.
    ChangesetsGone {
        /// How many.
        count: u64,
    },
    /// The mirror goes on from commits that were at the target.
    Adopted {
        /// How many commits.
        commits: usize,
        /// The identity that the mirror has now.
        identity: &'static str,
    },
    /// Some of these commits are not what an identity makes, and were matched with changesets by
    /// what they hold.
    MatchedByContent {
        /// How many.
        count: usize,
    },
    /// Some of these commits are of no changeset, and stay where they are.
    UnmatchedCommitsKept {
        /// How many.
        count: usize,
    },
    /// A ref was removed, since the source has no such name any more.
    RefRemoved {
        /// The full name.
        reference: String,
    },
    /// Of fetching.
    #[serde(untagged)]
    Pull(PullNote),
    /// Of converting.
    #[serde(untagged)]
    Convert(convert::report::Note),
}

impl Note {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::ChangesetsGone { .. } | Self::UnmatchedCommitsKept { .. } => Severity::Warning,
            Self::Adopted { .. }
            | Self::MatchedByContent { .. }
            | Self::RefRemoved { .. }
            | Self::Pull(_) => Severity::Note,
            Self::Convert(note) => note.severity(),
        }
    }

    /// Where its reason lies.
    pub fn side(&self) -> Side {
        match self {
            Self::ChangesetsGone { .. } | Self::RefRemoved { .. } | Self::Pull(_) => Side::Source,
            Self::Adopted { .. }
            | Self::MatchedByContent { .. }
            | Self::UnmatchedCommitsKept { .. } => Side::Target,
            Self::Convert(note) => note.side(),
        }
    }

    /// The class of what is wrong, if something is.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::ChangesetsGone { .. }
            | Self::Adopted { .. }
            | Self::MatchedByContent { .. }
            | Self::UnmatchedCommitsKept { .. }
            | Self::RefRemoved { .. } => None,
            Self::Pull(
                PullNote::FilesNotCopied { cause } | PullNote::BundleNotUsed { cause, .. },
            ) => Some(cause.fault),
            Self::Convert(note) => note.fault(),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChangesetsGone { count } => {
                let changesets = counted(*count, "changeset", "changesets");
                write!(f, "the source does not have {changesets} any more that it once had")
            }
            Self::Adopted { commits, identity } => {
                let commits = counted(*commits as u64, "commit", "commits");
                write!(f, "goes on from {commits} that were there, with the identity {identity}")
            }
            Self::MatchedByContent { count } => write!(
                f,
                "{count} of them another tool made; they were matched by trees, times and parents"
            ),
            Self::UnmatchedCommitsKept { count } => {
                write!(f, "{count} of them match no changeset, and stay where they are")
            }
            Self::RefRemoved { reference } => {
                write!(f, "removed {reference}: the source has no such name any more")
            }
            Self::Pull(note) => note.fmt(f),
            Self::Convert(note) => note.fmt(f),
        }
    }
}

/// `1 branch`, `2 branches`.
fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

impl<N: Into<convert::report::Note>> From<N> for Note {
    fn from(note: N) -> Self {
        Self::Convert(note.into())
    }
}
