//! Texts that are so large that nothing else of their size is held beside them and what they build
//! on: neither their chunk as it is stored, nor the delta that is in it.

use std::io::{self, BufReader, Cursor, Read};

use super::delta::DeltaError;
use super::error::Problem;
use super::{Delta, Text};
use crate::base::compress::DecompressError;
use crate::base::decompress::{Format, decompressed};
use crate::base::memory;
use crate::base::reader::ShortRead;

/// From this size on, in bytes, a text is made so; below it, holding everything is faster.
pub(super) const LARGE: u32 = 8 << 20;
/// The part of the size of a text up to which the delta that makes it is kept for whoever asks.
const KEPT: usize = 16;
/// Bytes are taken from a chunk in blocks of this size.
const BLOCK: usize = 64 << 10;

/// Why a chunk does not become a text.
pub(super) enum Failure {
    /// What is in it is wrong.
    Problem(Problem),
    /// The operating system does not give it to us.
    Io(io::Error),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<DeltaError> for Failure {
    fn from(error: DeltaError) -> Self {
        Self::Problem(Problem::Delta(error))
    }
}

/// The plain bytes of a chunk, while they come.
pub(super) struct Plain<'c> {
    bytes: BufReader<Box<dyn Read + 'c>>,
    format: &'static str,
    /// How many have come.
    offset: usize,
    /// How many may.
    limit: usize,
    /// How many bytes the text has, as the index says, which is checked later.
    expected: usize,
}

impl<'c> Plain<'c> {
    /// Those of the chunk that `stored` gives as it is stored, at most `limit`, for a text that is
    /// `expected` to have so many bytes.
    pub(super) fn new(
        mut stored: impl Read + 'c,
        limit: usize,
        expected: usize,
    ) -> Result<Self, Failure> {
        let mut first = [0; 1];
        let is_empty = stored.read(&mut first).map_err(Failure::Io)? == 0;
        let whole = Cursor::new(first).chain(stored);
        let (format, bytes): (_, io::Result<Box<dyn Read + 'c>>) = match first {
            _ if is_empty => ("none", Ok(Box::new(io::empty()))),
            // The header byte of a literal chunk belongs to its text.
            [0] => ("none", Ok(Box::new(whole))),
            [b'u'] => ("none", Ok(Box::new(whole.into_inner().1))),
            [b'x'] => ("zlib", decompressed(Format::Zlib, whole)),
            [b'('] => ("zstd", decompressed(Format::Zstd, whole)),
            [other] => return Err(Problem::Compression(other).into()),
        };
        let bytes = bytes.map_err(|error| failure(format, error))?;
        Ok(Self {
            bytes: BufReader::with_capacity(BLOCK, bytes),
            format,
            offset: 0,
            limit,
            expected,
        })
    }

    /// Fills `room` as far as there is something.
    fn fill(&mut self, room: &mut [u8]) -> Result<usize, Failure> {
        let mut filled = 0;
        while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.bytes.read(rest) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failure(self.format, error)),
            }
        }
        self.offset = self.offset.saturating_add(filled);
        match self.offset > self.limit {
            true => {
                Err(Problem::Decompress(DecompressError::TooLarge { limit: self.limit }).into())
            }
            false => Ok(filled),
        }
    }

    /// Appends `length` bytes to `text`, or as many as there are, which it says.
    fn append(&mut self, length: usize, text: &mut Vec<u8>) -> Result<usize, Failure> {
        let mut block = vec![0; length.min(BLOCK)];
        let mut left = length;
        while left > 0 {
            let room = block.get_mut(..left.min(BLOCK)).unwrap_or_default();
            let wanted = room.len();
            let filled = self.fill(room)?;
            text.extend_from_slice(block.get(..filled).unwrap_or_default());
            left -= filled;
            if filled < wanted {
                break;
            }
        }
        Ok(length - left)
    }

    /// The text that the chunk is.
    pub(super) fn text(mut self) -> Result<Vec<u8>, Failure> {
        let mut text = self.room();
        self.append(usize::MAX, &mut text)?;
        text.shrink_to_fit();
        Ok(text)
    }

    /// The plain bytes, if they are at most so many.
    pub(super) fn at_most(mut self, most: usize) -> Result<Option<Vec<u8>>, Failure> {
        let mut bytes = Vec::new();
        let came = self.append(most.saturating_add(1), &mut bytes)?;
        Ok((came <= most).then_some(bytes))
    }

    /// The text that the delta in the chunk makes of `base`, and the delta itself, unless it is large.
    pub(super) fn applied(mut self, base: &Text) -> Result<(Vec<u8>, Option<Delta>), Failure> {
        let (mut text, mut copied) = (self.room(), 0);
        let mut kept = Some(Vec::new());
        let most = base.len() / KEPT;
        loop {
            let offset = self.offset;
            let mut header = [0; 12];
            let filled = self.fill(&mut header)?;
            if filled == 0 {
                break;
            }
            let cut = |field, needed, left| {
                DeltaError::Truncated(ShortRead { field, offset, needed, left })
            };
            if filled < header.len() {
                return Err(cut("range", header.len(), filled).into());
            }
            let [start, end, length] = numbers(header);
            if start < copied || end < start {
                return Err(DeltaError::Order { start, end }.into());
            }
            if end > base.len() {
                return Err(DeltaError::BeyondBase { end, base: base.len() }.into());
            }
            self.check(text.len().saturating_add(start - copied).saturating_add(length))?;
            text.extend_from_slice(base.get(copied..start).unwrap_or_default());
            let from = text.len();
            let came = self.append(length, &mut text)?;
            if came < length {
                return Err(cut("replacement", length, came).into());
            }
            let replacement = text.get(from..).unwrap_or_default();
            kept = kept.filter(|kept| kept.len() + header.len() + replacement.len() <= most);
            if let Some(kept) = &mut kept {
                kept.extend_from_slice(&header);
                kept.extend_from_slice(replacement);
            }
            copied = end;
        }
        let rest = base.get(copied..).unwrap_or_default();
        self.check(text.len().saturating_add(rest.len()))?;
        text.extend_from_slice(rest);
        text.shrink_to_fit();
        Ok((text, kept.map(Delta::parse).transpose()?))
    }

    /// Room for the text: memory that is set aside is not taken before it is written to, and what
    /// grows step by step would be held twice at each.
    fn room(&self) -> Vec<u8> {
        memory::room(self.expected.min(self.limit))
    }

    /// Refuses a text that becomes larger than may be, before it does.
    fn check(&self, size: usize) -> Result<(), Failure> {
        let (size, limit) = (size as u64, self.limit as u64);
        if size > limit { Err(Problem::TooLarge { size, limit }.into()) } else { Ok(()) }
    }
}

