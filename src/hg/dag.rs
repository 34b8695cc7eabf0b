//! The graph of a history: which changesets are parents of which. Nothing about contents.

mod rev_set;

use std::ops::Range;

use super::Rev;
pub use rev_set::RevSet;

/// Parents of every revision, in revision order. A parent always comes before its child.
///
/// Most revisions have the one before as their only parent. What is kept is where a run of such
/// revisions begins, and the parents of its first one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dag {
    len: usize,
    /// The runs, in order.
    runs: Vec<Run>,
    /// Which revisions begin a run: 64 in a word.
    begins: Vec<u64>,
    /// How many runs begin before the revisions of each word.
    before: Vec<u32>,
}

/// Revisions each of which, but for the first, has the one before as its only parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u32,
    /// The numbers of its first one's parents, or [`NONE`].
    parents: [u32; 2],
}

/// Stands for a parent that is not there. No revision has this number.
const NONE: u32 = u32::MAX;

/// Revisions in a word.
const WORD: usize = u64::BITS as usize;

fn slots(parents: [u32; 2]) -> [Option<Rev>; 2] {
    parents.map(|parent| (parent != NONE).then_some(Rev::new(parent)))
}

impl Dag {
    /// A history without revisions.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with room for so many.
    pub fn with_capacity(len: usize) -> Self {
        let words = len.div_ceil(WORD);
        Self {
            begins: Vec::with_capacity(words),
            before: Vec::with_capacity(words),
            ..Self::default()
        }
    }

    /// Adds the next revision. `None` if a parent is not an earlier revision.
    pub fn push(&mut self, parents: [Option<Rev>; 2]) -> Option<Rev> {
        if parents.iter().flatten().any(|parent| parent.index() >= self.len) {
            return None;
        }
        let rev = Rev::new(u32::try_from(self.len).ok().filter(|rev| *rev != NONE)?);
        if self.len.is_multiple_of(WORD) {
            self.begins.push(0);
            // There are no more runs than revisions.
            self.before.push(u32::try_from(self.runs.len()).unwrap_or(NONE));
        }
        let goes_on = match parents {
            [Some(parent), None] => parent.index() + 1 == self.len,
            _ => false,
        };
        if !goes_on {
            let parents = parents.map(|parent| parent.map_or(NONE, Rev::number));
            self.runs.push(Run { first: rev.number(), parents });
            if let Some(word) = self.begins.last_mut() {
                *word |= 1 << (self.len % WORD);
            }
        }
        self.len += 1;
        Some(rev)
    }

    /// Adds so many revisions, each of which has the one before as its only parent; there must be one.
    /// `None` if there are too many.
    pub(super) fn go_on(&mut self, count: usize) -> Option<()> {
        let len = self.len.checked_add(count).filter(|len| *len > 0)?;
        u32::try_from(len).ok().filter(|len| *len != NONE)?;
        let runs = u32::try_from(self.runs.len()).ok()?;
        self.begins.resize(len.div_ceil(WORD), 0);
        self.before.resize(len.div_ceil(WORD), runs);
        self.len = len;
        Some(())
    }

    /// How many revisions there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first and second parent slots of `rev` as they are recorded; either may be empty.
    pub fn parent_slots(&self, rev: Rev) -> [Option<Rev>; 2] {
        if rev.index() >= self.len {
            return [None; 2];
        }
        let at = rev.index() / WORD;
        let (word, bit) = (self.begins_in(at), 1_u64 << (rev.index() % WORD));
        if word & bit == 0 {
            return [rev.number().checked_sub(1).map(Rev::new), None];
        }
        let before = self.before.get(at).copied().unwrap_or(NONE) as usize;
        let run = self.runs.get(before + (word & (bit - 1)).count_ones() as usize);
        slots(run.map_or([NONE; 2], |run| run.parents))
    }

    /// The parents of `rev` that exist: none, one or two.
    pub fn parents(&self, rev: Rev) -> impl DoubleEndedIterator<Item = Rev> + use<> {
        self.parent_slots(rev).into_iter().flatten()
    }

    /// All revisions, in order.
    pub fn revs(&self) -> impl DoubleEndedIterator<Item = Rev> + ExactSizeIterator + use<> {
        // `push` refuses what does not fit.
        (0..self.end()).map(Rev::new)
    }

