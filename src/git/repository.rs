//! A bare repository on this machine: opening or making one, its objects and its references.
//!
//! Objects are read through libgit2. References are written by us, as one atomic replacement of
//! `packed-refs` (see [`refs`]): libgit2's transactions hold an open file for each reference, which
//! ends at the usual limit of 1,024, and a kill in the middle leaves some references moved.

mod completeness;
mod history;
mod id_filter;
mod lock;
mod loose;
mod objects;
mod open;
mod packed_refs;
pub mod refs;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::{ErrorCode, ObjectType};

use super::init::{self, InitError};
use super::pack::{damaged_files, merge_small};
use super::reference::{BRANCHES, Reference, TAGS};
use super::sink::SinkError;
use super::{ObjectId, ObjectKind};
use crate::base::sizes::bytes_below;
use crate::base::{Fault, faults};

pub use completeness::Completeness;
pub use history::Commits;
pub(super) use history::read_reference;
use id_filter::IdFilter;
pub(super) use loose::{Moved, move_reference, point_head, remove_reference};
pub use objects::KnownObjects;
pub(super) use open::{Opened, open_any};
pub(super) use packed_refs::PackedRefs;
#[cfg(fuzzing)]
pub(super) use packed_refs::reformatted as reformatted_packed_refs;
pub use refs::{RefEdit, UpdateRefsError};

