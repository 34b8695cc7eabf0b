//! Why objects cannot be selected or sent.

use std::io;

use crate::base::{Interrupted, faults};
use crate::git::ObjectId;
use crate::git::pack::lookup::ReadError;

/// Why objects cannot be selected or sent.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    /// A stop was requested.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// An object, or a file that it would be in, is damaged or does not read.
    #[error("read what is to be sent")]
    Read(#[from] ReadError),
    /// An object that is needed is not there.
    #[error("find the object {id}, which is to be sent")]
    Missing {
        /// The object.
        id: ObjectId,
    },
    /// An object that hashes to its id is not what those who name it say, or cannot be parsed.
    #[error("read the object {id}, which is to be sent: it is no sound {kind}")]
    Malformed {
        /// The object.
        id: ObjectId,
        /// What it should be.
        kind: &'static str,
    },
    /// There are more objects than a pack can have.
    #[error("send {count} objects: a pack has room for {}", u32::MAX)]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// Whoever takes the pack does not.
    #[error("write a pack")]
    Write(#[source] io::Error),
}

faults!(OutgoingError {
    Self::Interrupted(error) => of(error),
    Self::Read(error) => of(error).at(Here),
    Self::Missing { .. } | Self::Malformed { .. } => {
        Corrupt.at(Here).hint("`git fsck` in that repository tells what is damaged")
    },
    Self::TooMany { .. } => Unsupported.at(Here),
    Self::Write(error) => io(error),
});
