//! Bounded decompression and the deflate that Git wants. Only home of `flate2` and `zstd`.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Why bytes did not decompress.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecompressError {
    /// The result is larger than its declared length or the limit.
    #[error("more than {limit} bytes come out")]
    TooLarge {
        /// The bound that was passed.
        limit: usize,
    },
    /// The stream ends before its end mark, or is not one.
    #[error("not a whole {format} stream")]
    Broken {
        /// `zlib` or `zstd`.
        format: &'static str,
    },
}

/// Decompressors that are made once and used for many small inputs.
pub struct Decompressor {
    zlib: Decompress,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

impl Default for Decompressor {
    fn default() -> Self {
        Self { zlib: Decompress::new(true), zstd: None }
    }
}

impl std::fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decompressor")
    }
}

/// What is set aside at first for a result of unknown size.
const FIRST_GUESS: usize = 16 << 10;

impl Decompressor {
    /// Inflates a whole zlib stream into at most `limit` bytes.
    ///
    /// Memory grows with what really comes out, so a declared size cannot make it allocate.
    pub fn zlib(&mut self, input: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
        self.zlib_prefix(input, limit).map(|(out, _)| out)
    }

    /// The same for a stream that something may follow; also how many bytes of `input` it has.
    pub fn zlib_prefix(
        &mut self,
        input: &[u8],
        limit: usize,
    ) -> Result<(Vec<u8>, usize), DecompressError> {
        const BROKEN: DecompressError = DecompressError::Broken { format: "zlib" };
        self.zlib.reset(true);
        let mut out = Vec::with_capacity(limit.min(input.len().saturating_mul(4).max(FIRST_GUESS)));
        loop {
            let read = usize::try_from(self.zlib.total_in()).map_err(|_| BROKEN)?;
            let rest = input.get(read..).ok_or(BROKEN)?;
            let before = (self.zlib.total_in(), out.len());
            let status = self
                .zlib
                .decompress_vec(rest, &mut out, FlushDecompress::Finish)
                .map_err(|_| BROKEN)?;
            if out.len() > limit {
                return Err(DecompressError::TooLarge { limit });
            }
            if status == Status::StreamEnd {
                let read = usize::try_from(self.zlib.total_in()).map_err(|_| BROKEN)?;
                return Ok((out, read));
            }
            let stuck = before == (self.zlib.total_in(), out.len());
            if out.len() < out.capacity() && stuck {
                return Err(BROKEN);
            }
            if out.len() == out.capacity() {
                // One byte beyond the limit is enough to notice that it was passed.
                let room = limit.saturating_add(1).saturating_sub(out.len());
                out.reserve_exact(room.min(out.capacity().max(FIRST_GUESS)).max(1));
            }
        }
    }

    /// Decompresses a whole zstd frame into at most `limit` bytes.
    ///
    /// The frame's own content size decides how much is set aside, up to `limit`.
    pub fn zstd(&mut self, input: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
        const BROKEN: DecompressError = DecompressError::Broken { format: "zstd" };
        if input.is_empty() {
            // To the library, no frame at all is an empty result.
            return Err(BROKEN);
        }
        let declared = zstd::bulk::Decompressor::upper_bound(input).unwrap_or(limit);
        if declared > limit.saturating_add(ZSTD_BLOCK) {
            return Err(DecompressError::TooLarge { limit });
        }
        if self.zstd.is_none() {
            self.zstd = Some(zstd::bulk::Decompressor::new().map_err(|_| BROKEN)?);
        }
        let Some(decompressor) = self.zstd.as_mut() else { return Err(BROKEN) };
        let out = decompressor.decompress(input, declared).map_err(|_| BROKEN)?;
        if out.len() > limit {
            return Err(DecompressError::TooLarge { limit });
        }
        Ok(out)
    }
}

/// The bound of a frame that does not declare its size is rounded up to whole blocks of this size.
const ZSTD_BLOCK: usize = 128 << 10;

/// A zlib compressor that is made once and used for many small inputs.
#[derive(Debug)]
pub struct Deflater(Compress);

