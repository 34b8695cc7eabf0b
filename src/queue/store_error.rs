//! Why the queue could not be read or written.

use std::path::PathBuf;

use crate::base::faults;

/// An error of whatever keeps the queue.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A mirror that is not configured.
    #[error("find the mirror {key:?} in the queue")]
    Unknown {
        /// Its name.
        key: String,
    },
    /// The file cannot be opened, read or written.
    #[error("use the queue in {}: {message}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What the database said.
        message: String,
    },
    /// There is no file that could be copied.
    #[error("copy the queue: it is in memory alone")]
    InMemory,
    /// The thread that writes has ended.
    #[error("use the queue: it is closed")]
    Closed,
}

faults!(StoreError {
    Self::Unknown { .. } => Config,
    Self::Database { .. } => Unavailable,
    Self::InMemory => Unsupported,
    Self::Closed => Interrupted,
});
