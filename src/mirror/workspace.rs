//! The folder of one mirror: a bare repository, the id map, and a lock.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::SyncError;
use crate::base::LockedFile;
use crate::base::durable::{self, replace_file};
use crate::convert::authors::recorded as authors;
use crate::convert::identity::{Identity, IdentityChoice, recorded};
use crate::convert::idmap::{IN_REPOSITORY, Record};
use crate::convert::placeholder::{Placeholders, PlaceholdersError};
use crate::convert::{AuthorMap, IdMap, Rules};
use crate::git::BareRepository;
use crate::hg::{BranchTable, Changelog, Node, Repository};

/// Where the parts of a mirror are, and the proof that nobody else works on them.
#[derive(Debug)]
pub(super) struct Workspace {
    git: PathBuf,
    map: PathBuf,
    /// The branch of each changeset. Made again if it is lost.
    branches: PathBuf,
    _lock: LockedFile,
}

impl Workspace {
    /// The cache folder of a mirror: `git/`, `map`, `identity` and `lock` in `folder`.
    pub(super) fn cache(folder: &Path) -> Result<Self, SyncError> {
        let lock = lock(folder)?;
        let (git, map, branches) = parts(folder);
        Ok(Self { git, map, branches, _lock: lock })
    }

    /// A bare repository with its map beside its own files, in `synchroniser/`. It is made if it is
    /// not there: only then is there a place for the lock.
    pub(super) fn bare(repository: &Path, main_branch: &str) -> Result<Self, SyncError> {
        BareRepository::open_or_create(repository, main_branch)?;
        let map = repository.join(IN_REPOSITORY);
        let branches = map.with_file_name("branches");
        let lock = lock(map.parent().unwrap_or(repository))?;
        Ok(Self { git: repository.to_owned(), map, branches, _lock: lock })
    }

    /// The bare repository, which is made if it is not there, clean of what a killed run left.
    pub(super) fn open_git(&self, main_branch: &str) -> Result<BareRepository, SyncError> {
        let git = BareRepository::open_or_create(&self.git, main_branch)?;
        git.clear_stale_locks()?;
        Ok(git)
    }

    /// What to go on with: the identity that is asked for or recorded, and the id map. There is no
    /// map at first, and none that is any good if it or the commits were lost.
    pub(super) fn open_map(
        &self,
        git: &BareRepository,
        identity: IdentityChoice,
    ) -> Result<(IdentityChoice, Option<IdMap>), SyncError> {
        let settled = recorded::settled(&self.map, identity)?;
        let map = IdMap::open(&self.map, |commit| git.contains(commit))?;
        let identity = settled.map_or(identity, IdentityChoice::Named);
        Ok((identity, map.filter(|map| !map.is_empty())))
    }

    /// Begins an id map that was made with `identity`.
    pub(super) fn create_map(
        &self,
        identity: &dyn Identity,
        records: &[Record],
        adopted: &[Node],
        authors: &AuthorMap,
    ) -> Result<IdMap, SyncError> {
        // Before the map, which is taken for one of `native` if nothing is recorded beside it.
        recorded::write(&self.map, identity)?;
        authors::write(&self.map, authors)?;
        Ok(IdMap::create(&self.map, records, adopted)?)
    }

    /// The placeholders that earlier runs have made.
    pub(super) fn placeholders(&self) -> Result<Placeholders, PlaceholdersError> {
        Placeholders::open(&Placeholders::beside(&self.map))
    }

    /// Keeps the placeholders for later runs: before the map, which names commits that have them.
    pub(super) fn save_placeholders(&self, list: &Placeholders) -> Result<(), PlaceholdersError> {
        list.save(&Placeholders::beside(&self.map))
    }

    /// Checks that the author map in `rules` makes the same of what is converted as the one that it
    /// was made with, and records it.
    pub(super) fn settle_authors(
        &self,
        rules: &Rules,
        source: &Repository,
        map: &IdMap,
    ) -> Result<(), SyncError> {
        if authors::check(&self.map, rules, source, map)? {
            authors::write(&self.map, &rules.authors)?;
        }
        Ok(())
    }

    /// The branches of the changesets that earlier runs have read.
    pub(super) fn branch_table(&self, changelog: &Changelog) -> BranchTable {
        // Whatever keeps us from reading it, the changesets tell the same.
        let bytes = fs::read(&self.branches).unwrap_or_default();
        BranchTable::from_bytes(&bytes, changelog)
    }

    /// Keeps the branches of changesets for later runs.
    pub(super) fn save_branch_table(
        &self,
        table: &BranchTable,
        changelog: &Changelog,
    ) -> Result<(), SyncError> {
        replace_file(&self.branches, &table.to_bytes(changelog))
            .map_err(|source| SyncError::Folder { path: self.branches.clone(), source })
    }

    /// The folder of the copy of a source that is not on this machine.
    pub(super) fn copy(&self) -> PathBuf {
        copy_beside(&self.map)
    }

    /// The id map.
    pub(super) fn map(&self) -> &Path {
        &self.map
    }

    /// The folder of the bare repository.
    pub(super) fn git(&self) -> &Path {
        &self.git
    }
}

/// Where the bare repository, the map and the table of branches of a cache folder are.
pub(super) fn parts(folder: &Path) -> (PathBuf, PathBuf, PathBuf) {
    (folder.join("git"), folder.join("map"), folder.join("branches"))
}

/// Where the copy of a source is, beside the id map.
pub(super) fn copy_beside(map: &Path) -> PathBuf {
    map.with_file_name("hg")
}

/// Makes `folder` and takes the lock in it, which ends with the process at the latest.
fn lock(folder: &Path) -> Result<LockedFile, SyncError> {
    let error = |source| SyncError::Folder { path: folder.to_owned(), source };
    durable::create_folders(folder).map_err(error)?;
    let path = folder.join("lock");
    let file =
        File::options().create(true).truncate(false).write(true).open(&path).map_err(error)?;
    match LockedFile::try_lock(file) {
        Ok(lock) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(SyncError::Locked { path }),
        Err(TryLockError::Error(source)) => Err(error(source)),
    }
}
