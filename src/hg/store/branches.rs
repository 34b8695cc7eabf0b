//! Named branches and their heads.
//!
//! "Branch heads are changesets that have no descendants on the same branch" (`hg help heads`), by
//! whatever way the descendant is reached. Mercurial's own cache of heads now and then keeps one
//! more, when a branch is merged into itself through another one; the definition counts here.
//!
//! A changeset that is obsolete and yet visible is no head and hides none: with `hg heads` and `hg
//! branches` a branch is where it would be without such changesets.

use std::collections::{BTreeMap, HashMap};

use bstr::{BStr, BString};

use crate::hg::{Dag, Rev, RevSet};

/// A head of a named branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BranchHead {
    /// The changeset.
    pub rev: Rev,
    /// Whether it closes the branch, at this head.
    pub closed: bool,
}

/// A named branch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branch {
    /// The heads, the newest first; never none.
    pub heads: Vec<BranchHead>,
}

impl Branch {
    /// The changeset that the branch's name stands for: its newest open head, or its newest one if
    /// all are closed.
    pub fn tip(&self) -> Option<BranchHead> {
        self.open_heads().next().or_else(|| self.heads.first().copied())
    }

    /// The heads that are not closed, the newest first.
    pub fn open_heads(&self) -> impl Iterator<Item = BranchHead> {
        self.heads.iter().copied().filter(|head| !head.closed)
    }

    /// Whether all heads are closed.
    pub fn is_closed(&self) -> bool {
        self.open_heads().next().is_none()
    }
}

/// The branches of a history, in the order of their names.
pub type Branches = BTreeMap<BString, Branch>;

/// The branches of the revisions in `visible` and their heads, but for those that are `obsolete`.
///
/// `visible` holds the ancestors of its members. `name` gives the branch of a revision, and the number
/// of the next revision that may be on another one; `closes` whether it closes its branch.
///
/// The cost is a step for each run of revisions of one branch, and a part of a pass over the history
/// for each 64 revisions that only other branches build on directly, where their own branch has a later
/// one.
pub fn branches<'a>(
    dag: &Dag,
    (visible, obsolete): (&RevSet, &RevSet),
    name: impl Fn(Rev) -> (&'a BStr, u32),
    closes: impl Fn(Rev) -> bool,
) -> Branches {
    let mut counted = visible.clone();
    counted.remove_all(obsolete);
    let (names, numbers) = number_branches(&counted, name, dag.len());
    let candidates = Candidates::find(dag, visible, &numbers, names.len());
    let covered = candidates.covered(dag, &numbers);
    let mut branches = Branches::new();
    for (name, revs) in names.into_iter().zip(&candidates.of_branch) {
        let open = revs.iter().rev().filter(|rev| !covered.contains(**rev));
        let heads = open.map(|&rev| BranchHead { rev, closed: closes(rev) }).collect();
        branches.insert(name.to_owned(), Branch { heads });
    }
    branches
}

/// The number of a branch, in the order of first appearance.
type BranchNumber = u32;

/// Stands for no branch.
const NO_BRANCH: BranchNumber = BranchNumber::MAX;

/// So many names are known by where they lie in memory.
const NEAR: usize = 16;

/// The branch of each revision.
struct Numbers {
    /// Where a run of revisions of one branch begins, and which; the first begins with the history.
    runs: Vec<(u32, BranchNumber)>,
    /// How many revisions there are.
    len: usize,
    /// The branch of each revision, where there are many runs.
    each: Vec<BranchNumber>,
}

/// In more runs than one for so many revisions, a branch is not searched.
const LONG: usize = 256;

impl Numbers {
    /// Says that from `first` on revisions are on this branch.
    fn push(&mut self, first: u32, number: BranchNumber) {
        if self.runs.last().is_none_or(|(_, last)| *last != number) {
            self.runs.push((first, number));
        }
    }

    /// The branch of each revision.
    fn each(&self) -> Vec<BranchNumber> {
        let mut each = Vec::with_capacity(self.len);
        let ends = self.runs.iter().skip(1).map(|(first, _)| *first as usize);
        for ((_, number), end) in self.runs.iter().zip(ends.chain([self.len])) {
            each.resize(end, *number);
        }
        each
    }

    fn of(&self, rev: Rev) -> Option<BranchNumber> {
        if !self.each.is_empty() {
            return branch_of(&self.each, rev);
        }
        let after = self.runs.partition_point(|(first, _)| *first <= rev.number());
        let (_, number) = self.runs.get(after.checked_sub(1)?)?;
        Some(*number).filter(|number| *number != NO_BRANCH)
    }
}

