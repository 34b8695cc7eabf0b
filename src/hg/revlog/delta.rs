//! Mercurial's delta format: a list of ranges of the base text, each with what replaces it.

use crate::base::Reader;
use crate::base::reader::ShortRead;

/// A parsed delta, its ranges in order and not overlapping.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Delta {
    bytes: Vec<u8>,
    fragments: Vec<Fragment>,
}

/// One replaced range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Where the range begins in the base text.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Where the replacement begins in the delta's bytes.
    data: usize,
    /// How long the replacement is.
    pub length: usize,
}

/// What is wrong with a delta.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeltaError {
    /// It ends early.
    #[error(transparent)]
    Truncated(#[from] ShortRead),
    /// A range ends before it begins, or begins before the previous one ends.
    #[error("the range {start}..{end} is out of order")]
    Order {
        /// Where the range begins.
        start: usize,
        /// Where it ends.
        end: usize,
    },
    /// A range lies beyond the base text.
    #[error("the range up to {end} lies beyond the base text of {base} bytes")]
    BeyondBase {
        /// Where the range ends.
        end: usize,
        /// How long the base text is.
        base: usize,
    },
}

impl Delta {
    /// Parses a delta: for each fragment three big-endian 32-bit numbers (start, end, length) and
    /// `length` bytes.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, DeltaError> {
        let mut fragments = Vec::new();
        let mut reader = Reader::new(&bytes);
        let mut previous_end = 0;
        while !reader.is_empty() {
            let [start, end, length] = [
                reader.u32("range start")? as usize,
                reader.u32("range end")? as usize,
                reader.u32("replacement length")? as usize,
            ];
            let data = reader.offset();
            reader.bytes("replacement", length)?;
            if start < previous_end || end < start {
                return Err(DeltaError::Order { start, end });
            }
            previous_end = end;
            fragments.push(Fragment { start, end, data, length });
        }
        Ok(Self { bytes, fragments })
    }

    /// The replaced ranges, in order.
    pub fn fragments(&self) -> &[Fragment] {
        &self.fragments
    }

    /// What replaces the range of `fragment`.
    fn replacement(&self, fragment: &Fragment) -> &[u8] {
        // `parse` made the fragment from these very bytes.
        self.bytes.get(fragment.data..).and_then(|b| b.get(..fragment.length)).unwrap_or_default()
    }

    /// How long the result of applying this delta to a base of `base` bytes is.
    pub fn result_length(&self, base: usize) -> Result<usize, DeltaError> {
        let end = self.fragments.last().map_or(0, |fragment| fragment.end);
        if end > base {
            return Err(DeltaError::BeyondBase { end, base });
        }
        let removed: usize = self.fragments.iter().map(|f| f.end - f.start).sum();
        // Replacements are slices of one buffer, so their sum fits.
        let added: usize = self.fragments.iter().map(|f| f.length).sum();
        Ok(base - removed + added)
    }

    /// The text that this delta makes of `base`.
    pub fn apply(&self, base: &[u8]) -> Result<Vec<u8>, DeltaError> {
        let mut text = Vec::with_capacity(self.result_length(base.len())?);
        let mut copied = 0;
        for fragment in &self.fragments {
            text.extend_from_slice(base.get(copied..fragment.start).unwrap_or_default());
            text.extend_from_slice(self.replacement(fragment));
            copied = fragment.end;
        }
        text.extend_from_slice(base.get(copied..).unwrap_or_default());
        Ok(text)
    }

    /// The ranges that the result shares with a base of `base` bytes:
    /// (start in the base, start in the result, length), in order.
    pub fn copies(&self, base: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let mut source = 0;
        let mut target = 0;
        let ends = self.fragments.iter().map(|f| (f.start, f.end, f.length));
        ends.chain([(base, base, 0)]).filter_map(move |(start, end, length)| {
            let copy = (source, target, start.saturating_sub(source));
            source = end;
            target += copy.2 + length;
            (copy.2 > 0).then_some(copy)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(fragments: &[(u32, u32, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (start, end, data) in fragments {
            for number in [*start, *end, u32::try_from(data.len()).unwrap()] {
                out.extend_from_slice(&number.to_be_bytes());
            }
            out.extend_from_slice(data);
        }
        out
    }

    #[test]
    fn applies_and_says_what_is_shared() {
        let delta = Delta::parse(encode(&[(0, 1, b"HH"), (4, 4, b"--"), (6, 8, b"")])).unwrap();
        assert_eq!(delta.apply(b"helloABC").unwrap(), b"HHell--oA");
        let copies: Vec<_> = delta.copies(8).collect();
        assert_eq!(copies, [(1, 2, 3), (4, 7, 2)]);
        assert_eq!(Delta::default().copies(3).collect::<Vec<_>>(), [(0, 0, 3)]);
    }

    #[test]
    fn refuses_what_cannot_be() {
        let order = |a, b| Delta::parse(encode(&[a, b])).is_err();
        assert!(order((2, 3, b""), (1, 4, b"")));
        assert!(order((2, 1, b""), (3, 4, b"")));
        let beyond = Delta::parse(encode(&[(0, 9, b"")])).unwrap();
        assert_eq!(beyond.apply(b"short"), Err(DeltaError::BeyondBase { end: 9, base: 5 }));
        let whole = encode(&[(0, 1, b"abc")]);
        for end in 1..whole.len() {
            assert!(Delta::parse(whole[..end].to_vec()).is_err(), "cut at {end}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, base: Vec<u8>) {
            let Ok(delta) = Delta::parse(bytes) else { return Ok(()) };
            let Ok(text) = delta.apply(&base) else { return Ok(()) };
            for (from, to, length) in delta.copies(base.len()) {
                assert_eq!(base[from..from + length], text[to..to + length]);
            }
        }
    }
}
