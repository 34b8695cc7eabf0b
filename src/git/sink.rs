//! Where new objects go before the repository has them: an unfinished pack, or memory.

use std::io;

use super::{ObjectId, ObjectKind};
use crate::base::faults;

/// A range that an object shares with another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Where it begins in the other object.
    pub from: usize,
    /// Where it begins in this one.
    pub to: usize,
    /// Its length in bytes.
    pub length: usize,
}

/// A hint: another object that is like this one, from which a delta can be made.
#[derive(Clone, Copy, Debug)]
pub struct DeltaHint<'a> {
    /// The other object, of the same kind.
    pub base: ObjectId,
    /// How long the other object is.
    pub base_length: usize,
    /// The ranges that both share, in order of `to` and not overlapping there.
    pub copied: &'a [Copied],
}

/// A new object.
#[derive(Clone, Copy, Debug)]
pub struct NewObject<'a> {
    /// Its id, which the caller has computed from the other two.
    pub id: ObjectId,
    /// What it is.
    pub kind: ObjectKind,
    /// Its contents, without header.
    pub contents: &'a [u8],
    /// How it can be told in fewer bytes.
    pub delta_hint: Option<DeltaHint<'a>>,
}

/// A place for new objects that several threads fill at once, each through a writer of its own.
pub trait ObjectSink: Sync {
    /// A writer for one thread.
    fn writer(&self) -> Box<dyn ObjectWriter + '_>;
}

/// Takes new objects. The same object may be written any number of times.
pub trait ObjectWriter {
    /// Takes one object.
    fn write(&mut self, object: NewObject<'_>) -> Result<(), SinkError>;

    /// Hands over what is still held. A writer that is dropped without this loses objects.
    fn finish(self: Box<Self>) -> Result<(), SinkError>;
}

/// A place that keeps nothing: for finding out what objects would be called.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

impl ObjectSink for Nowhere {
    fn writer(&self) -> Box<dyn ObjectWriter + '_> {
        Box::new(Self)
    }
}

impl ObjectWriter for Nowhere {
    fn write(&mut self, _object: NewObject<'_>) -> Result<(), SinkError> {
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Why new objects cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Two different contents have the same id.
    #[error("keep two different contents whose id is {id}: their SHA-1 was made to collide")]
    Collision {
        /// The id.
        id: ObjectId,
    },
    /// The disk is full, or not ours to write.
    #[error("write objects into {}", path.display())]
    Io {
        /// The file or folder.
        path: std::path::PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// libgit2 does not start.
    #[error(transparent)]
    Setup(Box<super::init::InitError>),
    /// libgit2 does not take the objects.
    #[error("{doing}")]
    Git {
        /// What was being done.
        doing: &'static str,
        /// What libgit2 says.
        #[source]
        source: git2::Error,
    },
}

faults!(SinkError {
    Self::Collision { .. } => Refused.at(Source).hint(
        "Git can hold only one of them. Such files are made on purpose: find out who added them to the source"
    ),
    Self::Io { source, .. } => io(source),
    Self::Setup(error) => of(error),
    Self::Git { .. } => Internal,
});
