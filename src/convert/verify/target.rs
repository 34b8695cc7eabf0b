//! The target by itself: every file of its object database, and every object.

use std::collections::HashSet;

use super::{Context, Differences, VerifyError};
use crate::base::{Interrupt, Progress};
use crate::git::repository::{KnownObjects, RepositoryError};
use crate::git::{ObjectId, ObjectKind};

/// The objects of the target whose contents hash to their ids.
#[derive(Debug, Default)]
pub(super) struct Sound {
    pub ids: HashSet<ObjectId>,
    /// Those that are commits.
    pub commits: Vec<ObjectId>,
}

/// Reads all objects of the target; `None` if its files are damaged, and nothing in them is to be
/// trusted: libgit2 does not survive every damaged index.
pub(super) fn sound_objects(
    context: &Context<'_>,
    differences: &mut Differences,
) -> Result<Option<Sound>, VerifyError> {
    let damaged = context.target.damaged_packs()?;
    for file in &damaged {
        differences.add(format!("the target's file {} is damaged", file.display()));
    }
    if !damaged.is_empty() {
        return Ok(None);
    }
    let ids = context.target.object_ids()?;
    context.progress.begin("reading the target", Some(ids.len() as u64), "objects");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = ids.len().div_ceil(threads).max(1);
    let known = context.target.known()?;
    let (progress, interrupt) = (context.progress, context.interrupt);
    let results: Vec<Vec<_>> = std::thread::scope(|scope| {
        let workers: Vec<_> = ids
            .chunks(share)
            .map(|ids| scope.spawn(|| check(progress, interrupt, &known, ids)))
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_default()).collect()
    });
    context.interrupt.check()?;
    context.progress.end();
    let mut sound = Sound::default();
    for (id, result) in results.into_iter().flatten() {
        match result {
            Ok(kind) => {
                sound.ids.insert(id);
                sound.commits.extend((kind == Some(ObjectKind::Commit)).then_some(id));
            }
            Err(error) => differences.add_error(&error),
        }
    }
    Ok(Some(sound))
}

/// Reads objects; each one's result. Ends early when it is asked to.
fn check(
    progress: &dyn Progress,
    interrupt: &Interrupt,
    known: &KnownObjects<'_>,
    ids: &[ObjectId],
) -> Vec<(ObjectId, Result<Option<ObjectKind>, RepositoryError>)> {
    let results = ids.iter().take_while(|_| !interrupt.is_raised()).map(|id| {
        progress.advance(1);
        (*id, known.check(*id))
    });
    results.collect()
}
