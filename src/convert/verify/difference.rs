//! What a verification finds, as data. How each difference reads is said here, and nowhere else.

mod tree;

use std::fmt;
use std::path::PathBuf;

use bstr::BString;
use serde::Serialize;

use crate::base::text::{serialize_path, serialize_printable};
use crate::base::{Cause, Fault, RepoPathBuf, Severity, Side};
use crate::convert::damage::FileProblem;
use crate::git::ObjectId;
use crate::hg::Node;
pub use tree::{TreeFile, TreeProblem};

/// Something in which a Git repository is not what its Mercurial source makes, or that is damaged in
/// one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants say what their fields are, too")]
pub enum Difference {
    /// Something of the source or of the repository cannot be read.
    Unreadable { cause: Cause },
    /// Something that a changeset, or its commit, needs cannot be read.
    ChangesetUnreadable { changeset: Node, cause: Cause },
    /// The source has no sound revision of a file that a manifest names.
    RevisionMissing {
        #[serde(serialize_with = "serialize_printable")]
        path: RepoPathBuf,
        revision: Node,
    },
    /// The source has no manifest for a changeset.
    ManifestMissing { changeset: Node },
    /// The index entry of a changeset does not link to itself.
    ChangesetLink { revision: u32 },
    /// The index entry of a changeset's manifest links to no changeset.
    ManifestLink { revision: u32 },
    /// A file revision links to a changeset that is not there.
    FileLink {
        #[serde(serialize_with = "serialize_printable")]
        path: RepoPathBuf,
        revision: Node,
        link: i32,
    },
    /// A file revision says that a changeset introduced it, which does not have it.
    NotIntroduced {
        #[serde(serialize_with = "serialize_printable")]
        path: RepoPathBuf,
        revision: Node,
        changeset: Node,
    },
    /// The source's list of files, its fncache, lacks a file.
    NotListed {
        #[serde(serialize_with = "serialize_printable")]
        path: RepoPathBuf,
    },
    /// A changeset has no commit; the one that it would have, if that is known.
    CommitMissing { changeset: Node, commit: Option<ObjectId> },
    /// The commit that a changeset has is not in the repository.
    CommitNotThere { changeset: Node, commit: ObjectId },
    /// A commit is not what its changeset makes: the first lines that differ.
    CommitDiffers {
        changeset: Node,
        commit: ObjectId,
        #[serde(serialize_with = "serialize_printable")]
        has: BString,
        #[serde(serialize_with = "serialize_printable")]
        wants: BString,
    },
    /// A commit names no tree.
    TreeNotNamed { changeset: Node, commit: ObjectId },
    /// The parent of a changeset has no commit.
    ParentWithoutCommit { changeset: Node, parent: Node },
    /// A commit of another tool does not hold what its changeset holds.
    ContentDiffers { changeset: Node, commit: ObjectId },
    /// A commit of another tool has another time than its changeset.
    TimeDiffers { changeset: Node, commit: ObjectId },
    /// A commit of another tool has other parents than its changeset.
    ParentsDiffer { changeset: Node, commit: ObjectId },
    /// A commit does not say of which changeset it is.
    ChangesetNotNamed { commit: ObjectId },
    /// A commit says that it is of a changeset that the source does not have.
    ChangesetUnknown { changeset: Node, commit: ObjectId },
    /// Two commits are of one changeset.
    TwoCommits { changeset: Node, commits: [ObjectId; 2] },
    /// A commit is of no changeset.
    CommitUnmatched { commit: ObjectId },
    /// A file of a changeset cannot be read.
    FileUnreadable {
        changeset: Node,
        #[serde(serialize_with = "serialize_printable")]
        path: RepoPathBuf,
        #[serde(flatten)]
        problem: FileProblem,
    },
    /// A file in the tree of a commit is not what its changeset has.
    FileDiffers {
        changeset: Node,
        #[serde(serialize_with = "serialize_printable")]
        path: RepoPathBuf,
        has: Option<TreeFile>,
        wants: Option<TreeFile>,
    },
    /// A file differs between the trees of a commit and its parent, and the changeset did not change it.
    FileNotChanged {
        changeset: Node,
        #[serde(serialize_with = "serialize_printable")]
        path: RepoPathBuf,
        has: Option<TreeFile>,
    },
    /// A submodule is not what the subrepositories of a changeset make.
    SubmoduleDiffers {
        changeset: Node,
        #[serde(serialize_with = "serialize_printable")]
        path: RepoPathBuf,
    },
    /// The blob of a file is not in the repository.
    BlobMissing {
        changeset: Node,
        #[serde(serialize_with = "serialize_printable")]
        path: RepoPathBuf,
        blob: ObjectId,
    },
    /// A tree that a changeset needs cannot be read.
    TreeUnreadable {
        changeset: Node,
        tree: ObjectId,
        #[serde(flatten)]
        problem: TreeProblem,
    },
    /// An object that a tree names is not there, or damaged.
    ObjectMissing { object: ObjectId },
    /// A file of the repository's object database is damaged.
    PackDamaged {
        #[serde(serialize_with = "serialize_path")]
        file: PathBuf,
    },
    /// A ref that the source asks for is not there.
    RefMissing { name: String },
    /// A ref does not name the commit of its changeset.
    RefDiffers { name: String, has: ObjectId, changeset: Node },
    /// A ref that no name of the source asks for.
    RefUnknown { name: String },
    /// A ref at the target of a mirror is not where it is in the mirror's cache.
    RefNotPublished { name: String, has: Option<ObjectId>, wants: ObjectId },
    /// The id map has another commit for a changeset, or none.
    MapDiffers { changeset: Node },
    /// The Git notes that were asked for are not there.
    NotesMissing { name: &'static str },
    /// The Git note of a commit is not the node of its changeset.
    NoteDiffers { commit: ObjectId },
    /// A tree of the Git notes is not there.
    NotesTreeMissing { tree: ObjectId },
    /// The same in the target of a mirror, not in its cache.
    AtTarget { difference: Box<Difference> },
}

impl Difference {
    /// How much it matters: each is a reason not to trust the repository.
    pub fn severity(&self) -> Severity {
        Severity::Error
    }

