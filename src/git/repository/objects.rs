//! Objects of a repository, asked for in numbers.

use std::path::{Path, PathBuf};

use git2::OdbLookupFlags;

use super::{BareRepository, RepositoryError, kind_of};
use crate::base::{Limits, durable};
use crate::git::pack::{Pack, PackError, indexes};
use crate::git::{ObjectId, ObjectKind};

/// The objects of a repository as they were when it was opened or refreshed.
pub struct KnownObjects<'r> {
    pub(super) odb: git2::Odb<'r>,
    pub(super) path: PathBuf,
}

impl KnownObjects<'_> {
    /// Whether an object is there.
    pub fn contains(&self, id: ObjectId) -> bool {
        self.odb.exists_ext(id.into(), OdbLookupFlags::NO_REFRESH)
    }

    /// Reads an object and compares the hash of its contents with its id. Its kind, `None` for an
    /// annotated tag.
    pub fn check(&self, id: ObjectId) -> Result<Option<ObjectKind>, RepositoryError> {
        match self.odb.read(id.into()) {
            Ok(object) => Ok(kind_of(object.kind())),
            Err(source) => Err(RepositoryError::Object { path: self.path.clone(), id, source }),
        }
    }
}

impl BareRepository {
    /// The packs of the repository's own folder, opened one after the other without libgit2, or
    /// what is wrong with them.
    pub fn packs<'l>(
        &self,
        limits: &'l Limits,
    ) -> Result<impl Iterator<Item = Result<Pack, PackError>> + use<'l>, RepositoryError> {
        let indexes = self.pack_indexes()?;
        Ok(indexes.into_iter().map(|index| Pack::open(&index, limits)))
    }

    /// The indexes of the packs of the repository's own folder, sorted.
    pub fn pack_indexes(&self) -> Result<Vec<PathBuf>, RepositoryError> {
        let folder = self.pack_folder();
        indexes(&folder).map_err(|source| RepositoryError::Io { path: folder, source })
    }

    /// Removes the pack with this index, which nothing in use refers to.
    pub fn remove_pack(&self, index: &Path) -> Result<(), RepositoryError> {
        let remove = |path: PathBuf| match durable::remove_if_there(&path) {
            Ok(_) => Ok(()),
            Err(source) => Err(RepositoryError::Stale { path, source }),
        };
        // The index first: readers look for that.
        remove(index.to_owned())?;
        remove(index.with_extension("pack"))
    }
}
