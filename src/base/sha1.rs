//! SHA-1, which both Mercurial and Git use to name things.
//!
//! The plain algorithm, with the processor's instructions where it has them: everything a sync
//! reads and writes is hashed, twice. It does not look for collision attacks; a server that
//! receives our objects does (`git index-pack` recomputes every id with detection on).

use sha1::Digest;

/// A hash under way.
#[derive(Clone, Default)]
pub struct Sha1(sha1::Sha1);

impl Sha1 {
    /// A hash of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that was added.
    pub fn finish(self) -> [u8; 20] {
        self.0.finalize().into()
    }
}

/// The digest of `parts`, one after the other.
pub fn digest(parts: &[&[u8]]) -> [u8; 20] {
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part);
    }
    hash.finish()
}

#[cfg(test)]
mod tests {
    #[test]
    fn known_answer() {
        let hex = crate::base::hex::encode(&super::digest(&[b"a", b"bc"]));
        assert_eq!(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
