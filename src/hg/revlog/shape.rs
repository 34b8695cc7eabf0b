//! What the header of a revlog of version 1 says of all of it.

/// Feature flags of a version 1 index.
pub(super) const INLINE: u16 = 1;
pub(super) const GENERALDELTA: u16 = 2;

/// Revisions say by a flag of theirs whether metadata precede the contents.
pub(super) const HAS_META: u16 = 4;
/// Revisions say by flags of theirs what their deltas are like.
pub(super) const DELTA_INFO: u16 = 8;

/// The feature flags of a revlog of version 1: how its files are laid out, and what its own flags mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hg) struct Shape(u16);

impl Shape {
    /// That of a revlog with these feature flags.
    pub(super) fn new(features: u16) -> Self {
        Self(features)
    }

    /// Data between the entries, and deltas of any earlier revision.
    pub(in crate::hg) const INLINE_GENERAL: Self = Self(INLINE | GENERALDELTA);
    /// Data between the entries, and deltas of the revision before.
    pub(in crate::hg) const INLINE: Self = Self(INLINE);
    /// Data in a file of their own, and deltas of the revision before.
    pub(in crate::hg) const SPLIT: Self = Self(0);

    /// Whether the data are between the entries.
    pub(in crate::hg) fn is_inline(self) -> bool {
        self.0 & INLINE != 0
    }

    /// Whether a delta is one of any earlier revision, and not always of the one before.
    pub(in crate::hg) fn has_general_deltas(self) -> bool {
        self.0 & GENERALDELTA != 0
    }

    /// Whether flags of revisions say that metadata precede the contents.
    pub(in crate::hg) fn has_meta(self) -> bool {
        self.0 & HAS_META != 0
    }

    /// Whether flags of revisions say what their deltas are like.
    pub(in crate::hg) fn has_delta_info(self) -> bool {
        self.0 & DELTA_INFO != 0
    }

    /// The same with the data in a file of their own.
    pub(in crate::hg) fn split(self) -> Self {
        Self(self.0 & !INLINE)
    }

    /// The first four bytes of an index.
    pub(in crate::hg) fn header(self) -> [u8; 4] {
        let [high, low] = self.0.to_be_bytes();
        [high, low, 0, 1]
    }
}

/// The two files that an inline index is made into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::hg) struct Parts {
    /// The entries, the flag of inline ones gone.
    pub(in crate::hg) entries: Vec<u8>,
    /// The data.
    pub(in crate::hg) data: Vec<u8>,
}
