//! A cache that is written to: a bare repository, the id map, and a lock.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{CacheLocation, Layout, owner};
use crate::base::durable::{self, Step, replace_file, replace_remade_file};
use crate::base::{FenceError, Interrupt, Interrupted, LockedFile, hex, sha1};
use crate::convert::identity::{Identity, IdentityChoice, recorded};
use crate::convert::idmap::{self, Record};
use crate::convert::placeholder::{Placeholders, PlaceholdersError};
use crate::convert::{AuthorMap, IdMap, Rules, recorded_authors};
use crate::git::BareRepository;
use crate::git::destination::Target;
use crate::hg::{BranchTable, Changelog, Node, Repository, SavedHistory};
use crate::mirror::ledger::{Found, Ledger};
use crate::mirror::rebuild::Rebuilding;
use crate::mirror::told::ToldNotes;
use crate::mirror::{LedgerStore, SyncError};

/// How long a sync waits before it looks whether another one is done with its target.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// So many changesets are read faster than a history is saved.
const FEW: usize = 32;

/// A cache that this process has locked, so that it may write to it.
#[derive(Debug)]
pub(in crate::mirror) struct LockedCache {
    layout: Layout,
    _lock: LockedFile,
}

impl LockedCache {
    /// Locks the cache at `location`, which is made if it is not there.
    pub(in crate::mirror) fn lock(
        location: &CacheLocation,
        main_branch: &str,
    ) -> Result<Self, SyncError> {
        let layout = location.layout();
        match location {
            CacheLocation::Folder(folder) => owner::own(folder)?,
            CacheLocation::Repository(path) => {
                // Nothing of ours goes into a folder that is something else.
                BareRepository::open_or_create(path, main_branch)?;
            }
        }
        let lock = lock(&layout)?;
        layout.check_format()?;
        Ok(Self { layout, _lock: lock })
    }

    /// Lets in who has this token, unless somebody with a larger one was here; 0 is let in always.
    pub(in crate::mirror) fn admit(&self, token: u64) -> Result<(), SyncError> {
        if token == 0 {
            return Ok(());
        }
        let path = self.layout.token();
        let admit = || {
            let mut options = File::options();
            let file = options.create(true).truncate(false).read(true).write(true).open(&path)?;
            let text = io::read_to_string(&file)?;
            // What cannot be read was left by a machine that lost its power, and whoever was at work there with it.
            let largest = text.trim().parse::<u64>().unwrap_or(0);
            if largest < token {
                durable::step(Step::Write(&path))?;
                // Always as long, and nobody but a process that is alive has to know it: it is not flushed.
                file.write_all_at(format!("{token:020}\n").as_bytes(), 0)?;
            }
            Ok(largest <= token)
        };
        match admit() {
            Ok(true) => Ok(()),
            Ok(false) => Err(FenceError::Older { path }.into()),
            Err(source) => Err(SyncError::Folder { path, source }),
        }
    }

    /// Whether nothing was converted in it yet, as far as is known.
    pub(in crate::mirror) fn is_cold(&self) -> bool {
        self.layout.is_cold()
    }

    /// Its folder.
    pub(in crate::mirror) fn folder(&self) -> &Path {
        self.layout.folder()
    }

    /// The folder that a cache is taken into which comes from another machine.
    pub(in crate::mirror) fn arriving(&self) -> PathBuf {
        self.layout.arriving()
    }

    /// The bare repository, which is made if it is not there, clean of what a killed run left.
    pub(in crate::mirror) fn open_git(
        &self,
        main_branch: &str,
    ) -> Result<BareRepository, SyncError> {
        let git = BareRepository::open_or_create(&self.layout.git, main_branch)?;
        git.clear_stale_locks()?;
        Ok(git)
    }

    /// What to continue with: the identity that is asked for or recorded, and the id map. There is no
    /// map at first, or if it was lost. Its commits may have been lost, too.
    pub(in crate::mirror) fn open_map(
        &self,
        identity: IdentityChoice,
    ) -> Result<(IdentityChoice, Option<IdMap>), SyncError> {
        let settled = recorded::settled(&self.layout.map(), identity)?;
        let map = IdMap::open(&self.layout.map(), |_| true)?;
        let identity = settled.map_or(identity, IdentityChoice::Named);
        Ok((identity, map.filter(|map| !map.is_empty())))
    }

    /// Whether something was converted before.
    pub(in crate::mirror) fn has_map(&self) -> bool {
        self.layout.map().exists()
    }

    /// Begins an id map that was made with `identity`.
    pub(in crate::mirror) fn create_map(
        &self,
        identity: &dyn Identity,
        records: &[Record],
        adopted: &[Node],
        authors: &AuthorMap,
    ) -> Result<IdMap, SyncError> {
        // Before the map, which is taken for one of `native` if nothing is recorded beside it.
        recorded::write(&self.layout.map(), identity)?;
        recorded_authors::write(&self.layout.map(), authors)?;
        Ok(IdMap::create(&self.layout.map(), records, adopted)?)
    }

