//! The lock of a store, which Mercurial respects: a symbolic link whose target says who holds it.
//!
//! Source: the link as `hg` makes it (host, a slash and the inode of the namespace of process numbers
//! in hexadecimal digits, a colon, the number of the process), and what `hg` does with one of a
//! process that is not there any more.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use super::error::WriteError;
use super::files;
use crate::base::LockedFile;
use crate::base::durable::{self, Step};

/// How often another process may be faster.
const TRIES: usize = 5;

/// What is held while a lock is taken away.
const GUARD: &str = "lock.break";
/// How many digits we write the number of our process with: more than anybody else does, which says
/// whose lock it is.
const DIGITS: usize = 12;

/// A lock, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    /// The folder, which the operating system keeps locked for as long as this process lives: other
    /// than the link, that tells even of processes that had numbers in a namespace that is gone, as
    /// those of a container that was started again.
    _folder: Option<LockedFile>,
}

/// A process, as a lock names it.
struct Holder(Vec<u8>);

impl Lock {
    /// Takes the lock in the folder `store` of the repository at `root`.
    pub(super) fn take(root: &Path, store: &Path) -> Result<Self, WriteError> {
        let path = store.join("lock");
        let folder = File::open(store).map_err(WriteError::io(store))?;
        let mut folder = match LockedFile::try_lock(folder) {
            Ok(folder) => Some(folder),
            Err(TryLockError::WouldBlock) => return Err(locked(root, &Holder::of(&path)?)),
            // A file system that cannot: then only the link counts.
            Err(TryLockError::Error(_)) => None,
        };
        let is_alone = folder.is_some();
        let mut holder = Holder(Vec::new());
        for _ in 0..TRIES {
            let Some(found) = make(&path)? else {
                let lock = Self { path, _folder: folder.take() };
                clear(&store.join(GUARD), is_alone)?;
                return Ok(lock);
            };
            holder = found;
            match () {
                // It was given back while we looked.
                () if holder.0.is_empty() => {}
                () if holder.is_dead(is_alone) => take_away(&path, store, is_alone)?,
                () => break,
            }
        }
        Err(locked(root, &holder))
    }
}

fn locked(root: &Path, holder: &Holder) -> WriteError {
    let holder = match holder.0.as_slice() {
        b"" => "another process".to_owned(),
        text => text.escape_ascii().to_string(),
    };
    WriteError::Locked { path: root.to_owned(), holder }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A lock that cannot be removed is that of a dead process soon.
        drop(durable::remove_file(&self.path));
    }
}

/// Makes the lock at `path`, or says who holds it.
fn make(path: &Path) -> Result<Option<Holder>, WriteError> {
    durable::step(Step::Write(path)).map_err(WriteError::io(path))?;
    match symlink(OsStr::from_bytes(&Holder::this().0), path) {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Holder::of(path).map(Some),
        Err(error) => Err(WriteError::io(path)(error)),
    }
}

/// Takes away the lock of a dead process. Only one process may do that at a time: otherwise it could
/// remove the new lock of another that has just done so.
fn take_away(path: &Path, store: &Path, is_alone: bool) -> Result<(), WriteError> {
    let guard = store.join(GUARD);
    match make(&guard)? {
        None => {}
        Some(holder) if holder.is_dead(is_alone) => return files::remove(&guard),
        Some(_) => return Ok(()),
    }
    clear(path, is_alone).and(files::remove(&guard))
}

/// Removes the lock at `path` if it is that of a dead process.
fn clear(path: &Path, is_alone: bool) -> Result<(), WriteError> {
    let is_dead = Holder::of(path)?.is_dead(is_alone);
    if is_dead { files::remove(path) } else { Ok(()) }
}

impl Holder {
    /// This process.
    fn this() -> Self {
        let host = fs::read("/proc/sys/kernel/hostname").unwrap_or_else(|_| b"localhost".to_vec());
        let mut text = host.trim_ascii().to_vec();
        if let Ok(namespace) = fs::metadata("/proc/self/ns/pid") {
            text.extend_from_slice(format!("/{:x}", namespace.ino()).as_bytes());
        }
        text.extend_from_slice(format!(":{:0DIGITS$}", std::process::id()).as_bytes());
        Self(text)
    }

