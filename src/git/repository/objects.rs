//! Objects of a repository, asked for in numbers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::OdbLookupFlags;

use super::id_filter::IdFilter;
use super::{BareRepository, RefEdit, RepositoryError, UpdateRefsError, kind_of};
use crate::base::{Limits, durable};
use crate::git::pack::{ObjectReader, Pack, PackError, ReadError, indexes};
use crate::git::sink::NewObject;
use crate::git::{ObjectId, ObjectKind};

/// The objects of a repository as they were when it was opened or refreshed.
pub struct KnownObjects<'r> {
    pub(super) odb: git2::Odb<'r>,
    pub(super) path: PathBuf,
    /// What tells of most that they are not there.
    pub(super) ids: Option<Arc<IdFilter>>,
}

impl KnownObjects<'_> {
    /// Whether an object is there.
    pub fn contains(&self, id: ObjectId) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.may_have(id))
            && self.odb.exists_ext(id.into(), OdbLookupFlags::NO_REFRESH)
    }

    /// Whether an object that is there has the contents of `object`, which has its id. Only blobs are
    /// read, because only their contents can be chosen freely. An object that cannot be read counts as
    /// the same: it is an error where the repository is checked.
    pub fn agrees(&self, object: &NewObject<'_>) -> bool {
        object.kind != ObjectKind::Blob
            || self.odb.read(object.id.into()).map_or(true, |there| there.data() == object.contents)
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

    /// A reader of the objects that there are now, without libgit2.
    pub fn object_reader(&self, limits: &Limits) -> Result<ObjectReader, ReadError> {
        ObjectReader::open(&self.path().join("objects"), limits)
    }

    /// The indexes of the packs of the repository's own folder, sorted.
    pub fn pack_indexes(&self) -> Result<Vec<PathBuf>, RepositoryError> {
        let folder = self.pack_folder();
        indexes(&folder).map_err(|source| RepositoryError::Io { path: folder, source })
    }

    /// The names of the packs of the repository's own folder, sorted.
    pub fn pack_names(&self) -> Result<Vec<String>, RepositoryError> {
        let indexes = self.pack_indexes()?;
        let names = indexes.iter().filter_map(|index| index.file_stem());
        Ok(names.map(|name| name.to_string_lossy().into_owned()).collect())
    }

    /// Removes the indexes of packs that are gone, by which objects seem to be there that are not.
    /// Says how many.
    pub fn remove_lone_indexes(&self) -> Result<usize, RepositoryError> {
        let is_alone = |index: &PathBuf| !index.with_extension("pack").exists();
        let lone: Vec<_> = self.pack_indexes()?.into_iter().filter(is_alone).collect();
        for index in &lone {
            self.remove_pack(index)?;
        }
        Ok(lone.len())
    }

    /// Removes the packs that are not as they were written, and says how many files were wrong. What is
    /// in them is lost.
    pub fn remove_damaged_packs(&self) -> Result<usize, RepositoryError> {
        let damaged = self.damaged_packs()?;
        for file in &damaged {
            match file.extension() {
                Some(_) => self.remove_pack(&file.with_extension("idx"))?,
                // The index of them all, which only makes reading faster.
                None => remove_file(file)?,
            }
        }
        Ok(damaged.len())
    }

    /// Removes all references and all packs.
    pub fn forget_everything(&self) -> Result<(), UpdateRefsError> {
        let names = self.references_below(&["refs/"])?;
        let edits = names.into_iter().map(|r| RefEdit { name: r.name, new: None });
        self.update_refs(&edits.collect::<Vec<_>>(), None)?;
        for index in self.pack_indexes()? {
            self.remove_pack(&index)?;
        }
        Ok(self.refresh()?)
    }

    /// Removes the pack with this index, which nothing in use refers to, and what Git keeps beside it.
    pub fn remove_pack(&self, index: &Path) -> Result<(), RepositoryError> {
        // The index first: readers look for that.
        let files = ["idx", "pack", "rev", "bitmap"].map(|ending| index.with_extension(ending));
        files.iter().try_for_each(|file| remove_file(file))
    }
}

fn remove_file(path: &Path) -> Result<(), RepositoryError> {
    let stale = |source| RepositoryError::Stale { path: path.to_owned(), source };
    durable::remove_if_there(path).map(drop).map_err(stale)
}
