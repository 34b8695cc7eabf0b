//! What the fuzz targets share: how an input is taken apart, and bounds that are small enough for
//! an input of a few kilobytes to reach them.

#[cfg(fuzzing)]
mod bounded;
pub mod fsck;
pub mod trees;

use synchroniser::base::Limits;

/// Bounds that inputs can reach.
pub fn limits() -> Limits {
    Limits {
        revision_bytes: 1 << 16,
        index_bytes: 1 << 20,
        metadata_bytes: 1 << 20,
        text_cache_bytes: 1 << 14,
    }
}

/// An input, taken apart from the front. Where it ends too early the rest is zeros and emptiness,
/// so that every input means something.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// The whole input.
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// Two bytes, the higher one first.
    pub fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// Eight bytes, the highest one first.
    pub fn long(&mut self) -> i64 {
        i64::from_be_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// Bytes behind their number, which has two bytes itself.
    pub fn part(&mut self) -> &'a [u8] {
        let length = usize::from(self.short()).min(self.0.len());
        let (part, rest) = self.0.split_at(length);
        self.0 = rest;
        part
    }

    /// What is left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Parts as [`Input::part`] takes them apart, for seeds. What is too long is cut.
pub fn joined<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
        out.extend(length.to_be_bytes());
        out.extend(&part[..usize::from(length)]);
    }
    out
}

/// What a user sees of an error, made and thrown away: text must come out of whatever went in.
pub fn told(error: &dyn synchroniser::base::HasFault) {
    assert!(!error.to_string().is_empty());
    let _ = (error.fault(), error.hint());
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        assert!(!error.to_string().is_empty());
        source = error.source();
    }
}
