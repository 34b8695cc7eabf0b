//! What one sync did.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::SyncError;
use crate::base::text::{megabytes, serialize_path};
use crate::base::{Cause, Fault, Severity, Side};
use crate::convert;
use crate::forge::Finding;
use crate::git::ObjectId;
use crate::git::destination::{Refusal, Stays};
use crate::hg::Node;
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
    /// References that the target does not have as the source wants them, and why.
    pub refused: Vec<Refusal>,
    /// What a person should know: paths left out, names mapped, references left behind.
    pub notes: Vec<Note>,
    /// Wall time of the whole run.
    pub elapsed: Duration,
}

/// How a sync ended that came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncStatus {
    /// Everything is as the source wants it, as far as the rules ask for it.
    Complete,
    /// Some references were refused; the others are published.
    Partial,
}

impl SyncReport {
    /// How the sync ended.
    pub fn status(&self) -> SyncStatus {
        if self.refused.is_empty() { SyncStatus::Complete } else { SyncStatus::Partial }
    }

    /// The error that it was, if references were refused.
    pub fn failure(&self) -> Option<SyncError> {
        let refused = || SyncError::Refused { refused: self.refused.clone() };
        (self.status() == SyncStatus::Partial).then(refused)
    }
}

/// One reference after a sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefChange {
    /// The full name, `refs/heads/…` or `refs/tags/…`.
    pub name: String,
    /// What it was before; `None` if it is new.
    pub old: Option<ObjectId>,
    /// What it is now; `None` if it was removed. Equal to `old` when nothing had to change.
    pub new: Option<ObjectId>,
}

impl RefChange {
    /// Whether anything had to change.
    pub fn is_change(&self) -> bool {
        self.old != self.new
    }
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
    /// The mirror continues the commits that the target already had.
    Adopted {
        /// How many commits.
        commits: usize,
        /// The identity that the mirror has now.
        identity: &'static str,
    },
    /// Some of these commits are not those of an identity, and were matched with changesets by their
    /// contents.
    MatchedByContent {
        /// How many.
        count: usize,
    },
    /// Some of these commits match no changeset, and stay where they are.
    UnmatchedCommitsKept {
        /// How many.
        count: usize,
    },
    /// Something was removed from the cache, or is damaged there, and is converted again.
    CacheRepaired {
        /// The Git repository of the cache.
        #[serde(serialize_with = "serialize_path")]
        cache: PathBuf,
        /// How many commits are converted again.
        lost: usize,
        /// How many commits there were.
        commits: usize,
    },
    /// The cache was made again from the source, and the target has its commits.
    CacheRebuilt {
        /// How many commits.
        commits: usize,
    },
    /// There was no cache, and it was taken from another machine.
    CacheTaken {
        /// What that is called.
        node: String,
        /// The bytes of its files.
        bytes: u64,
        /// How long it took, checks included.
        millis: u64,
    },
    /// There was no cache, and that of another machine could not be taken: it is made from the source.
    CacheNotTaken {
        /// What that is called.
        node: String,
        /// Why.
        cause: Cause,
    },
    /// A ref was removed, since the source has no such name any more.
    RefRemoved {
        /// The full name.
        reference: String,
    },
    /// The source has rewritten its history, and a ref of the target followed: it had commits that
    /// the source does not have any more.
    RefRewritten {
        /// The full name.
        reference: String,
        /// What the target had.
        old: ObjectId,
        /// The ref that keeps that.
        #[serde(skip_serializing_if = "Option::is_none")]
        backup: Option<String>,
    },
    /// A file that is sent is near the size that the target takes, or beyond it.
    LargeFile {
        /// Its path.
        path: String,
        /// Its bytes.
        bytes: u64,
        /// A commit that has it and whose parents have not.
        commit: ObjectId,
        /// The changeset that the commit is of, if it is of one.
        changeset: Option<Node>,
        /// The bytes that the target takes.
        limit: u64,
    },
    /// A ref of the target stays where it is, as the rules want it.
    RefKept {
        /// The full name.
        reference: String,
        /// Why.
        why: Kept,
    },
    /// The ledger of published refs cannot be understood, and is begun anew.
    LedgerDamaged {
        /// The file.
        #[serde(serialize_with = "serialize_path")]
        ledger: PathBuf,
    },
    /// A note about the fetch.
    #[serde(untagged)]
    Pull(PullNote),
    /// A note about the target, as its forge sees it.
    #[serde(untagged)]
    Target(Finding),
    /// A note about the conversion.
    #[serde(untagged)]
    Convert(convert::report::Note),
}

