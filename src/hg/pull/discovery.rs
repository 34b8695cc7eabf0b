//! Which of our changesets the other side has: a question for a few of them answers for many.
//!
//! A repository that has a changeset has its ancestors; one that lacks it lacks its descendants. So a round
//! asks for some of those nothing is known of, and what is left is halved at least where histories
//! are long. Nothing here talks to anybody.

use crate::hg::{Dag, Rev, RevSet};

/// What is known of the other side.
pub(super) struct Discovery<'d> {
    dag: &'d Dag,
    /// What it has.
    common: RevSet,
    /// What we do not know of.
    undecided: RevSet,
}

impl<'d> Discovery<'d> {
    /// Nothing is known yet.
    pub(super) fn new(dag: &'d Dag) -> Self {
        Self { dag, common: RevSet::empty(dag.len()), undecided: RevSet::full(dag.len()) }
    }

    /// The other side has these, and so all their ancestors.
    pub(super) fn add_common(&mut self, revs: impl IntoIterator<Item = Rev>) {
        let mut has_grown = false;
        for rev in revs {
            has_grown |= self.common.insert(rev);
        }
        if !has_grown {
            return;
        }
        self.common.extend_to_ancestors(self.dag);
        for rev in self.common.iter() {
            self.undecided.remove(rev);
        }
    }

    /// The other side lacks these, and so all their descendants.
    pub(super) fn add_missing(&mut self, revs: impl IntoIterator<Item = Rev>) {
        let mut missing = RevSet::empty(self.dag.len());
        let mut has_grown = false;
        for rev in revs {
            has_grown |= missing.insert(rev);
        }
        if !has_grown {
            return;
        }
        missing.extend_to_descendants(self.dag);
        for rev in missing.iter() {
            self.undecided.remove(rev);
        }
    }

    /// Whether everything is known.
    pub(super) fn is_done(&self) -> bool {
        self.undecided.iter().next().is_none()
    }

    /// What the other side has.
    pub(super) fn common(&self) -> &RevSet {
        &self.common
    }

    /// At most `most` changesets to ask for; none if everything is known.
    pub(super) fn sample(&self, most: usize) -> Vec<Rev> {
        let mut sample = RevSet::empty(self.dag.len());
        let mut left = most;
        let mut take = |revs: Vec<Rev>, room: usize| {
            for rev in spread(&revs, room.min(left)) {
                left -= usize::from(sample.insert(rev));
            }
        };
        // The ends tell most where the histories differ by little; what is between them where not.
        take(self.undecided.heads(self.dag), most / 2);
        take(self.roots(), most / 4);
        take(self.at_doubling_distances(), most);
        take(self.undecided.iter().collect(), most);
        sample.iter().collect()
    }

    /// Undecided changesets without an undecided parent.
    fn roots(&self) -> Vec<Rev> {
        let is_root = |rev: &Rev| !self.dag.parents(*rev).any(|p| self.undecided.contains(p));
        self.undecided.iter().filter(is_root).collect()
    }

    /// Undecided changesets that are 1, 2, 4, 8 and so on steps below a head.
    fn at_doubling_distances(&self) -> Vec<Rev> {
        let mut distance = vec![0_u32; self.dag.len()];
        let mut found = Vec::new();
        for rev in self.undecided.iter().rev() {
            let own = distance.get(rev.index()).copied().unwrap_or_default();
            if own.is_power_of_two() {
                found.push(rev);
            }
            for parent in self.dag.parents(rev).filter(|parent| self.undecided.contains(*parent)) {
                if let Some(there) = distance.get_mut(parent.index()) {
                    // The shortest way counts; none is known while it is 0.
                    *there = match *there {
                        0 => own.saturating_add(1),
                        known => known.min(own.saturating_add(1)),
                    };
                }
            }
        }
        found
    }
}

/// At most `most` of `revs`, from all over.
fn spread(revs: &[Rev], most: usize) -> impl Iterator<Item = Rev> {
    let step = revs.len().checked_div(most).map_or(1, |step| step.max(1));
    let uneven = usize::from(!revs.len().is_multiple_of(most.max(1)) && revs.len() > most);
    revs.iter().step_by(step + uneven).take(most).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dag(parents: &[[Option<usize>; 2]]) -> Dag {
        let mut dag = Dag::new();
        for slots in parents {
            let slots = slots.map(|p| p.and_then(|p| u32::try_from(p).ok()).map(Rev::new));
            dag.push(slots).unwrap();
        }
        dag
    }

    /// Asks a server that has `there` and its ancestors; the result, and after how many rounds.
    fn run(dag: &Dag, there: &RevSet, most: usize) -> (RevSet, usize) {
        let mut discovery = Discovery::new(dag);
        let mut rounds = 0;
        while !discovery.is_done() {
            let sample = discovery.sample(most);
            assert!(!sample.is_empty() && sample.len() <= most);
            let (has, lacks) = sample.iter().partition::<Vec<Rev>, _>(|rev| there.contains(**rev));
            discovery.add_common(has);
            discovery.add_missing(lacks);
            rounds += 1;
        }
        (discovery.common().clone(), rounds)
    }

    fn below(dag: &Dag, heads: &[usize]) -> RevSet {
        RevSet::below(dag, heads.iter().map(|head| Rev::new(u32::try_from(*head).unwrap())))
    }

    #[test]
    fn a_long_line_takes_few_rounds() {
        let line: Vec<_> = (0..100_000_usize).map(|i| [i.checked_sub(1), None]).collect();
        let dag = dag(&line);
        for head in [99_999, 99_998, 70_001, 12, 0] {
            let there = below(&dag, &[head]);
            let (common, rounds) = run(&dag, &there, 100);
            assert_eq!(common, there);
            assert!(rounds <= 5, "{rounds} rounds for {head}");
        }
        let (common, rounds) = run(&dag, &RevSet::empty(dag.len()), 100);
        assert_eq!((common.count(), rounds), (0, 1));
    }

    #[test]
    fn many_heads_stay_small() {
        // A root and 5,000 heads on it, of which the other side has all but a few.
        let star: Vec<_> = (0..5_001).map(|i| [(i > 0).then_some(0), None]).collect();
        let dag = dag(&star);
        let heads: Vec<_> = (1..5_001).filter(|i| i % 1_000 != 7).collect();
        let (common, rounds) = run(&dag, &below(&dag, &heads), 500);
        assert_eq!(common.count(), 4_996);
        assert!(rounds <= 16, "{rounds}");
    }

    proptest! {
        #[test]
        fn what_comes_out_is_what_is_there(
            shape in proptest::collection::vec((any::<u16>(), any::<u16>(), any::<bool>()), 1..80),
            heads in proptest::collection::vec(0_usize..80, 0..6),
            most in 1_usize..12,
        ) {
            let parents: Vec<_> = shape.iter().enumerate().map(|(i, (p1, p2, merge))| {
                let pick = |n: &u16| (i > 0).then(|| usize::from(*n) % i);
                [pick(p1), pick(p2).filter(|_| *merge)]
            }).collect();
            let dag = dag(&parents);
            let heads: Vec<_> = heads.iter().map(|head| head % dag.len()).collect();
            let there = below(&dag, &heads);
            prop_assert_eq!(run(&dag, &there, most).0, there);
        }
    }
}
