//! Where this process was before: a file in a folder of its own that says which process had that folder last.
//!
//! Whoever holds the lock of the folder knows that the process before it is gone, and ends its claims at once instead
//! of waiting until they run out.

use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::base::LockedFile;
use crate::base::durable::{self, Step};
use crate::queue::model::RunId;
use crate::queue::store_error::StoreError;

const NODE: &str = "queue.node";
const HOME: &str = "queue.home";
const LOCK: &str = "queue.node.lock";

/// A folder that is ours for as long as this lives.
pub(super) struct Place {
    folder: PathBuf,
    _lock: LockedFile,
}

impl Place {
    /// Takes the folder for this process.
    pub(super) fn take(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(LOCK);
        let failed = |source| StoreError::File { path: path.clone(), source };
        durable::step(Step::Write(&path)).map_err(failed)?;
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
        let lock = LockedFile::try_lock(file.map_err(failed)?).map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::InUse { path: folder.to_owned() },
            TryLockError::Error(source) => failed(source),
        })?;
        Ok(Self { folder: folder.to_owned(), _lock: lock })
    }

    /// The process that had the folder before.
    pub(super) fn before(&self) -> Result<Option<String>, StoreError> {
        let path = self.folder.join(NODE);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().parse::<RunId>().ok().map(|id| id.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::File { path, source }),
        }
    }

    /// What the caches of whoever has the folder are known by, made up when it is asked for first.
    pub(super) fn home(&self) -> Result<RunId, StoreError> {
        if let Some(home) = self.old_home()? {
            return Ok(home);
        }
        let path = self.folder.join(HOME);
        let home = RunId::random();
        let made = durable::replace_file(&path, format!("{home}\n").as_bytes());
        made.map_err(|source| StoreError::File { path, source })?;
        Ok(home)
    }

    /// The same; `None` if it was not asked for yet.
    pub(super) fn old_home(&self) -> Result<Option<RunId>, StoreError> {
        let path = self.folder.join(HOME);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.trim().parse().ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::File { path, source }),
        }
    }

    /// From now on the folder is that of `node`.
    pub(super) fn note(&self, node: &str) -> Result<(), StoreError> {
        let path = self.folder.join(NODE);
        let noted = durable::replace_file(&path, format!("{node}\n").as_bytes());
        noted.map_err(|source| StoreError::File { path, source })
    }
}
