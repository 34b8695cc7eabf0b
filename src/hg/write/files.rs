//! Files and folders of a repository: written, replaced, removed, and made durable.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::WriteError;
use crate::base::durable::{self, Step};

/// Removes the file at `path`, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), WriteError> {
    durable::remove_if_there(path).map(drop).map_err(WriteError::io(path))
}

/// Where the file that will be at `path` is made.
pub(super) fn beside(path: &Path) -> PathBuf {
    let mut beside = OsString::from(path);
    beside.push(".new");
    beside.into()
}

/// Puts a file with `contents` at `path`, at once, in place of the one that may be there: with the
/// rights that one had, or those that the process gives. Its contents are durable before it is
/// there; that it is there, only once its folder is made durable.
pub(super) fn replace(path: &Path, contents: &[&[u8]]) -> io::Result<()> {
    let beside = beside(path);
    durable::step(Step::Write(&beside))?;
    let made = File::create(&beside).and_then(|mut file| {
        for part in contents {
            file.write_all(part)?;
        }
        if let Ok(old) = fs::metadata(path) {
            file.set_permissions(old.permissions())?;
        }
        durable::flush(&file, &beside)?;
        durable::rename(&beside, path)
    });
    made.inspect_err(|_| drop(durable::remove_file(&beside)))
}

/// How many files are made durable at a time: a file system does many of them in one go.
const AT_ONCE: usize = 8;

/// Makes files and folders durable.
pub(super) fn sync_all<'p>(paths: impl Iterator<Item = &'p PathBuf>) -> Result<(), WriteError> {
    let paths: Vec<_> = paths.collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), WriteError> {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            durable::flush_path(path).map_err(WriteError::io(path))?;
        }
        Ok(())
    };
    if paths.len() < AT_ONCE {
        return work();
    }
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}
