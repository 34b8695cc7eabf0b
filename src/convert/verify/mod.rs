//! Does a Git repository hold what a Mercurial one serves?
//!
//! Nothing here uses the engine: every file revision is read and hashed again, every tree computed
//! from its whole manifest, every object of the target read back and hashed. What both have in
//! common is the rules: identities, and what submodules follow from which.

mod chosen;
mod commits;
mod comparison;
mod difference;
mod files;
mod made_by;
mod notes;
mod replay;
mod selection;
mod target;
mod trees;

use std::collections::HashMap;
use std::path::Path;

use commits::Commits;

use super::identity::recorded::{self, RecordedIdentityError};
use super::idmap::IdMapError;
use super::placeholder::{Placeholders, PlaceholdersError};
use super::refs::KnownName;
use super::report::Note;
use super::{ConvertOptions, IdMap, Rules};
use crate::base::{Cause, HasFault, Interrupt, Interrupted, Limits, Progress, faults};
use crate::git::BareRepository;
use crate::git::repository::RepositoryError as GitError;
use crate::hg::manifest::Line;
use crate::hg::repository::RepositoryError as HgError;
use crate::hg::{Repository, Rev};

pub use chosen::{Chosen, Findings, verify_changesets};
pub use difference::{Difference, TreeFile, TreeProblem};
pub use selection::{Subject, VerifySelection};

/// What was compared, and what differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many changesets the source serves.
    pub changesets: u64,
    /// How many objects the target holds.
    pub objects: u64,
    /// What differs or is damaged: the first of it, if there is very much.
    pub differences: Vec<Difference>,
    /// How many more there are.
    pub more: usize,
    /// What a person should know, and is as it should be: placeholders.
    pub notes: Vec<Note>,
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
    /// The list of placeholders cannot be read.
    #[error(transparent)]
    Placeholders(#[from] PlaceholdersError),
    /// The id map cannot be read.
    #[error(transparent)]
    Map(#[from] IdMapError),
    /// The source serves no such changeset, or more than one.
    #[error("find the changeset {name:?}: the source serves none of this name, or several")]
    NoChangeset {
        /// What was asked for.
        name: String,
    },
    /// A request to stop came.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

faults!(VerifyError {
    Self::Source(error) => of(error).at(Source),
    Self::Target(error) => of(error).at(Target),
    Self::Identity(error) => of(error).at(Target),
    Self::Placeholders(error) => of(error).at(Target),
    Self::Map(error) => of(error).at(Target),
    Self::NoChangeset { .. } => Config.at(Source),
    Self::Interrupted(error) => of(error),
});

/// The most differences that are listed; the rest is counted.
const MAX_DIFFERENCES: usize = 1000;

/// Collects differences, up to a number, and counts the rest.
#[derive(Debug, Default)]
struct Differences {
    first: Vec<Difference>,
    more: usize,
}

impl Differences {
    fn add(&mut self, difference: Difference) {
        match self.first.len() < MAX_DIFFERENCES {
            true => self.first.push(difference),
            false => self.more += 1,
        }
    }

    /// Adds that the source has no sound revision of a file that a manifest names.
    fn add_missing(&mut self, line: Line<'_>) {
        let (path, revision) = (line.path.to_owned(), line.node);
        self.add(Difference::RevisionMissing { path, revision });
    }

    /// Adds that something cannot be read.
    fn add_error(&mut self, error: &dyn HasFault) {
        self.add(Difference::Unreadable { cause: Cause::of(error) });
    }
}

/// What all parts of a verification work with.
struct Context<'c> {
    source: &'c Repository,
    target: &'c BareRepository,
    /// The id map of the target, if it has one.
    map: Option<IdMap>,
    placeholders: Placeholders,
    /// The names that references were given before.
    known: &'c [KnownName],
    /// What was asked for when the target was made.
    options: &'c ConvertOptions,
    /// What decides commits.
    rules: &'c Rules,
    /// The commits that another tool made, by their changesets.
    adopted: Commits,
    progress: &'c dyn Progress,
    interrupt: &'c Interrupt,
}

/// What reading a repository takes.
#[derive(Clone, Copy)]
struct Reading<'r> {
    target: &'r BareRepository,
    limits: &'r Limits,
    progress: &'r dyn Progress,
    interrupt: &'r Interrupt,
}

