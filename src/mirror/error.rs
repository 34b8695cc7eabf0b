//! Why a sync fails.

use std::path::PathBuf;

use super::cache::OwnerError;
use crate::base::{FenceError, Interrupted, faults};
use crate::convert::identity::recorded::RecordedIdentityError;
use crate::convert::idmap::{IdMapError, Record};
use crate::convert::names::NamesError;
use crate::convert::placeholder::PlaceholdersError;
use crate::convert::recorded_authors::RecordedAuthorsError;
use crate::convert::{ConvertError, Difference, VerifyError};
use crate::forge::ForgeError;
use crate::git::ObjectId;
use crate::git::destination::{self, PublishError, Refusal};
use crate::git::pack::CompactError;
use crate::git::repository::{RepositoryError as GitError, UpdateRefsError};
use crate::git::sink::SinkError;
use crate::hg::Node;
use crate::hg::pull::PullError;
use crate::hg::repository::RepositoryError as HgError;
use crate::hg::revlog::RevlogError;

/// Why a sync fails. What was durable before still is, and the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The cache folder cannot be made or locked.
    #[error("use the cache folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// The cache is not ours.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// A later version of this program has written a file of the cache.
    #[error("use {}: a later version of synchroniser has written it", path.display())]
    Newer {
        /// The file that says so.
        path: PathBuf,
    },
    /// There is nothing to verify.
    #[error("find what was mirrored in {}: the mirror was never synced", path.display())]
    NeverSynced {
        /// The cache folder of the mirror.
        path: PathBuf,
    },
    /// Another process works on the same folder.
    #[error("lock {}: another process is at work there", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// Whoever syncs has no right to any more.
    #[error(transparent)]
    Fenced(#[from] FenceError),
    /// The source cannot be fetched.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// There is no copy of the source yet.
    #[error("read the source {origin}: it was not fetched yet")]
    NeverFetched {
        /// The source.
        origin: String,
    },
    /// The source cannot be opened.
    #[error(transparent)]
    Source(#[from] HgError),
    /// A program that wrote to the source was killed, and left a transaction half done.
    #[error("read {}: a transaction in it was broken off", path.display())]
    Abandoned {
        /// The source.
        path: PathBuf,
        /// What looks damaged because of it.
        #[source]
        source: Box<SyncError>,
    },
    /// The source seems to be damaged each time that it is read, and is written to each time.
    #[error("read {}: it is being written to", path.display())]
    Changing {
        /// The source.
        path: PathBuf,
        /// What was wrong the last time.
        #[source]
        source: Box<SyncError>,
    },
    /// The references that the source asks for cannot be told.
    #[error(transparent)]
    Names(#[from] NamesError),
    /// The id map cannot be read or written.
    #[error(transparent)]
    Map(#[from] IdMapError),
    /// The list of placeholders cannot be read or written.
    #[error(transparent)]
    Placeholders(#[from] PlaceholdersError),
    /// The existing commits were made with another identity.
    #[error(transparent)]
    Identity(#[from] RecordedIdentityError),
    /// The author map is another one than before.
    #[error(transparent)]
    Authors(#[from] RecordedAuthorsError),
    /// There are commits that match no changeset.
    #[error(
        "adopt the history of {place}: {}", told(*unmatched_commits, first_unmatched_commits, *unmatched_changesets, first_unmatched_changesets)
    )]
    Unmatched {
        /// Where the history is.
        place: String,
        /// How many commits match no changeset.
        unmatched_commits: usize,
        /// The first of them.
        first_unmatched_commits: Vec<ObjectId>,
        /// How many changesets have no commit.
        unmatched_changesets: usize,
        /// The first of them.
        first_unmatched_changesets: Vec<Node>,
    },
    /// The given map names commits that do not match their changesets.
    #[error("use the given map: it names {} {} ({})", mismatched.len(),
        if mismatched.len() == 1 {
            "commit that does not match its changeset"
        } else {
            "commits that do not match their changesets"
        },
        few(mismatched.iter().map(|(node, id)| format!("{id} {node}"))))]
    Mismatched {
        /// The wrong records.
        mismatched: Vec<Record>,
    },
    /// The source serves nothing of what was converted from it before.
    #[error("continue {}: {}", cache.display(), nothing_in_common(*served, *converted))]
    NothingInCommon {
        /// The cache.
        cache: PathBuf,
        /// How many changesets the source serves.
        served: usize,
        /// How many were converted before.
        converted: usize,
    },
    /// A commit is gone that cannot be made again, because another tool made it.
    #[error(
        "find the commit {commit} of changeset {node} in {}: another tool made it, and it is gone",
        path.display()
    )]
    LostAdopted {
        /// The changeset.
        node: Node,
        /// Its commit.
        commit: ObjectId,
        /// The repository that had it.
        path: PathBuf,
    },
    /// The Git side of the cache cannot be used.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Its packs cannot be compacted.
    #[error(transparent)]
    Compact(#[from] CompactError),
    /// The conversion stops.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// New objects cannot be kept.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// What was converted is not what the source has. It is gone again, and no reference has moved.
    #[error("verify what was converted: {}", listed(differences, *more))]
    Wrong {
        /// What differs: the first of it, if there is very much.
        differences: Vec<Difference>,
        /// How much more there is.
        more: usize,
        /// Whether some of it is that the source or what was written cannot be read.
        unreadable: bool,
    },
    /// What was converted cannot be verified.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// References cannot be moved.
    #[error(transparent)]
    References(#[from] UpdateRefsError),
    /// The forge of the target lets nothing be published there.
    #[error(transparent)]
    Forge(#[from] ForgeError),
    /// The target cannot be reached, or does not let us in.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The target refuses some references; the others are published.
    #[error("publish {}", all_refused(refused))]
    Refused {
        /// Each refused ref, with the kind of the refusal and the reason.
        refused: Vec<Refusal>,
    },
    /// A stop was requested.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl From<RevlogError> for SyncError {
    fn from(error: RevlogError) -> Self {
        Self::Names(error.into())
    }
}

faults!(SyncError {
    Self::Folder { source, .. } => io(source).at(Here),
    Self::Owner(error) => of(error),
    Self::Newer { .. } => Unsupported.at(Here).hint("install that version again"),
    Self::NeverSynced { .. } | Self::NeverFetched { .. } => Config.at(Here),
    Self::Locked { .. } => Unavailable.at(Here).hint("wait until it is done, and try again"),
    Self::Fenced(error) => of(error),
    Self::Changing { .. } => Unavailable.at(Source).hint("wait until it is done, and try again"),
    Self::Abandoned { path, .. } => Corrupt.at(Source).hint(format!(
        "if no Mercurial is at work there, `hg recover -R {}` undoes what was broken off; then \
         try again",
        path.display()
    )),
    Self::Pull(error) => of(error).at(Source),
    Self::Source(error) => of(error).at(Source),
    Self::Names(error) => of(error),
    Self::Map(error) => of(error).at(Here),
    Self::Placeholders(error) => of(error).at(Here),
    Self::Identity(error) => of(error).at(Here),
    Self::Authors(error) => of(error).at(Here),
    Self::Unmatched { .. } => Refused.at(Target).hint(
        "check that source and target belong together; `adopt = \"partial\"` leaves these commits where \
         they are, and converts the changesets that have none"
    ),
    Self::NothingInCommon { .. } => Refused.at(Source).hint(
        "check that the source is the right repository, and complete. `--allow-empty` continues this \
         once, and removes the refs of the changesets that are missing"
    ),
    Self::LostAdopted { path, .. } => Corrupt.at(Here).hint(format!(
        "fetch it into {} from a repository that has it, and point a branch at it",
        path.display()
    )),
    Self::Mismatched { .. } => Config.at(Here).hint("make the map again, or leave it out"),
    Self::Git(error) => of(error).at(Here),
    Self::Compact(error) => of(error).at(Here),
    Self::Convert(error) => of(error).at(Here),
    Self::Sink(error) => of(error).at(Here),
    Self::Wrong { unreadable, .. } => if *unreadable { Corrupt } else { Internal }.at(Here).hint(
        "nothing was published. If it happens again on a sound disk, it is a mistake of \
         synchroniser's: please report it"
    ),
    Self::Verify(error) => of(error),
    Self::References(error) => of(error).at(Here),
    Self::Forge(error) => of(error).at(Target),
    Self::Publish(error) => of(error).at(Target),
    Self::Refused { refused } => destination::diagnose(refused),
    Self::Interrupted(error) => of(error),
});

/// Differences one after the other, and how many more there are.
fn listed(differences: &[Difference], more: usize) -> String {
    let mut parts: Vec<String> = differences.iter().map(ToString::to_string).collect();
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    parts.join("; ")
}

/// How many things are named, at most.
pub(super) const NAMED: usize = 3;

/// So many reasons for refusals are told.
const REASONS: usize = 10;

/// What was refused and why, each reason once: the first of it, if there is very much.
fn all_refused(refused: &[Refusal]) -> String {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for Refusal { name, reason, .. } in refused {
        match reasons.iter_mut().find(|(other, _)| other == reason) {
            Some((_, names)) => names.push(name),
            None => reasons.push((reason, vec![name])),
        }
    }
    let told = reasons
        .iter()
        .take(REASONS)
        .map(|(reason, names)| format!("{}: {reason}", few_refs(names)));
    let untold: usize = reasons.iter().skip(REASONS).map(|(_, names)| names.len()).sum();
    let more = (untold > 0).then(|| format!("and {untold} more refs"));
    told.chain(more).collect::<Vec<_>>().join("; ")
}

/// The first of these, and how many more there are.
fn few_refs(names: &[&str]) -> String {
    let told = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => told,
        1 => format!("{told} and another ref"),
        more => format!("{told} and {more} more refs"),
    }
}

/// The first of these, and whether there are more.
fn few(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = if all.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", all.take(NAMED).collect::<Vec<_>>().join(", "))
}

/// How little a source has of what was converted from it.
fn nothing_in_common(served: usize, converted: usize) -> String {
    match served {
        0 => format!(
            "the source serves no changesets, and {converted} were converted from it before"
        ),
        _ => format!(
            "none of the {served} changesets that the source serves is among the {converted} that \
             were converted before"
        ),
    }
}

/// What is unmatched on both sides.
fn told(
    unmatched_commits: usize,
    first_unmatched_commits: &[ObjectId],
    unmatched_changesets: usize,
    first_unmatched_changesets: &[Node],
) -> String {
    let listed = |count: usize, first: Vec<String>| {
        let more = if count > first.len() { ", …" } else { "" };
        format!("({}{more})", first.join(", "))
    };
    let are = if unmatched_commits == 1 { "commit there matches" } else { "commits there match" };
    let first = first_unmatched_commits.iter().map(ToString::to_string).collect();
    let mut text =
        format!("{unmatched_commits} {are} no changeset {}", listed(unmatched_commits, first));
    if unmatched_changesets > 0 {
        let have = if unmatched_changesets == 1 { "changeset has" } else { "changesets have" };
        let first = first_unmatched_changesets.iter().map(ToString::to_string).collect();
        text.push_str(&format!(
            "; {unmatched_changesets} {have} no commit {}",
            listed(unmatched_changesets, first)
        ));
    }
    text
}