    /// Who holds the lock at `path`; nothing if it is not there any more.
    fn of(path: &Path) -> Result<Self, WriteError> {
        match fs::read_link(path) {
            Ok(target) => Ok(Self(target.as_os_str().as_bytes().to_vec())),
            // A file system without symbolic links: then it is a file.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                fs::read(path).map(Self).map_err(WriteError::io(path))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self(Vec::new())),
            Err(error) => Err(WriteError::io(path)(error)),
        }
    }

    /// The host, the namespace of the number, and the number of the process.
    fn parts(&self) -> Option<(&[u8], &[u8], &[u8])> {
        let colon = self.0.iter().rposition(|&byte| byte == b':')?;
        let (place, pid) = self.0.split_at_checked(colon)?;
        let slash = place.iter().rposition(|&byte| byte == b'/').unwrap_or(place.len());
        let (host, namespace) = place.split_at_checked(slash)?;
        Some((host, namespace, pid.get(1..)?))
    }

    /// Whether it is sure that the process is not there any more. Of other hosts nothing is known.
    /// `is_alone` says that no other process has the folder locked.
    fn is_dead(&self, is_alone: bool) -> bool {
        let this = Self::this();
        let (Some((host, namespace, pid)), Some((own_host, own_namespace, own))) =
            (self.parts(), this.parts())
        else {
            return false;
        };
        if host != own_host {
            return false;
        }
        // Ours would have the folder locked, too.
        if is_alone && pid.len() == DIGITS {
            return true;
        }
        let number = |pid| std::str::from_utf8(pid).ok()?.parse::<u32>().ok();
        let Some(pid) = number(pid).filter(|_| namespace == own_namespace) else { return false };
        // An earlier process may have had our number.
        let is_own = Some(pid) == number(own);
        let is_known = Path::new("/proc/self").exists();
        is_own || is_known && !Path::new("/proc").join(pid.to_string()).exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(error: &WriteError) -> &str {
        let WriteError::Locked { holder, .. } = error else { panic!("{error:?}") };
        holder
    }

    #[test]
    fn only_one_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let take = || Lock::take(folder.path(), folder.path());
        let lock = take().unwrap();
        let target = fs::read_link(folder.path().join("lock")).unwrap();
        let target = target.to_str().unwrap();
        assert!(target.ends_with(&format!(":{:0DIGITS$}", std::process::id())), "{target}");
        assert_eq!(holder(&take().unwrap_err()), target);
        drop(lock);
        drop(take().unwrap());
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
    }

    #[test]
    fn a_lock_of_the_dead_is_taken_away_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let own = String::from_utf8(Holder::this().0).unwrap();
        let host = own.rsplit_once(':').unwrap().0.to_owned();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = format!("{host}:{}", child.id());
        child.wait().unwrap();
        let gone = format!("{}/1:{:0DIGITS$}", host.split_once('/').unwrap().0, 1);
        let number = std::process::id();
        // An earlier process may have had our number, and one of another namespace any.
        for stale in [&dead, &own, &gone, &format!("{host}:{number}")] {
            symlink(stale, &path).unwrap();
            symlink(&dead, folder.path().join("lock.break")).unwrap();
            drop(Lock::take(folder.path(), folder.path()).unwrap());
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
        symlink(&dead, folder.path().join("lock.break")).unwrap();
        symlink(&dead, &path).unwrap();
        drop(Lock::take(folder.path(), folder.path()).unwrap());
        let parent = std::os::unix::process::parent_id();
        let other_namespace = format!("{}/1:1", host.split_once('/').unwrap().0);
        let elsewhere = format!("elsewhere:{:0DIGITS$}", 1);
        for live in [format!("{host}:{parent}"), elsewhere, "nonsense".to_owned(), other_namespace]
        {
            symlink(&live, &path).unwrap();
            let error = Lock::take(folder.path(), folder.path()).unwrap_err();
            assert_eq!(holder(&error), live);
            fs::remove_file(&path).unwrap();
        }
    }
}
