//! Phases as others tell them, and the roots that say the same of a copy.

use crate::hg::store::Phase;
use crate::hg::{Changelog, Dag, Node, Rev, RevSet};

/// What is known of the phases of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The roots of its drafts, as a server lists them; all else that it has is public.
    DraftRoots(Vec<Node>),
    /// Phases, and the heads at which they end; what is below none of them is draft.
    Heads(Vec<(Phase, Node)>),
}

/// The phase of each changeset of a copy, once its source has told of those it has.
///
/// `there` is what the source has; of all else the phase stays as it was.
pub(super) fn roots(
    told: &Told,
    there: &RevSet,
    before: impl Fn(Rev) -> Phase,
    changelog: &Changelog,
) -> Vec<(Phase, Node)> {
    let dag = changelog.dag();
    let of_source = told.phases(dag, |node| changelog.rev(node));
    let phase = |rev: Rev| match there.contains(rev) {
        true => of_source.get(rev.index()).copied().unwrap_or_default(),
        false => before(rev),
    };
    let phases: Vec<Phase> = dag.revs().map(phase).collect();
    boundaries(dag, &phases).map(|(phase, rev)| (phase, changelog.node(rev))).collect()
}

/// Where a phase begins: changesets that are in a higher one than all of their parents.
fn boundaries<'p>(dag: &'p Dag, phases: &'p [Phase]) -> impl Iterator<Item = (Phase, Rev)> + 'p {
    let of = |rev: Rev| phases.get(rev.index()).copied().unwrap_or_default();
    dag.revs().filter_map(move |rev| {
        let inherited = dag.parents(rev).map(of).max().unwrap_or_default();
        (of(rev) > inherited).then(|| (of(rev), rev))
    })
}

impl Told {
    fn phases(&self, dag: &Dag, lookup: impl Fn(Node) -> Option<Rev>) -> Vec<Phase> {
        match self {
            Self::DraftRoots(roots) => {
                let mut drafts = RevSet::empty(dag.len());
                for root in roots.iter().filter_map(|root| lookup(*root)) {
                    drafts.insert(root);
                }
                drafts.extend_to_descendants(dag);
                let phase = |rev| if drafts.contains(rev) { Phase::Draft } else { Phase::Public };
                dag.revs().map(phase).collect()
            }
            Self::Heads(heads) => {
                let mut phases = vec![None; dag.len()];
                for (phase, head) in heads {
                    let at = lookup(*head).and_then(|rev| phases.get_mut(rev.index()));
                    lower(at, *phase);
                }
                // What has a child in a phase is in no higher one.
                for rev in dag.revs().rev() {
                    let Some(Some(own)) = phases.get(rev.index()).copied() else { continue };
                    for parent in dag.parents(rev) {
                        lower(phases.get_mut(parent.index()), own);
                    }
                }
                phases.into_iter().map(|phase| phase.unwrap_or(Phase::Draft)).collect()
            }
        }
    }
}

fn lower(slot: Option<&mut Option<Phase>>, phase: Phase) {
    if let Some(slot) = slot {
        *slot = Some(slot.map_or(phase, |before| before.min(phase)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two branches on a root: 0 - 1 - 2, and 0 - 3.
    fn dag() -> Dag {
        let mut dag = Dag::new();
        for parent in [None, Some(0), Some(1), Some(0)] {
            dag.push([parent.map(Rev::new), None]).unwrap();
        }
        dag
    }

    fn node(number: u8) -> Node {
        Node::from_bytes([number + 1; 20])
    }

    fn phases(told: &Told) -> Vec<Phase> {
        let lookup = |wanted| (0..4).find(|i| node(*i) == wanted).map(|i| Rev::new(i.into()));
        told.phases(&dag(), lookup)
    }

    #[test]
    fn drafts_are_above_their_roots() {
        use Phase::{Draft as D, Public as P};
        assert_eq!(phases(&Told::DraftRoots(vec![])), [P, P, P, P]);
        assert_eq!(phases(&Told::DraftRoots(vec![node(1), node(9)])), [P, D, D, P]);
    }

    #[test]
    fn phases_end_at_their_heads() {
        use Phase::{Draft as D, Public as P, Secret as S};
        let heads = vec![(P, node(1)), (S, node(2)), (D, node(3)), (P, node(9))];
        assert_eq!(phases(&Told::Heads(heads)), [P, P, S, D]);
        assert_eq!(phases(&Told::Heads(vec![])), [D, D, D, D]);
    }

    #[test]
    fn roots_are_where_a_phase_begins() {
        use Phase::{Draft as D, Public as P, Secret as S};
        let found: Vec<_> = boundaries(&dag(), &[P, D, S, D]).collect();
        assert_eq!(found, [(D, Rev::new(1)), (S, Rev::new(2)), (D, Rev::new(3))]);
        assert_eq!(boundaries(&dag(), &[D; 4]).collect::<Vec<_>>(), [(D, Rev::new(0))]);
    }
}
