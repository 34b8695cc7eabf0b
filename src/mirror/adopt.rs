//! Where a mirror begins: with nothing, or with commits that another tool has made.

use std::collections::HashSet;

use super::cache::LockedCache;
use super::error::NAMED;
use super::event::{Events, Observer};
use super::source::{LocalSource, read_source};
use super::update::Sync;
use super::{ConvertOptions, Mirror, Note, SyncError};
use crate::base::Interrupt;
use crate::convert::IdMap;
use crate::convert::adoption::{AdoptionPolicy, ExistingCommit, Resolution, resolve};
use crate::convert::identity::{Identity, IdentityChoice};
use crate::convert::idmap::Record;
use crate::convert::placeholder::Placeholders;
use crate::git::destination::{backup_prefix, fetched_name};
use crate::git::reference::HG_NOTES;
use crate::git::repository::RefEdit;
use crate::git::{BareRepository, Reference, destination};
use crate::hg::{Rev, RevSet};

/// What was adopted.
#[derive(Clone, Debug, Default)]
pub struct Adopted {
    /// The changesets that have a commit, in revision order.
    pub commits: Vec<Record>,
    /// How many changesets there are.
    pub changesets: usize,
    /// The identity to continue with.
    pub identity: &'static str,
    /// What a person should know.
    pub notes: Vec<Note>,
}