/// Why a ref of the target stays where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// The source has rewritten its history.
    Rewritten,
    /// The source does not have the name any more, and no other ref has the commits.
    Unmerged,
    /// It was the main branch.
    WasMain,
}

impl Kept {
    /// What is worth telling of `why`.
    pub(super) fn of(why: Stays) -> Option<Self> {
        match why {
            Stays::Rewritten => Some(Self::Rewritten),
            Stays::Unmerged => Some(Self::Unmerged),
            Stays::WasMain => Some(Self::WasMain),
            Stays::NotPruned => None,
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rewritten => {
                "where it is at the target: the source no longer has all of its commits"
            }
            Self::Unmerged => {
                "at the target: the source has no such name any more, and no other ref has its commits"
            }
            Self::WasMain => "at the target: it was the main branch",
        })
    }
}

impl Note {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::ChangesetsGone { .. }
            | Self::UnmatchedCommitsKept { .. }
            | Self::RefRewritten { .. }
            | Self::LedgerDamaged { .. }
            | Self::LargeFile { .. }
            | Self::CacheNotTaken { .. }
            | Self::CacheRepaired { .. } => Severity::Warning,
            Self::Adopted { .. }
            | Self::MatchedByContent { .. }
            | Self::CacheRebuilt { .. }
            | Self::CacheTaken { .. }
            | Self::RefRemoved { .. }
            | Self::RefKept { .. }
            | Self::Pull(_) => Severity::Note,
            Self::Target(note) => note.severity(),
            Self::Convert(note) => note.severity(),
        }
    }

    /// The side that its reason is on.
    pub fn side(&self) -> Side {
        match self {
            Self::ChangesetsGone { .. }
            | Self::RefRemoved { .. }
            | Self::RefRewritten { .. }
            | Self::RefKept { .. }
            | Self::LargeFile { .. }
            | Self::Pull(_) => Side::Source,
            Self::Adopted { .. }
            | Self::MatchedByContent { .. }
            | Self::UnmatchedCommitsKept { .. }
            | Self::Target(_) => Side::Target,
            Self::CacheRepaired { .. }
            | Self::CacheRebuilt { .. }
            | Self::CacheTaken { .. }
            | Self::CacheNotTaken { .. }
            | Self::LedgerDamaged { .. } => Side::Here,
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
            | Self::CacheRebuilt { .. }
            | Self::CacheTaken { .. }
            | Self::RefRewritten { .. }
            | Self::RefKept { .. }
            | Self::LargeFile { .. }
            | Self::RefRemoved { .. } => None,
            Self::CacheRepaired { .. } | Self::LedgerDamaged { .. } => Some(Fault::Corrupt),
            Self::CacheNotTaken { cause, .. }
            | Self::Pull(
                PullNote::FilesNotCopied { cause } | PullNote::BundleNotUsed { cause, .. },
            ) => Some(cause.fault),
            Self::Target(note) => note.fault(),
            Self::Convert(note) => note.fault(),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ChangesetsGone { count } => {
                let changesets = counted(*count, "changeset", "changesets");
                write!(f, "the source no longer has {changesets} that it once had")
            }
            Self::Adopted { commits, identity } => {
                let commits = counted(*commits as u64, "existing commit", "existing commits");
                write!(f, "continues from {commits}, with the identity {identity}")
            }
            Self::MatchedByContent { count } => write!(
                f,
                "{} made by another tool, and matched by trees, times and parents",
                counted(*count as u64, "of them was", "of them were")
            ),
            Self::UnmatchedCommitsKept { count } => {
                let matches = counted(*count as u64, "of them matches", "of them match");
                let stays = if *count == 1 { "stays where it is" } else { "stay where they are" };
                write!(f, "{matches} no changeset, and {stays}")
            }
            Self::CacheRepaired { cache, lost, commits } => write!(
                f,
                "something was removed from {} or is damaged: {lost} of {commits} commits are \
                 converted again",
                cache.display()
            ),
            Self::CacheRebuilt { commits } => {
                let commits = counted(*commits as u64, "commit", "commits");
                write!(f, "made the cache again; the target has its {commits}")
            }
            Self::CacheTaken { node, bytes, millis } => cache_taken(f, node, *bytes, *millis),
            Self::CacheNotTaken { node, cause } => write!(
                f,
                "the cache of {node} could not be taken, and is made from the source: failed to {cause}"
            ),
            Self::RefRemoved { reference } => {
                write!(f, "removed {reference}: the source has no such name any more")
            }
            Self::LargeFile { path, bytes, commit, changeset, limit } => {
                let (size, limit) = (megabytes(*bytes), megabytes(*limit));
                write!(f, "the file {path} has {size}, and the target takes {limit}: ")?;
                let changeset = changeset.map(|node| format!("changeset {node}, "));
                write!(f, "{}commit {commit}", changeset.unwrap_or_default())
            }
            Self::RefRewritten { reference, old, backup } => {
                let kept = backup.as_ref().map(|backup| format!("; {backup} keeps what it had"));
                write!(f, "moved {reference} away from {old}: ")?;
                write!(f, "the source has rewritten its history{}", kept.unwrap_or_default())
            }
            Self::RefKept { reference, why } => write!(f, "kept {reference} {why}"),
            Self::LedgerDamaged { ledger } => write!(
                f,
                "{} cannot be understood, and is begun anew: what was published before counts as \
                 published if its name and its commit are right",
                ledger.display()
            ),
            Self::Pull(note) => note.fmt(f),
            Self::Target(note) => note.fmt(f),
            Self::Convert(note) => note.fmt(f),
        }
    }
}