/// Compares what the Mercurial repository serves with what the bare Git repository holds, which was
/// made with these `options`. Unless some changesets are chosen, it is everything, and damage is
/// looked for in both.
pub fn verify(
    subject: &Subject<'_>,
    selection: &VerifySelection,
    options: &ConvertOptions,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<VerifyReport, VerifyError> {
    let source = subject.source;
    let target = &BareRepository::open(subject.git)?;
    let settled = recorded::settled(subject.map, options.identity)?;
    let rules = &options.rules(settled.unwrap_or_else(|| options.identity.for_new_targets()));
    let map = IdMap::open(subject.map, |_| true)?;
    let placeholders = Placeholders::open(&Placeholders::beside(subject.map))?;
    let adopted = Commits::new();
    let context = Context {
        source,
        target,
        map,
        placeholders,
        known: subject.known,
        options,
        rules,
        adopted,
        progress,
        interrupt,
    };
    if !selection.is_all() {
        return verify_some(&context, &selection.resolve(source)?);
    }
    let mut differences = Differences::default();
    let limits = &options.limits;
    let reading = Reading { target, limits, progress, interrupt };
    let sound = target::sound_objects(&reading, &mut differences)?;
    let (identity, adopted) = made_by::made_by(&context, settled, &mut differences)?;
    let context = Context { rules: &options.rules(identity), adopted, ..context };
    let blobs = files::blobs(&context, sound.as_ref(), &mut differences)?;
    if let Some(sound) = &sound {
        commits::compare(&context, sound, &blobs, &mut differences)?;
    }
    Ok(VerifyReport {
        changesets: source.view().served().count() as u64,
        objects: sound.map_or(0, |sound| sound.ids.len()) as u64,
        differences: differences.first,
        more: differences.more,
        notes: blobs.into_notes(),
    })
}

/// Compares some changesets with their commits.
fn verify_some(context: &Context<'_>, changesets: &[Rev]) -> Result<VerifyReport, VerifyError> {
    let mut told = HashMap::new();
    if context.map.is_none() && context.rules.identity.names_changesets() {
        for commit in context.target.commits()? {
            let (id, contents) = commit?;
            told.extend(context.rules.identity.node_of(&contents).map(|node| (node, id)));
        }
    }
    let map = context.map.as_ref();
    // What another tool made is not what our rules make.
    let is_adopted = |node| map.is_some_and(|map| map.is_adopted(node));
    let is_ours = |rev: &Rev| !is_adopted(context.source.changelog().node(*rev));
    let changesets: Vec<Rev> = changesets.iter().copied().filter(is_ours).collect();
    let known = context.target.known()?;
    let findings = verify_changesets(&Chosen {
        source: context.source,
        git: context.target,
        rules: context.rules,
        commit_of: &|node| {
            map.and_then(|map| map.commit(node)).or_else(|| told.get(&node).copied())
        },
        is_adopted: &is_adopted,
        placeholders: &context.placeholders,
        changesets: &changesets,
        trusts_others: false,
        is_sound: &|id| known.check(id).is_ok(),
        progress: context.progress,
        limits: &context.options.limits,
        interrupt: context.interrupt,
    })?;
    let Findings { differences, more, .. } = findings;
    let changesets = changesets.len() as u64;
    Ok(VerifyReport { changesets, differences, more, ..VerifyReport::default() })
}

/// Reads all objects of a bare repository, and says what is wrong with them.
pub fn verify_objects(
    path: &Path,
    limits: &Limits,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<VerifyReport, VerifyError> {
    let target = &BareRepository::open(path)?;
    let mut differences = Differences::default();
    let reading = Reading { target, limits, progress, interrupt };
    let sound = target::sound_objects(&reading, &mut differences)?;
    let objects = sound.map_or(0, |sound| sound.ids.len()) as u64;
    let Differences { first, more } = differences;
    Ok(VerifyReport { objects, differences: first, more, ..VerifyReport::default() })
}
