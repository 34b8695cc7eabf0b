//! File revisions that cannot be read: what is wrong with one, and what a placeholder for it is.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::placeholder::PlaceholderKind;
use crate::base::sha1::{self, Digest, Message};
use crate::base::{Cause, Fault, HasFault};
use crate::git::{ObjectId, ObjectKind};
use crate::hg::filelog::{is_tombstone, metadata_length};
use crate::hg::revlog::{Revlog, RevlogError, check_digest};
use crate::hg::{Node, Rev};

/// What is wrong with a file revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum FileProblem {
    /// The source has no such revision.
    Missing,
    /// It, or the whole history of its file, is damaged, or in a form that we do not read, or
    /// censored.
    #[serde(serialize_with = "serialize_damage")]
    Damaged(Arc<Damage>),
    /// An earlier run made a placeholder for it.
    Kept,
}

/// Why something cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// What was said when it was read.
    pub cause: Cause,
    /// What can be done about it, if the error knew.
    #[serde(skip)]
    pub hint: Option<String>,
}

/// Serialises what is shared as what it is.
fn serialize_damage<S: Serializer>(damage: &Arc<Damage>, serializer: S) -> Result<S::Ok, S::Error> {
    damage.as_ref().serialize(serializer)
}

impl std::fmt::Display for FileProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(damage) => damage.cause.fmt(f),
            Self::Missing => f.write_str("the source has no such revision"),
            Self::Kept => f.write_str("an earlier run made a placeholder for it"),
        }
    }
}

impl FileProblem {
    /// What reading ended with.
    pub(super) fn damaged(error: &RevlogError) -> Self {
        Self::Damaged(Arc::new(Damage { cause: Cause::of(error), hint: error.hint() }))
    }

    /// The class of what is wrong.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Damaged(damage) => damage.cause.fault,
            Self::Missing | Self::Kept => Fault::Corrupt,
        }
    }
}

/// A file revision that cannot be read.
#[derive(Clone, Debug)]
pub(super) struct Flaw {
    /// What a placeholder for it says.
    pub kind: PlaceholderKind,
    /// Why.
    pub problem: FileProblem,
}

impl Flaw {
    /// The source has no such revision.
    pub(super) const MISSING: Self =
        Self { kind: PlaceholderKind::Damaged, problem: FileProblem::Missing };

    /// The flaw that made reading fail; the error itself if it is none of the repository's, as when
    /// the operating system does not let us in.
    pub(super) fn of(kind: PlaceholderKind, error: RevlogError) -> Result<Self, RevlogError> {
        match error.fault() {
            Fault::Corrupt | Fault::Unsupported => {
                Ok(Self { kind, problem: FileProblem::damaged(&error) })
            }
            _ => Err(error),
        }
    }

    /// Whether there is a placeholder for it whatever the options say.
    pub(super) fn is_stood_for(&self) -> bool {
        matches!(self.problem, FileProblem::Kept) || self.kind == PlaceholderKind::Censored
    }
}

/// A file revision that is what it should be.
pub(super) struct SoundFile {
    /// How many bytes of metadata come before the contents.
    pub(super) metadata: usize,
    /// The blob of the contents.
    pub(super) blob: ObjectId,
}

/// What is wrong with a file revision, and what a placeholder for it would be.
pub(super) type Unsound = (PlaceholderKind, RevlogError);

/// Checks the `text` of a file revision against its node. If something is wrong, it says what, and
/// what a placeholder for it would be.
pub(super) fn check_file(revlog: &Revlog, rev: Rev, text: &[u8]) -> Result<SoundFile, Unsound> {
    let unchecked = || Err(damaged(revlog.malformed(rev, "it was not checked")));
    check_files(revlog, &[(rev, text)]).pop().unwrap_or_else(unchecked)
}

fn damaged(error: RevlogError) -> Unsound {
    (PlaceholderKind::Damaged, error)
}

/// The same for several revisions of a file, each with its text, which takes less time than one after
/// the other.
pub(super) fn check_files(
    revlog: &Revlog,
    texts: &[(Rev, &[u8])],
) -> Vec<Result<SoundFile, Unsound>> {
    let heads = texts.iter().map(|(rev, text)| {
        let metadata = metadata_length(text);
        let contents = text.get(metadata.unwrap_or_default()..).unwrap_or_default();
        let parents = revlog.parent_nodes(*rev);
        let node = parents.as_ref().map_or([0; 40], |parents| Node::before_text(*parents));
        (parents.map(|_| metadata), node, ObjectKind::Blob.header(contents.len()), contents)
    });
    let heads: Vec<_> = heads.collect();
    let messages = heads.iter().zip(texts).flat_map(|((_, node, blob, contents), (_, text))| {
        [Message { head: node, text }, Message { head: blob.as_bytes(), text: contents }]
    });
    let mut digests = vec![Digest::default(); 2 * texts.len()];
    sha1::digests(&messages.collect::<Vec<_>>(), &mut digests);
    let found = heads.into_iter().zip(texts).zip(digests.as_chunks().0);
    found
        .map(|(((metadata, ..), (rev, text)), [node, blob])| {
            let metadata = metadata.map_err(damaged)?;
            check_digest(revlog, *rev, *node).map_err(|error| match error.is_censored() {
                // Not everything with the flag is: a flipped bit makes nothing of a sound revision.
                true if is_tombstone(text) => (PlaceholderKind::Censored, error),
                true => damaged(revlog.malformed(*rev, "it is marked as censored, and was not")),
                false => damaged(error),
            })?;
            let malformed = || damaged(revlog.malformed(*rev, "its copy metadata does not end"));
            let blob = ObjectId::from_bytes(*blob);
            Ok(SoundFile { metadata: metadata.ok_or_else(malformed)?, blob })
        })
        .collect()
}
