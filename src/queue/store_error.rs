//! Why the queue could not be read or written.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::postgres::Problem;
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
    /// A file or folder cannot be used.
    #[error("use {} for the queue", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has the queue.
    #[error("use the queue in {}: another process does", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The folder is on another machine.
    #[error("use the queue in {}: it is on a network file system ({kind})", path.display())]
    Network {
        /// The folder.
        path: PathBuf,
        /// What kind of file system it is.
        kind: &'static str,
    },
    /// The database library may damage the file.
    #[error("use SQLite {version} for the queue: releases before 3.51.3 may damage it")]
    OldSqlite {
        /// The version that was found.
        version: String,
    },
    /// The file is a database, and another one.
    #[error("use the queue in {}: it is the database of another program", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// A later version of this program has written the file.
    #[error("use the queue in {}: a later version of synchroniser has changed it", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged, or no database.
    #[error("use the queue in {}: {message}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the database said.
        message: String,
    },
    /// There is no room to write.
    #[error("write the queue in {}: the disk is full", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Another program reads or writes the file, and does not end.
    #[error("use the queue in {}: another program has locked it", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read or written.
    #[error("use the queue in {}: {message}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What the database said.
        message: String,
    },
    /// The file has mirrors, and is to take over those of another queue.
    #[error("take over another queue in {}: it has mirrors already", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// A database server cannot be used, or does not do what it is asked for.
    #[error("use the queue in {place}: {message}")]
    Server {
        /// Its address, without a password.
        place: String,
        /// What is wrong.
        problem: Problem,
        /// What it said, or what we find.
        message: String,
    },
    /// What keeps the queue has a way of its own to copy it.
    #[error("copy the queue: it is in a PostgreSQL database")]
    InDatabase,
    /// There is no file that could be copied.
    #[error("copy the queue: it is in memory alone")]
    InMemory,
    /// The thread that writes has ended.
    #[error("use the queue: it is closed")]
    Closed,
}

faults!(StoreError {
    Self::Unknown { .. } => Config,
    Self::File { source, .. } => io(source),
    Self::InUse { .. } => Config.hint("let only one daemon run, or give each a folder of its own"),
    Self::Network { .. } => Config.hint("put the state folder on a disk of this machine"),
    Self::OldSqlite { .. } => Unsupported,
    Self::NotOurs { .. } => Config.hint("give the queue a folder of its own"),
    Self::Newer { .. } => Unsupported.hint("install that version again"),
    Self::Damaged { .. } => Corrupt.hint(
        "put back a copy made with `synchroniser backup`, or move the file away: all mirrors are then \
         synced anew, and only their history is lost",
    ),
    Self::Full { .. } => Unavailable.hint("make room on the disk, and try again"),
    Self::Locked { .. } => Unavailable.hint(
        "end whatever has the file open; `synchroniser backup` makes a copy that may be looked into",
    ),
    Self::Database { .. } => Unavailable,
    Self::Server { problem, .. } => problem.diagnosis(),
    Self::Taken { path } => Config.hint(format!(
        "a queue is never overwritten; if it is of no use any more, move it away: `mv {file} {file}.old`",
        file = path.display()
    )),
    Self::InDatabase => Unsupported.hint("pg_dump makes a copy of it while work goes on"),
    Self::InMemory => Unsupported,
    Self::Closed => Interrupted,
});

impl StoreError {
    /// What `SQLite` says of the file at `path`.
    pub(super) fn of(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let message = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, message }
            }
            _ => Self::Database { path, message },
        }
    }
}
