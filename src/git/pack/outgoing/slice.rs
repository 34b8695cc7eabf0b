//! Which intermediate tips a history is sent with that is too large for one push.

use std::collections::{HashMap, HashSet};

use super::cut::{Cut, Graph, Way, cut};
use super::error::OutgoingError;
use super::history::History;
use super::trees::Collector;
use super::watch::Watcher;
use super::{Selected, collect, layout};
use crate::base::{Interrupt, Limits, Progress, Stage};
use crate::git::pack::lookup::Lookup;
use crate::git::{BareRepository, ObjectId, commit};

/// A ref of the target that is to be moved or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What it shall name.
    pub tip: ObjectId,
    /// What it names now.
    pub old: Option<ObjectId>,
    /// Whether it may name commits on the way for a while: a branch may, a tag may not.
    pub may_stop: bool,
}

/// One push of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// Which of the wanted refs move in it, by their numbers, and what they name afterwards.
    pub tips: Vec<(usize, ObjectId)>,
    /// About how many bytes its pack has.
    pub bytes: u64,
}

/// How many parents of new commits are asked whether they come from what a ref is now.
const MAX_ASKED: usize = 64;

impl Slice {
    /// Cuts what `wanted` needs beyond what the target `has` into pushes of about `most` bytes at most,
    /// which go one after the other, refs in the order in which they are wanted. Each stop of a ref on its
    /// way is a fast-forward from the one before. One push only, if it is small enough; a push that is
    /// larger cannot be cut, because one commit or one merge brings it all.
    pub fn cut(
        source: &BareRepository,
        wanted: &[Wanted],
        has: &[ObjectId],
        most: u64,
        limits: &Limits,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Vec<Self>, OutgoingError> {
        let mut lookup = Lookup::open(&source.path().join("objects"), limits)?;
        progress.begin(Stage::CountingObjects, None);
        let watcher = Watcher::default();
        let mut collector = Collector::new(&mut lookup, progress, interrupt, watcher);
        let tips: Vec<ObjectId> = wanted.iter().map(|wanted| wanted.tip).collect();
        let selected = collect(&mut collector, &tips, has)?;
        let objects = collector.objects;
        let mut sizes = vec![0; selected.commits.len()];
        let note = &mut |number: u32, bytes: u64| {
            let place = selected.starts.partition_point(|start| *start <= number);
            let place = place.saturating_sub(1);
            if let Some(size) = sizes.get_mut(place) {
                *size += bytes;
            }
        };
        let (_, bytes) = layout::arrange(&mut lookup, &objects, note, interrupt)?;
        progress.end();
        if bytes <= most || selected.commits.is_empty() {
            let tips = wanted.iter().map(|wanted| wanted.tip).enumerate().collect();
            return Ok(vec![Self { tips, bytes }]);
        }
        let Selected { history, commits, .. } = selected;
        let places: HashMap<u32, u32> = commits.iter().copied().zip(0..).collect();
        let new_parents = |number: &u32| {
            let parents = history.parents(*number);
            parents.filter_map(|(parent, _)| places.get(&parent).copied()).collect()
        };
        let graph = Graph { parents: commits.iter().map(new_parents).collect(), bytes: sizes };
        let mut ways = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let tip = peeled(&mut lookup, wanted.tip)?;
            let tip = history.number_of(&tip).and_then(|number| places.get(&number).copied());
            let old = wanted.old.filter(|_| wanted.may_stop);
            let starts = old.map(|old| starts(source, &history, &commits, old));
            ways.push(Way { tip, starts, may_stop: wanted.may_stop });
        }
        let id = |place: u32| {
            let number = commits.get(place as usize)?;
            history.commit(*number).map(|(id, _)| id)
        };
        let slice = |cut: Cut| {
            let tips = cut.stops.into_iter().filter_map(|(number, stop)| {
                let wanted = wanted.get(number)?;
                let way: &Way = ways.get(number)?;
                let on_the_way = stop.filter(|_| stop != way.tip).and_then(id);
                Some((number, on_the_way.unwrap_or(wanted.tip)))
            });
            Self { tips: tips.collect(), bytes: cut.bytes }
        };
        Ok(cut(&graph, &ways, most).into_iter().map(slice).collect())
    }
}

/// The places of the commits that have a parent at the target which comes from `old`.
fn starts(source: &BareRepository, history: &History, commits: &[u32], old: ObjectId) -> Vec<u32> {
    let there = |number: &u32| history.parents(*number).filter(|(_, there)| *there).map(|it| it.0);
    let parents: HashSet<u32> = commits.iter().flat_map(there).collect();
    let is_few = parents.len() <= MAX_ASKED;
    let comes = |number: &u32| {
        let Some(id) = history.id(*number) else { return false };
        id == old || is_few && source.is_ancestor(old, id).unwrap_or(false)
    };
    let good: HashSet<u32> = parents.into_iter().filter(comes).collect();
    let places = (0..).zip(commits);
    let places = places.filter(|(_, number)| there(number).any(|parent| good.contains(&parent)));
    places.map(|(place, _)| place).collect()
}

/// What an annotated tag finally names; anything else itself.
fn peeled(lookup: &mut Lookup, mut id: ObjectId) -> Result<ObjectId, OutgoingError> {
    while let Some((None, tag)) = lookup.read(&id)? {
        let named = commit::header(&tag, "object").and_then(ObjectId::from_hex);
        id = named.ok_or(OutgoingError::Malformed { id, kind: "tag" })?;
    }
    Ok(id)
}
