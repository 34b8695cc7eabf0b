//! Where a mirror begins: with nothing, or with commits that somebody has made already.

use std::collections::HashSet;
use std::path::Path;

use super::error::NAMED;
use super::source::{Readable, read_source};
use super::update::Run;
use super::workspace::Workspace;
use super::{ConvertOptions, MirrorOptions, SyncError};
use crate::base::{Interrupt, Progress};
use crate::convert::IdMap;
use crate::convert::adoption::{AdoptionPolicy, ExistingCommit, Resolution, resolve};
use crate::convert::identity::{Identity, IdentityChoice};
use crate::convert::idmap::Record;
use crate::convert::placeholder::Placeholders;
use crate::git::destination::Target;
use crate::git::destination::fetched_name;
use crate::git::reference::HG_NOTES;
use crate::git::repository::RefEdit;
use crate::git::{BareRepository, Reference, destination};
use crate::hg::Rev;
use crate::hg::pull::Source;

/// What is taken over.
#[derive(Clone, Copy, Debug)]
pub enum Place<'p> {
    /// The target of a mirror.
    Mirror(&'p MirrorOptions),
    /// A bare repository on this machine, which `convert` goes on with.
    Bare {
        /// The Mercurial repository.
        source: &'p Source,
        /// The bare repository.
        target: &'p Path,
        /// How the one becomes the other.
        options: &'p ConvertOptions,
    },
}

/// What was taken over.
#[derive(Clone, Debug, Default)]
pub struct Adopted {
    /// The changesets that have a commit, in revision order.
    pub commits: Vec<Record>,
    /// How many changesets there are.
    pub changesets: usize,
    /// The identity to go on with.
    pub identity: &'static str,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Finds out which commits of a target stand for which changesets, and records it; converts and
/// publishes nothing. `given` is what another tool remembers: it is checked, and what is not so is
/// an error. Where something is recorded already, that stays.
pub fn adopt(
    place: Place<'_>,
    given: &[Record],
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<Adopted, SyncError> {
    let (source, options, target) = match place {
        Place::Mirror(mirror) => (&mirror.source, &mirror.convert, Some(&mirror.target)),
        Place::Bare { source, options, .. } => (source, options, None),
    };
    let main_branch = &options.naming.main_name();
    let workspace = match place {
        Place::Mirror(mirror) => Workspace::cache(&mirror.cache)?,
        Place::Bare { target, .. } => Workspace::bare(target, main_branch)?,
    };
    let (limits, copy) = (&options.limits, workspace.copy());
    let (source, notes) = Readable::fetched(source, &copy, limits, progress, interrupt)?;
    let taking = Taking { source: &source, workspace: &workspace, options, target, given };
    let mut adopted = taking.over(progress, interrupt)?;
    adopted.notes.splice(..0, notes);
    Ok(adopted)
}

/// What is taken over, and where it goes.
pub(super) struct Taking<'t> {
    pub source: &'t Readable,
    pub workspace: &'t Workspace,
    pub options: &'t ConvertOptions,
    pub target: Option<&'t Target>,
    pub given: &'t [Record],
}

impl Taking<'_> {
    /// Takes over what there is.
    pub(super) fn over(
        &self,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Adopted, SyncError> {
        let Self { source, workspace, options, target, given } = *self;
        read_source(source, options, interrupt, |attempt| {
            let run = Run { attempt, options, target, progress, interrupt };
            let git = workspace.open_git(&options.naming.main_name())?;
            let Base { identity, map, notes } = run.base(workspace, &git, given)?;
            let served = attempt.source.view().served();
            let nodes = served.iter().map(|rev| attempt.source.changelog().node(rev));
            Ok(Adopted {
                commits: nodes.filter_map(|node| Some((node, map.commit(node)?))).collect(),
                changesets: served.count(),
                identity: identity.name(),
                notes,
            })
        })
    }
}

/// What a run goes on from.
pub(super) struct Base {
    pub identity: &'static dyn Identity,
    pub map: IdMap,
    /// What a person should know about it.
    pub notes: Vec<String>,
}

impl Run<'_> {
    /// What is recorded; or else what is found out about the commits in the bare repository and at
    /// the target, which is recorded then. `given` is what somebody says about them.
    pub(super) fn base(
        &self,
        workspace: &Workspace,
        git: &BareRepository,
        given: &[Record],
    ) -> Result<Base, SyncError> {
        let (choice, map) = workspace.open_map(git, self.options.identity)?;
        if let (IdentityChoice::Named(identity), Some(map)) = (choice, map) {
            return Ok(Base { identity, map, notes: Vec::new() });
        }
        let mut references = git.refs()?;
        references.extend(self.fetch(git)?);
        let commits = git.commits_behind(&references)?;
        let existing: Vec<_> = commits
            .map(|commit| commit.map(|(id, contents)| ExistingCommit { id, contents }))
            .collect::<Result<_, _>>()?;
        if existing.is_empty() {
            let identity = choice.for_new_targets();
            let map = workspace.create_map(identity, &[], &[], &self.options.authors)?;
            return Ok(Base { identity, map, notes: Vec::new() });
        }
        let found = self.resolve(git, choice, &existing, given)?;
        if let Some(error) = self.objection(workspace, &found) {
            return Err(error);
        }
        let map = workspace.create_map(
            found.identity,
            &found.records,
            &found.adopted,
            &self.options.authors,
        )?;
        Ok(Base { identity: found.identity, map, notes: notes(&found, existing.len()) })
    }

