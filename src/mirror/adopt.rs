//! Where a mirror begins: with nothing, or with commits that somebody has made already.

use std::collections::HashSet;

use super::error::NAMED;
use super::update::Run;
use super::workspace::Workspace;
use super::{ConvertOptions, SyncError};
use crate::convert::IdMap;
use crate::convert::graft::{ExistingCommit, GraftPolicy, Resolution, resolve};
use crate::convert::identity::{Identity, IdentityChoice};
use crate::convert::idmap::Record;
use crate::convert::placeholder::Placeholders;
use crate::git::{BareRepository, Reference, destination};
use crate::hg::Rev;

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
            let map = workspace.create_map(identity, &[], &[])?;
            return Ok(Base { identity, map, notes: Vec::new() });
        }
        let found = self.resolve(git, choice, &existing, given)?;
        if let Some(error) = self.objection(workspace, &found) {
            return Err(error);
        }
        let map = workspace.create_map(found.identity, &found.records, &found.grafted)?;
        Ok(Base { identity: found.identity, map, notes: notes(&found, existing.len()) })
    }

    /// Brings the history of the target here. The target may be this repository itself.
    fn fetch(&self, git: &BareRepository) -> Result<Vec<Reference>, SyncError> {
        let Some(target) = self.target else { return Ok(Vec::new()) };
        let mut target = destination::open(target, git.path())?;
        let fetched = target.fetch(self.progress, self.interrupt)?;
        git.refresh()?;
        Ok(fetched)
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
        let Resolution { strangers, missing, lies, .. } = found;
        if !lies.is_empty() {
            return Some(SyncError::Lies { lies: lies.clone() });
        }
        if strangers.is_empty() || self.options.graft == GraftPolicy::Partial {
            return None;
        }
        let place = match self.target {
            Some(target) => target.url.to_string(),
            None => workspace.git().display().to_string(),
        };
        Some(SyncError::Foreign {
            place,
            strangers: strangers.len(),
            first_strangers: strangers.iter().take(NAMED).copied().collect(),
            missing: missing.len(),
            first_missing: missing.iter().take(NAMED).copied().collect(),
        })
    }
}

/// What a person should know about a history that is gone on with.
fn notes(found: &Resolution, commits: usize) -> Vec<String> {
    let Resolution { identity, grafted, strangers, .. } = found;
    let mut notes = vec![format!(
        "goes on from {commits} commits that were there, with the identity {}",
        identity.name()
    )];
    if !grafted.is_empty() {
        notes.push(format!(
            "{} of them are another tool's, taken for what their trees, times and parents say",
            grafted.len()
        ));
    }
    if !strangers.is_empty() {
        notes.push(format!("{} of them are of no changeset, and stay", strangers.len()));
    }
    notes
}