    /// Where it is to be mended: at the source where that is damaged, else in the repository.
    pub fn side(&self) -> Side {
        match self {
            Self::Unreadable { cause } | Self::ChangesetUnreadable { cause, .. } => {
                cause.side.unwrap_or(Side::Source)
            }
            Self::RevisionMissing { .. }
            | Self::ManifestMissing { .. }
            | Self::ChangesetLink { .. }
            | Self::ManifestLink { .. }
            | Self::FileLink { .. }
            | Self::NotIntroduced { .. }
            | Self::NotListed { .. }
            | Self::FileUnreadable { .. } => Side::Source,
            Self::MapDiffers { .. } => Side::Here,
            _ => Side::Target,
        }
    }

    /// The class of what is wrong.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Unreadable { cause } | Self::ChangesetUnreadable { cause, .. } => cause.fault,
            Self::FileUnreadable { problem, .. } => problem.fault(),
            Self::AtTarget { difference } => difference.fault(),
            _ => Fault::Corrupt,
        }
    }

    /// Whether it is that something cannot be read, so that it is no mistake in converting.
    pub fn is_unreadable(&self) -> bool {
        match self {
            Self::AtTarget { difference } => difference.is_unreadable(),
            _ => matches!(
                self,
                Self::Unreadable { .. }
                    | Self::ChangesetUnreadable { .. }
                    | Self::FileUnreadable { .. }
                    | Self::TreeUnreadable { .. }
                    | Self::BlobMissing { .. }
            ),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { cause } => cause.fmt(f),
            Self::ChangesetNotNamed { commit } => write!(f, "commit {commit} names no changeset"),
            Self::ChangesetUnknown { changeset, commit } => {
                write!(
                    f,
                    "commit {commit} is of changeset {changeset}, which the source does not have"
                )
            }
            Self::CommitUnmatched { commit } => write!(f, "commit {commit} is of no changeset"),
            Self::ObjectMissing { object } => {
                write!(f, "object {object} is missing or damaged")
            }
            Self::PackDamaged { file } => {
                write!(f, "the file {} is damaged", file.display())
            }
            Self::RefMissing { name } => write!(f, "{name} is missing"),
            Self::RefDiffers { name, has, changeset } => {
                write!(f, "{name} is at {has}, not at the commit of changeset {changeset}")
            }
            Self::RefUnknown { name } => {
                write!(f, "{name} is there, and the source has no such name")
            }
            Self::RefNotPublished { name, has: None, .. } => {
                write!(f, "at the target: {name} is missing")
            }
            Self::RefNotPublished { name, has: Some(has), wants } => {
                write!(f, "at the target: {name} is at {has}, not at {wants}")
            }
            Self::MapDiffers { changeset } => {
                write!(f, "the id map is wrong about changeset {changeset}")
            }
            Self::NotesMissing { name } => write!(f, "{name} is missing"),
            Self::NoteDiffers { commit } => {
                write!(f, "the note of commit {commit} is not the node of its changeset")
            }
            Self::NotesTreeMissing { tree } => write!(f, "the tree {tree} of the notes is missing"),
            Self::AtTarget { difference } => write!(f, "at the target: {difference}"),
            Self::RevisionMissing { .. }
            | Self::ManifestMissing { .. }
            | Self::ChangesetLink { .. }
            | Self::ManifestLink { .. }
            | Self::FileLink { .. }
            | Self::NotIntroduced { .. }
            | Self::NotListed { .. } => self.fmt_source(f),
            of_changeset => of_changeset.fmt_changeset(f),
        }
    }
}

