//! From a node to its revision.

use super::index::Index;
use crate::base::IdTable;
use crate::hg::{Node, Rev};

/// The revisions of one index by their nodes: sixteen to thirty-two bytes a revision.
///
/// Nobody has checked the nodes yet, and a million may begin alike, or be the same.
#[derive(Debug)]
pub(super) struct NodeTable(IdTable);

impl NodeTable {
    pub(super) fn new(index: &Index) -> Self {
        let mut table = IdTable::with_capacity(index.len());
        for rev in (0u32..).map(Rev::new).take(index.len()) {
            let Some(node) = index.node(rev) else { continue };
            // Of equal nodes the first counts.
            let is_same = |number| index.node(Rev::new(number)) == Some(node);
            table.insert(node.as_bytes(), rev.number(), is_same);
        }
        Self(table)
    }

    pub(super) fn find(&self, index: &Index, node: Node) -> Option<Rev> {
        let is_it = |number| index.node(Rev::new(number)) == Some(node);
        self.0.find(node.as_bytes(), is_it).map(Rev::new)
    }
}

/// The revision with this node, by looking at each: of a few nodes that takes less time than a table of all.
pub(super) fn scan(index: &Index, node: Node) -> Option<Rev> {
    let rev = |at: usize| u32::try_from(at).ok().map(Rev::new);
    // What was read already comes first.
    let (first, kept) = index.kept_nodes();
    if let Some(at) = kept.iter().position(|known| *known == node) {
        return rev(first.saturating_add(at));
    }
    let others = if kept.is_empty() { index.len() } else { first };
    let is_it = |rev: &Rev| index.node(*rev) == Some(node);
    (0..others).filter_map(rev).find(is_it)
}
