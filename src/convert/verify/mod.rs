//! Does a Git repository hold what a Mercurial one serves?
//!
//! Nothing here uses the engine: every file revision is read and hashed again, every tree computed
//! from its whole manifest, every object of the target read back and hashed. What both have in
//! common is the rules: identities, and what submodules follow from which.

mod commits;
mod comparison;
mod files;
mod replay;
mod target;
mod trees;

use std::path::Path;

use super::identity::recorded::{self, RecordedIdentityError};
use super::idmap::IN_REPOSITORY;
use super::{ConvertOptions, Rules};
use crate::base::fault::one_line;
use crate::base::{Fault, HasFault, Interrupt, Interrupted, Progress};
use crate::git::BareRepository;
use crate::git::repository::RepositoryError as GitError;
use crate::hg::Repository;
use crate::hg::manifest::Line;
use crate::hg::repository::RepositoryError as HgError;

/// What was compared, and what differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many changesets the source serves.
    pub changesets: u64,
    /// How many objects the target holds.
    pub objects: u64,
    /// What differs or is damaged, a line each: the first of them, if there are very many.
    pub differences: Vec<String>,
}

/// Source and target cannot be compared at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The source does not open.
    #[error(transparent)]
    Source(#[from] HgError),
    /// The target does not open.
    #[error(transparent)]
    Target(#[from] GitError),
    /// The target was made with another identity.
    #[error(transparent)]
    Identity(#[from] RecordedIdentityError),
    /// Somebody asked us to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl HasFault for VerifyError {
    fn fault(&self) -> Fault {
        match self {
            Self::Source(error) => error.fault(),
            Self::Target(error) => error.fault(),
            Self::Identity(error) => error.fault(),
            Self::Interrupted(error) => error.fault(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Source(error) => error.hint(),
            Self::Target(error) => error.hint(),
            Self::Identity(error) => error.hint(),
            Self::Interrupted(error) => error.hint(),
        }
    }
}

/// How many differences are told; more help nobody.
const MAX_DIFFERENCES: usize = 1000;

/// Collects differences, up to a number.
#[derive(Debug, Default)]
struct Differences(Vec<String>);

impl Differences {
    fn add(&mut self, difference: String) {
        if self.0.len() < MAX_DIFFERENCES {
            self.0.push(difference);
        }
    }

    /// Adds that the source has no sound revision of a file that a manifest names.
    fn add_missing(&mut self, line: Line<'_>) {
        self.add(format!(
            "the source has no sound revision {} of the file {:?}",
            line.node.short(),
            line.path
        ));
    }

    /// Adds an error with all its causes, on one line.
    fn add_error(&mut self, error: &dyn std::error::Error) {
        self.add(one_line(error));
    }
}

/// What all parts of a verification work with.
struct Context<'c> {
    source: &'c Repository,
    target: &'c BareRepository,
    /// What was asked for when the target was made.
    options: &'c ConvertOptions,
    /// What decides commits.
    rules: &'c Rules,
    progress: &'c dyn Progress,
    interrupt: &'c Interrupt,
}

/// Compares everything that the Mercurial repository at `source` serves with what the bare Git
/// repository at `target` holds, which was made with these `options`, and looks for damage in both.
pub fn verify(
    source: &Path,
    target: &Path,
    options: &ConvertOptions,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<VerifyReport, VerifyError> {
    let source = Repository::open(source, &options.limits)?;
    let target = BareRepository::open(target)?;
    let settled = recorded::settled(&target.path().join(IN_REPOSITORY), options.identity)?;
    let rules = &options.rules(settled.unwrap_or_else(|| options.identity.for_new_targets()));
    let context = Context { source: &source, target: &target, options, rules, progress, interrupt };
    let mut differences = Differences::default();
    let sound = target::sound_objects(&context, &mut differences)?;
    let blobs = files::blobs(&context, &mut differences)?;
    if let Some(sound) = &sound {
        commits::compare(&context, sound, &blobs, &mut differences)?;
    }
    Ok(VerifyReport {
        changesets: source.view().served().count() as u64,
        objects: sound.map_or(0, |sound| sound.ids.len()) as u64,
        differences: differences.0,
    })
}