    /// All revisions in runs, in order: each but the first of its run has the one before as its only
    /// parent. With each run the parent slots of its first revision.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = (Range<u32>, [Option<Rev>; 2])> {
        self.runs.iter().enumerate().map(|(at, run)| {
            let end = self.runs.get(at + 1).map_or(self.end(), |next| next.first);
            (run.first..end, slots(run.parents))
        })
    }

    /// The number after that of the last revision.
    fn end(&self) -> u32 {
        u32::try_from(self.len).unwrap_or(u32::MAX)
    }

    /// Which revisions of a word begin a run. What lies outside the history has no parents.
    fn begins_in(&self, word: usize) -> u64 {
        self.begins.get(word).copied().unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// r0 - r1 - r3, r0 - r2, r3 merges r2.
    fn diamond() -> Dag {
        let mut dag = Dag::new();
        for parents in [[None, None], [Some(0), None], [Some(0), None], [Some(1), Some(2)]] {
            dag.push(parents.map(|p| p.map(Rev::new))).unwrap();
        }
        dag
    }

    #[test]
    fn closures() {
        let dag = diamond();
        let mut down = RevSet::empty(dag.len());
        down.insert(Rev::new(2));
        let mut up = down.clone();
        down.extend_to_ancestors(&dag);
        up.extend_to_descendants(&dag);
        assert_eq!(down.iter().collect::<Vec<_>>(), [Rev::new(0), Rev::new(2)]);
        assert_eq!(up.iter().collect::<Vec<_>>(), [Rev::new(2), Rev::new(3)]);
    }

    #[test]
    fn a_parent_must_come_first() {
        assert_eq!(diamond().push([Some(Rev::new(4)), None]), None);
    }

    /// What the sets are, one revision after the other.
    fn one_by_one(dag: &Dag, members: &[bool]) -> [Vec<bool>; 3] {
        let (mut up, mut down) = (members.to_vec(), members.to_vec());
        let mut heads = members.to_vec();
        for rev in dag.revs() {
            for parent in dag.parents(rev) {
                up[rev.index()] |= up[parent.index()];
                heads[parent.index()] &= !members[rev.index()];
            }
        }
        for rev in dag.revs().rev() {
            if down[rev.index()] {
                for parent in dag.parents(rev) {
                    down[parent.index()] = true;
                }
            }
        }
        [up, down, heads]
    }

    proptest::proptest! {
        #[test]
        fn runs_and_words_say_the_same_as_single_revisions(
            history in proptest::collection::vec((0usize..12, 0usize..12, proptest::bool::ANY), 0..300)
        ) {
            let (mut dag, mut recorded) = (Dag::new(), Vec::new());
            for (number, (first, second, _)) in history.iter().enumerate() {
                // Mostly the one before.
                let back = |distance: usize| {
                    let number = number.checked_sub(distance).filter(|_| distance > 0)?;
                    Some(Rev::new(u32::try_from(number).unwrap()))
                };
                let first = if *first > 3 { 1 } else { *first };
                let parents = [back(first), back(second.saturating_sub(7))];
                dag.push(parents).unwrap();
                recorded.push(parents);
            }
            let slots: Vec<_> = dag.revs().map(|rev| dag.parent_slots(rev)).collect();
            proptest::prop_assert_eq!(&slots, &recorded);
            let covered: Vec<u32> = dag.runs().flat_map(|(run, _)| run).collect();
            proptest::prop_assert_eq!(covered, dag.revs().map(Rev::number).collect::<Vec<_>>());
            for (run, first) in dag.runs() {
                proptest::prop_assert_eq!(first, recorded[run.start as usize]);
            }
            let members: Vec<bool> = history.iter().map(|(.., member)| *member).collect();
            let set = RevSet::of(members.iter().copied());
            let (mut up, mut down) = (set.clone(), set.clone());
            up.extend_to_descendants(&dag);
            down.extend_to_ancestors(&dag);
            let heads = set.heads(&dag);
            let [above, below, without_children] = one_by_one(&dag, &members);
            proptest::prop_assert_eq!(up, RevSet::of(above.into_iter()));
            proptest::prop_assert_eq!(down, RevSet::of(below.into_iter()));
            let expected = RevSet::of(without_children.into_iter());
            proptest::prop_assert_eq!(heads, expected.iter().collect::<Vec<_>>());
        }
    }
}
