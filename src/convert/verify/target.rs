//! The target by itself: every file of its object database, and every object.

use std::collections::HashSet;

use super::{Difference, Differences, Reading, VerifyError};
use crate::base::{Interrupt, Progress, Stage};
use crate::git::pack::PackContents;
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
    context: &Reading<'_>,
    differences: &mut Differences,
) -> Result<Option<Sound>, VerifyError> {
    let damaged = context.target.damaged_packs()?;
    for file in &damaged {
        differences.add(Difference::PackDamaged { file: file.clone() });
    }
    if !damaged.is_empty() {
        return Ok(None);
    }
    let Some(mut sound) = packed(context, differences)? else { return Ok(None) };
    others(context, &mut sound, differences)?;
    Ok(Some(sound))
}

impl Sound {
    fn add(&mut self, id: ObjectId, kind: Option<ObjectKind>) {
        if self.ids.insert(id) && kind == Some(ObjectKind::Commit) {
            self.commits.push(id);
        }
    }
}

/// The objects of the packs, without libgit2; `None` if there is damage.
fn packed(
    context: &Reading<'_>,
    differences: &mut Differences,
) -> Result<Option<Sound>, VerifyError> {
    let mut sound = Sound::default();
    let mut whole = true;
    for pack in context.target.packs(context.limits)? {
        let contents = match pack {
            Ok(pack) => {
                let count = pack.len() as u64;
                context.progress.begin(Stage::ReadingPacks, Some(count));
                let contents = pack.check(context.progress, context.interrupt);
                context.progress.end();
                contents
            }
            Err(error) => PackContents { flaws: vec![error], ..PackContents::default() },
        };
        context.interrupt.check()?;
        for flaw in &contents.flaws {
            differences.add_error(flaw);
            whole = false;
        }
        for (id, kind) in contents.objects {
            sound.add(id, kind);
        }
    }
    Ok(whole.then_some(sound))
}

/// Adds the objects that are in no pack of the target's own: loose ones, mostly.
fn others(
    context: &Reading<'_>,
    sound: &mut Sound,
    differences: &mut Differences,
) -> Result<(), VerifyError> {
    let mut ids = context.target.object_ids()?;
    ids.retain(|id| !sound.ids.contains(id));
    context.progress.begin(Stage::ReadingObjects, Some(ids.len() as u64));
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
    for (id, result) in results.into_iter().flatten() {
        match result {
            Ok(kind) => sound.add(id, kind),
            Err(error) => differences.add_error(&error),
        }
    }
    Ok(())
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
