//! Mercurial's delta format: a list of ranges of the base text, each with what replaces it.

use crate::base::Reader;
use crate::base::reader::ShortRead;

/// A delta whose ranges were checked: in order, not overlapping, each with all its bytes.
///
/// It holds nothing but its own bytes: ranges may take twelve of them and change nothing, so a list
/// of them could be larger than any text.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Delta {
    bytes: Vec<u8>,
    /// Where the last range ends in the base text.
    end: usize,
    /// How many bytes of the base text all ranges cover.
    removed: usize,
    /// How many bytes replace them.
    added: usize,
}

/// One replaced range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'d> {
    /// Where the range begins in the base text.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What replaces it.
    pub replacement: &'d [u8],
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

impl<'d> Fragment<'d> {
    /// Reads three big-endian 32-bit numbers (start, end, length) and `length` bytes.
    fn read(reader: &mut Reader<'d>) -> Result<Self, DeltaError> {
        let numbers: [u8; 12] = reader.array("range and length of the replacement")?;
        let [start, end, length] = [0, 4, 8].map(|at| {
            let bytes = numbers.get(at..).and_then(<[u8]>::first_chunk);
            u32::from_be_bytes(bytes.copied().unwrap_or_default()) as usize
        });
        Ok(Self { start, end, replacement: reader.bytes("replacement", length)? })
    }
}

impl Delta {
    /// What makes `text` of nothing. A text of 4 GiB or more, which no revlog holds, is cut.
    pub fn of_all(text: &[u8]) -> Self {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let text = text.get(..length as usize).unwrap_or(text);
        let bytes = [&[0; 8][..], &length.to_be_bytes(), text].concat();
        Self { bytes, end: 0, removed: 0, added: text.len() }
    }

    /// Parses a delta: fragment after fragment.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, DeltaError> {
        let (mut previous_end, mut removed, mut added) = (0, 0, 0);
        let mut reader = Reader::new(&bytes);
        while !reader.is_empty() {
            let Fragment { start, end, replacement } = Fragment::read(&mut reader)?;
            if start < previous_end || end < start {
                return Err(DeltaError::Order { start, end });
            }
            previous_end = end;
            // Ranges do not overlap and replacements are slices of one buffer, so the sums fit.
            removed += end - start;
            added += replacement.len();
        }
        Ok(Self { bytes, end: previous_end, removed, added })
    }

    /// The delta as it is stored and sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The replaced ranges, in order.
    pub fn fragments(&self) -> impl Iterator<Item = Fragment<'_>> {
        let mut reader = Reader::new(&self.bytes);
        // `parse` has read these very bytes.
        std::iter::from_fn(move || Fragment::read(&mut reader).ok())
    }

    /// How long the result of applying this delta to a base of `base` bytes is.
    pub fn result_length(&self, base: usize) -> Result<usize, DeltaError> {
        match self.end > base {
            true => Err(DeltaError::BeyondBase { end: self.end, base }),
            false => Ok(base - self.removed + self.added),
        }
    }

    /// The text that this delta makes of `base`.
    pub fn apply(&self, base: &[u8]) -> Result<Vec<u8>, DeltaError> {
        self.apply_in(base, Vec::new())
    }

    /// The same as [`Delta::apply`], made in a buffer that is there already.
    pub(in crate::hg) fn apply_in(
        &self,
        base: &[u8],
        mut text: Vec<u8>,
    ) -> Result<Vec<u8>, DeltaError> {
        text.clear();
        text.reserve_exact(self.result_length(base.len())?);
        let mut copied = 0;
        for fragment in self.fragments() {
            text.extend_from_slice(base.get(copied..fragment.start).unwrap_or_default());
            text.extend_from_slice(fragment.replacement);
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
        let ends = self.fragments().map(|f| (f.start, f.end, f.replacement.len()));
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

    #[test]
    fn ranges_that_change_nothing_take_no_memory_beyond_their_bytes() {
        let delta = Delta::parse(vec![0; 12 << 16]).unwrap();
        assert_eq!(delta.fragments().count(), 1 << 16);
        assert_eq!(delta.apply(b"text").unwrap(), b"text");
        assert!(delta.bytes.capacity() <= 12 << 16);
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