impl Difference {
    /// Those of the source by itself.
    fn fmt_source(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RevisionMissing { path, revision } => {
                write!(f, "the source has no sound revision {} of {path:?}", revision.short())
            }
            Self::ManifestMissing { changeset } => {
                write!(f, "the source has no manifest for changeset {changeset}")
            }
            Self::ChangesetLink { revision } => {
                write!(f, "the source's changeset {revision} does not link to itself")
            }
            Self::ManifestLink { revision } => {
                write!(f, "the source's manifest of changeset {revision} links to no changeset")
            }
            Self::FileLink { path, revision, link } => write!(
                f,
                "the source's file {path:?}: revision {} was introduced by changeset {link}, which \
                 is not there",
                revision.short()
            ),
            Self::NotIntroduced { path, revision, changeset } => write!(
                f,
                "the source's file {path:?}: revision {} says that changeset {} introduced it, \
                 which does not have it",
                revision.short(),
                changeset.short()
            ),
            Self::NotListed { path } => write!(f, "the source's fncache does not list {path:?}"),
            _ => Ok(()),
        }
    }

    /// Those of one changeset: all begin with it.
    fn fmt_changeset(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(changeset) = self.changeset() {
            write!(f, "changeset {}: ", changeset.short())?;
        }
        match self {
            Self::ChangesetUnreadable { cause, .. } => write!(f, "{cause}"),
            Self::CommitMissing { commit: None, .. } => write!(f, "it has no commit"),
            Self::CommitMissing { commit: Some(commit), .. } => {
                write!(f, "it has no commit: it would be {commit}")
            }
            Self::CommitNotThere { commit, .. } => write!(f, "its commit {commit} is missing"),
            Self::CommitDiffers { commit, has, wants, .. } => {
                write!(f, "its commit {commit} has {has:?}, not {wants:?}")
            }
            Self::TreeNotNamed { commit, .. } => write!(f, "its commit {commit} has no tree"),
            Self::ParentWithoutCommit { parent, .. } => {
                write!(f, "its parent {} has no commit", parent.short())
            }
            Self::ContentDiffers { commit, .. } => {
                write!(f, "its commit {commit} does not hold the same files")
            }
            Self::TimeDiffers { commit, .. } => write!(f, "its commit {commit} has another time"),
            Self::ParentsDiffer { commit, .. } => {
                write!(f, "its commit {commit} has other parents")
            }
            Self::TwoCommits { commits: [first, second], .. } => {
                write!(f, "it has two commits, {first} and {second}")
            }
            Self::FileUnreadable { path, problem, .. } => write!(f, "the file {path:?}: {problem}"),
            Self::FileDiffers { path, has, wants, .. } => {
                let (has, wants) = (shown(*has), shown(*wants));
                write!(f, "the file {path:?} is {has} in its commit, and must be {wants}")
            }
            Self::FileNotChanged { path, has, .. } => {
                let has = shown(*has);
                write!(
                    f,
                    "the file {path:?} is {has} in its commit, and the changeset did not change it"
                )
            }
            Self::SubmoduleDiffers { path, .. } => {
                write!(f, "{path:?} is not the submodule that it must be")
            }
            Self::BlobMissing { path, blob, .. } => {
                write!(f, "the blob {blob} of {path:?} is missing")
            }
            Self::TreeUnreadable { tree, problem, .. } => write!(f, "the tree {tree} {problem}"),
            _ => Ok(()),
        }
    }

    /// The changeset that it is about, of those that are about one.
    fn changeset(&self) -> Option<Node> {
        match self {
            Self::ChangesetUnreadable { changeset, .. }
            | Self::CommitMissing { changeset, .. }
            | Self::CommitNotThere { changeset, .. }
            | Self::CommitDiffers { changeset, .. }
            | Self::TreeNotNamed { changeset, .. }
            | Self::ParentWithoutCommit { changeset, .. }
            | Self::ContentDiffers { changeset, .. }
            | Self::TimeDiffers { changeset, .. }
            | Self::ParentsDiffer { changeset, .. }
            | Self::TwoCommits { changeset, .. }
            | Self::FileUnreadable { changeset, .. }
            | Self::FileDiffers { changeset, .. }
            | Self::FileNotChanged { changeset, .. }
            | Self::SubmoduleDiffers { changeset, .. }
            | Self::BlobMissing { changeset, .. }
            | Self::TreeUnreadable { changeset, .. } => Some(*changeset),
            _ => None,
        }
    }
}

fn shown(file: Option<TreeFile>) -> String {
    file.map_or_else(|| "missing".to_owned(), |file| format!("{} {}", file.mode.digits(), file.id))
}

#[cfg(test)]
mod tests;
