//! Sets of revisions, and what follows for them from the shape of the history.

use std::ops::Range;

use super::{Dag, WORD};
use crate::hg::Rev;

/// A set of revisions of one history, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevSet {
    len: usize,
    /// 64 revisions each; what lies behind the last one is not set.
    words: Vec<u64>,
}

impl RevSet {
    /// The empty set over a history of `len` revisions.
    pub fn empty(len: usize) -> Self {
        Self { len, words: vec![0; len.div_ceil(WORD)] }
    }

    /// The set of all revisions of a history of `len` revisions.
    pub fn full(len: usize) -> Self {
        let mut words = vec![u64::MAX; len.div_ceil(WORD)];
        if let Some(last) = words.last_mut().filter(|_| !len.is_multiple_of(WORD)) {
            *last = (1 << (len % WORD)) - 1;
        }
        Self { len, words }
    }

    /// The set of those of which `members` says so, from the first revision on.
    pub fn of(members: impl Iterator<Item = bool>) -> Self {
        let mut set = Self::empty(0);
        for member in members {
            if set.len.is_multiple_of(WORD) {
                set.words.push(0);
            }
            if let Some(word) = set.words.last_mut() {
                *word |= u64::from(member) << (set.len % WORD);
            }
            set.len += 1;
        }
        set
    }

    /// The set of `heads` and all their ancestors.
    pub fn below(dag: &Dag, heads: impl IntoIterator<Item = Rev>) -> Self {
        let mut set = Self::empty(dag.len());
        for head in heads {
            set.insert(head);
        }
        set.extend_to_ancestors(dag);
        set
    }

    /// The members that `other` does not have, in revision order.
    pub fn without(&self, other: &Self) -> Vec<Rev> {
        let mut rest = self.clone();
        rest.remove_all(other);
        rest.iter().collect()
    }

    /// Removes all that is in `other`.
    pub fn remove_all(&mut self, other: &Self) {
        for (this, other) in self.words.iter_mut().zip(&other.words) {
            *this &= !other;
        }
    }

    /// Whether `rev` is in the set; what lies outside the history is not.
    pub fn contains(&self, rev: Rev) -> bool {
        let word = self.words.get(rev.index() / WORD).copied().unwrap_or(0);
        word >> (rev.index() % WORD) & 1 == 1
    }

    /// Adds `rev`; says whether it is new. What lies outside the history is ignored.
    pub fn insert(&mut self, rev: Rev) -> bool {
        self.replace(rev, true) == Some(false)
    }

    /// Adds all revisions of `range`. What lies outside the history is ignored.
    pub fn insert_range(&mut self, range: Range<u32>) {
        let end = (range.end as usize).min(self.len);
        for (at, mask) in masks(range.start as usize, end) {
            if let Some(word) = self.words.get_mut(at) {
                *word |= mask;
            }
        }
    }

    /// Removes `rev`; says whether it was there.
    pub fn remove(&mut self, rev: Rev) -> bool {
        self.replace(rev, false) == Some(true)
    }

    fn replace(&mut self, rev: Rev, value: bool) -> Option<bool> {
        let (index, bit) = (rev.index(), 1_u64 << (rev.index() % WORD));
        let word = self.words.get_mut(index / WORD).filter(|_| index < self.len)?;
        let before = *word & bit != 0;
        *word = if value { *word | bit } else { *word & !bit };
        Some(before)
    }

