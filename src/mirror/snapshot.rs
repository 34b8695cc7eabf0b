//! The cache of a mirror as it is, for looking only.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::SyncError;
use super::workspace::parts;
use crate::convert::identity::recorded;
use crate::convert::placeholder::Placeholders;
use crate::convert::{ConvertOptions, IdMap};
use crate::git::reference::HG_NOTES;
use crate::git::{BareRepository, ObjectId, Reference};
use crate::hg::{BranchTable, Changelog, Node, Rev};

/// What a cache holds. Nothing in it is changed, made or locked.
pub(super) struct Snapshot {
    git: Option<BareRepository>,
    map: Option<IdMap>,
    identity: &'static str,
    placeholders: Placeholders,
    branches: PathBuf,
    /// Stands in for a repository that is not there yet.
    scratch: tempfile::TempDir,
}

impl Snapshot {
    /// Reads the cache in `folder`, which need not be there.
    pub(super) fn read(folder: &Path, options: &ConvertOptions) -> Result<Self, SyncError> {
        let error = |source| SyncError::Folder { path: std::env::temp_dir(), source };
        let scratch = tempfile::tempdir().map_err(error)?;
        let (git, map, branches) = parts(folder);
        let placeholders = Placeholders::open(&Placeholders::beside(&map))?;
        let settled = recorded::settled(&map, options.identity)?;
        let git = git.is_dir().then(|| BareRepository::open(&git)).transpose()?;
        let map = IdMap::open(&map, |id| git.as_ref().is_some_and(|git| git.contains(id)))?;
        let identity = settled.map_or_else(|| options.identity.name(), |identity| identity.name());
        Ok(Self { git, map, identity, placeholders, branches, scratch })
    }

    /// A bare repository that a destination can be opened from.
    pub(super) fn git_dir(&self) -> Result<PathBuf, SyncError> {
        if let Some(git) = &self.git {
            return Ok(git.path().to_owned());
        }
        let path = self.scratch.path().join("git");
        BareRepository::open_or_create(&path, "master")?;
        Ok(path)
    }

    /// Whether nothing is known of any changeset, so that a sync begins by looking at the target.
    pub(super) fn is_fresh(&self) -> bool {
        self.map.as_ref().is_none_or(IdMap::is_empty)
    }

    /// A folder that stands in for the cache, and goes with this.
    pub(super) fn scratch_cache(&self) -> PathBuf {
        self.scratch.path().join("cache")
    }

    /// The identity that is settled, or what is asked for.
    pub(super) fn identity(&self) -> &'static str {
        self.identity
    }

    /// The commit of a changeset.
    pub(super) fn commit(&self, node: Node) -> Option<ObjectId> {
        self.map.as_ref()?.commit(node)
    }

    /// The changeset of each commit.
    pub(super) fn revs(&self, changelog: &Changelog) -> HashMap<ObjectId, Rev> {
        let records = self.map.iter().flat_map(IdMap::records);
        records.filter_map(|(node, commit)| Some((commit, changelog.rev(node)?))).collect()
    }

    /// Whether the cache has this object.
    pub(super) fn contains(&self, id: ObjectId) -> bool {
        self.git.as_ref().is_some_and(|git| git.contains(id))
    }

    /// Finds out what the annotated tags among `references` finally name.
    pub(super) fn peel(&self, references: &mut [Reference]) {
        if let Some(git) = &self.git {
            git.peel(references);
        }
    }

    /// The commit of the notes.
    pub(super) fn notes(&self) -> Option<ObjectId> {
        self.git.as_ref()?.reference(HG_NOTES).ok().flatten()
    }

    /// The placeholders that earlier runs have made.
    pub(super) fn placeholders(&self) -> &Placeholders {
        &self.placeholders
    }

    /// The branches of the changesets that earlier runs have read.
    pub(super) fn branch_table(&self, changelog: &Changelog) -> BranchTable {
        let bytes = fs::read(&self.branches).unwrap_or_default();
        BranchTable::from_bytes(&bytes, changelog)
    }
}