/// Says that a cache came from another node.
fn cache_taken(f: &mut fmt::Formatter<'_>, node: &str, bytes: u64, millis: u64) -> fmt::Result {
    let (size, tenths) = (megabytes(bytes), (millis + 50) / 100);
    write!(f, "took the cache from {node}, {size} in {}.{} s", tenths / 10, tenths % 10)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Cause;

    fn samples() -> Vec<Note> {
        let cause = || Cause {
            fault: Fault::Unavailable,
            side: Some(Side::Source),
            message: "read x: no route".to_owned(),
        };
        vec![
            Note::ChangesetsGone { count: 1 },
            Note::ChangesetsGone { count: 2 },
            Note::Adopted { commits: 9, identity: "hg-git" },
            Note::MatchedByContent { count: 3 },
            Note::UnmatchedCommitsKept { count: 1 },
            Note::CacheRepaired { cache: "/c/git".into(), lost: 2, commits: 9 },
            Note::CacheRebuilt { commits: 9 },
            Note::CacheTaken { node: "worker-1".to_owned(), bytes: 12_345_678, millis: 349 },
            Note::CacheNotTaken { node: "worker-1".to_owned(), cause: cause() },
            Note::RefRemoved { reference: "refs/heads/x".to_owned() },
            Note::RefRewritten {
                reference: "refs/heads/x".to_owned(),
                old: ObjectId::NULL,
                backup: Some("refs/heads/synchroniser-backup/heads/x/000000000000".to_owned()),
            },
            Note::LargeFile {
                path: "a/b.bin".to_owned(),
                bytes: 120 << 20,
                commit: ObjectId::NULL,
                changeset: Some(Node::NULL),
                limit: 100 << 20,
            },
            Note::RefKept { reference: "refs/heads/x".to_owned(), why: Kept::Rewritten },
            Note::RefKept { reference: "refs/heads/x".to_owned(), why: Kept::Unmerged },
            Note::RefKept { reference: "refs/heads/x".to_owned(), why: Kept::WasMain },
            Note::LedgerDamaged { ledger: "/c/ledger".into() },
            Note::Pull(PullNote::FilesNotCopied { cause: cause() }),
            Note::Pull(PullNote::BundleNotUsed {
                url: "https://h/b.hg".to_owned(),
                cause: cause(),
            }),
            Note::Convert(convert::report::Note::NoMainBranch { branch: "x".to_owned() }),
            Note::Target(Finding::InvitationAccepted { project: "o/r".to_owned() }),
            Note::Target(Finding::ProjectCreated { project: "o/r".to_owned(), public: false }),
            Note::Target(Finding::TargetRenamed { to: "o/new".to_owned() }),
            Note::Target(Finding::TokenExpires {
                at: crate::base::time::Timestamp::from_seconds(1_468_275_250),
                within_days: 14,
            }),
            Note::Target(Finding::DefaultBranchSet { branch: "main".to_owned() }),
            Note::Target(Finding::DefaultBranchNotSet {
                branch: "main".to_owned(),
                cause: cause(),
            }),
            Note::Target(Finding::TargetNotChecked { cause: cause() }),
        ]
    }

    /// The tag that a note has for programs. It does not change: a variant may get another name.
    fn tag(note: &Note) -> &'static str {
        match note {
            Note::ChangesetsGone { .. } => "changesets_gone",
            Note::Adopted { .. } => "adopted",
            Note::MatchedByContent { .. } => "matched_by_content",
            Note::UnmatchedCommitsKept { .. } => "unmatched_commits_kept",
            Note::CacheRepaired { .. } => "cache_repaired",
            Note::CacheRebuilt { .. } => "cache_rebuilt",
            Note::CacheTaken { .. } => "cache_taken",
            Note::CacheNotTaken { .. } => "cache_not_taken",
            Note::RefRemoved { .. } => "ref_removed",
            Note::RefRewritten { .. } => "ref_rewritten",
            Note::LargeFile { .. } => "large_file",
            Note::RefKept { .. } => "ref_kept",
            Note::LedgerDamaged { .. } => "ledger_damaged",
            Note::Pull(PullNote::FilesNotCopied { .. }) => "files_not_copied",
            Note::Pull(PullNote::BundleNotUsed { .. }) => "bundle_not_used",
            Note::Target(Finding::InvitationAccepted { .. }) => "invitation_accepted",
            Note::Target(Finding::ProjectCreated { .. }) => "project_created",
            Note::Target(Finding::TargetRenamed { .. }) => "target_renamed",
            Note::Target(Finding::TokenExpires { .. }) => "token_expires",
            Note::Target(Finding::DefaultBranchSet { .. }) => "default_branch_set",
            Note::Target(Finding::DefaultBranchNotSet { .. }) => "default_branch_not_set",
            Note::Target(Finding::TargetNotChecked { .. }) => "target_not_checked",
            Note::Convert(_) => "no_main_branch",
        }
    }

    #[test]
    fn every_note_has_a_tag_of_its_own() {
        for note in samples() {
            assert_eq!(serde_json::to_value(&note).unwrap()["kind"], tag(&note), "{note}");
        }
    }

    #[test]
    fn how_notes_read() {
        let lines: Vec<_> = samples()
            .iter()
            .map(|note| format!("{} ({}): {note}", note.severity().name(), note.side().name()))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
warning (source): the source no longer has 1 changeset that it once had
warning (source): the source no longer has 2 changesets that it once had
note (target): continues from 9 existing commits, with the identity hg-git
note (target): 3 of them were made by another tool, and matched by trees, times and parents
warning (target): 1 of them matches no changeset, and stays where it is
warning (here): something was removed from /c/git or is damaged: 2 of 9 commits are converted again
note (here): made the cache again; the target has its 9 commits
note (here): took the cache from worker-1, 11.7 MiB in 0.3 s
warning (here): the cache of worker-1 could not be taken, and is made from the source: failed to read x: no route
note (source): removed refs/heads/x: the source has no such name any more
warning (source): moved refs/heads/x away from 0000000000000000000000000000000000000000: the source has rewritten its history; refs/heads/synchroniser-backup/heads/x/000000000000 keeps what it had
warning (source): the file a/b.bin has 120.0 MiB, and the target takes 100.0 MiB: changeset 0000000000000000000000000000000000000000, commit 0000000000000000000000000000000000000000
note (source): kept refs/heads/x where it is at the target: the source no longer has all of its commits
note (source): kept refs/heads/x at the target: the source has no such name any more, and no other ref has its commits
note (source): kept refs/heads/x at the target: it was the main branch
warning (here): /c/ledger cannot be understood, and is begun anew: what was published before counts as published if its name and its commit are right
note (source): the files of the source could not be copied as they are, so its changesets were fetched instead: read x: no route
note (source): the clone bundle https://h/b.hg could not be used, so its changesets were fetched from the source: read x: no route
warning (here): every changeset of the branch "x" is obsolete or in a topic, so there is no main branch
note (target): accepted the invitation to o/r
note (target): made the private project o/r
warning (target): the target is called o/new now: use that name in its address
warning (target): the token of the target expires at 2016-07-11 22:14 UTC, in less than 14 days
note (target): made main the default branch of the target
warning (target): main could not be made the default branch of the target: read x: no route
note (target): published without a check of the target before: read x: no route
"#);
    }
}
