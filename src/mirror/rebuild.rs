//! Making a cache again for a target that this mirror has published to before: on a machine that
//! forgets everything, such as a runner of continuous integration, or when the cache was lost.
//!
//! Nothing is downloaded for it: the same source gives the same commits. So the source is converted as
//! for an empty target, and if branches and tags of the target then name these commits, the target is
//! this mirror's, and these commits are not verified once more. If they do not, what was converted is dropped, and the history of the target
//! is fetched and looked at (see [`super::adopt`]). What has been found out so far stands in a
//! file in the cache, so that a run that is killed in between misleads no later one.

use std::collections::HashSet;

use super::adopt::StartingPoint;
use super::update::{ConvertedHistory, Sync};
use super::{Note, SyncError};
use crate::convert::identity::NATIVE;
use crate::convert::{Findings, IdMap, Verify};
use crate::git::destination::backup_prefix;
use crate::git::reference::HG_NOTES;
use crate::git::{BareRepository, ObjectId, Reference, destination};
use crate::hg::{Rev, RevSet};

/// How far it is, as the file in the cache says. Without the file there is nothing to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rebuilding {
    /// What is converted may not be what the target has.
    Trying,
    /// It is not, and has to be dropped.
    Failed,
    /// It is dropped. A map that is there is of what was fetched.
    Dropped,
}

impl Rebuilding {
    const ALL: [Self; 3] = [Self::Trying, Self::Failed, Self::Dropped];

    /// What the file says.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Trying => "trying",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }

    /// What a file with this `text` says.
    pub(super) fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == text.trim_end())
    }
}

/// What a run begins with.
pub(super) enum Beginning {
    /// What is known of the target.
    Certain(StartingPoint),
    /// What may prove to be so.
    Trial(StartingPoint, Trial),
    /// It has proved not to be so.
    Failed,
}

/// What has to be found among the converted commits for them to be those of the target.
pub(super) struct Trial {
    /// What the branches and tags of the target name.
    tips: HashSet<ObjectId>,
    /// Whether nobody but we makes commits with this identity. Then one of them tells whose they
    /// are. With those of another tool, all must be found: it may have made the first ones as we
    /// would, and later ones otherwise.
    is_ours_alone: bool,
}

impl Trial {
    /// Whether the commits of `map` are those of the target.
    fn succeeds(&self, map: &IdMap) -> bool {
        let made: HashSet<_> = map.records().map(|(_, id)| id).collect();
        let mut tips = self.tips.iter();
        match self.is_ours_alone {
            true => tips.any(|tip| made.contains(tip)),
            false => tips.all(|tip| made.contains(tip)),
        }
    }
}

