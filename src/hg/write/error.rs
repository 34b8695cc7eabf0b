//! Why nothing was written, and where.

use std::io;
use std::path::PathBuf;

use crate::base::{Interrupted, RepoPathBuf, faults};
use crate::hg::Node;
use crate::hg::bundle::BundleError;
use crate::hg::revlog::RevlogError;
use crate::hg::revlog::delta::DeltaError;
use crate::hg::store::fncache::FncacheError;
use crate::hg::store::hgrc::HgrcError;
use crate::hg::store::obsolete::ObsstoreError;
use crate::hg::store::{OpenError, ReadError, UnsafePath};

/// Why revisions do not come.
#[derive(Debug, thiserror::Error)]
pub enum RevisionsError {
    /// The bundle that they are in cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The repository that they are in is damaged.
    #[error(transparent)]
    Revlog(#[from] RevlogError),
    /// The name of a file there leads out of it.
    #[error(transparent)]
    Path(#[from] UnsafePath),
    /// A stop was requested.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The bytes that they are in do not come.
    #[error("read the received data")]
    Io {
        /// What the reader says.
        #[source]
        source: io::Error,
    },
}

faults!(RevisionsError {
    Self::Bundle(error) => of(error).at(Source),
    Self::Revlog(error) => of(error),
    Self::Path(error) => of(error).at(Source),
    Self::Interrupted(error) => of(error),
    Self::Io { source } => io(source).at(Source),
});

/// Why a store was not written. Whatever was begun is undone, now or when it is opened again.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is no repository, or none that we can read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is something already where a repository was to be made.
    #[error("make the repository {}: the path is in use", path.display())]
    Exists {
        /// Where it was to be.
        path: PathBuf,
    },
    /// The repository is in a format that we read and do not write.
    #[error("write to {}: it requires {}, which is read and not written", path.display(), requirements.join(", "))]
    Unsupported {
        /// The repository.
        path: PathBuf,
        /// What it requires, in alphabetical order.
        requirements: Vec<String>,
    },
    /// Another process is writing.
    #[error("write to {}: it is locked by {holder}", path.display())]
    Locked {
        /// The repository.
        path: PathBuf,
        /// Host and process, as the lock names them.
        holder: String,
    },
    /// What an unfinished transaction left behind is malformed.
    #[error("undo the unfinished transaction in {}: {problem}", path.display())]
    Journal {
        /// The journal.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The operating system refuses.
    #[error("write {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it says.
        #[source]
        source: io::Error,
    },
    /// A small file of the repository cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The list of filelogs is damaged.
    #[error(transparent)]
    Fncache(#[from] FncacheError),
    /// The configuration of the repository is damaged.
    #[error(transparent)]
    Hgrc(#[from] HgrcError),
    /// Obsolescence markers, there or to be added, are damaged.
    #[error(transparent)]
    Markers(#[from] ObsstoreError),
    /// A revlog that is there already cannot be read.
    #[error(transparent)]
    Revlog(#[from] RevlogError),
    /// The name of a file has no place in the store.
    #[error(transparent)]
    Path(#[from] UnsafePath),
    /// The name of a file cannot be in a list of names.
    #[error("store the history of {path:?}: no file can have this name")]
    Name {
        /// The name.
        path: RepoPathBuf,
    },
    /// The revisions do not come.
    #[error(transparent)]
    Revisions(#[from] RevisionsError),
    /// A revision that came is wrong.
    #[error("add revision {} to {file}", node.short())]
    Revision {
        /// The revlog.
        file: String,
        /// The revision.
        node: Node,
        /// What is wrong with it.
        #[source]
        problem: Wrong,
    },
    /// A stop was requested.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// Something went wrong before, all was undone, and now it was to be made to stay.
    #[error("write to {}: the transaction was rolled back", path.display())]
    Undone {
        /// The repository.
        path: PathBuf,
    },
}

/// What is wrong with a revision that came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// Its parent is neither in the repository nor among the revisions received before.
    #[error("its parent {0} is not there")]
    Parent(Node),
    /// The same of what it is a delta of.
    #[error("its delta is one of {0}, which is not there")]
    Base(Node),
    /// The same of the changeset that it belongs to.
    #[error("the changeset {0} that it belongs to is not there")]
    Link(Node),
    /// The delta does not fit.
    #[error("its delta is damaged: {0}")]
    Delta(#[from] DeltaError),
    /// The text does not hash to the node.
    #[error("its text hashes to {actual}")]
    Hash {
        /// What it hashes to.
        actual: Node,
    },
    /// The text is larger than the limit.
    #[error("its text has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// How large it is.
        size: u64,
        /// What is allowed.
        limit: u64,
    },
    /// It stands for several that a narrow clone left out.
    #[error("it stands for revisions that were left out")]
    Ellipsis,
    /// Flags that we do not know.
    #[error("it has the flags {0:#06x}, which are not known")]
    Flags(u16),
    /// It is said to be censored, and its text does not say so.
    #[error("it is said to be censored, and its text does not say so")]
    NoTombstone,
    /// Manifests of directories come for a repository that has none.
    #[error("the repository has no manifests of directories")]
    NoDirectories,
    /// There are more revisions, or more bytes of them, than the format can number.
    #[error("the format has no room for more")]
    Full,
}

faults!(WriteError {
    Self::Open(error) => of(error),
    Self::Exists { .. } => Config,
    Self::Unsupported { .. } => Unsupported.hint("remove it; the next fetch makes it again"),
    Self::Locked { .. } => {
        Unavailable.hint("wait until it is done; `hg debuglocks` shows the lock of a process that died")
    },
    Self::Journal { .. } => Corrupt.hint("`hg recover` in the repository may know more"),
    Self::Name { .. } => Corrupt.at(Source),
    Self::Io { source, .. } => io(source),
    Self::Read(error) => of(error),
    Self::Fncache(error) => of(error),
    Self::Hgrc(error) => of(error),
    Self::Markers(error) => of(error),
    Self::Revlog(error) => of(error),
    Self::Path(error) => of(error),
    Self::Undone { .. } => Internal,
    Self::Revisions(error) => of(error),
    Self::Revision { problem, .. } => match problem {
        Wrong::TooLarge { .. } => Corrupt
            .at(Source)
            .hint("raise the limit in the configuration if the size is genuine"),
        Wrong::Ellipsis | Wrong::Flags(_) | Wrong::NoDirectories | Wrong::Full => {
            Unsupported.at(Source)
        }
        _ => Corrupt.at(Source),
    },
    Self::Interrupted(error) => of(error),
});

impl WriteError {
    /// What the operating system says of `path`.
    pub(super) fn io(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}
