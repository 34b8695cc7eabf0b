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
