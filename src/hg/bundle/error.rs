//! Why a bundle cannot be read, and where.

use std::io;

use crate::base::{ShortRead, faults};
use crate::hg::revlog::delta::DeltaError;
use crate::hg::store::obsolete::ObsstoreError;

/// Why a bundle cannot be read. Offsets count the bytes that come out of its compression.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The operating system does not give us the bytes.
    #[error("read the bundle")]
    Io {
        /// What it says.
        #[from]
        source: io::Error,
    },
    /// The bytes make no sense.
    #[error("read the bundle at offset {offset}: {damage}")]
    Damaged {
        /// How many bytes were read before.
        offset: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// The contents of a part are malformed.
    #[error("read the part {part} of the bundle: {damage}")]
    Part {
        /// The kind of the part.
        part: String,
        /// What is wrong; offsets are those in the part.
        damage: Damage,
    },
    /// It is a bundle of a kind that we do not read.
    #[error("read the bundle: {0}")]
    Unsupported(Unsupported),
    /// Whoever made the bundle says that it could not.
    #[error("read the bundle: the other side ended it: {message}")]
    Aborted {
        /// What it says.
        message: String,
        /// What it says can be done about it.
        hint: Option<String>,
    },
}

/// What is wrong with bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It is no bundle.
    #[error("it does not begin as a bundle does")]
    NoBundle,
    /// It ends too early.
    #[error("it ends within the {field}")]
    Truncated {
        /// What was being read.
        field: &'static str,
    },
    /// A part of a record is missing.
    #[error(transparent)]
    ShortRead(#[from] ShortRead),
    /// The compressed bytes are damaged.
    #[error("its data does not decompress: {problem}")]
    Compressed {
        /// What the decompressor says.
        problem: String,
    },
    /// A length that cannot be.
    #[error("the length of the {field} is {length}, which cannot be")]
    Length {
        /// What has that length.
        field: &'static str,
        /// The length.
        length: i64,
    },
    /// More than we are willing to hold.
    #[error("the {field} has {length} bytes, the limit is {limit}")]
    TooLarge {
        /// What is too large.
        field: &'static str,
        /// How large it is, or how much of it was read.
        length: u64,
        /// What is allowed.
        limit: u64,
    },
    /// A text that is not what it should be.
    #[error("the {field} is malformed")]
    Malformed {
        /// Which text.
        field: &'static str,
    },
    /// A parameter that must be there is not.
    #[error("the parameter {key} is missing or malformed")]
    Parameter {
        /// Its name.
        key: &'static str,
    },
    /// A delta is damaged.
    #[error("a delta is damaged: {0}")]
    Delta(#[from] DeltaError),
    /// The obsolescence markers are damaged.
    #[error("{0}")]
    Markers(#[from] ObsstoreError),
    /// Something follows where nothing should.
    #[error("something follows its end")]
    Trailing,
}

/// What we do not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// A container that is not known.
    #[error("the format {0:?} is not known")]
    Format(String),
    /// A way of compressing that is not known.
    #[error("the compression {0:?} is not known")]
    Compression(String),
    /// A parameter of the whole bundle that must be understood and is not known.
    #[error("the parameter {0:?} must be understood, and is not known")]
    Parameter(String),
    /// A part that must be understood and is not known.
    #[error("the part {0:?} must be understood, and is not known")]
    Part(String),
    /// A parameter of a part that must be understood and is not known.
    #[error("the parameter {key:?} of the part {part:?} must be understood, and is not known")]
    PartParameter {
        /// The kind of the part.
        part: String,
        /// The parameter.
        key: String,
    },
    /// A version of changegroups that we do not read.
    #[error("changegroups of version {0:?} are not read")]
    Changegroup(String),
}

faults!(BundleError {
    Self::Io { source } => io(source),
    Self::Damaged { .. } | Self::Part { .. } => Corrupt,
    Self::Unsupported(kind) => match kind {
        super::error::Unsupported::Changegroup(_) => {
            Unsupported.hint("`hg bundle --type 'v2;cg.version=03'` writes one that is")
        }
        super::error::Unsupported::Format(_) => {
            Unsupported.hint("`hg bundle --type v2` writes one that is known")
        }
        _ => Unsupported.into(),
    },
    Self::Aborted { hint, .. } => Diagnosis { hint: hint.clone(), ..Refused.into() },
});
