//! What a target takes, and what is found before it is sent: a server that refuses a file says so only
//! after all has arrived, and refuses each ref of that push.

use std::collections::HashSet;

use super::{RefOutcome, RefUpdate, RefusalKind};
use crate::base::text::megabytes;
use crate::git::pack::{LargeFile, Watch, WorkflowFile};
use crate::git::reference::Reference;
use crate::git::repository::{BareRepository, RepositoryError};
use crate::git::workflows::workflows;
use crate::net::TargetUrl;
use crate::net::host::is_github;

/// The largest file that GitHub takes, in bytes, as its page "About large files on GitHub" says.
const GITHUB_FILE: u64 = 100 << 20;
/// How many large files refs are asked for.
const MAX_ASKED: usize = 20;

/// What a target takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushLimits {
    /// Bytes of one file; `None` if any is taken. From half of that on a file is told.
    pub file: Option<u64>,
    /// Bytes of one push, about. What is more goes in several.
    pub push: u64,
    /// Whether it takes workflow files of GitHub's from our credential. It is so where nobody knows.
    pub workflows: bool,
}

impl PushLimits {
    /// Bytes of one push where nothing else is known: GitHub and others take no more than 2 GiB.
    pub const PUSH: u64 = 3 << 29;

    /// Those of the server at `url`, as far as they are known.
    pub fn of(url: &TargetUrl) -> Self {
        let file = url.host().is_some_and(is_github).then_some(GITHUB_FILE);
        Self { file, push: Self::PUSH, workflows: true }
    }

    /// What has to be looked for in what is sent.
    pub(super) fn watch(&self) -> Watch {
        Watch { large_from: self.file.map(|most| most / 2), workflows: !self.workflows }
    }
}

/// Gives a refusal to each of `updates` that is not `decided` yet and brings one of the `large` files
/// that is larger than the target takes. Says whether there are any.
pub(super) fn refuse_large(
    limits: PushLimits,
    large: &[LargeFile],
    updates: &[RefUpdate],
    decided: &mut [Option<RefOutcome>],
    source: &BareRepository,
) -> Result<bool, RepositoryError> {
    let Some(most) = limits.file else { return Ok(false) };
    let too_large: Vec<_> = large.iter().filter(|file| file.size > most).take(MAX_ASKED).collect();
    let mut any = false;
    for (update, place) in updates.iter().zip(decided) {
        let (Some(tip), None) = (update.new, place.as_ref()) else { continue };
        for file in &too_large {
            let has = match source.is_ancestor(file.commit, tip) {
                Err(RepositoryError::Object { .. }) => false,
                has => has?,
            };
            if has {
                let reason = format!(
                    "the file {} in the commit {} has {}, and the target takes {}",
                    file.path,
                    file.commit,
                    megabytes(file.size),
                    megabytes(most)
                );
                *place = Some(RefOutcome::refused(update, RefusalKind::TooLarge, reason));
                any = true;
                break;
            }
        }
    }
    Ok(any)
}

/// Gives a refusal to each of `updates` that is not `decided` yet and brings a workflow file that the
/// credential may not write; `brought` are those that commits add or change. Says whether there are any.
///
/// GitHub takes a file that a branch has already, whoever pushes it
/// (<https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps>, `workflow`).
/// A file that only commits before the tip have is left to GitHub to judge.
pub(super) fn refuse_workflows(
    brought: &[WorkflowFile],
    target: &[Reference],
    updates: &[RefUpdate],
    decided: &mut [Option<RefOutcome>],
    source: &BareRepository,
) -> Result<bool, RepositoryError> {
    if brought.is_empty() {
        return Ok(false);
    }
    let mut there = HashSet::new();
    for branch in target.iter().filter(|found| found.is_branch() && source.contains(found.id)) {
        there.extend(workflows(source, branch.id)?);
    }
    let mut any = false;
    for (update, place) in updates.iter().zip(decided) {
        let (Some(tip), None) = (update.new, place.as_ref()) else { continue };
        let files = workflows(source, tip)?;
        let new: HashSet<_> = files.iter().filter(|file| !there.contains(*file)).collect();
        let is_new = |file: &&WorkflowFile| new.iter().any(|(path, _)| *path == file.path);
        for file in brought.iter().filter(is_new) {
            if source.is_ancestor(file.commit, tip).unwrap_or(false) {
                let WorkflowFile { path, commit } = file;
                let reason = format!(
                    "the commit {commit} brings the workflow file {path}, which the credential may \
                     not write"
                );
                *place = Some(RefOutcome::refused(update, RefusalKind::Workflow, reason));
                any = true;
                break;
            }
        }
    }
    Ok(any)
}