    /// The members in revision order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Rev> {
        let words = self.words.iter().enumerate();
        words.flat_map(|(at, word)| Bits { first: at * WORD, word: *word })
    }

    /// The members as ranges, as long as they get, in order.
    pub fn ranges(&self) -> impl Iterator<Item = Range<u32>> {
        let mut next = 0;
        std::iter::from_fn(move || {
            let start = self.first_in(next, self.len, false)?;
            let end = self.first_in(start, self.len, true).unwrap_or(self.len);
            next = end;
            Some(u32::try_from(start).ok()?..u32::try_from(end).ok()?)
        })
    }

    /// How many members there are.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether there are no members.
    pub fn has_none(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The members without a child among them, in ascending order.
    pub fn heads(&self, dag: &Dag) -> Vec<Rev> {
        let mut heads = self.clone();
        heads.remove_all(&self.parents_in_runs(dag));
        for (run, parents) in dag.runs() {
            if self.contains(Rev::new(run.start)) {
                for parent in parents.into_iter().flatten() {
                    heads.remove(parent);
                }
            }
        }
        heads.iter().collect()
    }

    /// The parents of those members that do not begin a run: each the revision before.
    pub(in crate::hg) fn parents_in_runs(&self, dag: &Dag) -> Self {
        let go_on = |at: usize| self.words.get(at).copied().unwrap_or(0) & !dag.begins_in(at);
        let parents = |at: usize| go_on(at) >> 1 | go_on(at + 1) << (WORD - 1);
        Self { len: self.len, words: (0..self.words.len()).map(parents).collect() }
    }

    /// Adds every descendant of a member, in one pass: children come after their parents.
    pub fn extend_to_descendants(&mut self, dag: &Dag) {
        for (run, parents) in dag.runs() {
            if parents.into_iter().flatten().any(|parent| self.contains(parent)) {
                self.insert_range(run);
            } else if let Some(first) = self.first_in(run.start as usize, run.end as usize, false) {
                self.insert_range(u32::try_from(first).unwrap_or(run.end)..run.end);
            }
        }
    }

    /// Adds every ancestor of a member, in one pass.
    pub fn extend_to_ancestors(&mut self, dag: &Dag) {
        for (run, parents) in dag.runs().rev() {
            if let Some(last) = self.last_in(run.start as usize, run.end as usize) {
                self.insert_range(run.start..u32::try_from(last).unwrap_or(run.end));
                for parent in parents.into_iter().flatten() {
                    self.insert(parent);
                }
            }
        }
    }

    /// The first revision from `start` up to `end` that is a member; with `none`, that is no member.
    fn first_in(&self, start: usize, end: usize, none: bool) -> Option<usize> {
        masks(start, end.min(self.len)).find_map(|(at, mask)| {
            let word = self.words.get(at).copied().unwrap_or(0);
            let found = (if none { !word } else { word }) & mask;
            (found != 0).then(|| at * WORD + found.trailing_zeros() as usize)
        })
    }

    /// The last revision from `start` up to `end` that is a member.
    fn last_in(&self, start: usize, end: usize) -> Option<usize> {
        masks(start, end.min(self.len)).rev().find_map(|(at, mask)| {
            let found = self.words.get(at).copied().unwrap_or(0) & mask;
            (found != 0).then(|| at * WORD + found.ilog2() as usize)
        })
    }
}

/// The words in which the revisions from `start` up to `end` are, and where in each.
fn masks(start: usize, end: usize) -> impl DoubleEndedIterator<Item = (usize, u64)> {
    let words = start / WORD..end.div_ceil(WORD).max(start / WORD);
    words.map(move |at| {
        let first = start.saturating_sub(at * WORD);
        let last = end.saturating_sub(at * WORD).min(WORD);
        let up_to = |bits: usize| if bits == WORD { u64::MAX } else { (1 << bits) - 1 };
        (at, up_to(last) & !up_to(first.min(WORD)))
    })
}

/// The revisions whose bits are set in a word.
struct Bits {
    first: usize,
    word: u64,
}

impl Bits {
    fn taken(&mut self, bit: u32) -> Option<Rev> {
        self.word &= !(1 << bit);
        Some(Rev::new(u32::try_from(self.first + bit as usize).ok()?))
    }
}

impl Iterator for Bits {
    type Item = Rev;

    fn next(&mut self) -> Option<Rev> {
        (self.word != 0).then(|| self.word.trailing_zeros()).and_then(|bit| self.taken(bit))
    }
}

impl DoubleEndedIterator for Bits {
    fn next_back(&mut self) -> Option<Rev> {
        self.word.checked_ilog2().and_then(|bit| self.taken(bit))
    }
}