/// Three big-endian numbers of 32 bits.
fn numbers(header: [u8; 12]) -> [usize; 3] {
    let mut numbers = [0; 3];
    for (number, bytes) in numbers.iter_mut().zip(header.as_chunks::<4>().0) {
        *number = u32::from_be_bytes(*bytes) as usize;
    }
    numbers
}

/// What went wrong while a chunk was read: with it, or with the file that it is in.
fn failure(format: &'static str, error: io::Error) -> Failure {
    match error.raw_os_error() {
        Some(_) => Failure::Io(error),
        None => Problem::Decompress(DecompressError::Broken { format }).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::compress::{Deflater, ZstdCompressor};

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Deflater::default().append(bytes, &mut out);
        out
    }

    fn stored(plain: &[u8]) -> [Vec<u8>; 3] {
        let zstd = ZstdCompressor::new(3).unwrap().frame(plain).unwrap();
        [[b"u", plain].concat(), zlib(plain), zstd]
    }

    fn made(chunk: &[u8], base: &[u8], limit: usize) -> Result<(Vec<u8>, Option<Delta>), String> {
        let base = Arc::new(base.to_vec());
        let made = Plain::new(chunk, limit, 0).and_then(|plain| plain.applied(&base));
        made.map_err(|failure| match failure {
            Failure::Problem(problem) => problem.to_string(),
            Failure::Io(error) => panic!("{error}"),
        })
    }

    proptest::proptest! {
        /// The same as with everything in memory, whatever the delta is.
        #[test]
        fn a_delta_makes_what_it_makes_elsewhere(
            base in proptest::collection::vec(0..4u8, 0..300),
            ranges in proptest::collection::vec((0..60u32, 0..60u32, proptest::collection::vec(0..4u8, 0..40)), 0..8),
            cut: Option<u16>,
        ) {
            let (mut delta, mut at) = (Vec::new(), 0);
            for (skip, length, new) in &ranges {
                let (start, end) = (at + skip, at + skip + length);
                let count = u32::try_from(new.len()).unwrap();
                delta.extend([start, end, count].map(u32::to_be_bytes).concat());
                delta.extend(new);
                at = end;
            }
            if let Some(cut) = cut {
                delta.truncate(usize::from(cut));
            }
            let parsed = Delta::parse(delta.clone());
            let expected = parsed.and_then(|parsed| parsed.apply(&base)).ok();
            for chunk in stored(&delta) {
                let made = made(&chunk, &base, 10_000).map(|(text, kept)| {
                    if let Some(kept) = kept {
                        assert_eq!(kept.as_bytes(), delta);
                    }
                    text
                });
                assert_eq!(made.ok(), expected);
            }
        }
    }

    #[test]
    fn a_text_is_what_is_stored_and_no_longer_than_may_be() {
        for text in [vec![b'u'; 200_000], b"\0literal".to_vec(), Vec::new()] {
            let mut chunks = stored(&text).to_vec();
            chunks.extend(text.first().is_some_and(|byte| *byte == 0).then(|| text.clone()));
            for chunk in chunks {
                let read = |limit| Plain::new(&chunk[..], limit, 0).and_then(Plain::text);
                assert!(read(text.len()).is_ok_and(|read| read == text));
                assert!(text.is_empty() || read(text.len() - 1).is_err());
            }
        }
        assert!(Plain::new(&b""[..], 9, 0).and_then(Plain::text).is_ok_and(|text| text.is_empty()));
        assert!(Plain::new(&b"q"[..], 9, 9).is_err());
    }

    #[test]
    fn damage_is_a_problem_and_not_one_of_the_system() {
        let text = b"some text, some text".repeat(1000);
        let delta = Delta::of_all(&text).as_bytes().to_vec();
        for chunk in stored(&delta) {
            assert!(made(&chunk[..chunk.len() - 1], b"", 1 << 20).is_err());
            assert!(made(&chunk, b"", text.len()).is_err());
        }
    }
}
