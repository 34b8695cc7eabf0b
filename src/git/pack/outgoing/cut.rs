//! Where a history is cut that is too large for one push: on the way of each ref from what it is to what
//! it shall be, so that each push is a fast-forward and leaves a valid state.
//!
//! A ref goes along one path through the history, and takes with it what else its commits come from. The
//! path is the one with the most bytes on it, so that as little as possible comes along in one piece.

/// New commits, parents before children.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    /// The parents of each commit that are new too.
    pub parents: Vec<Vec<u32>>,
    /// How many bytes come with each commit.
    pub bytes: Vec<u64>,
}

/// One ref on its way.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// The commit that it shall name; `None` if that is not new.
    pub tip: Option<u32>,
    /// Where it may stop: at a commit for which this is true, or which comes from one. `None`: anywhere.
    pub starts: Option<Vec<u32>>,
    /// Whether it may stop anywhere before its tip.
    pub may_stop: bool,
}

/// One push.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    /// The numbers of ways, each with the commit where it stops; `None` is a tip that is not new.
    pub stops: Vec<(usize, Option<u32>)>,
    /// How many bytes are new.
    pub bytes: u64,
}

/// Cuts the ways into pushes of at most `most` bytes. A push is larger only if no ref can stop in the
/// middle of it.
pub(super) fn cut(graph: &Graph, ways: &[Way], most: u64) -> Vec<Cut> {
    let mut cutter = Cutter {
        graph,
        most,
        sent: vec![false; graph.bytes.len()],
        current: Cut::default(),
        done: Vec::new(),
    };
    for (number, way) in ways.iter().enumerate() {
        cutter.go(number, way);
    }
    cutter.end();
    cutter.done
}

struct Cutter<'g> {
    graph: &'g Graph,
    most: u64,
    sent: Vec<bool>,
    current: Cut,
    done: Vec<Cut>,
}

impl Cutter<'_> {
    /// Takes a ref to its tip.
    fn go(&mut self, number: usize, way: &Way) {
        let mut stop = None;
        let unsent = way.tip.map_or_else(Vec::new, |tip| self.unsent(tip));
        for commit in self.path(way, &unsent) {
            let more = self.unsent(commit);
            let bytes = more.iter().map(|commit| self.bytes(*commit)).sum::<u64>();
            if self.current.bytes > 0 && self.current.bytes.saturating_add(bytes) > self.most {
                self.current.stops.extend(stop.take().map(|stop| (number, Some(stop))));
                self.end();
            }
            for commit in more {
                if let Some(sent) = self.sent.get_mut(commit as usize) {
                    *sent = true;
                }
            }
            self.current.bytes = self.current.bytes.saturating_add(bytes);
            stop = Some(commit);
        }
        self.current.stops.push((number, way.tip));
    }

    fn end(&mut self) {
        let cut = std::mem::take(&mut self.current);
        if !cut.stops.is_empty() {
            self.done.push(cut);
        }
    }

    /// The commits on the way, of those `unsent` that lead to its tip.
    fn path(&self, way: &Way, unsent: &[u32]) -> Vec<u32> {
        let Some(tip) = way.tip else { return Vec::new() };
        if !way.may_stop {
            return vec![tip];
        }
        let allowed = way.starts.as_ref().map(|starts| self.descending(tip, starts));
        let may = |commit: u32| allowed.as_ref().is_none_or(|allowed| has(allowed, commit));
        if unsent.is_empty() || !may(tip) {
            return vec![tip];
        }
        // The best that leads to each commit, and by way of which parent.
        let mut best: Vec<(u64, Option<u32>)> = Vec::with_capacity(unsent.len());
        for &commit in unsent {
            let parents = self.parents(commit).iter().filter(|parent| may(**parent));
            let known = parents.filter_map(|&parent| {
                let place = unsent.binary_search(&parent).ok()?;
                best.get(place).map(|(bytes, _)| (*bytes, parent))
            });
            let from = known.max();
            let bytes = from.map_or(0, |(bytes, _)| bytes).saturating_add(self.bytes(commit));
            best.push((bytes, from.map(|(_, parent)| parent)));
        }
        let mut path = vec![tip];
        let mut at = tip;
        while let Ok(place) = unsent.binary_search(&at)
            && let Some(&(_, Some(parent))) = best.get(place)
        {
            path.push(parent);
            at = parent;
        }
        path.reverse();
        path
    }

    /// The commits that lead to `tip` and come from one of `starts`, sorted.
    fn descending(&self, tip: u32, starts: &[u32]) -> Vec<u32> {
        let behind = self.behind(tip, |_| true);
        let mut found: Vec<u32> = Vec::new();
        for commit in behind {
            let comes = self.parents(commit).iter().any(|parent| has(&found, *parent));
            if comes || has(starts, commit) {
                found.push(commit);
            }
        }
        found
    }

    /// The commits that lead to `tip` and have not been sent, sorted, so parents before children.
    fn unsent(&self, tip: u32) -> Vec<u32> {
        self.behind(tip, |commit| self.sent.get(commit as usize) == Some(&false))
    }

    /// The commits that lead to `tip` by way of commits that are `wanted`, sorted.
    fn behind(&self, tip: u32, wanted: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut found = std::collections::BTreeSet::new();
        let mut left = vec![tip];
        while let Some(commit) = left.pop() {
            if wanted(commit) && found.insert(commit) {
                left.extend(self.parents(commit));
            }
        }
        found.into_iter().collect()
    }

    fn parents(&self, commit: u32) -> &[u32] {
        self.graph.parents.get(commit as usize).map_or(&[], Vec::as_slice)
    }

    fn bytes(&self, commit: u32) -> u64 {
        self.graph.bytes.get(commit as usize).copied().unwrap_or_default()
    }
}

