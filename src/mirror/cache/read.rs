//! A cache as it is, for looking only.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use super::{CacheLocation, Layout};
use crate::convert::identity::recorded;
use crate::convert::placeholder::Placeholders;
use crate::convert::{ConvertOptions, IdMap};
use crate::git::destination::Target;
use crate::git::reference::HG_NOTES;
use crate::git::{BareRepository, ObjectId, Reference};
use crate::hg::{BranchTable, Changelog, Node, Rev};
use crate::mirror::SyncError;
use crate::mirror::ledger::Ledger;

/// What a cache holds. Nothing in it is changed, made or locked.
pub(in crate::mirror) struct ReadCache {
    git: Option<BareRepository>,
    map: Option<IdMap>,
    identity: &'static str,
    placeholders: Placeholders,
    layout: Layout,
    /// A temporary folder, for a repository or a cache that does not exist yet.
    scratch: tempfile::TempDir,
}

impl ReadCache {
    /// Reads the cache at `location`, which need not be there.
    pub(in crate::mirror) fn read(
        location: &CacheLocation,
        options: &ConvertOptions,
    ) -> Result<Self, SyncError> {
        let error = |source| SyncError::Folder { path: std::env::temp_dir(), source };
        let scratch = tempfile::tempdir().map_err(error)?;
        let layout = location.layout();
        layout.check_format()?;
        let (git, map) = (&layout.git, layout.map());
        let placeholders = Placeholders::open(&Placeholders::beside(&map))?;
        let settled = recorded::settled(&map, options.identity)?;
        let git = git.is_dir().then(|| BareRepository::open(git)).transpose()?;
        let map = IdMap::open(&map, |id| git.as_ref().is_some_and(|git| git.contains(id)))?;
        let identity = settled.map_or_else(|| options.identity.name(), |identity| identity.name());
        Ok(Self { git, map, identity, placeholders, layout, scratch })
    }

    /// A bare repository that a destination can be opened from.
    pub(in crate::mirror) fn git_dir(&self) -> Result<PathBuf, SyncError> {
        if let Some(git) = &self.git {
            return Ok(git.path().to_owned());
        }
        let path = self.scratch.path().join("git");
        BareRepository::open_or_create(&path, "master")?;
        Ok(path)
    }

    /// Whether the map is empty, so that a sync begins by looking at the target.
    pub(in crate::mirror) fn is_fresh(&self) -> bool {
        self.map.as_ref().is_none_or(IdMap::is_empty)
    }

    /// A temporary folder in place of the cache, removed when this is dropped.
    pub(in crate::mirror) fn scratch_cache(&self) -> CacheLocation {
        CacheLocation::Folder(self.scratch.path().join("cache"))
    }

    /// The identity that is settled, or what is asked for.
    pub(in crate::mirror) fn identity(&self) -> &'static str {
        self.identity
    }

    /// The commit of a changeset.
    pub(in crate::mirror) fn commit(&self, node: Node) -> Option<ObjectId> {
        self.map.as_ref()?.commit(node)
    }

    /// How many changesets have a commit.
    pub(in crate::mirror) fn converted(&self) -> usize {
        self.map.as_ref().map_or(0, IdMap::len)
    }

    /// The changeset of each commit.
    pub(in crate::mirror) fn revs(&self, changelog: &Changelog) -> HashMap<ObjectId, Rev> {
        let records = self.map.iter().flat_map(IdMap::records);
        records.filter_map(|(node, commit)| Some((commit, changelog.rev(node)?))).collect()
    }

    /// The bare repository, if there is one.
    pub(in crate::mirror) fn history(&self) -> Option<&BareRepository> {
        self.git.as_ref()
    }

    /// Whether the cache has this object.
    pub(in crate::mirror) fn contains(&self, id: ObjectId) -> bool {
        self.git.as_ref().is_some_and(|git| git.contains(id))
    }

    /// The branches and tags of the bare repository.
    pub(in crate::mirror) fn refs(&self) -> Result<Vec<Reference>, SyncError> {
        Ok(self.git.as_ref().map_or_else(|| Ok(Vec::new()), BareRepository::refs)?)
    }

    /// Finds out what the annotated tags among `references` finally name.
    pub(in crate::mirror) fn peel(&self, references: &mut [Reference]) {
        if let Some(git) = &self.git {
            git.peel(references);
        }
    }

    /// The commit of the notes.
    pub(in crate::mirror) fn notes(&self) -> Option<ObjectId> {
        self.git.as_ref()?.reference(HG_NOTES).ok().flatten()
    }

    /// What was published at the target with this address.
    pub(in crate::mirror) fn ledger(&self, target: Option<&Target>) -> Result<Ledger, SyncError> {
        self.layout.ledger_of(target, None).map(|(ledger, _)| ledger)
    }

    /// Whether a commit is one of this mirror.
    pub(in crate::mirror) fn is_ours(&self, commit: ObjectId) -> bool {
        self.map.as_ref().is_some_and(|map| map.records().any(|(_, ours)| ours == commit))
    }

    /// The placeholders that earlier runs have made.
    pub(in crate::mirror) fn placeholders(&self) -> &Placeholders {
        &self.placeholders
    }

    /// The branches of the changesets that earlier runs have read.
    pub(in crate::mirror) fn branch_table(&self, changelog: &Changelog) -> BranchTable {
        let bytes = fs::read(self.layout.branches()).unwrap_or_default();
        BranchTable::from_bytes(&bytes, changelog)
    }
}
