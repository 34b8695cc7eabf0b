//! The objects that a target lacks, found and sent without being made anew.
//!
//! What is sent is what the tips reach and the target's own do not: [`history`] finds the commits,
//! [`trees`] what is in them. The entries are copied as they lie in our packs; see [`write`].

mod cut;
mod error;
mod history;
mod layout;
mod output;
mod slice;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod trees;
mod watch;
mod write;

use std::collections::HashSet;

use super::lookup::{Lookup, Place};
use crate::base::{Interrupt, Limits, Progress, Stage};
use crate::git::{BareRepository, ObjectId, ObjectKind};
use history::History;
use trees::{Collector, Objects};
use watch::Watcher;

pub use error::OutgoingError;
pub use slice::{Slice, Wanted};
pub use watch::{Found, LargeFile, MAX_FOUND, Watch, WorkflowFile};

/// The objects that are to be sent, and where they are.
pub struct Outgoing {
    objects: Objects,
    /// Where the objects are, in the order in which they are sent, with their numbers.
    order: Vec<(Place, u32)>,
    folder: std::path::PathBuf,
    limits: Limits,
    bytes: u64,
    is_thin: bool,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outgoing")
            .field("objects", &self.order.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// If more objects than this seem to be new, all that the target has is looked through for them:
/// what was moved or copied from one folder or branch to another need not be sent.
const MANY: usize = 500;

/// Tips, sorted by what they name.
#[derive(Default)]
struct Tips {
    commits: Vec<ObjectId>,
    /// Annotated tags, and trees and files that they name.
    others: Vec<(ObjectId, Option<ObjectKind>)>,
}

impl Outgoing {
    /// What `tips` reach in `source` and `has` does not; ids of `has` that are not here are ignored.
    ///
    /// Some objects may be found that the target has, if it has them in another place or under another
    /// history than that of `has` and `tips`. Bounds: `Limits::revision_bytes` for each object that has
    /// to be read, `Limits::text_cache_bytes` for what is kept of them.
    pub fn select(
        source: &BareRepository,
        tips: &[ObjectId],
        has: &[ObjectId],
        limits: &Limits,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Self, OutgoingError> {
        let watch = Watch::default();
        Self::select_watching(source, tips, has, watch, limits, progress, interrupt)
            .map(|(outgoing, _)| outgoing)
    }

    /// The same, and what `watch` asks for.
    pub fn select_watching(
        source: &BareRepository,
        tips: &[ObjectId],
        has: &[ObjectId],
        watch: Watch,
        limits: &Limits,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<(Self, Found), OutgoingError> {
        let folder = source.path().join("objects");
        let mut lookup = Lookup::open(&folder, limits)?;
        progress.begin(Stage::CountingObjects, None);
        let watcher = Watcher::new(watch);
        let mut collector = Collector::new(&mut lookup, progress, interrupt, watcher);
        collect(&mut collector, tips, has)?;
        let Collector { objects, watcher, .. } = collector;
        let found = watcher.finish(&objects);
        let (order, bytes) = layout::arrange(&mut lookup, &objects, &mut |_, _| {}, interrupt)?;
        progress.end();
        let limits = limits.clone();
        Ok((Self { objects, order, folder, limits, bytes, is_thin: true }, found))
    }

    /// The same with all that deltas are made of, for a pack that is kept as it is.
    #[must_use]
    pub fn complete(mut self) -> Self {
        self.is_thin = false;
        self
    }

    /// The id of the object with a number.
    fn id(&self, number: u32) -> ObjectId {
        // Numbers are those that were given to ids here.
        self.objects.id(number).unwrap_or_default()
    }

    /// How many objects there are.
    pub fn objects(&self) -> u32 {
        u32::try_from(self.order.len()).unwrap_or(u32::MAX)
    }

    /// How many bytes the pack will have, about: more, if a delta is no longer one because its base is not
    /// sent.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The commits that are to be sent.
#[derive(Default)]
struct Selected {
    history: History,
    /// Their numbers there, parents before children.
    commits: Vec<u32>,
    /// For each of them the number of the first object that was met with it.
    starts: Vec<u32>,
}

/// Finds the objects.
fn collect(
    collector: &mut Collector<'_>,
    tips: &[ObjectId],
    has: &[ObjectId],
) -> Result<Selected, OutgoingError> {
    let there: HashSet<ObjectId> = has.iter().copied().collect();
    let tips: Vec<_> = tips.iter().copied().filter(|tip| !there.contains(tip)).collect();
    if tips.is_empty() {
        return Ok(Selected::default());
    }
    let tips = sorted(collector, tips, &there)?;
    let interrupt = collector.interrupt;
    let mut history = History::default();
    history.walk(collector.lookup, &tips.commits, has, interrupt)?;
    let commits = history.new_commits();
    let watches_commits = collector.watcher.needs_parents();
    let mut any_there = false;
    for &number in &commits {
        let parents: Vec<_> = history.parents(number).filter(|(_, is_there)| *is_there).collect();
        for (parent, _) in parents {
            any_there = true;
            if let Some(tree) = history.tree_there(collector.lookup, parent)? {
                collector.add_root_there(tree);
            }
        }
    }
    let mut starts = Vec::with_capacity(commits.len());
    for &number in &commits {
        starts.push(u32::try_from(collector.objects.len()).unwrap_or(u32::MAX));
        let Some((id, tree)) = history.commit(number) else { continue };
        let mut old = Vec::new();
        if any_there || watches_commits {
            for (parent, is_there) in history.parents(number).collect::<Vec<_>>() {
                old.extend(match is_there {
                    true => history.tree_there(collector.lookup, parent)?,
                    false => history.commit(parent).map(|(_, tree)| tree),
                });
            }
        }
        collector.add_commit(id, tree, old)?;
    }
    for (id, kind) in tips.others {
        match kind {
            Some(ObjectKind::Tree) => collector.add_tree(id, Vec::new())?,
            _ => drop(collector.add(id)),
        }
    }
    if collector.objects.new_count() >= MANY {
        history.enqueue_there(collector.lookup, has)?;
        for tree in history.latest_there() {
            collector.add_root_there(tree);
        }
        collector.find_moved()?;
    }
    Ok(Selected { history, commits, starts })
}

/// What tips name, annotated tags followed.
fn sorted(
    collector: &mut Collector<'_>,
    tips: Vec<ObjectId>,
    there: &HashSet<ObjectId>,
) -> Result<Tips, OutgoingError> {
    let mut sorted = Tips::default();
    let mut seen = HashSet::new();
    let mut left = tips;
    while let Some(id) = left.pop() {
        if there.contains(&id) || !seen.insert(id) {
            continue;
        }
        let object = collector.lookup.read(&id)?;
        let Some((kind, contents)) = object else { return Err(OutgoingError::Missing { id }) };
        match kind {
            Some(ObjectKind::Commit) => sorted.commits.push(id),
            Some(_) => sorted.others.push((id, kind)),
            None => {
                let named = crate::git::commit::header(&contents, "object");
                let named = named.and_then(ObjectId::from_hex);
                left.push(named.ok_or(OutgoingError::Malformed { id, kind: "tag" })?);
                sorted.others.push((id, kind));
            }
        }
    }
    Ok(sorted)
}
