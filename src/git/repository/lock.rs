//! The lock files that Git programs keep each other out with, such as `packed-refs.lock`.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::packed_refs::io_error;
use super::refs::UpdateRefsError;
use crate::base::durable::{self, Step};

/// What our lock holds, so that we know it again. No other Git program writes this into one.
const MARK: &[u8] = b"# locked by synchroniser\n";

/// The right to replace one file of a repository, against every other Git program, until this is
/// dropped. Programs that look at `<file>.lock` see that it is there; a lock that
/// was left by a killed process of ours is known by its contents, and by no process holding it.
pub(super) struct Lock {
    /// Locked as long as it is open.
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Locks the file `name` of the repository at `folder`, whether it exists or not. A lock of ours
    /// whose process was killed is taken over; that of another program is respected, however old it is.
    pub(super) fn take(folder: &Path, name: &str) -> Result<Self, UpdateRefsError> {
        let path = folder.join(format!("{name}.lock"));
        let error = |source| io_error(&path, source);
        // It appears with its mark in it and locked, so that it can be told from an abandoned one.
        let mut file =
            tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder).map_err(error)?;
        file.write_all(MARK).map_err(error)?;
        file.as_file().lock().map_err(error)?;
        for attempt in 0..2 {
            durable::step(Step::Rename(file.path(), &path)).map_err(error)?;
            match file.persist_noclobber(&path) {
                Ok(file) => return Ok(Self { _file: file, path }),
                Err(failed) if failed.error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(error(failed.error));
                }
                Err(failed) => file = failed.file,
            }
            if attempt > 0 || !remove_abandoned(&path).unwrap_or(false) {
                break;
            }
        }
        Err(UpdateRefsError::Locked { path })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // One that cannot be removed is recognised as abandoned by the next run.
        let _ = durable::remove_file(&self.path);
    }
}

/// Removes a lock of ours that no process holds any more; says whether it did.
fn remove_abandoned(lock: &Path) -> io::Result<bool> {
    let file = File::open(lock)?;
    let mut text = Vec::new();
    (&file).take(MARK.len() as u64 + 1).read_to_end(&mut text)?;
    if text != MARK || file.try_lock().is_err() {
        return Ok(false);
    }
    // Another process may have been faster and made its own lock.
    if fs::metadata(lock)?.ino() != file.metadata()?.ino() {
        return Ok(false);
    }
    durable::remove_file(lock)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_a_killed_run_left_is_taken_over_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("packed-refs.lock");
        let is_taken = || Lock::take(folder.path(), "packed-refs").is_ok();
        // As a killed process leaves it: the mark, and nobody who holds it.
        fs::write(&lock, MARK).unwrap();
        assert!(is_taken());
        // One that is held.
        let held = Lock::take(folder.path(), "packed-refs").unwrap();
        assert!(!is_taken());
        drop(held);
        assert!(is_taken());
        // One of Git, which holds nothing or what will be the file.
        for text in [&b""[..], b"# pack-refs with: peeled fully-peeled sorted \n"] {
            fs::write(&lock, text).unwrap();
            assert!(!is_taken());
        }
    }
}
