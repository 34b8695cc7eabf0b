//! What can be wrong with a pack or its index.

use std::path::PathBuf;

use crate::base::compress::DecompressError;
use crate::base::{ShortRead, faults};
use crate::git::ObjectId;

/// Why a pack, or one entry of it, is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file is missing or does not read.
    #[error("read {}", path.display())]
    Io {
        /// The pack or its index.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// An index contradicts itself.
    #[error("read the pack index {}", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: IndexFlaw,
    },
    /// A pack as a whole is wrong, or does not fit its index.
    #[error("read the pack {}", path.display())]
    Pack {
        /// The pack.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: PackFlaw,
    },
    /// One entry is wrong.
    #[error("read the object {id} at offset {offset} of {}", path.display())]
    Entry {
        /// The pack.
        path: PathBuf,
        /// Where the entry begins.
        offset: u64,
        /// The object that the index says is there.
        id: ObjectId,
        /// What is wrong.
        #[source]
        source: EntryFlaw,
    },
}

faults!(PackError {
    Self::Io { source, .. } => io(source),
    Self::Index { source: IndexFlaw::Version { .. }, .. }
    | Self::Pack { source: PackFlaw::Version { .. }, .. } => Unsupported,
    Self::Index { .. } | Self::Pack { .. } | Self::Entry { .. } => {
        Corrupt.hint("`git fsck` in that repository tells what is damaged")
    },
});

/// What is wrong with the index of a pack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexFlaw {
    /// It ends early.
    #[error(transparent)]
    Truncated(#[from] ShortRead),
    /// Neither version 1 nor 2.
    #[error("its version is {version}")]
    Version {
        /// The number in its header.
        version: u32,
    },
    /// It is larger than the limit.
    #[error("it has {length} bytes, {limit} are allowed")]
    TooLarge {
        /// Its length in bytes.
        length: u64,
        /// `Limits::index_bytes`.
        limit: u64,
    },
    /// Its length is not that of so many objects.
    #[error("it has {length} bytes, which {count} objects do not make")]
    Length {
        /// Its length in bytes.
        length: usize,
        /// How many objects it says it has.
        count: u32,
    },
    /// The ids are not sorted, or the table of first bytes says something else.
    #[error("the object {id} is out of order")]
    Order {
        /// The first such object.
        id: ObjectId,
    },
    /// An offset refers to a 64-bit one that is not there.
    #[error("the object {id} has no offset")]
    NoOffset {
        /// The object.
        id: ObjectId,
    },
}

/// What is wrong with a pack as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackFlaw {
    /// It has not even a header and a checksum, or its header is another.
    #[error("it does not begin as a pack does")]
    NoPack,
    /// Neither version 2 nor 3, which differ in nothing that is in use.
    #[error("its version is {version}")]
    Version {
        /// The number in its header.
        version: u32,
    },
    /// Pack and index disagree on how many objects there are.
    #[error("it has {pack} objects, its index {index}")]
    Count {
        /// What the pack says.
        pack: u32,
        /// What the index says.
        index: usize,
    },
    /// The index was made for another pack.
    #[error("its index belongs to another pack")]
    OtherIndex,
    /// The entries are not one after the other from the header to the checksum.
    #[error("no entry can begin at offset {offset}, where its index has one")]
    Offset {
        /// What the index says.
        offset: u64,
    },
}

/// What is wrong with one entry of a pack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryFlaw {
    /// It ends early.
    #[error(transparent)]
    Truncated(#[from] ShortRead),
    /// It is of no kind that Git has.
    #[error("there is no kind {kind} of entry")]
    Kind {
        /// The number in its header.
        kind: u8,
    },
    /// A number does not fit 64 bits.
    #[error("a number in its header is too large")]
    Number,
    /// It is, or makes, more bytes than the limit.
    #[error("it has {size} bytes, {limit} are allowed")]
    TooLarge {
        /// How many bytes it says it has.
        size: u64,
        /// `Limits::revision_bytes`.
        limit: usize,
    },
    /// Its bytes are not those that the index was made for.
    #[error("its checksum is wrong")]
    Checksum,
    /// It does not inflate.
    #[error(transparent)]
    Inflate(#[from] DecompressError),
    /// It inflates to another length than its header says.
    #[error("it has {found} bytes, its header says {declared}")]
    Size {
        /// What the header says.
        declared: usize,
        /// What comes out.
        found: usize,
    },
    /// There is something between it and the next entry.
    #[error("{extra} bytes follow it that belong to nothing")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// No entry begins where its base should.
    #[error("there is no entry {distance} bytes before it, where its base should be")]
    NoBaseAt {
        /// How far before it.
        distance: u64,
    },
    /// Its base is not in the pack.
    #[error("its base {base} is not in the pack")]
    NoBase {
        /// The base.
        base: ObjectId,
    },
    /// It is, over some others, a delta of itself.
    #[error("it is a delta of itself")]
    Cycle,
    /// Its delta is wrong.
    #[error(transparent)]
    Delta(#[from] DeltaFlaw),
    /// Its contents make another id.
    #[error("its contents are those of {found}")]
    Id {
        /// The id of the object that is there.
        found: ObjectId,
    },
    /// Its bytes do not read.
    #[error("the system says {kind}")]
    Io {
        /// What the system says.
        kind: std::io::ErrorKind,
    },
}

/// What is wrong with a delta.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeltaFlaw {
    /// It ends early.
    #[error(transparent)]
    Truncated(#[from] ShortRead),
    /// A length does not fit.
    #[error("a length in the delta is too large")]
    Number,
    /// It was made for a base of another length.
    #[error("the delta is for a base of {declared} bytes, not of {found}")]
    Base {
        /// What the delta says.
        declared: usize,
        /// The base's length.
        found: usize,
    },
    /// It makes more bytes than the limit.
    #[error("the delta makes {size} bytes, {limit} are allowed")]
    TooLarge {
        /// What the delta says.
        size: usize,
        /// `Limits::revision_bytes`.
        limit: usize,
    },
    /// The instruction 0, which means nothing yet.
    #[error("the delta has an instruction of no meaning")]
    Reserved,
    /// A copy reaches beyond the base.
    #[error("the delta copies up to {end} of a base of {base} bytes")]
    BeyondBase {
        /// Where the copy ends.
        end: u64,
        /// The base's length.
        base: usize,
    },
    /// The instructions make another length than the delta says.
    #[error("the delta makes {found} bytes and says {declared}")]
    Result {
        /// What the delta says.
        declared: usize,
        /// What comes out.
        found: usize,
    },
}
