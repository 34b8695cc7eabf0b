//! The only way in which state on the disk is flushed, renamed and removed.
//!
//! Whatever outlives a run (stores, packs, refs, the id map, the files of a cache) changes through
//! the functions of this module, or is announced to [`step`] before it changes; so is what is sent to
//! a target over a network. So a test can see in
//! which order things become durable, and end a run before each single [`Step`]: see [`observe`].
//! Nothing observes in production, and a step then costs one load of an atomic number.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tempfile::NamedTempFile;

/// One change of what is on the disk, or of what survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'p> {
    /// A file or folder is made, or a file is written to or cut.
    Write(&'p Path),
    /// The contents of a file, or the entries of a folder, are made durable.
    Flush(&'p Path),
    /// A file or folder takes the place of what is at the second path.
    Rename(&'p Path, &'p Path),
    /// A file or an empty folder is removed, if it is there.
    Remove(&'p Path),
    /// A part of a push goes from the repository at the path to a server, or all of it is there and
    /// the answer is not.
    Send(&'p Path),
}

impl Step<'_> {
    fn is_below(&self, folder: &Path) -> bool {
        match self {
            Self::Write(path) | Self::Flush(path) | Self::Remove(path) | Self::Send(path) => {
                path.starts_with(folder)
            }
            Self::Rename(from, to) => from.starts_with(folder) || to.starts_with(folder),
        }
    }
}

/// Is told of every step before it is done.
pub trait Observer: Send + Sync {
    /// Is called before `step`, on the thread that does it. An error keeps the step from being done,
    /// and is what the code that wanted it gets.
    fn before(&self, step: &Step<'_>) -> io::Result<()>;
}

impl<F: Fn(&Step<'_>) -> io::Result<()> + Send + Sync> Observer for F {
    fn before(&self, step: &Step<'_>) -> io::Result<()> {
        self(step)
    }
}

struct Observing {
    id: usize,
    folder: PathBuf,
    observer: Arc<dyn Observer>,
}

static OBSERVERS: RwLock<Vec<Observing>> = RwLock::new(Vec::new());
/// How many observers there are.
static COUNT: AtomicUsize = AtomicUsize::new(0);
static NEXT_ID: AtomicUsize = AtomicUsize::new(0);

/// Keeps an observer in its place until it is dropped.
#[derive(Debug)]
#[must_use = "the observer goes with it"]
pub struct Observation {
    id: usize,
}

/// Has `observer` told of every step in `folder` and below it, by whichever thread of this process,
/// for as long as the returned value lives. It is for tests: several may observe a folder each.
pub fn observe(folder: &Path, observer: Arc<dyn Observer>) -> Observation {
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let mut observers = OBSERVERS.write().unwrap_or_else(PoisonError::into_inner);
    observers.push(Observing { id, folder: folder.to_owned(), observer });
    COUNT.store(observers.len(), Ordering::SeqCst);
    Observation { id }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let mut observers = OBSERVERS.write().unwrap_or_else(PoisonError::into_inner);
        observers.retain(|observing| observing.id != self.id);
        COUNT.store(observers.len(), Ordering::SeqCst);
    }
}

/// Announces a step that the caller is about to do itself.
pub fn step(step: Step<'_>) -> io::Result<()> {
    if COUNT.load(Ordering::SeqCst) == 0 {
        return Ok(());
    }
    let concerned: Vec<_> = {
        let observers = OBSERVERS.read().unwrap_or_else(PoisonError::into_inner);
        let concerned = observers.iter().filter(|observing| step.is_below(&observing.folder));
        concerned.map(|observing| observing.observer.clone()).collect()
    };
    concerned.iter().try_for_each(|observer| observer.before(&step))
}

/// Makes a file durable that is open, at `path`.
pub fn flush(file: &File, path: &Path) -> io::Result<()> {
    step(Step::Flush(path))?;
    file.sync_all()
}

/// Makes the contents and the length of a file durable that is open, at `path`; its times and rights
/// may come later.
pub fn flush_data(file: &File, path: &Path) -> io::Result<()> {
    step(Step::Flush(path))?;
    file.sync_data()
}

/// Makes the file or folder at `path` durable.
pub fn flush_path(path: &Path) -> io::Result<()> {
    step(Step::Flush(path))?;
    File::open(path)?.sync_all()
}

/// Makes the entries of `folder` durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    flush_path(folder)
}

/// Moves `from` to `to`, in place of the file that may be there.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    step(Step::Rename(from, to))?;
    fs::rename(from, to)
}