/// Why a repository could not be opened, made or read.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// libgit2 could not be set up.
    #[error(transparent)]
    Init(#[from] InitError),
    /// There is something else at that path, or nothing.
    #[error("open the Git repository {}: there is none at this path", path.display())]
    NotARepository {
        /// The path that was given.
        path: PathBuf,
    },
    /// The repository has a working copy; only bare ones will do here.
    #[error("use {} as a bare repository: it has a working copy", path.display())]
    NotBare {
        /// The path that was given.
        path: PathBuf,
    },
    /// The repository belongs to another user.
    #[error("open the Git repository {}: it belongs to another user", path.display())]
    ForeignOwner {
        /// The path that was given.
        path: PathBuf,
    },
    /// The repository exists, but does not open.
    #[error("open the Git repository {}", path.display())]
    Open {
        /// The path that was given.
        path: PathBuf,
        /// What libgit2 says.
        #[source]
        source: git2::Error,
    },
    /// The repository could not be made.
    #[error("make a Git repository at {}", path.display())]
    Create {
        /// The path that was given.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// An object is there, but cannot be read.
    #[error("read the Git object {id} in {}", path.display())]
    Object {
        /// The repository.
        path: PathBuf,
        /// The object.
        id: ObjectId,
        /// What libgit2 says.
        #[source]
        source: git2::Error,
    },
    /// An object that others refer to is not there.
    #[error("find the Git object {id} in {}", path.display())]
    MissingObject {
        /// The repository.
        path: PathBuf,
        /// The object.
        id: ObjectId,
    },
    /// The references or the history behind them cannot be read.
    #[error("read the refs of {}", path.display())]
    References {
        /// The repository.
        path: PathBuf,
        /// What libgit2 says.
        #[source]
        source: git2::Error,
    },
    /// A file of the repository does not fit its own checksum.
    #[error("use {}: its checksum is wrong", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Files of the repository cannot be read.
    #[error("read the files of {}", path.display())]
    Io {
        /// The repository.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// Files that a killed run left behind cannot be removed.
    #[error("remove the stale file {}", path.display())]
    Stale {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

faults!(RepositoryError {
    Self::Init(error) => of(error),
    Self::NotARepository { .. } => NOT_THERE.hint(
        "name a bare repository, an empty folder, or a path with nothing at it, where one is made"
    ),
    Self::NotBare { .. } => Config.hint(
        "name a bare repository, or a path with nothing at it, where one is made"
    ),
    Self::ForeignOwner { .. } => Config.hint(
        "run synchroniser as the user who owns the repository, or change its owner"
    ),
    Self::Open { source, .. } => open_fault(source),
    Self::Create { source, .. } | Self::Io { source, .. } | Self::Stale { source, .. } => {
        io(source)
    },
    Self::Damaged { .. } | Self::Object { .. } | Self::MissingObject { .. } => {
        Corrupt.hint("`git fsck` in that repository tells what is damaged")
    },
    Self::References { .. } => Corrupt,
});

/// The fault of an error that opening an existing repository gives.
fn open_fault(error: &git2::Error) -> Fault {
    if error.message().contains("unsupported") { Fault::Unsupported } else { Fault::Corrupt }
}

/// A bare Git repository.
///
/// It may be moved to another thread, but not shared between threads.
pub struct BareRepository {
    opened: Opened,
    path: PathBuf,
    /// Its ids, as far as [`BareRepository::known_to_many`] has read them.
    ids: RefCell<Option<Arc<IdFilter>>>,
}

impl std::fmt::Debug for BareRepository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("BareRepository").field(&self.path).finish()
    }
}

impl BareRepository {
    /// Opens the bare repository at `path`.
    pub fn open(path: &Path) -> Result<Self, RepositoryError> {
        let opened = open_any(path)?;
        if !opened.repository().is_bare() {
            return Err(RepositoryError::NotBare { path: path.to_owned() });
        }
        let path = opened.repository().path().to_owned();
        Ok(Self { opened, path, ids: RefCell::default() })
    }

    /// Opens the bare repository at `path`, or makes one there whose `HEAD` is the branch
    /// `refs/heads/<main_branch>`, without hooks or anything else from a template.
    ///
    /// The caller must be the only one who works on that folder: locks that a killed run left in
    /// a half-made repository are removed.
    pub fn open_or_create(path: &Path, main_branch: &str) -> Result<Self, RepositoryError> {
        init::ensure()?;
        if open::is_vacant(path) {
            open::create(path, main_branch)
                .map_err(|source| RepositoryError::Create { path: path.to_owned(), source })?;
        }
        Self::open(path)
    }

    /// The repository's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that packs and their indexes go into.
    pub fn pack_folder(&self) -> PathBuf {
        self.path.join("objects/pack")
    }

    /// How many bytes all objects have as they are stored.
    pub fn object_bytes(&self) -> u64 {
        bytes_below(&self.path.join("objects"))
    }

    /// Makes packs visible that were written since the repository was opened.
    pub fn refresh(&self) -> Result<(), RepositoryError> {
        self.odb()?.refresh().map_err(|source| self.references_error(source))
    }

    /// Whether an object is there, as far as it is known: packs that were added since the
    /// repository was opened or refreshed are not looked for, so that a miss costs nothing.
    pub fn contains(&self, id: ObjectId) -> bool {
        self.known().is_ok_and(|known| known.contains(id))
    }

    /// The objects that are there now, to be asked from several threads.
    pub fn known(&self) -> Result<KnownObjects<'_>, RepositoryError> {
        Ok(KnownObjects { odb: self.odb()?, path: self.path.clone(), ids: None })
    }

    /// The same for who asks for very many, most of which are not there: reads the ids of all objects
    /// once, and later those of new packs.
    pub fn known_to_many(&self) -> Result<KnownObjects<'_>, RepositoryError> {
        let folder = self.path.join("objects");
        let before = self.ids.take().map(Arc::unwrap_or_clone);
        // Whatever keeps us from reading them, libgit2 knows the same.
        let ids = before.unwrap_or_default().update(&folder).ok().flatten().map(Arc::new);
        self.ids.replace(ids.clone());
        Ok(KnownObjects { ids, ..self.known()? })
    }

    /// The ids of all objects, sorted.
    pub fn object_ids(&self) -> Result<Vec<ObjectId>, RepositoryError> {
        let mut ids = Vec::new();
        self.odb()?
            .foreach(|id| {
                ids.push(ObjectId::from(*id));
                true
            })
            .map_err(|source| self.references_error(source))?;
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Merges small packs, if there are many packs, and says how many were merged. Other views of the
    /// repository are stale then.
    pub fn merge_small_packs(&self) -> Result<usize, SinkError> {
        merge_small(&self.pack_folder())
    }

    /// The packs and their indexes that are not as they were written.
    pub fn damaged_packs(&self) -> Result<Vec<PathBuf>, RepositoryError> {
        damaged_files(&self.pack_folder())
            .map_err(|source| RepositoryError::Io { path: self.pack_folder(), source })
    }

    /// The kind and contents of an object; `None` if it is not there or is an annotated tag.
    pub fn read(&self, id: ObjectId) -> Result<Option<(ObjectKind, Vec<u8>)>, RepositoryError> {
        match self.odb()?.read(id.into()) {
            Ok(object) => Ok(kind_of(object.kind()).map(|kind| (kind, object.data().to_vec()))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(source) => Err(RepositoryError::Object { path: self.path.clone(), id, source }),
        }
    }

    /// The branches and tags, by name.
    pub fn refs(&self) -> Result<Vec<Reference>, RepositoryError> {
        self.references_below(&[BRANCHES, TAGS])
    }

    /// The references whose names begin with one of `prefixes`, by name.
    pub fn references_below(&self, prefixes: &[&str]) -> Result<Vec<Reference>, RepositoryError> {
        let wrap = |source| self.references_error(source);
        let mut found = Vec::new();
        for reference in self.repository().references().map_err(wrap)? {
            let reference = reference.map_err(wrap)?;
            let (Ok(name), Some(target)) = (reference.name(), reference.target()) else { continue };
            if prefixes.iter().any(|prefix| name.starts_with(prefix)) {
                found.push(read_reference(self.repository(), name, target));
            }
        }
        found.sort();
        Ok(found)
    }

    /// What the reference `name` points at; `None` if there is none.
    pub fn reference(&self, name: &str) -> Result<Option<ObjectId>, RepositoryError> {
        match self.repository().find_reference(name) {
            Ok(reference) => Ok(reference.target().map(ObjectId::from)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(self.references_error(error)),
        }
    }

    /// What `HEAD` names, whether or not that exists yet; `None` if it names a commit itself.
    pub fn head(&self) -> Option<String> {
        let head = self.repository().find_reference("HEAD").ok()?;
        head.symbolic_target().ok().flatten().map(str::to_owned)
    }

    /// Removes locks and half-written files that a killed run left behind, and says how many.
    ///
    /// The caller must hold a lock of its own that keeps everybody else away from the repository.
    pub fn clear_stale_locks(&self) -> Result<usize, RepositoryError> {
        open::clear_stale(&self.path)
            .map_err(|(path, source)| RepositoryError::Stale { path, source })
    }

    /// libgit2's view of the repository.
    pub(super) fn repository(&self) -> &git2::Repository {
        self.opened.repository()
    }

    /// The object database.
    fn odb(&self) -> Result<git2::Odb<'_>, RepositoryError> {
        self.repository().odb().map_err(|source| self.references_error(source))
    }

    fn references_error(&self, source: git2::Error) -> RepositoryError {
        RepositoryError::References { path: self.path.clone(), source }
    }

    /// Why the object `id` could not be read.
    pub(super) fn object_error(&self, id: ObjectId, error: git2::Error) -> RepositoryError {
        let path = self.path.clone();
        match error.code() {
            ErrorCode::NotFound => RepositoryError::MissingObject { path, id },
            _ => RepositoryError::Object { path, id, source: error },
        }
    }
}

/// Our name for libgit2's kind.
fn kind_of(kind: ObjectType) -> Option<ObjectKind> {
    match kind {
        ObjectType::Commit => Some(ObjectKind::Commit),
        ObjectType::Tree => Some(ObjectKind::Tree),
        ObjectType::Blob => Some(ObjectKind::Blob),
        _ => None,
    }
}