/// Whether a sorted list has a number.
fn has(sorted: &[u32], number: u32) -> bool {
    sorted.binary_search(&number).is_ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn behind(graph: &Graph, tips: &[u32]) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        let mut left = tips.to_vec();
        while let Some(commit) = left.pop() {
            if found.insert(commit) {
                left.extend(&graph.parents[commit as usize]);
            }
        }
        found
    }

    /// Histories with merges and sizes, and refs somewhere in them.
    fn histories() -> impl Strategy<Value = (Graph, Vec<Way>)> {
        let commit = (proptest::collection::vec(1_usize..6, 0..3), 1_u64..100);
        let commits = proptest::collection::vec(commit, 1..60);
        (commits, proptest::collection::vec((any::<u16>(), any::<u16>(), 0..4), 1..5)).prop_map(
            |(commits, ways)| {
                let mut graph = Graph::default();
                for (number, (back, bytes)) in commits.into_iter().enumerate() {
                    let parents = back.into_iter().filter_map(|back| number.checked_sub(back));
                    let parents: BTreeSet<_> = parents.map(|n| u32::try_from(n).unwrap()).collect();
                    graph.parents.push(parents.into_iter().collect());
                    graph.bytes.push(bytes);
                }
                let count = u16::try_from(graph.bytes.len()).unwrap();
                let way = |(tip, start, kind)| Way {
                    tip: (kind != 3).then_some(u32::from(tip % count)),
                    starts: (kind == 1).then(|| vec![u32::from(start % count)]),
                    may_stop: kind != 2,
                };
                (graph, ways.into_iter().map(way).collect())
            },
        )
    }

    proptest! {
        #[test]
        fn cuts_are_small_and_go_forward((graph, ways) in histories(), most in 1_u64..400) {
            let cuts = cut(&graph, &ways, most);
            let mut sent = BTreeSet::new();
            let mut stops: Vec<Option<u32>> = vec![None; ways.len()];
            let mut done = vec![false; ways.len()];
            for cut in &cuts {
                let tips: Vec<u32> = cut.stops.iter().filter_map(|(_, stop)| *stop).collect();
                let all = behind(&graph, &tips);
                let new: BTreeSet<u32> = all.difference(&sent).copied().collect();
                let bytes: u64 = new.iter().map(|commit| graph.bytes[*commit as usize]).sum();
                prop_assert_eq!(bytes, cut.bytes);
                for (number, stop) in &cut.stops {
                    prop_assert!(!done[*number], "a ref goes on after its end");
                    let way = &ways[*number];
                    done[*number] = *stop == way.tip;
                    if let (Some(before), Some(now)) = (stops[*number], stop) {
                        prop_assert!(behind(&graph, &[*now]).contains(&before), "not forward");
                    }
                    if !done[*number] {
                        prop_assert!(way.may_stop);
                        let behind = behind(&graph, &[stop.unwrap()]);
                        let comes = way.starts.as_ref().is_none_or(|s| behind.contains(&s[0]));
                        prop_assert!(comes, "it has left what it was");
                    }
                    stops[*number] = *stop;
                }
                // What is too large cannot be cut: one commit, and what it has merged.
                if bytes > most {
                    let heads: Vec<u32> = new.iter().copied().filter(|commit| {
                        !new.iter().any(|other| graph.parents[*other as usize].contains(commit))
                    }).collect();
                    prop_assert_eq!(heads.len(), 1);
                    let parents = &graph.parents[heads[0] as usize];
                    let may = cut.stops.iter().any(|(number, stop)| {
                        *stop == Some(heads[0]) && ways[*number].may_stop
                            && ways[*number].starts.is_none()
                    });
                    let is_line = new.iter().all(|c| graph.parents[*c as usize].len() < 2);
                    if may && is_line {
                        prop_assert!(parents.iter().all(|parent| !new.contains(parent)));
                    }
                }
                sent.extend(new);
            }
            prop_assert!(done.iter().all(|done| *done));
            let tips: Vec<u32> = ways.iter().filter_map(|way| way.tip).collect();
            prop_assert_eq!(sent, behind(&graph, &tips));
        }
    }

    #[test]
    fn the_larger_side_of_a_merge_is_the_way() {
        // 0 - 1 - 2 - 5, and 0 - 3 - 4 - 5, which is larger.
        let parents = vec![vec![], vec![0], vec![1], vec![0], vec![3], vec![2, 4]];
        let graph = Graph { parents, bytes: vec![10, 10, 10, 60, 60, 1] };
        let way = Way { tip: Some(5), starts: None, may_stop: true };
        let cuts = cut(&graph, &[way], 80);
        let stops: Vec<_> = cuts.iter().map(|cut| (cut.stops[0].1, cut.bytes)).collect();
        assert_eq!(stops, [(Some(3), 70), (Some(4), 60), (Some(5), 21)]);
    }
}