/// Gives a temporary file its name, in place of the file that may be there.
pub fn persist(file: NamedTempFile, to: &Path) -> io::Result<File> {
    step(Step::Rename(file.path(), to))?;
    Ok(file.persist(to)?)
}

/// Removes the file at `path`, which must be there.
pub fn remove_file(path: &Path) -> io::Result<()> {
    step(Step::Remove(path))?;
    fs::remove_file(path)
}

/// Removes the file at `path`. Says whether there was one.
pub fn remove_if_there(path: &Path) -> io::Result<bool> {
    match remove_file(path) {
        Ok(()) => Ok(true),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Removes the folder at `path`, which must be empty.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    step(Step::Remove(path))?;
    fs::remove_dir(path)
}

/// Removes the folder at `path` with everything in it, which must be of no use in part.
pub fn remove_all(path: &Path) -> io::Result<()> {
    step(Step::Remove(path))?;
    fs::remove_dir_all(path)
}

/// Makes the folder at `path`, and those above it, where they are missing.
pub fn create_folders(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    step(Step::Write(path))?;
    fs::create_dir_all(path)
}

/// Replaces the file at `path` by one with `contents`, so that a reader, or a restart after a crash
/// at any moment, sees the old file or the new one and never a mixture.
pub fn replace_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    let file = beside(path, contents)?;
    flush(file.as_file(), file.path())?;
    persist(file, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Replaces the file at `path`, of which nothing depends but time: when it is lost or damaged, it is made
/// again, and its reader sees that it is damaged. It is not flushed: a reader sees the old file or the new one,
/// a restart after a power cut perhaps neither.
pub fn replace_remade_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    persist(beside(path, contents)?, path).map(drop)
}

/// A temporary file with `contents` in the folder of `path`.
fn beside(path: &Path, contents: &[u8]) -> io::Result<NamedTempFile> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    step(Step::Write(path))?;
    let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder)?;
    file.write_all(contents)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// What a step is, and the name of the file it concerns.
    fn shown(step: &Step<'_>) -> String {
        let name = |path: &Path| match path.file_name().unwrap().to_str().unwrap() {
            name if name.starts_with(".tmp-") => ".tmp-".to_owned(),
            name => name.to_owned(),
        };
        match step {
            Step::Write(path) => format!("write {}", name(path)),
            Step::Flush(path) => format!("flush {}", name(path)),
            Step::Rename(from, to) => format!("rename {} {}", name(from), name(to)),
            Step::Remove(path) => format!("remove {}", name(path)),
            Step::Send(path) => format!("send {}", name(path)),
        }
    }

    #[test]
    fn a_file_is_replaced_in_this_order() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("folder");
        create_folders(&folder).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let writes = seen.clone();
        let record = move |step: &Step<'_>| {
            writes.lock().unwrap().push(shown(step));
            Ok(())
        };
        let observation = observe(&folder, Arc::new(record));
        let path = folder.join("file");
        replace_file(&path, b"one").unwrap();
        replace_remade_file(&path, b"again").unwrap();
        assert!(remove_if_there(&path).unwrap());
        assert!(!remove_if_there(&path).unwrap());
        drop(observation);
        replace_file(&path, b"two").unwrap();
        let seen = seen.lock().unwrap();
        let replaced = ["write file", "flush .tmp-", "rename .tmp- file", "flush folder"];
        let remade = ["write file", "rename .tmp- file"];
        assert_eq!(*seen, [&replaced[..], &remade, &["remove file"; 2]].concat());
    }

    #[test]
    fn a_step_that_is_refused_is_not_done_and_other_folders_are_left_alone() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let refuse = |step: &Step<'_>| match step {
            Step::Rename(..) => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        };
        let _observation = observe(folder.path(), Arc::new(refuse));
        let error = replace_file(&folder.path().join("file"), b"text").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        replace_file(&other.path().join("file"), b"text").unwrap();
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 1);
    }
}
