//! Entries of an index as they are written, and chains of deltas.

use crate::hg::{Node, Rev};

/// Bytes of one entry.
pub(super) const ENTRY: usize = 64;
/// A longer chain of deltas takes too long to read.
const LONGEST: u32 = 1000;
/// How many times the size of the text the chain that makes it may have.
const HEAVIEST: u64 = 4;
/// Chains are that heavy whatever they make: reading costs no less than a block.
const LIGHT: u64 = 4 << 10;

/// The deltas that must be read to make a text, and the full text that they begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    start: Rev,
    length: u32,
    bytes: u64,
}

impl Chain {
    /// A full text, in a chunk of `stored` bytes.
    pub(super) fn new(start: Rev, stored: usize) -> Self {
        Self { start, length: 1, bytes: stored as u64 }
    }

    /// The chain with one more delta.
    pub(super) fn and(self, stored: usize) -> Self {
        let bytes = self.bytes.saturating_add(stored as u64);
        Self { length: self.length.saturating_add(1), bytes, ..self }
    }

    /// Whether it is worth it for a text of `text` bytes, of which the last chunk has `stored`.
    pub(super) fn is_reasonable(self, stored: usize, text: usize) -> bool {
        let heaviest = HEAVIEST.saturating_mul(text as u64).max(LIGHT);
        self.length <= LONGEST && self.bytes <= heaviest && stored <= text
    }
}

/// A revision that is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fresh {
    pub(super) node: Node,
    pub(super) parents: [Option<Rev>; 2],
    pub(super) link: Rev,
    pub(super) flags: u16,
    /// What its chunk is a delta of; `None` if it is the text.
    pub(super) base: Option<Rev>,
    pub(super) chain: Chain,
    /// Where its chunk begins, in bytes after the data that were there before.
    pub(super) offset: u64,
    /// How many bytes the chunk has.
    pub(super) stored: usize,
    /// How many bytes the text has.
    pub(super) text: usize,
}

impl Fresh {
    /// One that is nobody's child, stored nowhere yet.
    pub(super) fn new(node: Node, offset: u64, text: usize) -> Self {
        let chain = Chain::new(Rev::new(0), 0);
        let (parents, link) = ([None; 2], Rev::new(0));
        Self { node, parents, link, flags: 0, base: None, chain, offset, stored: 0, text }
    }

    /// The entry of this revision, whose number is `rev`, in an index whose first four bytes are
    /// `header`; `None` if a number has no room in it.
    pub(super) fn entry(
        &self,
        rev: Rev,
        data_start: u64,
        has_general_deltas: bool,
        header: [u8; 4],
    ) -> Option<[u8; ENTRY]> {
        let number = |rev: Rev| i32::try_from(rev.number()).ok();
        let size = |size: usize| i32::try_from(size).ok();
        let parent = |parent: Option<Rev>| parent.map_or(Some(-1), number);
        let base = match self.base {
            None => rev,
            Some(base) if has_general_deltas => base,
            Some(_) => self.chain.start,
        };
        let offset = data_start.checked_add(self.offset).filter(|offset| *offset < 1 << 48)?;
        let [p1, p2] = self.parents;
        let mut entry = [0; ENTRY];
        let fields: [&[u8]; 9] = [
            &(offset << 16 | u64::from(self.flags)).to_be_bytes(),
            &size(self.stored)?.to_be_bytes(),
            &size(self.text)?.to_be_bytes(),
            &number(base)?.to_be_bytes(),
            &number(self.link)?.to_be_bytes(),
            &parent(p1)?.to_be_bytes(),
            &parent(p2)?.to_be_bytes(),
            self.node.as_bytes(),
            &[0; 12],
        ];
        let bytes = fields.into_iter().flatten();
        entry.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        // The first offset is always zero, and the header takes its place.
        if rev.number() == 0 {
            entry.iter_mut().zip(header).for_each(|(to, from)| *to = from);
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_as_mercurial_writes_it() {
        let node = Node::from_bytes([0xab; 20]);
        let mut fresh = Fresh::new(node, 5, 300);
        fresh.stored = 20;
        fresh.link = Rev::new(9);
        let header = [0, 3, 0, 1];
        let first = fresh.entry(Rev::new(0), 0, true, header).unwrap();
        let mut expected = vec![0, 3, 0, 1, 0, 5, 0, 0, 0, 0, 0, 20, 0, 0, 1, 44, 0, 0, 0, 0];
        expected.extend([0, 0, 0, 9, 255, 255, 255, 255, 255, 255, 255, 255]);
        expected.extend([0xab; 20]);
        expected.extend([0; 12]);
        assert_eq!(first[..], expected);

        fresh.base = Some(Rev::new(6));
        fresh.chain = Chain::new(Rev::new(2), 100).and(7).and(20);
        fresh.parents = [Some(Rev::new(6)), Some(Rev::new(3))];
        fresh.flags = 0x8000;
        let later = fresh.entry(Rev::new(7), 1 << 40, true, header).unwrap();
        assert_eq!(later[..8], [1, 0, 0, 0, 0, 5, 0x80, 0]);
        assert_eq!(later[16..32], [0, 0, 0, 6, 0, 0, 0, 9, 0, 0, 0, 6, 0, 0, 0, 3]);
        let old_style = fresh.entry(Rev::new(7), 0, false, header).unwrap();
        assert_eq!(old_style[16..20], [0, 0, 0, 2]);
        assert_eq!(fresh.entry(Rev::new(7), (1 << 48) - 5, true, header), None);
        fresh.stored = 1 << 31;
        assert_eq!(fresh.entry(Rev::new(7), 0, true, header), None);
    }

    #[test]
    fn chains_that_are_too_long_or_too_heavy() {
        let mut chain = Chain::new(Rev::new(0), 3000);
        assert!(chain.and(200).is_reasonable(200, 1000));
        assert!(!chain.and(2000).is_reasonable(2000, 1250));
        assert!(chain.and(900).is_reasonable(900, 1000));
        assert!(!chain.and(1500).is_reasonable(1500, 1000));
        for _ in 1..1000 {
            chain = chain.and(0);
        }
        assert!(chain.is_reasonable(0, 10_000));
        assert!(!chain.and(0).is_reasonable(0, 10_000));
    }
}
