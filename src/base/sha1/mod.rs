//! SHA-1, which both Mercurial and Git use to name things.
//!
//! The plain algorithm, with the processor's instructions where it has them: everything a sync
//! reads and writes is hashed, twice. It does not look for the traces of collision attacks, which
//! takes more than four times as long. What such an attack is for is found otherwise: whoever writes
//! objects compares the contents of one that is there already (`git::pack`). A server that receives
//! our objects looks for the traces, too (`git index-pack` recomputes every id with detection on).

mod lanes;
#[cfg(target_arch = "x86_64")]
mod wide;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use lanes::{Message, digests};

/// A hash.
pub type Digest = [u8; 20];

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
        sha1::Digest::update(&mut self.0, bytes);
    }

    /// The digest of all that was added.
    pub fn finish(self) -> Digest {
        sha1::Digest::finalize(self.0).into()
    }
}

/// The digest of `parts`, one after the other.
pub fn digest(parts: &[&[u8]]) -> Digest {
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
