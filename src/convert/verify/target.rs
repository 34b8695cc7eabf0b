//! The target by itself: every file of its object database, and every object.

use std::collections::HashSet;

use super::{Context, Differences, VerifyError};
use crate::base::{Interrupt, Progress};
use crate::git::ObjectId;
use crate::git::repository::{KnownObjects, RepositoryError};

/// The objects of the target whose contents hash to their ids.
pub(super) fn sound_objects(
    context: &Context<'_>,
    differences: &mut Differences,
) -> Result<HashSet<ObjectId>, VerifyError> {
    for damaged in context.target.damaged_packs()? {
        differences.add(format!("the target's file {} is damaged", damaged.display()));
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
    let mut sound = HashSet::with_capacity(ids.len());
    for (id, result) in results.into_iter().flatten() {
        match result {
            Ok(()) => {
                sound.insert(id);
            }
            Err(error) => differences.add_error(&error),
        }
    }
    Ok(sound)
}

/// Reads objects; each one's result. Ends early when it is asked to.
fn check(
    progress: &dyn Progress,
    interrupt: &Interrupt,
    known: &KnownObjects<'_>,
    ids: &[ObjectId],
) -> Vec<(ObjectId, Result<(), RepositoryError>)> {
    let results = ids.iter().take_while(|_| !interrupt.is_raised()).map(|id| {
        progress.advance(1);
        (*id, known.check(*id))
    });
    results.collect()
}
