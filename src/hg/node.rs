//! What Mercurial calls things: nodes (hashes) and revision numbers.

use std::fmt;

crate::base::hex::id_type! {
    /// The hash of a Mercurial revision: a changeset, a manifest or a file revision.
    Node
}

impl Node {
    /// What is hashed before the text of a revision with these parents, to get its node by SHA-1: the
    /// nodes of the parents, the smaller one first.
    pub fn before_text(mut parents: [Self; 2]) -> [u8; 40] {
        parents.sort_unstable();
        let mut bytes = [0; 40];
        for (place, node) in bytes.as_chunks_mut().0.iter_mut().zip(&parents) {
            *place = *node.as_bytes();
        }
        bytes
    }
}

/// A revision number that was checked against the index it belongs to: there is such a revision.
///
/// A number that a file merely claims is an `i32` until then.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rev(u32);

impl Rev {
    /// The revision with this number; the caller has checked that it exists.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The number, to index a vector of revisions with.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Rev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Rev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}
