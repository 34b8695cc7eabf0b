//! Which commits are to be sent: those that some commits reach and others do not, without walking
//! farther into the past than that takes.
//!
//! Commits are visited from the latest to the earliest, as their committers' clocks say. What the
//! target has spreads to the parents of what it has, also to parents that were taken for new before. The
//! walk ends soon after nothing new is left to visit. Wrong clocks can end it too early, and then a few
//! commits are sent that the target has; never is one left out that it has not.

use std::collections::BinaryHeap;

use super::error::OutgoingError;
use super::table::IdTable;
use crate::base::Interrupt;
use crate::git::pack::lookup::Lookup;
use crate::git::{ObjectId, ObjectKind, commit};

/// Up to so many tips that the target has are visited like all others.
const FEW_TIPS: usize = 64;
/// If there are more of them, they are not, as long as no more new commits than this are found, each of
/// which ends at one of them.
const FEW_COMMITS: usize = 16;
/// So many commits, and as many for each new one, are visited after the last new one was, as long as
/// they seem to be later than that.
const MORE_COMMITS: usize = 1000;
const MORE_FOR_EACH: usize = 4;
/// How many are visited in any case.
const SLOP: usize = 5;

/// So many commits that the target has are looked into for what may have been copied from there.
const FEW_LATEST: usize = 8;
/// How many tags of tags are looked through.
const MAX_TAGS: usize = 16;

/// A commit is known to be at the target.
const THERE: u8 = 1;
/// It was read.
const READ: u8 = 2;
/// It has been, or is, in the queue.
const QUEUED: u8 = 4;
/// It was taken from the queue.
const VISITED: u8 = 8;

/// A commit of the walk.
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    tree: ObjectId,
    time: i64,
    /// Where its parents are, and how many.
    parents: (u32, u32),
    flags: u8,
}

/// A walk over commits.
#[derive(Debug, Default)]
pub(super) struct History {
    ids: IdTable,
    nodes: Vec<Node>,
    parents: Vec<u32>,
    queue: BinaryHeap<(i64, u32)>,
    /// How many commits in the queue are not known to be at the target.
    new_in_queue: usize,
    /// Commits that were new when they were visited.
    visited: Vec<u32>,
}

impl History {
    /// Finds the commits that `tips` reach and the commits `there` do not.
    pub(super) fn walk(
        &mut self,
        objects: &mut Lookup,
        tips: &[ObjectId],
        there: &[ObjectId],
        interrupt: &Interrupt,
    ) -> Result<(), OutgoingError> {
        for id in there {
            let number = self.number(*id);
            self.flag(number, THERE);
        }
        for id in tips {
            let number = self.number(*id);
            if !self.has(number, THERE) {
                self.enqueue(objects, number, i64::MAX)?;
            }
        }
        let mut left = if there.len() > FEW_TIPS { there } else { &[] };
        if left.is_empty() {
            self.enqueue_there(objects, there)?;
        }
        loop {
            let ended_at_tips = self.visit_new(objects, left, interrupt)?;
            if left.is_empty() || ended_at_tips {
                break;
            }
            self.enqueue_there(objects, left)?;
            left = &[];
        }
        self.visit_more(objects, interrupt)
    }

