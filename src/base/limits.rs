//! The largest things that outside data may make us hold.

/// Bounds on what one repository may cost in memory. Sizes are in bytes.
///
/// A file that declares more than its bound is refused before anything of that size is allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One revision's full text: a file's contents, a manifest, a changelog entry.
    pub revision_bytes: usize,
    /// One revlog index file (64 bytes a revision, plus the data of inline ones).
    pub index_bytes: u64,
    /// One small metadata file of the store: bookmarks, phase roots, obsolescence markers, fncache.
    pub metadata_bytes: u64,
    /// Full texts that one revlog reader keeps as delta bases, at most.
    pub text_cache_bytes: usize,
}

impl Limits {
    /// What a sync may take for what it works on, unless somebody says otherwise: the full texts that deltas build
    /// on, and the part of a history that is converted at a time. What else these limits are is made for that.
    pub const WORKING_BYTES: u64 = 256 << 20;

    /// What `of` becomes if a sync may work in `memory` bytes, and not in [`Limits::WORKING_BYTES`].
    pub fn part_of(memory: u64, of: u64) -> u64 {
        let part = u128::from(of) * u128::from(memory) / u128::from(Self::WORKING_BYTES);
        u64::try_from(part).unwrap_or(u64::MAX)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            revision_bytes: 1 << 30,
            index_bytes: 4 << 30,
            metadata_bytes: 256 << 20,
            text_cache_bytes: 48 << 20,
        }
    }
}