impl Deflater {
    /// A compressor of the given level, 1 (fast) to 9 (small).
    pub fn new(level: u32) -> Self {
        Self(Compress::new(Compression::new(level), true))
    }

    /// Appends the zlib stream of `input` to `out`. What is too short to become shorter is stored as
    /// it is: starting the compressor costs more than all else that happens to it.
    pub fn append(&mut self, input: &[u8], out: &mut Vec<u8>) {
        if input.len() <= STORED {
            append_stored(input, out);
            return;
        }
        self.0.reset();
        loop {
            let read = usize::try_from(self.0.total_in()).unwrap_or(usize::MAX);
            let rest = input.get(read..).unwrap_or_default();
            if out.capacity() - out.len() < 64 {
                out.reserve(rest.len() / 2 + 256);
            }
            // Deflating into memory cannot fail: there is no state in which it is illegal.
            if matches!(
                self.0.compress_vec(rest, out, FlushCompress::Finish),
                Ok(Status::StreamEnd) | Err(_)
            ) {
                return;
            }
        }
    }
}

/// Up to this many bytes are not worth compressing.
const STORED: usize = 100;

/// Appends a zlib stream with one stored block (RFC 1950 and 1951) of at most [`STORED`] bytes.
fn append_stored(input: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(input.len()).unwrap_or(0);
    // Deflate with a 32 KiB window, no dictionary; then the last block, stored.
    out.extend_from_slice(&[0x78, 0x01, 0x01]);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
    out.extend_from_slice(input);
    let (mut a, mut b) = (1u32, 0u32);
    for &byte in input {
        // So few bytes cannot overflow, so the remainder can wait.
        a += u32::from(byte);
        b += a;
    }
    out.extend_from_slice(&(((b % ADLER) << 16) | (a % ADLER)).to_be_bytes());
}

/// The modulus of the Adler-32 checksum.
const ADLER: u32 = 65521;

/// The CRC-32 of `bytes`, as a pack index stores it for each entry.
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Deflater::new(6).append(bytes, &mut out);
        out
    }

    #[test]
    fn round_trips_of_every_size() {
        let mut inflater = Decompressor::default();
        for size in [0, 1, 99, 100, 101, 20_000, 300_000] {
            let text: Vec<u8> = (0..size).map(|i: u32| (i % 251) as u8).collect();
            assert_eq!(inflater.zlib(&deflate(&text), text.len()).unwrap(), text);
            let frame = zstd::bulk::compress(&text, 3).unwrap();
            assert_eq!(inflater.zstd(&frame, text.len()).unwrap(), text);
        }
    }

    #[test]
    fn what_follows_a_stream_is_left() {
        let mut inflater = Decompressor::default();
        let mut bytes = deflate(b"text");
        let length = bytes.len();
        bytes.extend_from_slice(b"more");
        assert_eq!(inflater.zlib_prefix(&bytes, 4).unwrap(), (b"text".to_vec(), length));
    }

    #[test]
    fn a_bomb_is_refused() {
        let zeros = vec![0; 1 << 20];
        let mut inflater = Decompressor::default();
        let too_large = DecompressError::TooLarge { limit: 1000 };
        assert_eq!(inflater.zlib(&deflate(&zeros), 1000), Err(too_large.clone()));
        let frame = zstd::bulk::compress(&zeros, 3).unwrap();
        assert_eq!(inflater.zstd(&frame, 1000), Err(too_large));
    }

    #[test]
    fn every_prefix_is_broken() {
        let mut inflater = Decompressor::default();
        let zlib = deflate(b"some text, some more text, some text");
        let frame = zstd::bulk::compress(b"some text, some more text, some text", 3).unwrap();
        for end in 0..zlib.len() {
            assert!(inflater.zlib(&zlib[..end], 100).is_err(), "zlib cut at {end}");
        }
        for end in 0..frame.len() {
            assert!(inflater.zstd(&frame[..end], 100).is_err(), "zstd cut at {end}");
        }
    }
}
