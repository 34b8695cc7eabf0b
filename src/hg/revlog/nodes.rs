//! From a node to its revision.

use super::index::Index;
use crate::hg::{Node, Rev};

/// The revisions of one index, sorted by their nodes: 16 bytes a revision, made in one sort.
///
/// Only the first eight bytes are at hand, which decide nearly always. Where they are the same the
/// index is asked: nobody has checked the nodes yet, and a million may begin alike.
#[derive(Debug, Default)]
pub(super) struct NodeTable(Vec<(u64, Rev)>);

/// The first eight bytes of a node as a number.
fn prefix(node: Node) -> u64 {
    node.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

impl NodeTable {
    pub(super) fn new(index: &Index) -> Self {
        let revs = (0u32..).map(Rev::new).take(index.len());
        let mut table: Vec<_> =
            revs.filter_map(|rev| Some((prefix(index.node(rev)?), rev))).collect();
        table.sort_unstable_by(|(a, a_rev), (b, b_rev)| {
            let nodes = || index.node(*a_rev).cmp(&index.node(*b_rev));
            a.cmp(b).then_with(nodes).then(a_rev.cmp(b_rev))
        });
        Self(table)
    }

    pub(super) fn find(&self, index: &Index, node: Node) -> Option<Rev> {
        let wanted = prefix(node);
        let first = self.0.partition_point(|(prefix, rev)| {
            prefix.cmp(&wanted).then_with(|| index.node(*rev).cmp(&Some(node))).is_lt()
        });
        let (_, rev) = self.0.get(first)?;
        (index.node(*rev) == Some(node)).then_some(*rev)
    }
}
