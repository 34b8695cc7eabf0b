//! The cache of a mirror: where its parts are. It is opened read-only ([`ReadCache`]) or locked
//! ([`LockedCache`]).

mod locked;
mod owner;
mod read;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

pub(super) use locked::LockedCache;
pub use owner::OwnerError;
pub(super) use read::ReadCache;

use super::SyncError;
use super::context::LedgerStore;
use super::ledger::{Found, Ledger};
use crate::git::destination::Target;

/// The form of a cache. It is written into `format` from the second form on.
const FORMAT: &str = "1";

/// Where the cache of a mirror is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheLocation {
    /// A folder that belongs to synchroniser alone, with the Git repository in it.
    Folder(PathBuf),
    /// A bare Git repository that people use, with everything else in a folder in it.
    Repository(PathBuf),
}

impl CacheLocation {
    /// The folder or repository itself.
    pub fn path(&self) -> &Path {
        match self {
            Self::Folder(path) | Self::Repository(path) => path,
        }
    }

    /// The file with what was published.
    pub fn ledger(&self) -> PathBuf {
        self.layout().ledger()
    }

    /// Where everything in it is.
    pub(super) fn layout(&self) -> Layout {
        match self {
            Self::Folder(folder) => Layout { git: folder.join("git"), folder: folder.clone() },
            Self::Repository(git) => Layout { git: git.clone(), folder: git.join("synchroniser") },
        }
    }
}

/// Where the parts of a cache are. `src/README.md` says what each is.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The bare repository.
    pub git: PathBuf,
    /// The folder of everything else.
    folder: PathBuf,
}

impl Layout {
    /// The id map. Beside it, under names of their own, the files are that say how it was made.
    pub(super) fn map(&self) -> PathBuf {
        self.folder.join("map")
    }

    /// The branch of each changeset.
    pub(super) fn branches(&self) -> PathBuf {
        self.folder.join("branches")
    }

    /// The shape of the source's history.
    pub(super) fn history(&self) -> PathBuf {
        self.folder.join("history")
    }

    /// What the forge of the target said last.
    pub(super) fn forge(&self) -> PathBuf {
        self.folder.join("forge")
    }

    /// What the source looked like before the last sync that went well.
    pub(super) fn seen(&self) -> PathBuf {
        self.folder.join("seen")
    }

    /// The notes that were told.
    pub(super) fn told(&self) -> PathBuf {
        self.folder.join("told")
    }

    /// The ledger of the references that were published.
    pub(super) fn ledger(&self) -> PathBuf {
        self.folder.join("ledger")
    }

    /// The copy of a source that is not on this machine.
    pub(super) fn copy(&self) -> PathBuf {
        self.folder.join("hg")
    }

    /// The names of the packs that the cache had when it was last known to be whole.
    pub(super) fn packs(&self) -> PathBuf {
        self.folder.join("packs")
    }

    /// The names of the packs that were compacted.
    pub(super) fn compacted(&self) -> PathBuf {
        self.folder.join("compacted")
    }

    /// The file that a process locks while it compacts packs.
    pub(super) fn compacting(&self) -> PathBuf {
        self.folder.join("compacting")
    }

    /// The folder of everything but the repository.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder that a cache is taken into which comes from another machine.
    pub(super) fn arriving(&self) -> PathBuf {
        self.folder.join("arriving")
    }

    /// Whether nothing was converted yet, as far as is known.
    pub(super) fn is_cold(&self) -> bool {
        fs::metadata(self.map()).map_or(true, |map| map.len() == 0)
    }

    /// How far making the cache again is.
    pub(super) fn rebuilding(&self) -> PathBuf {
        self.folder.join("rebuilding")
    }

    /// What form the cache has; not there if it is the first.
    pub(super) fn format(&self) -> PathBuf {
        self.folder.join("format")
    }

    /// Whether the cache has a form that only later versions of this program know.
    pub(super) fn is_newer(&self) -> io::Result<bool> {
        match fs::read(self.format()) {
            Ok(format) => Ok(format.trim_ascii_end() != FORMAT.as_bytes()),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Refuses a cache that only later versions of this program know.
    fn check_format(&self) -> Result<(), SyncError> {
        let path = self.format();
        match self.is_newer() {
            Ok(false) => Ok(()),
            Ok(true) => Err(SyncError::Newer { path }),
            Err(source) => Err(SyncError::Folder { path, source }),
        }
    }

    /// What was published at the target with this address.
    fn ledger_of(
        &self,
        target: Option<&Target>,
        store: Option<Arc<dyn LedgerStore>>,
    ) -> Result<(Ledger, Found), SyncError> {
        let (path, address) = (self.ledger(), target.map(|target| target.url.to_string()));
        match Ledger::read(path.clone(), address, store) {
            Ok((_, Found::Newer)) => Err(SyncError::Newer { path }),
            Ok(read) => Ok(read),
            Err(source) => Err(SyncError::Folder { path, source }),
        }
    }

    /// The largest token of those that have worked in it.
    pub(super) fn token(&self) -> PathBuf {
        self.folder.join("token")
    }

    /// The file that a process locks while it writes to the cache.
    pub(super) fn lock(&self) -> PathBuf {
        self.folder.join("lock")
    }
}