    /// The placeholders that earlier runs have made.
    pub(in crate::mirror) fn placeholders(&self) -> Result<Placeholders, PlaceholdersError> {
        Placeholders::open(&Placeholders::beside(&self.layout.map()))
    }

    /// Keeps the placeholders for later runs: before the map, which names commits that have them.
    pub(in crate::mirror) fn save_placeholders(
        &self,
        list: &Placeholders,
    ) -> Result<(), PlaceholdersError> {
        list.save(&Placeholders::beside(&self.layout.map()))
    }

    /// Checks that the author map in `rules` makes the same of what is converted as the one that it
    /// was made with, and records it.
    pub(in crate::mirror) fn settle_authors(
        &self,
        rules: &Rules,
        source: &Repository,
        map: &IdMap,
    ) -> Result<(), SyncError> {
        if recorded_authors::check(&self.layout.map(), rules, source, map)? {
            recorded_authors::write(&self.layout.map(), &rules.authors)?;
        }
        Ok(())
    }

    /// How far making the cache again is; `None` if nothing is to be found out.
    pub(in crate::mirror) fn rebuilding(&self) -> Result<Option<Rebuilding>, SyncError> {
        let path = self.layout.rebuilding();
        match fs::read_to_string(&path) {
            // What cannot be understood is dropped: it is all made again.
            Ok(text) => Ok(Some(Rebuilding::read(&text).unwrap_or(Rebuilding::Failed))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SyncError::Folder { path, source }),
        }
    }

    /// Records how far making the cache again is.
    pub(in crate::mirror) fn set_rebuilding(
        &self,
        state: Option<Rebuilding>,
    ) -> Result<(), SyncError> {
        let path = self.layout.rebuilding();
        match state {
            Some(state) => replace_file(&path, state.name().as_bytes()),
            None => durable::remove_if_there(&path).map(drop),
        }
        .map_err(|source| SyncError::Folder { path, source })
    }

    /// Forgets the map and everything that says how it was made.
    pub(in crate::mirror) fn forget_conversion(&self) -> Result<(), SyncError> {
        let map = self.layout.map();
        let beside = [idmap::ADOPTED, idmap::COVERAGE, recorded::FILE, recorded_authors::FILE];
        let files = beside.map(|name| map.with_file_name(name));
        let placeholders = Placeholders::beside(&map);
        for path in files.into_iter().chain([placeholders, self.layout.packs(), map.clone()]) {
            durable::remove_if_there(&path).map_err(|source| SyncError::Folder { path, source })?;
        }
        Ok(())
    }

    /// Removes all that can be made again: with `copy` the copy of the source, too. What was published stays
    /// known. A repository that people use stays as it is.
    pub(in crate::mirror) fn discard(&self, copy: bool) -> Result<(), SyncError> {
        // The map first: what it does not name is not there.
        self.forget_conversion()?;
        let remade = [self.layout.branches(), self.layout.history(), self.layout.seen()];
        for path in remade.into_iter().chain([self.layout.rebuilding()]) {
            durable::remove_if_there(&path).map_err(|source| SyncError::Folder { path, source })?;
        }
        let git = Some(self.layout.git.clone()).filter(|git| git.starts_with(&self.layout.folder));
        for folder in git.into_iter().chain(copy.then(|| self.copy())) {
            match durable::remove_all(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => {
                    removed.map_err(|source| SyncError::Folder { path: folder, source })?;
                }
            }
        }
        Ok(())
    }

    /// The branches of the changesets that earlier runs have read.
    pub(in crate::mirror) fn branch_table(&self, changelog: &Changelog) -> BranchTable {
        // Whatever keeps us from reading it, the changesets tell the same.
        let bytes = fs::read(self.layout.branches()).unwrap_or_default();
        BranchTable::from_bytes(&bytes, changelog)
    }

    /// Keeps the branches of changesets for later runs.
    pub(in crate::mirror) fn save_branch_table(
        &self,
        table: &BranchTable,
        changelog: &Changelog,
    ) -> Result<(), SyncError> {
        replace_remade_file(&self.layout.branches(), &table.to_bytes(changelog))
            .map_err(|source| SyncError::Folder { path: self.layout.branches(), source })
    }

    /// What an earlier run has kept of the source's history.
    pub(in crate::mirror) fn saved_history(&self) -> Option<SavedHistory> {
        // Whatever keeps us from reading it, the changelog tells the same.
        SavedHistory::from_bytes(&fs::read(self.layout.history()).ok()?)
    }