/// Finds out which commits of a mirror's target, or of its cache, stand for which changesets, and
/// records it; converts and publishes nothing. `given` is the state of another tool: it is
/// checked, and a commit in it that does not match is an error. Existing records stay.
pub fn adopt(
    mirror: &Mirror,
    given: &[Record],
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<Adopted, SyncError> {
    let events = &Events::to(observer);
    let options = &mirror.options;
    let cache = LockedCache::lock(&mirror.cache, &options.naming.main_name())?;
    let (limits, copy) = (&options.limits, cache.copy());
    let (source, notes) = LocalSource::fetched(&mirror.source, &copy, limits, events, interrupt)?;
    let mut adopted = adopt_into(&cache, mirror, &source, given, events, interrupt)?;
    adopted.notes.splice(..0, notes);
    Ok(adopted)
}

/// The same into `cache`, for a source that was fetched.
pub(super) fn adopt_into(
    cache: &LockedCache,
    mirror: &Mirror,
    source: &LocalSource,
    given: &[Record],
    events: &Events<'_>,
    interrupt: &Interrupt,
) -> Result<Adopted, SyncError> {
    read_source(source, &mirror.options, interrupt, |source| {
        let sync = Sync { mirror, cache, source, events, interrupt };
        let git = cache.open_git(&mirror.options.naming.main_name())?;
        let StartingPoint { identity, map, notes, .. } = sync.starting_point(&git, given)?;
        let served = source.repository.view().served();
        let nodes = served.iter().map(|rev| source.repository.changelog().node(rev));
        Ok(Adopted {
            commits: nodes.filter_map(|node| Some((node, map.commit(node)?))).collect(),
            changesets: served.count(),
            identity: identity.name(),
            notes,
        })
    })
}

/// What a run continues from.
pub(super) struct StartingPoint {
    pub identity: &'static dyn Identity,
    pub map: IdMap,
    /// The changesets that have a commit in it.
    pub mapped: RevSet,
    /// What a person should know about it.
    pub notes: Vec<Note>,
}

impl Sync<'_> {
    /// What is recorded; or else what is found out about the commits in the bare repository and at
    /// the target, which is recorded then. `given` is a map of them that the operator gave.
    pub(super) fn starting_point(
        &self,
        git: &BareRepository,
        given: &[Record],
    ) -> Result<StartingPoint, SyncError> {
        let recorded = self.cache.open_map(self.options().identity)?;
        self.start_from(git, recorded, given)
    }

    /// The same, where what is `recorded` has been read.
    pub(super) fn start_from(
        &self,
        git: &BareRepository,
        (choice, map): (IdentityChoice, Option<IdMap>),
        given: &[Record],
    ) -> Result<StartingPoint, SyncError> {
        if let (IdentityChoice::Named(identity), Some(mut map)) = (choice, map) {
            let (mapped, note) = self.repair(git, &mut map)?;
            let notes = note.into_iter().collect();
            return Ok(StartingPoint { identity, map, mapped, notes });
        }
        let mut references = git.refs()?;
        references.extend(self.fetch(git)?);
        let commits = git.commits_behind(&references)?;
        let existing: Vec<_> = commits
            .map(|commit| commit.map(|(id, contents)| ExistingCommit { id, contents }))
            .collect::<Result<_, _>>()?;
        if existing.is_empty() {
            let identity = choice.for_new_targets();
            let map = self.cache.create_map(identity, &[], &[], &self.options().authors)?;
            let (mapped, notes) = (self.mapped(&map), Vec::new());
            return Ok(StartingPoint { identity, map, mapped, notes });
        }
        let found = self.resolve(git, choice, &existing, given)?;
        if let Some(error) = self.objection(&found) {
            return Err(error);
        }
        let map = self.cache.create_map(
            found.identity,
            &found.records,
            &found.adopted,
            &self.options().authors,
        )?;
        let (mapped, notes) = (self.mapped(&map), notes(&found, existing.len()));
        Ok(StartingPoint { identity: found.identity, map, mapped, notes })
    }

    /// Brings the history of the target here, and its notes, which ours go on from. The target may be
    /// this repository itself.
    pub(super) fn fetch(&self, git: &BareRepository) -> Result<Vec<Reference>, SyncError> {
        let Some(target) = &self.mirror.target else { return Ok(Vec::new()) };
        let mut target = destination::open(target, git.path())?;
        let fetched = target.fetch(self.events, self.interrupt)?;
        git.refresh()?;
        let is_notes = |reference: &Reference| reference.name == fetched_name(HG_NOTES);
        let (notes, mut history): (Vec<_>, Vec<_>) = fetched.into_iter().partition(is_notes);
        // What backups keep, the source does not have any more.
        let backups = fetched_name(&backup_prefix(&self.options().naming.prefix));
        history.retain(|reference| !reference.name.starts_with(&backups));
        if self.options().notes && git.reference(HG_NOTES)?.is_none() {
            let edit = |notes: &Reference| RefEdit { name: HG_NOTES.into(), new: Some(notes.id) };
            git.update_refs(&notes.iter().map(edit).collect::<Vec<_>>(), None)?;
        }
        Ok(history)
    }

    fn resolve(
        &self,
        git: &BareRepository,
        choice: IdentityChoice,
        existing: &[ExistingCommit],
        given: &[Record],
    ) -> Result<Resolution, SyncError> {
        let changelog = self.repository().changelog();
        let served: Vec<Rev> = self.repository().view().served().iter().collect();
        // What is told of changesets or commits that are not here is of no use, and does no harm.
        let ids: HashSet<_> = existing.iter().map(|commit| commit.id).collect();
        let given: Vec<_> = given
            .iter()
            .filter(|(_, id)| ids.contains(id))
            .filter_map(|(node, id)| Some((changelog.rev(*node)?, *id)))
            .collect();
        let (nothing, no_placeholders) = (IdMap::default(), Placeholders::default());
        let rules = self.options().rules(choice.for_new_targets());
        let input = self.input(&rules, &nothing, &no_placeholders, &served);
        let options = ConvertOptions { identity: choice, ..self.options().clone() };
        Ok(resolve(&input, &options, existing, &given, git)?)
    }

    /// Why the history that was found is not continued.
    fn objection(&self, found: &Resolution) -> Option<SyncError> {
        let Resolution { unmatched_commits, unmatched_changesets, mismatched, .. } = found;
        if !mismatched.is_empty() {
            return Some(SyncError::Mismatched { mismatched: mismatched.clone() });
        }
        if unmatched_commits.is_empty() || self.options().adopt == AdoptionPolicy::Partial {
            return None;
        }
        let history = match &self.mirror.target {
            Some(target) => target.url.to_string(),
            None => self.cache.git().display().to_string(),
        };
        Some(SyncError::Unmatched {
            place: history,
            unmatched_commits: unmatched_commits.len(),
            first_unmatched_commits: unmatched_commits.iter().take(NAMED).copied().collect(),
            unmatched_changesets: unmatched_changesets.len(),
            first_unmatched_changesets: unmatched_changesets.iter().take(NAMED).copied().collect(),
        })
    }
}

/// The notes about a history that is continued.
fn notes(found: &Resolution, commits: usize) -> Vec<Note> {
    let Resolution { identity, adopted, unmatched_commits, .. } = found;
    let count = unmatched_commits.len();
    [
        Some(Note::Adopted { commits, identity: identity.name() }),
        (!adopted.is_empty()).then_some(Note::MatchedByContent { count: adopted.len() }),
        (count > 0).then_some(Note::UnmatchedCommitsKept { count }),
    ]
    .into_iter()
    .flatten()
    .collect()
}
