//! The caches below one folder: what each takes, what of it can go, and its name.
//!
//! All of a cache but its ledger can be made again from its source: that costs time, and what a source has to
//! send again. The ledger cannot. Without it a mirror takes only those refs of its target for its own whose
//! commits it makes again, so that names that are gone at the source stay at the target for ever. So a cache
//! is emptied, which leaves its ledger, as a backup has it; it is removed as a whole only if a person asks.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::cache::{CacheLocation, Layout};
use crate::base::durable::{self, Step};
use crate::base::sizes::bytes_below;
use crate::base::{LockedFile, faults};

/// What becomes of folders that are removed: they get such a name first, so that the cache is free again at
/// once. No mirror is called so.
const REMOVED: &str = ".removed-";
/// One record of the map.
const RECORD: u64 = 40;
/// So many changesets are converted in a second, about.
const CHANGESETS: u64 = 1000;
/// So many bytes of a source come in a second, about.
const FETCHED: u64 = 4_000_000;

/// Why a cache cannot be listed, renamed, emptied or removed.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// A folder cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something cannot be renamed or removed.
    #[error("change the cache {}", path.display())]
    Change {
        /// The cache.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A later version of this program has written it, and may keep in it what cannot be made again.
    #[error("change the cache {}: a later version of synchroniser has written it", path.display())]
    Newer {
        /// The cache.
        path: PathBuf,
    },
    /// Somebody works with it.
    #[error("change the cache {}: it is in use", path.display())]
    InUse {
        /// The cache.
        path: PathBuf,
    },
}

faults!(CacheError {
    Self::Read { source, .. } | Self::Change { source, .. } => io(source).at(Here),
    Self::Newer { .. } => Unsupported.at(Here).hint("install that version again"),
    Self::InUse { .. } => Unavailable.at(Here).hint("wait until it is done, and try again"),
});

/// One cache, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCache {
    /// Its folder.
    pub path: PathBuf,
    /// The name of the folder.
    pub name: String,
    /// What its files have, in bytes.
    pub bytes: u64,
    /// How much of that can be made again, in bytes.
    pub spare: u64,
    /// How long it takes to make it again, in seconds: an estimate, for an order.
    pub seconds: u64,
}

/// The caches below `folder`, by name.
pub fn caches(folder: &Path) -> Result<Vec<FoundCache>, CacheError> {
    let failed = |source| CacheError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let is_folder = entry.file_type().map_err(failed)?.is_dir();
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_folder && !name.starts_with('.') {
            found.extend(FoundCache::at(&entry.path(), name));
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// Removes what was left of caches below `folder` that were emptied by a process that was killed meanwhile.
pub fn clear_removed(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(REMOVED) {
            // Another process may be about it.
            let _ = remove_folder(&entry.path());
        }
    }
}

/// Gives the cache `old` the name `new`, unless it is not there or there is one of that name. Says whether it
/// did. A cache that is in use keeps its name.
pub fn rename_cache(old: &Path, new: &Path) -> Result<bool, CacheError> {
    if !old.is_dir() || new.exists() {
        return Ok(false);
    }
    let _lock = lock(old)?;
    durable::rename(old, new)
        .map_err(|source| CacheError::Change { path: old.to_owned(), source })?;
    Ok(true)
}

impl FoundCache {
    /// The cache in the folder at `path`; `None` if that is none.
    fn at(path: &Path, name: String) -> Option<Self> {
        let layout = layout(path);
        let has = |path: PathBuf| path.exists();
        let is_cache = has(layout.lock())
            && (has(layout.map())
                || has(layout.ledger())
                || has(layout.git.join("HEAD"))
                || has(layout.copy().join(".hg")));
        if !is_cache {
            return None;
        }
        let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        let bytes = bytes_below(path);
        let seconds =
            size(&layout.map()) / RECORD / CHANGESETS + bytes_below(&layout.copy()) / FETCHED;
        let spare = bytes.saturating_sub(size(&layout.ledger()));
        Some(Self { path: path.to_owned(), name, bytes, spare, seconds })
    }

    /// Whether there is nothing in it that can be made again.
    pub fn is_empty(&self) -> bool {
        let layout = layout(&self.path);
        ![layout.map(), layout.git.clone(), layout.copy()].iter().any(|part| part.exists())
    }

    /// Removes all that can be made again.
    pub fn empty(&self) -> Result<(), CacheError> {
        let lock = lock(&self.path)?;
        let removed = self.take_out().map_err(|source| self.failed(source))?;
        // What is left takes time, and nobody has to wait for it.
        drop(lock);
        remove_folder(&removed).map_err(|source| self.failed(source))
    }

    /// Removes it with its ledger.
    pub fn remove(&self) -> Result<(), CacheError> {
        let _lock = lock(&self.path)?;
        let failed = |source| self.failed(source);
        durable::remove_if_there(&layout(&self.path).map()).map_err(failed)?;
        remove_folder(&self.path).map_err(failed)
    }

    /// Moves all but the lock, the token and the ledger into a folder of their own, which it returns.
    fn take_out(&self) -> io::Result<PathBuf> {
        let layout = layout(&self.path);
        // Without it nothing else in there is of use: half of a cache is none.
        durable::remove_if_there(&layout.map())?;
        let beside = self.path.parent().unwrap_or(&self.path);
        durable::step(Step::Write(beside))?;
        let removed = tempfile::Builder::new().prefix(REMOVED).tempdir_in(beside)?.keep();
        let kept = [layout.lock(), layout.ledger(), layout.token()];
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            if let Some(name) = path.file_name().filter(|_| !kept.contains(&path)) {
                durable::rename(&path, &removed.join(name))?;
            }
        }
        Ok(removed)
    }

    fn failed(&self, source: io::Error) -> CacheError {
        CacheError::Change { path: self.path.clone(), source }
    }
}

