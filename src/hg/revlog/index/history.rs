//! What of an index tells the shape of a history.

use super::{ENTRY_V1, Index, Layout, Problem, earlier};
use crate::base::LazyBytes;
use crate::hg::{Node, Rev};

/// So many bytes of an index are read at a time by who does not keep them: whole entries.
const PART: usize = 128 << 10;

impl Index {
    /// Hands the parents of each revision from `first` on, checked, to `visit`, in order, until that
    /// refuses them. Their nodes in an index that is in a file are kept, and the rest of it is not.
    pub(in crate::hg::revlog) fn read_shape(
        &mut self,
        first: usize,
        mut visit: impl FnMut([Option<Rev>; 2]) -> bool,
    ) -> Result<(), (Rev, Problem)> {
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let revs = (number(first)..number(self.len)).map(Rev::new);
        let refused = |rev| (rev, Problem::NoSuchRevision);
        let LazyBytes::Blocks { file, size, .. } = &self.bytes else {
            for rev in revs {
                let raw = self.raw(rev).ok_or(refused(rev))?;
                let parents = match &self.layout {
                    Layout::V0 { .. } => self.entry(rev).map(|entry| entry.parents),
                    _ => shape_v1(rev, raw).map(|(parents, _)| parents),
                };
                if !visit(parents.map_err(|problem| (rev, problem))?) {
                    return Err(refused(rev));
                }
            }
            return Ok(());
        };
        let (mut nodes, mut part) =
            (Vec::with_capacity(self.len.saturating_sub(first)), Vec::new());
        let mut revs = revs.peekable();
        while let Some(next) = revs.peek().copied() {
            let start = next.index() * ENTRY_V1;
            part.resize(PART.min(size.saturating_sub(start)), 0);
            file.read_exact_at(&mut part, start as u64).map_err(|_| refused(next))?;
            for (raw, rev) in part.chunks_exact(ENTRY_V1).zip(&mut revs) {
                let (parents, node) = shape_v1(rev, raw).map_err(|problem| (rev, problem))?;
                nodes.push(node);
                if !visit(parents) {
                    return Err(refused(rev));
                }
            }
        }
        (self.first_node, self.nodes) = (first, nodes);
        Ok(())
    }

    /// The node of `rev`, if it is kept.
    pub(super) fn kept_node(&self, rev: Rev) -> Option<Node> {
        self.nodes.get(rev.index().checked_sub(self.first_node)?).copied()
    }

    /// The nodes that are kept, from the first to the last revision, and the first one's.
    pub(in crate::hg::revlog) fn kept_nodes(&self) -> (usize, &[Node]) {
        (self.first_node, &self.nodes)
    }

    /// The same as it is now in the file, if that is not in memory.
    pub(in crate::hg::revlog) fn node_on_disk(&self, rev: Rev) -> Option<Node> {
        let LazyBytes::Blocks { file, .. } = &self.bytes else { return self.node(rev) };
        let mut node = [0; 20];
        let at = rev.index().checked_mul(ENTRY_V1)?.checked_add(32)?;
        file.read_exact_at(&mut node, at as u64).ok()?;
        Some(Node::from_bytes(node))
    }
}

/// The parents, checked, and the node in an entry of version 1.
fn shape_v1(rev: Rev, raw: &[u8]) -> Result<([Option<Rev>; 2], Node), Problem> {
    let number = |at: usize| {
        let bytes = raw.get(at..).and_then(|raw| raw.first_chunk());
        bytes.map(|bytes| i32::from_be_bytes(*bytes)).ok_or(Problem::NoSuchRevision)
    };
    let node = raw.get(32..).and_then(|raw| raw.first_chunk());
    let node = Node::from_bytes(*node.ok_or(Problem::NoSuchRevision)?);
    let before = rev.number().wrapping_sub(1);
    // Most have the one before as their only parent.
    let mostly = u64::from(before) << 32 | u64::from(u32::MAX);
    if rev.number() > 0 && raw.get(24..32) == Some(&mostly.to_be_bytes()[..]) {
        return Ok(([Some(Rev::new(before)), None], node));
    }
    let first = earlier("first parent", rev, number(24)?)?;
    let second = earlier("second parent", rev, number(28)?)?;
    Ok(([first, second], node))
}
