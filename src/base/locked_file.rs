//! Files that one process at a time works with.

use std::fs::{File, TryLockError};

/// A file or folder that is locked until this is dropped, at the latest until the process ends.
///
/// A process that is started meanwhile shares the lock until it has become another program. So it is
/// given back by name: closing the file alone would leave it to whoever is being started.
#[derive(Debug)]
pub struct LockedFile(File);

impl LockedFile {
    /// Locks `file`, unless another process has.
    pub fn try_lock(file: File) -> Result<Self, TryLockError> {
        file.try_lock()?;
        Ok(Self(file))
    }
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        // Closing it is all that is left then.
        drop(self.0.unlock());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_free_once_it_is_dropped_whoever_has_it_open() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = || File::open(file.path()).unwrap();
        let first = open();
        // What a process that is being started has.
        let shared = first.try_clone().unwrap();
        let lock = LockedFile::try_lock(first).unwrap();
        assert!(matches!(LockedFile::try_lock(open()), Err(TryLockError::WouldBlock)));
        drop(lock);
        LockedFile::try_lock(open()).unwrap();
        drop(shared);
    }
}