    /// Keeps the shape of the source's history for later runs, if they save time by it.
    pub(in crate::mirror) fn save_history(&self, changelog: &Changelog) -> Result<(), SyncError> {
        if changelog.dag().len() <= changelog.known() + FEW {
            return Ok(());
        }
        let Some(history) = SavedHistory::of(changelog) else { return Ok(()) };
        replace_remade_file(&self.layout.history(), &history.to_bytes())
            .map_err(|source| SyncError::Folder { path: self.layout.history(), source })
    }

    /// What was published at the target with this address.
    pub(in crate::mirror) fn ledger(
        &self,
        target: Option<&Target>,
        store: Option<Arc<dyn LedgerStore>>,
    ) -> Result<(Ledger, Found), SyncError> {
        self.layout.ledger_of(target, store)
    }

    /// Locks the target with this address against the other mirrors of this machine whose caches
    /// are beside this one. Waits for the one that is at work there. Where there cannot be a lock,
    /// and against other machines, it is enough that a target moves a reference only if it still
    /// has what it had.
    pub(in crate::mirror) fn lock_target(
        &self,
        address: &str,
        interrupt: &Interrupt,
    ) -> Result<Option<LockedFile>, Interrupted> {
        let beside = self.layout.folder.parent().unwrap_or(&self.layout.folder);
        // No mirror is called so.
        let folder = beside.join(".targets");
        let digest = hex::encode(&sha1::digest(&[address.as_bytes()]));
        let path = folder.join(format!("{digest}.lock"));
        let open = || {
            fs::create_dir_all(&folder)?;
            File::options().create(true).truncate(false).write(true).open(&path)
        };
        loop {
            match open().map_err(TryLockError::Error).and_then(LockedFile::try_lock) {
                Ok(lock) => return Ok(Some(lock)),
                Err(TryLockError::WouldBlock) => interrupt.pause(LOOK_AGAIN)?,
                Err(TryLockError::Error(error)) => {
                    tracing::debug!(%error, lock = %path.display(), "the target is not locked");
                    return Ok(None);
                }
            }
        }
    }

    /// The notes that earlier syncs told.
    pub(in crate::mirror) fn told_notes(&self) -> ToldNotes {
        ToldNotes::read(self.layout.told())
    }

    /// The names of the packs that the cache had when it was last known to be whole; none if that is
    /// not known.
    pub(in crate::mirror) fn recorded_packs(&self) -> Option<Vec<String>> {
        // Whatever keeps us from reading it, the cache is looked through then.
        let text = fs::read_to_string(self.layout.packs()).ok()?;
        Some(text.lines().map(str::to_owned).collect())
    }

    /// Forgets that the cache is known to be whole, so that the next run over it looks through all of it
    /// and mends what is damaged. Says whether that was known.
    pub(in crate::mirror) fn forget_packs(&self) -> Result<bool, SyncError> {
        let path = self.layout.packs();
        durable::remove_if_there(&path).map_err(|source| SyncError::Folder { path, source })
    }

    /// Records these as the packs of a cache that is whole.
    pub(in crate::mirror) fn record_packs(&self, names: &[String]) -> Result<(), SyncError> {
        let mut lines = String::new();
        for name in names {
            lines.extend([name, "\n"]);
        }
        let path = self.layout.packs();
        replace_file(&path, lines.as_bytes()).map_err(|source| SyncError::Folder { path, source })
    }

    /// Merges small packs if there are many, and records what there is then.
    pub(in crate::mirror) fn merge_small_packs(&self) -> Result<(), SyncError> {
        let git = BareRepository::open(&self.layout.git)?;
        match git.merge_small_packs()? {
            0 => Ok(()),
            _ => self.record_packs(&git.pack_names()?),
        }
    }

    /// The folder of the copy of a source that is not on this machine.
    pub(in crate::mirror) fn copy(&self) -> PathBuf {
        self.layout.copy()
    }

    /// The file with what the forge of the target said last.
    pub(in crate::mirror) fn forge(&self) -> PathBuf {
        self.layout.forge()
    }

    /// The folder of the bare repository.
    pub(in crate::mirror) fn git(&self) -> &Path {
        &self.layout.git
    }
}

/// Makes the folder of a cache and takes the lock in it, which ends with the process at the latest.
fn lock(layout: &Layout) -> Result<LockedFile, SyncError> {
    let path = layout.lock();
    let folder = path.parent().unwrap_or(&layout.git);
    let error = |source| SyncError::Folder { path: folder.to_owned(), source };
    durable::create_folders(folder).map_err(error)?;
    let file =
        File::options().create(true).truncate(false).write(true).open(&path).map_err(error)?;
    match LockedFile::try_lock(file) {
        Ok(lock) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(SyncError::Locked { path }),
        Err(TryLockError::Error(source)) => Err(error(source)),
    }
}