impl Sync<'_> {
    /// What to begin with, and what is still to be found out about it.
    pub(super) fn beginning(&self, git: &BareRepository) -> Result<Beginning, SyncError> {
        let (choice, map) = self.cache.open_map(self.options().identity)?;
        let tips = match (self.cache.rebuilding()?, map.is_some()) {
            (Some(Rebuilding::Failed), _) => return Ok(Beginning::Failed),
            (Some(Rebuilding::Trying), _) => self.tips_of_target(git)?,
            (None, false) if git.refs()?.is_empty() => self.tips_of_target(git)?,
            (Some(Rebuilding::Dropped), false) | (None, _) => {
                return Ok(Beginning::Certain(self.start_from(git, (choice, map), &[])?));
            }
            // The map is of what was fetched since.
            (Some(Rebuilding::Dropped), true) => HashSet::new(),
        };
        if tips.is_empty() {
            self.cache.set_rebuilding(None)?;
            return Ok(Beginning::Certain(self.start_from(git, (choice, map), &[])?));
        }
        self.cache.set_rebuilding(Some(Rebuilding::Trying))?;
        let identity = choice.for_new_targets();
        let trial = Trial { tips, is_ours_alone: identity.name() == NATIVE.name() };
        let mut notes = Vec::new();
        let (map, mapped) = if let Some(mut map) = map {
            let (mapped, note) = self.repair(git, &mut map)?;
            notes.extend(note);
            (map, mapped)
        } else {
            // What a run has left that ended before its map named anything.
            git.forget_everything()?;
            let map = self.cache.create_map(identity, &[], &[], &self.options().authors)?;
            let mapped = self.mapped(&map);
            (map, mapped)
        };
        Ok(Beginning::Trial(StartingPoint { identity, map, mapped, notes }, trial))
    }

    /// Ends a trial, now that all is converted. `None` if it failed, and what was converted is to be
    /// dropped.
    pub(super) fn end_trial(
        &self,
        git: &BareRepository,
        trial: &Trial,
        history: &ConvertedHistory,
    ) -> Result<Option<Note>, SyncError> {
        let map = &history.map;
        if !trial.succeeds(map) {
            self.cache.set_rebuilding(Some(Rebuilding::Failed))?;
            return Ok(None);
        }
        if self.options().verify == Verify::New {
            self.check_unproved(git, trial, history)?;
        }
        self.cache.set_rebuilding(None)?;
        Ok(Some(Note::CacheRebuilt { commits: map.len() }))
    }

    /// Compares with the source what the tips of the target do not prove. If that differs, all that was
    /// converted is dropped, and the next run begins anew.
    ///
    /// Changesets are compared with their commits before these are published, to find an error of ours
    /// before anybody builds on it. The id of a commit is a hash of all that it reaches. So a tip of the
    /// target that was converted here to the same id was published with exactly these objects before: it
    /// was compared then, and has been looked at since. If it were wrong, it would be there already, and
    /// no comparison here could take it back; `verify` tells of it at any time.
    ///
    /// The second thing that a comparison finds, a disk that has not kept what was written, needs none
    /// here. What is proved is at the target and is not sent; and whoever reads from the cache later,
    /// to build on it or to send it after all, compares hash or checksum of what was read.
    fn check_unproved(
        &self,
        git: &BareRepository,
        trial: &Trial,
        history: &ConvertedHistory,
    ) -> Result<(), SyncError> {
        let changelog = self.repository().changelog();
        let (dag, map) = (changelog.dag(), &history.map);
        let is_tip = |rev: &Rev| {
            map.commit(changelog.node(*rev)).is_some_and(|commit| trial.tips.contains(&commit))
        };
        // A commit has the commits of its changeset's parents as parents.
        let proved = RevSet::below(dag, dag.revs().filter(is_tip));
        // Also what runs that were killed before have converted.
        let unproved: Vec<Rev> =
            history.mapped.iter().filter(|rev| !proved.contains(*rev)).collect();
        let Findings { differences, more, unreadable } =
            self.findings_among(git, history, &unproved)?;
        if differences.is_empty() {
            return Ok(());
        }
        self.cache.forget_conversion()?;
        git.forget_everything()?;
        Err(SyncError::Wrong { differences, more, unreadable })
    }

    /// Drops what was converted, and begins with the history that is fetched.
    pub(super) fn give_up(
        &self,
        git: BareRepository,
    ) -> Result<(BareRepository, StartingPoint), SyncError> {
        self.cache.forget_conversion()?;
        git.forget_everything()?;
        self.cache.set_rebuilding(Some(Rebuilding::Dropped))?;
        // What is open goes on seeing packs that are gone.
        drop(git);
        let git = self.cache.open_git(&self.options().naming.main_name())?;
        let start = self.starting_point(&git, &[])?;
        self.cache.set_rebuilding(None)?;
        Ok((git, start))
    }

    /// What the branches and tags of the target name; nothing where there is no target, or where its
    /// history has to be fetched anyway, because its notes go on.
    fn tips_of_target(&self, git: &BareRepository) -> Result<HashSet<ObjectId>, SyncError> {
        let Some(target) = &self.mirror.target else { return Ok(HashSet::new()) };
        let mut target = destination::open(target, git.path())?;
        let listed = target.references(self.interrupt)?;
        if self.options().notes && listed.iter().any(|reference| reference.name == HG_NOTES) {
            return Ok(HashSet::new());
        }
        // What backups keep, the source does not have any more.
        let backups = backup_prefix(&self.options().naming.prefix);
        let is_name = |reference: &&Reference| {
            (reference.is_branch() || reference.is_tag()) && !reference.name.starts_with(&backups)
        };
        Ok(listed.iter().filter(is_name).map(Reference::finally).collect())
    }
}