/// The names of the branches, and the branch of each revision; [`NO_BRANCH`] if it is not one of
/// `counted`.
fn number_branches<'a>(
    counted: &RevSet,
    name: impl Fn(Rev) -> (&'a BStr, u32),
    len: usize,
) -> (Vec<&'a BStr>, Numbers) {
    let mut names = Vec::new();
    let mut numbers: HashMap<&BStr, BranchNumber> = HashMap::new();
    let mut found = Numbers { runs: Vec::new(), len, each: Vec::new() };
    // Of neighbours many have the very same name, which need not be looked up by its letters then.
    let mut near: [Option<(&BStr, BranchNumber)>; NEAR] = [None; NEAR];
    let mut numbered = 0;
    let parts = counted.ranges().flat_map(|range| {
        let mut next = range.start;
        let name = &name;
        std::iter::from_fn(move || {
            let first = Some(next).filter(|first| *first < range.end)?;
            let (name, end) = name(Rev::new(first));
            next = end.clamp(first + 1, range.end);
            Some((first, next, name))
        })
    });
    for (first, end, name) in parts {
        let place = near.get_mut((name.as_ptr().addr() >> 4) % NEAR);
        let known = place.as_ref().and_then(|place| **place);
        let number = match known {
            Some((known, number)) if std::ptr::eq(known, name) => number,
            _ => *numbers.entry(name).or_insert_with(|| {
                names.push(name);
                // There are no more branches than revisions, whose numbers have 31 bits.
                BranchNumber::try_from(names.len() - 1).unwrap_or(NO_BRANCH)
            }),
        };
        if let Some(place) = place {
            *place = Some((name, number));
        }
        if numbered < first {
            found.push(numbered, NO_BRANCH);
        }
        found.push(first, number);
        numbered = end;
    }
    if (numbered as usize) < len {
        found.push(numbered, NO_BRANCH);
    }
    if found.runs.len() > len / LONG {
        found.each = found.each();
    }
    (names, found)
}

/// The branch of a revision, by the numbers of all.
fn branch_of(number_of: &[BranchNumber], rev: Rev) -> Option<BranchNumber> {
    number_of.get(rev.index()).copied().filter(|number| *number != NO_BRANCH)
}

/// Revisions without a child on their own branch. Only those that have a child on another one may
/// still have a descendant on their own.
struct Candidates {
    /// For each branch, in revision order.
    of_branch: Vec<Vec<Rev>>,
    /// Which have children.
    with_children: RevSet,
}

impl Candidates {
    fn find(dag: &Dag, visible: &RevSet, numbers: &Numbers, branches: usize) -> Self {
        let mut with_children = visible.parents_in_runs(dag);
        let mut continued = with_children.clone();
        // Where a branch begins, the revision before is on another one.
        for first in numbers.runs.iter().filter_map(|(first, _)| first.checked_sub(1)) {
            continued.remove(Rev::new(first));
        }
        for (run, parents) in dag.runs() {
            let rev = Rev::new(run.start);
            for parent in parents.into_iter().flatten().filter(|_| visible.contains(rev)) {
                with_children.insert(parent);
                if numbers.of(parent) == numbers.of(rev) {
                    continued.insert(parent);
                }
            }
        }
        let mut of_branch = vec![Vec::new(); branches];
        for rev in visible.without(&continued) {
            if let Some(candidates) =
                numbers.of(rev).and_then(|number| of_branch.get_mut(number as usize))
            {
                candidates.push(rev);
            }
        }
        Self { of_branch, with_children }
    }

    /// The candidates that have a descendant on their own branch after all.
    fn covered(&self, dag: &Dag, numbers: &Numbers) -> RevSet {
        let mut suspects = Vec::new();
        for (branch, revs) in (0..).zip(&self.of_branch) {
            if let Some((newest, older)) = revs.split_last() {
                let older = older.iter().filter(|rev| self.with_children.contains(**rev));
                suspects.extend(older.map(|&rev| Suspect { rev, branch, until: *newest }));
            }
        }
        let mut covered = RevSet::empty(dag.len());
        if suspects.is_empty() {
            return covered;
        }
        suspects.sort_unstable_by_key(|suspect| suspect.rev);
        let each = if numbers.each.is_empty() { &numbers.each() } else { &numbers.each };
        let mut sweep = Sweep {
            dag,
            number_of: each,
            words: vec![0; dag.len()],
            watched: vec![0; self.of_branch.len()],
        };
        for group in suspects.chunks(64) {
            sweep.run(group, &mut covered);
        }
        covered
    }
}