fn layout(path: &Path) -> Layout {
    CacheLocation::Folder(path.to_owned()).layout()
}

/// Locks the cache in the folder at `path`, as a sync does. What only later versions know stays as it is.
fn lock(path: &Path) -> Result<LockedFile, CacheError> {
    let failed = |source| CacheError::Change { path: path.to_owned(), source };
    let file = File::options().create(true).truncate(false).write(true).open(layout(path).lock());
    match LockedFile::try_lock(file.map_err(failed)?) {
        Ok(_) if layout(path).is_newer().map_err(failed)? => {
            Err(CacheError::Newer { path: path.to_owned() })
        }
        Ok(lock) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(CacheError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn remove_folder(path: &Path) -> io::Result<()> {
    durable::step(Step::Remove(path))?;
    fs::remove_dir_all(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Fault, HasFault as _};

    /// A cache with all of its parts.
    fn cache(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        for part in ["git/objects", "hg/.hg"] {
            fs::create_dir_all(path.join(part)).unwrap();
        }
        fs::write(path.join("git/HEAD"), "ref: refs/heads/master").unwrap();
        fs::write(path.join("hg/.hg/store"), [0; 1000]).unwrap();
        fs::write(path.join("map"), [0; 80]).unwrap();
        for file in ["lock", "seen", "told"] {
            fs::write(path.join(file), "").unwrap();
        }
        fs::write(path.join("ledger"), "published").unwrap();
        path
    }

    #[test]
    fn an_emptied_cache_has_its_ledger_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = cache(folder.path(), "rocket");
        fs::create_dir_all(folder.path().join("photos/git")).unwrap();
        fs::create_dir_all(folder.path().join(".targets")).unwrap();
        let found = caches(folder.path()).unwrap();
        let [rocket] = &*found else { panic!("{found:?}") };
        assert_eq!((rocket.name.as_str(), rocket.bytes), ("rocket", 1000 + 80 + 9 + 22));
        assert_eq!(rocket.spare, rocket.bytes - 9);
        assert!(!rocket.is_empty());

        let held = File::open(path.join("lock")).unwrap();
        held.lock().unwrap();
        for error in [rocket.empty().unwrap_err(), rocket.remove().unwrap_err()] {
            assert_eq!(error.fault(), Fault::Unavailable, "{error}");
        }
        assert!(rename_cache(&path, &folder.path().join("new")).is_err());
        drop(held);
        assert!(!rocket.is_empty(), "it was in use");

        rocket.empty().unwrap();
        let mut left: Vec<_> =
            fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["ledger", "lock"]);
        let found = caches(folder.path()).unwrap();
        assert!(found[0].is_empty() && found[0].spare == 0, "{found:?}");
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 3, "nothing is left beside it");

        assert!(rename_cache(&path, &folder.path().join("new")).unwrap());
        assert!(!rename_cache(&path, &folder.path().join("newer")).unwrap());
        caches(folder.path()).unwrap()[0].remove().unwrap();
        assert!(caches(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn what_a_killed_process_left_is_removed_later() {
        let folder = tempfile::tempdir().unwrap();
        cache(folder.path(), "rocket");
        fs::create_dir_all(folder.path().join(format!("{REMOVED}x/git"))).unwrap();
        assert_eq!(caches(folder.path()).unwrap().len(), 1);
        clear_removed(folder.path());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
