//! Why an object cannot be read.

use std::io;
use std::path::PathBuf;

use super::LooseFlaw;
use crate::base::faults;
use crate::git::ObjectId;
use crate::git::pack::reader::PackError;

/// Why an object cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// In its pack something is wrong.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The file of a loose object does not read, or a folder of objects does not.
    #[error("read {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file of a loose object is wrong.
    #[error("read the object in {}", path.display())]
    Loose {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: LooseFlaw,
    },
    /// An object is made of bytes that have another id.
    #[error("read the object {id} in {}: its contents are those of {found}", path.display())]
    Id {
        /// The pack or the loose object.
        path: PathBuf,
        /// The object.
        id: ObjectId,
        /// The id of what is there.
        found: ObjectId,
    },
    /// There are more packs, or larger ones, than we can number.
    #[error("read the packs of {}: there are too many of them, or one is too large", path.display())]
    TooMany {
        /// The folder of objects.
        path: PathBuf,
    },
}

faults!(ReadError {
    Self::Pack(error) => of(error).hint(DAMAGED),
    Self::Io { source, .. } => io(source),
    Self::Loose { .. } | Self::Id { .. } => Corrupt.hint(DAMAGED),
    Self::TooMany { .. } => Unsupported,
});

/// What to do about a pack of a cache that is damaged: a sync notices that it is gone.
const DAMAGED: &str = "remove that file, and the index beside it if it is a pack: the next sync makes \
                       again what was in it";
