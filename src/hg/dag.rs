//! The graph of a history: which changesets are parents of which. Nothing about contents.

use super::Rev;

/// Parents of every revision, in revision order. A parent always comes before its child.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dag {
    /// Their numbers, or [`NONE`].
    parents: Vec<[u32; 2]>,
}

/// Stands for a parent that is not there. No revision has this number.
const NONE: u32 = u32::MAX;

impl Dag {
    /// A history without revisions.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, with room for so many.
    pub fn with_capacity(len: usize) -> Self {
        Self { parents: Vec::with_capacity(len) }
    }

    /// Adds the next revision. `None` if a parent is not an earlier revision.
    pub fn push(&mut self, parents: [Option<Rev>; 2]) -> Option<Rev> {
        if parents.iter().flatten().any(|parent| parent.index() >= self.parents.len()) {
            return None;
        }
        let rev = Rev::new(u32::try_from(self.parents.len()).ok().filter(|rev| *rev != NONE)?);
        self.parents.push(parents.map(|parent| parent.map_or(NONE, Rev::number)));
        Some(rev)
    }

    /// How many revisions there are.
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// The first and second parent slots of `rev` as they are recorded; either may be empty.
    pub fn parent_slots(&self, rev: Rev) -> [Option<Rev>; 2] {
        let parents = self.parents.get(rev.index()).copied().unwrap_or([NONE; 2]);
        parents.map(|parent| (parent != NONE).then_some(Rev::new(parent)))
    }

    /// The parents of `rev` that exist: none, one or two.
    pub fn parents(&self, rev: Rev) -> impl DoubleEndedIterator<Item = Rev> + use<> {
        self.parent_slots(rev).into_iter().flatten()
    }

    /// All revisions, in order.
    pub fn revs(&self) -> impl DoubleEndedIterator<Item = Rev> + ExactSizeIterator + use<> {
        // `push` refuses what does not fit.
        (0..u32::try_from(self.parents.len()).unwrap_or(u32::MAX)).map(Rev::new)
    }
}

/// A set of revisions of one history, one flag each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevSet {
    member: Vec<bool>,
}

impl RevSet {
    /// The empty set over a history of `len` revisions.
    pub fn empty(len: usize) -> Self {
        Self { member: vec![false; len] }
    }

    /// The set of all revisions of a history of `len` revisions.
    pub fn full(len: usize) -> Self {
        Self { member: vec![true; len] }
    }

    /// The set of those of which `members` says so, from the first revision on.
    pub fn of(members: impl Iterator<Item = bool>) -> Self {
        Self { member: members.collect() }
    }

    /// The members that `other` does not have, in revision order.
    pub fn without(&self, other: &Self) -> Vec<Rev> {
        let both = (0_u32..).zip(self.member.iter().zip(&other.member));
        both.filter(|(_, (this, other))| **this && !**other).map(|(at, _)| Rev::new(at)).collect()
    }

    /// Removes all that is in `other`.
    pub fn remove_all(&mut self, other: &Self) {
        for (this, other) in self.member.iter_mut().zip(&other.member) {
            *this &= !other;
        }
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

    /// Whether `rev` is in the set; what lies outside the history is not.
    pub fn contains(&self, rev: Rev) -> bool {
        self.member.get(rev.index()).copied().unwrap_or(false)
    }

    /// Adds `rev`; says whether it is new. What lies outside the history is ignored.
    pub fn insert(&mut self, rev: Rev) -> bool {
        self.replace(rev, true) == Some(false)
    }

    /// Removes `rev`; says whether it was there.
    pub fn remove(&mut self, rev: Rev) -> bool {
        self.replace(rev, false) == Some(true)
    }

    fn replace(&mut self, rev: Rev, value: bool) -> Option<bool> {
        self.member.get_mut(rev.index()).map(|member| std::mem::replace(member, value))
    }

    /// The members in revision order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Rev> {
        let numbered = self.member.iter().enumerate();
        numbered
            .filter(|(_, member)| **member)
            .filter_map(|(i, _)| Some(Rev::new(u32::try_from(i).ok()?)))
    }

    /// How many members there are.
    pub fn count(&self) -> usize {
        self.member.iter().filter(|member| **member).count()
    }

    /// Whether there are no members.
    pub fn has_none(&self) -> bool {
        self.member.iter().all(|member| !member)
    }

    /// The members without a child among them, in ascending order.
    pub fn heads(&self, dag: &Dag) -> Vec<Rev> {
        let mut heads = self.clone();
        for parent in self.iter().flat_map(|rev| dag.parents(rev)) {
            heads.remove(parent);
        }
        heads.iter().collect()
    }

    /// Adds every descendant of a member, in one pass: children come after their parents.
    pub fn extend_to_descendants(&mut self, dag: &Dag) {
        for rev in dag.revs() {
            if dag.parents(rev).any(|parent| self.contains(parent)) {
                self.insert(rev);
            }
        }
    }

    /// Adds every ancestor of a member, in one pass.
    pub fn extend_to_ancestors(&mut self, dag: &Dag) {
        for rev in dag.revs().rev() {
            if self.contains(rev) {
                for parent in dag.parents(rev) {
                    self.insert(parent);
                }
            }
        }
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
}
