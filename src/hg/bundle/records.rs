//! Parts that are lists of small records, held as a whole.

use bstr::BString;

use super::error::Damage;
use crate::base::Reader;
use crate::hg::Node;

/// What a part with bookmarks says, in its order.
pub type BookmarkList = Vec<(BString, Node)>;

/// Phases and the changesets at which they end: each has it, and so have its ancestors.
pub(super) fn phase_heads(bytes: &[u8]) -> Result<Vec<(u32, Node)>, Damage> {
    let mut reader = Reader::new(bytes);
    let mut heads = Vec::new();
    while !reader.is_empty() {
        let phase = reader.u32("phase")?;
        heads.push((phase, Node::from_bytes(reader.array("head")?)));
    }
    Ok(heads)
}

/// Bookmarks: a node, the length of a name in two bytes, and the name.
pub(super) fn bookmarks(bytes: &[u8]) -> Result<BookmarkList, Damage> {
    let mut reader = Reader::new(bytes);
    let mut bookmarks = Vec::new();
    while !reader.is_empty() {
        let node = Node::from_bytes(reader.array("node of a bookmark")?);
        let length = reader.u16("length of a bookmark")?;
        bookmarks.push((reader.bytes("bookmark", usize::from(length))?.into(), node));
    }
    Ok(bookmarks)
}

/// Changesets and the revision of `.hgtags` that each has.
pub(super) fn tags_file_nodes(bytes: &[u8]) -> Result<Vec<(Node, Node)>, Damage> {
    let mut reader = Reader::new(bytes);
    let mut nodes = Vec::new();
    while !reader.is_empty() {
        let changeset = Node::from_bytes(reader.array("changeset")?);
        nodes.push((changeset, Node::from_bytes(reader.array("revision of .hgtags")?)));
    }
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_whole() {
        let node = |i| Node::from_bytes([i; 20]);
        let phases = [&[0, 0, 0, 1][..], &[7; 20], &[0, 0, 0, 2], &[8; 20]].concat();
        assert_eq!(phase_heads(&phases), Ok(vec![(1, node(7)), (2, node(8))]));
        let marks = [&[7; 20][..], &[0, 3], b"a b", &[8; 20], &[0, 0]].concat();
        assert_eq!(bookmarks(&marks), Ok(vec![("a b".into(), node(7)), ("".into(), node(8))]));
        assert_eq!(tags_file_nodes(&[5; 40]), Ok(vec![(node(5), node(5))]));
        for end in 1..phases.len() {
            assert_eq!(phase_heads(&phases[..end]).is_ok(), end == 24, "cut at {end}");
        }
        for end in 1..marks.len() {
            assert_eq!(bookmarks(&marks[..end]).is_ok(), end == 25, "cut at {end}");
        }
    }
}
