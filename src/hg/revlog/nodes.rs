//! From a node to its revision.

use super::index::Index;
use crate::hg::{Node, Rev};

/// The revisions of one index, sorted by the first eight bytes of their nodes: 16 bytes a
/// revision, made in one sort.
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
        table.sort_unstable();
        Self(table)
    }

    pub(super) fn find(&self, index: &Index, node: Node) -> Option<Rev> {
        let wanted = prefix(node);
        let first = self.0.partition_point(|(prefix, _)| *prefix < wanted);
        let same = self.0.iter().skip(first).take_while(|(prefix, _)| *prefix == wanted);
        same.map(|(_, rev)| *rev).find(|rev| index.node(*rev) == Some(node))
    }
}
