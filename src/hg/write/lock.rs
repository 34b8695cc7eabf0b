//! The lock of a store, which Mercurial respects: a symbolic link whose target says who holds it.
//!
//! Source: the link as `hg` makes it (host, a slash and the inode of the namespace of process numbers
//! in hexadecimal digits, a colon, the number of the process), and what `hg` does with one of a
//! process that is not there any more.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::WriteError;
use super::files;

/// The locks that this process holds: one that names this process and is not here is left over from
/// an earlier process of the same number.
static HELD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// How often somebody may be faster.
const TRIES: usize = 5;

/// A lock, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
}

/// A process, as a lock names it.
struct Holder(Vec<u8>);

impl Lock {
    /// Takes the lock in the folder `store` of the repository at `root`.
    pub(super) fn take(root: &Path, store: &Path) -> Result<Self, WriteError> {
        let path = store.join("lock");
        let mut holder = None;
        for _ in 0..TRIES {
            match make(&path)? {
                None => return Ok(Self { path }),
                // It was given back while we looked.
                Some(found) if found.0.is_empty() => {}
                Some(found) if found.is_dead(&path) => take_away(&path, store)?,
                Some(found) => {
                    holder = Some(found);
                    break;
                }
            }
        }
        let holder = holder
            .map_or_else(|| "others".to_owned(), |Holder(text)| text.escape_ascii().to_string());
        Err(WriteError::Locked { path: root.to_owned(), holder })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A lock that cannot be removed is that of a dead process soon.
        drop(fs::remove_file(&self.path));
        HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.path);
    }
}

/// Makes the lock at `path`, or says who holds it.
fn make(path: &Path) -> Result<Option<Holder>, WriteError> {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    match symlink(OsStr::from_bytes(&Holder::this().0), path) {
        Ok(()) => {
            held.insert(path.to_owned());
            Ok(None)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Holder::of(path).map(Some),
        Err(error) => Err(WriteError::io(path)(error)),
    }
}

/// Takes away the lock of a dead process. Only one may do that at a time, or it could be the lock of
/// somebody who has just done so.
fn take_away(path: &Path, store: &Path) -> Result<(), WriteError> {
    let guard = store.join("lock.break");
    match make(&guard)? {
        None => {}
        Some(holder) if holder.is_dead(&guard) => return files::remove(&guard),
        Some(_) => return Ok(()),
    }
    let _guard = Lock { path: guard };
    if Holder::of(path)?.is_dead(path) { files::remove(path) } else { Ok(()) }
}

impl Holder {
    /// This process.
    fn this() -> Self {
        let host = fs::read("/proc/sys/kernel/hostname").unwrap_or_else(|_| b"localhost".to_vec());
        let mut text = host.trim_ascii().to_vec();
        if let Ok(namespace) = fs::metadata("/proc/self/ns/pid") {
            text.extend_from_slice(format!("/{:x}", namespace.ino()).as_bytes());
        }
        text.extend_from_slice(format!(":{}", std::process::id()).as_bytes());
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

    /// The host and the number of the process.
    fn parts(&self) -> Option<(&[u8], u32)> {
        let colon = self.0.iter().rposition(|&byte| byte == b':')?;
        let (host, pid) = self.0.split_at_checked(colon)?;
        let pid = std::str::from_utf8(pid.get(1..)?).ok()?;
        Some((host, pid.parse().ok()?))
    }

    /// Whether it is sure that the process is not there any more. Of other hosts nothing is known.
    fn is_dead(&self, path: &Path) -> bool {
        let this = Self::this();
        let (Some((host, pid)), Some((own_host, own))) = (self.parts(), this.parts()) else {
            return false;
        };
        if host != own_host {
            return false;
        }
        if pid == own {
            return !HELD.lock().unwrap_or_else(PoisonError::into_inner).contains(path);
        }
        Path::new("/proc/self").exists() && !Path::new("/proc").join(pid.to_string()).exists()
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
        assert!(target.ends_with(&format!(":{}", std::process::id())), "{target}");
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
        // An earlier process may have had our number.
        for stale in [&dead, &own] {
            symlink(stale, &path).unwrap();
            drop(Lock::take(folder.path(), folder.path()).unwrap());
        }
        symlink(&dead, folder.path().join("lock.break")).unwrap();
        symlink(&dead, &path).unwrap();
        drop(Lock::take(folder.path(), folder.path()).unwrap());
        let parent = std::os::unix::process::parent_id();
        for live in [format!("{host}:{parent}"), "elsewhere:1".to_owned(), "nonsense".to_owned()] {
            symlink(&live, &path).unwrap();
            let error = Lock::take(folder.path(), folder.path()).unwrap_err();
            assert_eq!(holder(&error), live);
            fs::remove_file(&path).unwrap();
        }
    }
}
