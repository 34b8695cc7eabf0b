//! What can be wrong with a revlog, and where.

use std::io;
use std::path::PathBuf;

use crate::base::compress::DecompressError;
use crate::base::{RepoPathBuf, ShortRead, faults};
use crate::hg::store::requirements::remedy;
use crate::hg::{Node, Rev};

/// Why a revlog, or one of its revisions, cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RevlogError {
    /// The operating system does not give us the file.
    #[error("read {}", path.display())]
    Io {
        /// The file on disk.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// A folder, a pipe or a device stands where a file should be.
    #[error("read {}: it is not a regular file", path.display())]
    NotAFile {
        /// What stands there.
        path: PathBuf,
    },
    /// The index file as a whole is malformed.
    #[error("read the index of {file}")]
    Index {
        /// The revlog.
        file: String,
        /// What is wrong.
        #[source]
        problem: IndexProblem,
    },
    /// What is known to be there is not.
    #[error("find revision {node} of {file}: the source has no such revision")]
    Missing {
        /// The revlog.
        file: String,
        /// The missing revision.
        node: Node,
    },
    /// One revision is damaged or of a kind that we do not read.
    #[error("read revision {rev} ({}) of {file}", node.short())]
    Revision {
        /// The revlog.
        file: String,
        /// The revision.
        rev: Rev,
        /// Its node, as the index records it.
        node: Node,
        /// What is wrong with it.
        #[source]
        problem: Problem,
    },
}

/// What is wrong with an index as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexProblem {
    /// A version that we do not know.
    #[error("the format version {0} is not known")]
    Version(u16),
    /// Feature flags that we do not know.
    #[error("the format flags {0:#06x} are not known")]
    Flags(u16),
    /// The file ends in the middle of an entry.
    #[error("the file ends within an entry")]
    Truncated(#[from] ShortRead),
    /// A count or size is beyond what we are willing to hold.
    #[error("{what} is {size}, the limit is {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        size: u64,
        /// What is allowed.
        limit: u64,
    },
}

/// What is wrong with one revision.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// There is no revision of this number.
    #[error("there is no such revision")]
    NoSuchRevision,
    /// A field of the index entry points where nothing can be.
    #[error("its {field} is {value}, which cannot be")]
    Field {
        /// The field of the index entry.
        field: &'static str,
        /// What it holds.
        value: i64,
    },
    /// The data lies outside the data file.
    #[error("its data at offset {offset}, {length} bytes, lies outside the data file")]
    OutOfFile {
        /// Where the data should be.
        offset: u64,
        /// How long it should be.
        length: u64,
    },
    /// The chunk's first byte names no known compression.
    #[error("its data is compressed in an unknown way ({0:#04x})")]
    Compression(u8),
    /// The chunk does not decompress.
    #[error("its data does not decompress: {0}")]
    Decompress(DecompressError),
    /// The delta is cut or its ranges make no sense.
    #[error("its delta is damaged: {0}")]
    Delta(delta::DeltaError),
    /// The text is larger than the limit.
    #[error("its text has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// The declared size.
        size: u64,
        /// What is allowed.
        limit: u64,
    },
    /// A revision that it is a delta against, near or far, was found to be unreadable before.
    #[error("its delta builds on revision {base}, which cannot be read")]
    Base {
        /// The unreadable revision.
        base: Rev,
    },
    /// The text is not as long as the index says.
    #[error("its text has {actual} bytes, the index says {declared}")]
    Length {
        /// What the index says.
        declared: u64,
        /// What came out.
        actual: u64,
    },
    /// The text does not hash to the node.
    #[error("its text hashes to {actual}: the data is damaged")]
    Hash {
        /// What the text hashes to.
        actual: Node,
    },
    /// The text was removed on purpose.
    #[error("its text was censored")]
    Censored,
    /// The revision stands for several that a narrow clone left out.
    #[error("it stands for revisions that a narrow clone left out")]
    Ellipsis,
    /// What the text says is elsewhere.
    #[error("its contents are stored elsewhere, by the `lfs` extension of Mercurial")]
    External,
    /// Flags that we do not know, so that the text may be anything.
    #[error("it has the flags {0:#06x}, which no Mercurial knows without an extension")]
    Flags(u16),
    /// A directory of a tree manifest is not there.
    #[error("its directory {name:?} has no revision {node}")]
    NoDirectory {
        /// The directory's name in the one that it is in.
        name: RepoPathBuf,
        /// The missing revision.
        node: Node,
    },
    /// The text hashes right but is not what a revision of this kind looks like.
    #[error("its text is malformed: {0}")]
    Malformed(&'static str),
}

use super::delta;

impl RevlogError {
    /// Whether the index says that the revision was censored.
    pub fn is_censored(&self) -> bool {
        matches!(self, Self::Revision { problem: Problem::Censored, .. })
    }
}

faults!(RevlogError {
    // An index without its data file: a part of the repository was removed.
    Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Corrupt,
    Self::Io { source, .. } => io(source),
    Self::NotAFile { .. } | Self::Missing { .. } => Corrupt.hint(VERIFY),
    Self::Index { problem, .. } => match problem {
        IndexProblem::Version(_) | IndexProblem::Flags(_) => Unsupported.into(),
        IndexProblem::Truncated(_) => Corrupt.hint(VERIFY),
        IndexProblem::TooLarge { .. } => Corrupt.hint(LIMIT),
    },
    Self::Revision { problem, .. } => match problem {
        Problem::TooLarge { .. } => Corrupt.hint(LIMIT),
        Problem::Ellipsis => {
            Unsupported.hint("name the repository that this one is a narrow clone of")
        }
        Problem::External => Unsupported.hint(remedy("lfs")),
        Problem::Flags(_) => Unsupported.hint(EXTENSION),
        Problem::Censored => Unsupported.into(),
        _ => Corrupt.hint(VERIFY),
    },
});

/// What to do about damage.
const VERIFY: &str = "`hg verify` on the source shows all that is damaged";
/// What to do about revisions that an extension stores in its own way.
const EXTENSION: &str = "`hg config extensions` in the source shows which extensions it uses: what \
    one of them stores in its own way is not read";
/// What to do about a size beyond the limits.
const LIMIT: &str = "raise the limit in the configuration if the size is genuine";