    /// Brings the history of the target here, and its notes, which ours go on from. The target may be
    /// this repository itself.
    fn fetch(&self, git: &BareRepository) -> Result<Vec<Reference>, SyncError> {
        let Some(target) = self.target else { return Ok(Vec::new()) };
        let mut target = destination::open(target, git.path())?;
        let fetched = target.fetch(self.progress, self.interrupt)?;
        git.refresh()?;
        let is_notes = |reference: &Reference| reference.name == fetched_name(HG_NOTES);
        let (notes, history): (Vec<_>, Vec<_>) = fetched.into_iter().partition(is_notes);
        if self.options.notes && git.reference(HG_NOTES)?.is_none() {
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
        let changelog = self.source().changelog();
        let served: Vec<Rev> = self.source().view().served().iter().collect();
        // What is told of changesets or commits that are not here is of no use, and does no harm.
        let ids: HashSet<_> = existing.iter().map(|commit| commit.id).collect();
        let given: Vec<_> = given
            .iter()
            .filter(|(_, id)| ids.contains(id))
            .filter_map(|(node, id)| Some((changelog.rev(*node)?, *id)))
            .collect();
        let (nothing, no_placeholders) = (IdMap::default(), Placeholders::default());
        let rules = self.options.rules(choice.for_new_targets());
        let input = self.input(&rules, &nothing, &no_placeholders, &served);
        let options = ConvertOptions { identity: choice, ..self.options.clone() };
        Ok(resolve(&input, &options, existing, &given, git)?)
    }

    /// Why what was found is not gone on with.
    fn objection(&self, workspace: &Workspace, found: &Resolution) -> Option<SyncError> {
        let Resolution { unmatched_commits, unmatched_changesets, mismatched, .. } = found;
        if !mismatched.is_empty() {
            return Some(SyncError::Mismatched { mismatched: mismatched.clone() });
        }
        if unmatched_commits.is_empty() || self.options.adopt == AdoptionPolicy::Partial {
            return None;
        }
        let place = match self.target {
            Some(target) => target.url.to_string(),
            None => workspace.git().display().to_string(),
        };
        Some(SyncError::Unmatched {
            place,
            unmatched_commits: unmatched_commits.len(),
            first_unmatched_commits: unmatched_commits.iter().take(NAMED).copied().collect(),
            unmatched_changesets: unmatched_changesets.len(),
            first_unmatched_changesets: unmatched_changesets.iter().take(NAMED).copied().collect(),
        })
    }
}

/// What a person should know about a history that is gone on with.
fn notes(found: &Resolution, commits: usize) -> Vec<String> {
    let Resolution { identity, adopted, unmatched_commits, .. } = found;
    let mut notes = vec![format!(
        "goes on from {commits} commits that were there, with the identity {}",
        identity.name()
    )];
    if !adopted.is_empty() {
        notes.push(format!(
            "{} of them are another tool's, taken for what their trees, times and parents say",
            adopted.len()
        ));
    }
    if !unmatched_commits.is_empty() {
        notes.push(format!("{} of them are of no changeset, and stay", unmatched_commits.len()));
    }
    notes
}