    /// Visits commits until no new one is left in the queue. If there are tips `left` that have not been
    /// visited, it says whether they are not needed, or gives up.
    fn visit_new(
        &mut self,
        objects: &mut Lookup,
        left: &[ObjectId],
        interrupt: &Interrupt,
    ) -> Result<bool, OutgoingError> {
        while self.new_in_queue > 0 {
            interrupt.check()?;
            if !left.is_empty() && self.visited.len() >= FEW_COMMITS {
                return Ok(false);
            }
            let Some((_, number)) = self.queue.pop() else { break };
            self.visit(objects, number)?;
            if !left.is_empty() && self.parents_of(number).is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Visits what the target has a little further, in case that it leads to what seems to be new.
    fn visit_more(
        &mut self,
        objects: &mut Lookup,
        interrupt: &Interrupt,
    ) -> Result<(), OutgoingError> {
        let times = self.visited.iter().filter_map(|number| self.nodes.get(*number as usize));
        let Some(earliest) = times.map(|node| node.time).min() else { return Ok(()) };
        let most = MORE_COMMITS.saturating_add(self.visited.len().saturating_mul(MORE_FOR_EACH));
        let mut slop = SLOP;
        for _ in 0..most {
            let Some((time, number)) = self.queue.pop() else { break };
            interrupt.check()?;
            if time < earliest {
                slop = slop.saturating_sub(1);
            }
            if slop == 0 {
                break;
            }
            self.visit(objects, number)?;
        }
        Ok(())
    }

    /// Reads commits that the target has and puts them into the queue, if we have them.
    pub(super) fn enqueue_there(
        &mut self,
        objects: &mut Lookup,
        there: &[ObjectId],
    ) -> Result<(), OutgoingError> {
        for id in there {
            let mut id = *id;
            for _ in 0..MAX_TAGS {
                let number = self.number(id);
                self.flag(number, THERE);
                self.enqueue(objects, number, i64::MIN)?;
                if self.has(number, QUEUED) {
                    break;
                }
                // It may be an annotated tag.
                let Some((None, tag)) = objects.read(&id)? else { break };
                let Some(named) = commit::header(&tag, "object").and_then(ObjectId::from_hex)
                else {
                    break;
                };
                id = named;
            }
        }
        Ok(())
    }

    /// Reads a commit and puts it into the queue, where it has not been. One that the target has need not
    /// be here. `around` is the time of one that does not tell its own.
    fn enqueue(
        &mut self,
        objects: &mut Lookup,
        number: u32,
        around: i64,
    ) -> Result<(), OutgoingError> {
        if self.has(number, QUEUED) || !self.read(objects, number, around)? {
            return Ok(());
        }
        self.flag(number, QUEUED);
        let time = self.nodes.get(number as usize).map_or(0, |node| node.time);
        self.queue.push((time, number));
        self.new_in_queue += usize::from(!self.has(number, THERE));
        Ok(())
    }

    fn visit(&mut self, objects: &mut Lookup, number: u32) -> Result<(), OutgoingError> {
        let is_there = self.has(number, THERE);
        self.flag(number, VISITED);
        if !is_there {
            self.new_in_queue = self.new_in_queue.saturating_sub(1);
            self.visited.push(number);
        }
        let time = self.nodes.get(number as usize).map_or(0, |node| node.time);
        for parent in self.parents_of(number).to_vec() {
            if is_there {
                self.spread(objects, parent, time)?;
            } else if !self.has(parent, THERE) {
                self.enqueue(objects, parent, time)?;
            }
        }
        Ok(())
    }

    /// Marks a commit as one that the target has, and the ancestors of it that were visited before.
    fn spread(
        &mut self,
        objects: &mut Lookup,
        number: u32,
        around: i64,
    ) -> Result<(), OutgoingError> {
        let mut left = vec![number];
        while let Some(number) = left.pop() {
            let was_there = self.has(number, THERE);
            self.flag(number, THERE);
            if !was_there && self.has(number, QUEUED) && !self.has(number, VISITED) {
                self.new_in_queue = self.new_in_queue.saturating_sub(1);
            }
            if !was_there && self.has(number, VISITED) {
                left.extend(self.parents_of(number));
            }
            self.enqueue(objects, number, around)?;
        }
        Ok(())
    }

    /// The number of a commit.
    fn number(&mut self, id: ObjectId) -> u32 {
        let (number, is_new) = self.ids.insert(id);
        if is_new {
            self.nodes.push(Node::default());
        }
        number
    }

    /// Reads a commit, if it was not. Says whether it is there, which one that the target has need not be.
    fn read(
        &mut self,
        objects: &mut Lookup,
        number: u32,
        around: i64,
    ) -> Result<bool, OutgoingError> {
        if self.has(number, READ) {
            return Ok(true);
        }
        let Some(id) = self.ids.id(number) else { return Ok(false) };
        let contents = match objects.read(&id)? {
            Some((Some(ObjectKind::Commit), contents)) => contents,
            None if !self.has(number, THERE) => return Err(OutgoingError::Missing { id }),
            _ if self.has(number, THERE) => return Ok(false),
            _ => return Err(OutgoingError::Malformed { id, kind: "commit" }),
        };
        let malformed = OutgoingError::Malformed { id, kind: "commit" };
        let (Some(tree), Some(parents)) = (commit::tree(&contents), commit::parents(&contents))
        else {
            return Err(malformed);
        };
        let start = self.parents.len();
        for parent in parents {
            let parent = self.number(parent);
            self.parents.push(parent);
        }
        let range = (u32::try_from(start), u32::try_from(self.parents.len() - start));
        let (Ok(start), Ok(count)) = range else {
            return Err(OutgoingError::TooMany { count: self.parents.len() });
        };
        let time = commit::time(&contents).unwrap_or(around);
        if let Some(node) = self.nodes.get_mut(number as usize) {
            *node = Node { tree, time, parents: (start, count), flags: node.flags | READ };
        }
        Ok(true)
    }

    fn has(&self, number: u32, flag: u8) -> bool {
        self.nodes.get(number as usize).is_some_and(|node| node.flags & flag != 0)
    }

    fn flag(&mut self, number: u32, flag: u8) {
        if let Some(node) = self.nodes.get_mut(number as usize) {
            node.flags |= flag;
        }
    }

    fn parents_of(&self, number: u32) -> &[u32] {
        let (start, count) = self.nodes.get(number as usize).map_or((0, 0), |node| node.parents);
        let rest = self.parents.get(start as usize..).unwrap_or_default();
        rest.get(..count as usize).unwrap_or_default()
    }

    /// The commits that are to be sent, parents before children.
    pub(super) fn new_commits(&self) -> Vec<u32> {
        let mut done = vec![false; self.nodes.len()];
        let mut order = Vec::new();
        let mut left: Vec<(u32, usize)> = Vec::new();
        for &start in self.visited.iter().filter(|number| !self.has(**number, THERE)) {
            left.push((start, 0));
            while let Some((number, next)) = left.pop() {
                let Some(is_done) = done.get_mut(number as usize).filter(|done| !**done) else {
                    continue;
                };
                let Some(&parent) = self.parents_of(number).get(next) else {
                    *is_done = true;
                    order.push(number);
                    continue;
                };
                left.push((number, next + 1));
                if !self.has(parent, THERE) {
                    left.push((parent, 0));
                }
            }
        }
        order
    }

    /// The id and tree of a commit that is to be sent.
    pub(super) fn commit(&self, number: u32) -> Option<(ObjectId, ObjectId)> {
        Some((self.ids.id(number)?, self.nodes.get(number as usize)?.tree))
    }

    /// The trees of the latest commits that were read and that the target has.
    pub(super) fn latest_there(&self) -> Vec<ObjectId> {
        let is_it = |node: &&Node| node.flags & THERE != 0 && node.flags & READ != 0;
        let mut found: Vec<&Node> = self.nodes.iter().filter(is_it).collect();
        found.sort_unstable_by_key(|node| std::cmp::Reverse(node.time));
        found.iter().take(FEW_LATEST).map(|node| node.tree).collect()
    }

    /// The id of a commit.
    pub(super) fn id(&self, number: u32) -> Option<ObjectId> {
        self.ids.id(number)
    }

    /// The number of a commit, if it was met.
    pub(super) fn number_of(&self, id: &ObjectId) -> Option<u32> {
        self.ids.get(id)
    }

    /// The parents of a commit, each with whether the target has it.
    pub(super) fn parents(&self, number: u32) -> impl Iterator<Item = (u32, bool)> + '_ {
        self.parents_of(number).iter().map(|&parent| (parent, self.has(parent, THERE)))
    }

    /// The tree of a commit that the target has; `None` if we do not have it.
    pub(super) fn tree_there(
        &mut self,
        objects: &mut Lookup,
        number: u32,
    ) -> Result<Option<ObjectId>, OutgoingError> {
        let is_here = self.read(objects, number, 0)?;
        let node = self.nodes.get(number as usize).filter(|_| is_here);
        Ok(node.map(|node| node.tree))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Stock, line, texts};
    use super::*;
    use crate::base::Limits;

    /// How many commits were read.
    fn read(history: &History) -> usize {
        history.nodes.iter().filter(|node| node.flags & READ != 0).count()
    }

    /// A push of one commit does not read what is old, whatever the target has.
    #[test]
    fn a_push_of_one_commit_reads_little() {
        let Some(stock) = Stock::new() else { return };
        let commits = line(&stock, &texts(300));
        let tip = commits[299];
        let mut lookup = Lookup::open(&stock.path().join("objects"), &Limits::default()).unwrap();
        // Every second one, and many that are not here.
        let mut has: Vec<ObjectId> = commits[..299].iter().rev().step_by(2).copied().collect();
        has.extend((0..5000_u32).map(|n| ObjectId::of(ObjectKind::Blob, &n.to_be_bytes())));
        for (has, most) in [(&has[..], 3), (&has[..1], 20)] {
            let mut history = History::default();
            history.walk(&mut lookup, &[tip], has, &Interrupt::default()).unwrap();
            assert_eq!(history.new_commits().len(), 1);
            assert!(read(&history) <= most, "{} commits were read", read(&history));
        }
        // From an old one on, with many tips: it is not taken for new.
        let old = commits[5];
        has.retain(|id| *id != old);
        let mut history = History::default();
        history.walk(&mut lookup, &[old], &has, &Interrupt::default()).unwrap();
        assert!(history.new_commits().len() <= 2, "{} commits", history.new_commits().len());
    }
}