/// A revision that may have a descendant on its own branch.
struct Suspect {
    rev: Rev,
    branch: BranchNumber,
    /// The newest revision that can be that descendant.
    until: Rev,
}

/// Follows up to 64 revisions at a time to their descendants, each as one bit of a word.
struct Sweep<'a> {
    dag: &'a Dag,
    number_of: &'a [BranchNumber],
    /// For each revision, which members of the group it descends from or is.
    words: Vec<u64>,
    /// For each branch, which members of the group are on it.
    watched: Vec<u64>,
}

impl Sweep<'_> {
    /// Adds to `covered` the members of `group` with a descendant on their own branch. At most 64
    /// members, in revision order.
    fn run(&mut self, group: &[Suspect], covered: &mut RevSet) {
        let Some(first) = group.first().map(|suspect| suspect.rev) else { return };
        let last = group.iter().map(|suspect| suspect.until).max().unwrap_or(first);
        for (bit, suspect) in group.iter().enumerate() {
            if let Some(watched) = self.watched.get_mut(suspect.branch as usize) {
                *watched |= 1 << bit;
            }
        }
        let mut pending = u64::MAX >> (64 - group.len().min(64));
        let mut members = group.iter().enumerate().peekable();
        for rev in (first.number()..=last.number()).map(Rev::new) {
            let mut word = self.reached(rev, first) & pending;
            let mut hit = word & self.watched_by(rev);
            pending &= !hit;
            while let Some(suspect) = group.get(hit.trailing_zeros() as usize) {
                covered.insert(suspect.rev);
                hit &= hit - 1;
            }
            if let Some((bit, _)) = members.next_if(|(_, suspect)| suspect.rev == rev) {
                word |= 1 << bit;
            }
            if let Some(slot) = self.words.get_mut(rev.index()) {
                *slot = word;
            }
            if pending == 0 {
                break;
            }
        }
        for suspect in group {
            if let Some(watched) = self.watched.get_mut(suspect.branch as usize) {
                *watched = 0;
            }
        }
    }

    /// Which members of the group the parents of `rev` descend from or are. Words of revisions
    /// before `first` are those of an earlier group.
    fn reached(&self, rev: Rev, first: Rev) -> u64 {
        let parents = self.dag.parents(rev).filter(|parent| *parent >= first);
        parents.filter_map(|parent| self.words.get(parent.index())).fold(0, |all, word| all | word)
    }

    /// Which members of the group are on the branch of `rev`.
    fn watched_by(&self, rev: Rev) -> u64 {
        let branch = branch_of(self.number_of, rev);
        branch.and_then(|branch| self.watched.get(branch as usize)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::super::testing::dag;
    use super::*;

    /// A history: for each revision its parents (as distances back), its branch, whether it closes.
    type History = Vec<([usize; 2], u8, bool)>;

    fn build(history: &History) -> (Dag, Vec<BString>) {
        let names = history.iter().map(|(_, branch, _)| BString::from(vec![b'a' + branch]));
        (dag(history.iter().map(|(back, ..)| *back)), names.collect())
    }

    fn compute(history: &History) -> Branches {
        let (dag, names) = build(history);
        let all = RevSet::full(dag.len());
        let none = RevSet::empty(dag.len());
        let name = |rev: Rev| (names[rev.index()].as_ref(), rev.number() + 1);
        branches(&dag, (&all, &none), name, |rev| history[rev.index()].2)
    }

    /// The definition, word for word.
    fn by_definition(history: &History) -> Vec<(u8, Vec<u32>)> {
        let (dag, names) = build(history);
        let mut found: BTreeMap<u8, Vec<u32>> = BTreeMap::new();
        for rev in dag.revs().rev() {
            let mut below = RevSet::empty(dag.len());
            below.insert(rev);
            below.extend_to_descendants(&dag);
            let same = |other: Rev| names[other.index()] == names[rev.index()];
            if below.iter().filter(|other| same(*other)).count() == 1 {
                found.entry(names[rev.index()][0] - b'a').or_default().push(rev.number());
            }
        }
        found.into_iter().collect()
    }

    proptest! {
        #[test]
        fn heads_are_those_of_the_definition(
            history in prop::collection::vec(
                ([0usize..6, 0usize..9], 0u8..4, any::<bool>()),
                0..120,
            )
        ) {
            let made: Vec<(u8, Vec<u32>)> = compute(&history)
                .into_iter()
                .map(|(name, branch)| {
                    (name[0] - b'a', branch.heads.iter().map(|head| head.rev.number()).collect())
                })
                .collect();
            prop_assert_eq!(made, by_definition(&history));
        }
    }

    #[test]
    fn the_tip_is_the_newest_open_head() {
        // r0 (a) - r1 (a) - r3 (a, closes), r0 - r2 (b) - r4 (b, closes), r0 - r5 (b, closes).
        let history: History = vec![
            ([0, 0], 0, false),
            ([1, 0], 0, false),
            ([2, 0], 1, false),
            ([2, 0], 0, true),
            ([2, 0], 1, true),
            ([5, 0], 1, true),
            ([5, 0], 0, false),
            ([7, 0], 0, true),
        ];
        let branches = compute(&history);
        let a = &branches[&b"a"[..]];
        let heads: Vec<(u32, bool)> =
            a.heads.iter().map(|head| (head.rev.number(), head.closed)).collect();
        assert_eq!(heads, [(7, true), (6, false), (3, true)]);
        assert_eq!(a.tip().map(|head| head.rev), Some(Rev::new(6)));
        assert!(!a.is_closed());
        let b = &branches[&b"b"[..]];
        assert!(b.is_closed());
        assert_eq!(b.tip(), Some(BranchHead { rev: Rev::new(5), closed: true }));
    }

    /// How many branches there are in the large histories. Unoptimised sets of revisions take twenty
    /// times as long.
    const MANY: usize = if cfg!(debug_assertions) { 20_000 } else { 100_000 };

    /// Five revisions for each of [`MANY`]: a main line, and `branches` short branches that are merged
    /// back; every one in `reopened` is started a second time from where it was merged.
    fn large(branches: usize, reopened: usize) -> (Dag, Vec<BString>) {
        let (mut dag, mut names) = (Dag::new(), Vec::new());
        let mut main = None;
        let mut push = |parents: [Option<Rev>; 2], name: &str| {
            names.push(BString::from(name));
            dag.push(parents)
        };
        for i in 0..MANY {
            let branch = format!("branch-{}", i % branches);
            main = push([main, None], "default");
            let fork = push([main, None], &branch);
            let side = push([fork, None], &branch);
            main = push([main, None], "default");
            main = push([main, side], "default");
            if reopened > 0 && i % reopened == 0 {
                push([fork, None], &branch);
            }
        }
        (dag, names)
    }

    #[test]
    fn a_long_history_is_read_in_seconds() {
        for (count, reopened) in [(MANY, 0), (5000, 0), (5000, 50), (10, 7)] {
            let (dag, names) = large(count, reopened);
            let all = RevSet::full(dag.len());
            let started = Instant::now();
            let none = RevSet::empty(dag.len());
            let name = |rev: Rev| (names[rev.index()].as_ref(), rev.number() + 1);
            let made = branches(&dag, (&all, &none), name, |_| false);
            let took = started.elapsed();
            eprintln!("{} revisions, {count} branches, every {reopened}th: {took:?}", dag.len());
            assert_eq!(made.len(), count + 1);
            assert_eq!(made[&b"default"[..]].heads.len(), 1);
            assert!(took.as_secs() < 20, "{count} branches took {took:?}");
        }
    }

    /// As many heads of one branch, each merged into another branch: nothing to spare.
    #[test]
    fn the_worst_case_is_bearable() {
        let (mut dag, mut names) = (Dag::new(), Vec::new());
        let mut main = dag.push([None, None]);
        names.push("default");
        for _ in 0..MANY {
            let side = dag.push([Some(Rev::new(0)), None]);
            main = dag.push([main, side]);
            names.extend(["side", "default"]);
        }
        let all = RevSet::full(dag.len());
        let started = Instant::now();
        let none = RevSet::empty(dag.len());
        let name = |rev: Rev| (names[rev.index()].into(), rev.number() + 1);
        let made = branches(&dag, (&all, &none), name, |_| false);
        let took = started.elapsed();
        eprintln!("{} revisions, all heads of one branch merged: {took:?}", dag.len());
        assert_eq!(made[&b"side"[..]].heads.len(), MANY);
        assert!(took.as_secs() < 20, "took {took:?}");
    }
}
