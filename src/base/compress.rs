//! Bounded decompression and the deflate that Git wants. With [`super::decompress`] the only home of
//! `flate2`, `libdeflater` and `zstd`.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use zstd::stream::raw::{Decoder as ZstdStream, InBuffer, Operation, OutBuffer};

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
    /// For what is inflated in one go.
    whole: Option<libdeflater::Decompressor>,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
    zstd_stream: Option<ZstdStream<'static>>,
}

impl Default for Decompressor {
    fn default() -> Self {
        Self { zlib: Decompress::new(true), whole: None, zstd: None, zstd_stream: None }
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
            reserve_more(&mut out, limit);
        }
    }

    /// Inflates the zlib stream that `input` begins with, if it ends there and makes `size` bytes. That is
    /// set aside at once. `None` does not say what is wrong: [`Decompressor::zlib_prefix`] does.
    pub fn zlib_at_once(&mut self, input: &[u8], size: usize) -> Option<Vec<u8>> {
        let mut out = vec![0; size];
        let whole = self.whole.get_or_insert_with(libdeflater::Decompressor::new);
        let found = whole.zlib_decompress(input, &mut out);
        found.is_ok_and(|found| found == size).then_some(out)
    }

    /// The first bytes that come out of a zlib stream of which `input` is the beginning: at most `most`,
    /// fewer if the stream is shorter, or if `input` ends before that.
    pub fn zlib_start(&mut self, input: &[u8], most: usize) -> Result<Vec<u8>, DecompressError> {
        self.zlib.reset(true);
        let mut out = Vec::with_capacity(most);
        match self.zlib.decompress_vec(input, &mut out, FlushDecompress::None) {
            Ok(_) => Ok(out),
            Err(_) => Err(DecompressError::Broken { format: "zlib" }),
        }
    }

    /// Decompresses a whole zstd frame into at most `limit` bytes.
    ///
    /// A small size that the frame declares is set aside at once; otherwise memory grows with what
    /// really comes out, as in [`Decompressor::zlib`].
    pub fn zstd(&mut self, input: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
        match zstd::zstd_safe::get_frame_content_size(input) {
            Ok(Some(declared)) if declared > limit as u64 => {
                Err(DecompressError::TooLarge { limit })
            }
            Ok(Some(declared)) if declared <= SMALL_FRAME => {
                self.zstd_at_once(input, usize::try_from(declared).unwrap_or(limit))
            }
            Ok(_) => self.zstd_bit_by_bit(input, limit),
            Err(_) => Err(BROKEN_ZSTD),
        }
    }

    fn zstd_at_once(&mut self, input: &[u8], size: usize) -> Result<Vec<u8>, DecompressError> {
        if self.zstd.is_none() {
            self.zstd = Some(zstd::bulk::Decompressor::new().map_err(|_| BROKEN_ZSTD)?);
        }
        let decompressor = self.zstd.as_mut().ok_or(BROKEN_ZSTD)?;
        decompressor.decompress(input, size).map_err(|_| BROKEN_ZSTD)
    }

    fn zstd_bit_by_bit(&mut self, input: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
        if self.zstd_stream.is_none() {
            self.zstd_stream = Some(ZstdStream::new().map_err(|_| BROKEN_ZSTD)?);
        }
        let stream = self.zstd_stream.as_mut().ok_or(BROKEN_ZSTD)?;
        stream.reinit().map_err(|_| BROKEN_ZSTD)?;
        let mut out = Vec::with_capacity(limit.min(input.len().saturating_mul(4).max(FIRST_GUESS)));
        let mut input = InBuffer::around(input);
        loop {
            let length = out.len();
            let mut room = OutBuffer::around_pos(&mut out, length);
            let wanted = stream.run(&mut input, &mut room).map_err(|_| BROKEN_ZSTD)?;
            let all_read = input.pos() == input.src.len();
            if out.len() > limit {
                return Err(DecompressError::TooLarge { limit });
            }
            match (wanted == 0, all_read) {
                (true, true) => return Ok(out),
                // Something follows the frame, or the frame ends before its end.
                (true, false) => return Err(BROKEN_ZSTD),
                (false, true) if out.len() < out.capacity() => return Err(BROKEN_ZSTD),
                (false, _) => reserve_more(&mut out, limit),
            }
        }
    }
}

/// Up to this many bytes are set aside because a frame says so.
const SMALL_FRAME: u64 = 1 << 20;
const BROKEN_ZSTD: DecompressError = DecompressError::Broken { format: "zstd" };

/// Makes room for more, where it is full: twice as much, up to a byte beyond `limit`, which is
/// enough to notice that the limit was passed.
fn reserve_more(out: &mut Vec<u8>, limit: usize) {
    if out.len() == out.capacity() {
        let room = limit.saturating_add(1).saturating_sub(out.len());
        out.reserve_exact(room.min(out.capacity().max(FIRST_GUESS)).max(1));
    }
}

/// A zlib compressor that is made once and used for many small inputs.
pub struct Deflater {
    /// For what is deflated in one go.
    whole: libdeflater::Compressor,
    /// For what is too large for that.
    stream: Compress,
}

impl std::fmt::Debug for Deflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deflater")
    }
}

impl Default for Deflater {
    /// At levels that make much the same of a text: for nginx, what a conversion writes is 5% larger
    /// than at level 6 of either, and the conversion takes a sixth less time.
    fn default() -> Self {
        let level = libdeflater::CompressionLvl::new(1).unwrap_or_default();
        let whole = libdeflater::Compressor::new(level);
        Self { whole, stream: Compress::new(Compression::new(6), true) }
    }
}

impl Deflater {
    /// One that makes little of what is written once and read for years: a tenth less than the default, in
    /// several times its time.
    pub fn thorough() -> Self {
        let level = libdeflater::CompressionLvl::new(9).unwrap_or_default();
        let whole = libdeflater::Compressor::new(level);
        Self { whole, stream: Compress::new(Compression::new(9), true) }
    }

    /// Appends the zlib stream of `input` to `out`. What is too short to become shorter is stored as
    /// it is: starting the compressor costs more than all else that happens to it.
    pub fn append(&mut self, input: &[u8], out: &mut Vec<u8>) {
        if input.len() <= STORED {
            append_stored(input, out);
        } else if input.len() <= WHOLE {
            self.append_whole(input, out);
        } else {
            self.append_stream(input, out);
        }
    }

    /// Hands the zlib stream of `input` to `take` piece by piece: for what is too large to be held with
    /// what comes out.
    pub fn pieces<E>(
        &mut self,
        input: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.stream.reset();
        let mut piece = Vec::with_capacity(PIECE);
        loop {
            let read = usize::try_from(self.stream.total_in()).unwrap_or(usize::MAX);
            let rest = input.get(read..).unwrap_or_default();
            // Deflating into memory cannot fail: there is no state in which it is illegal.
            let status = self.stream.compress_vec(rest, &mut piece, FlushCompress::Finish);
            take(&piece)?;
            piece.clear();
            if matches!(status, Ok(Status::StreamEnd) | Err(_)) {
                return Ok(());
            }
        }
    }

    fn append_whole(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        let most = self.whole.zlib_compress_bound(input.len());
        out.resize(start.saturating_add(most), 0);
        let room = out.get_mut(start..).unwrap_or_default();
        match self.whole.zlib_compress(input, room) {
            Ok(length) => out.truncate(start.saturating_add(length)),
            // There was room for the worst that can come out.
            Err(libdeflater::CompressionError::InsufficientSpace) => {
                out.truncate(start);
                self.append_stream(input, out);
            }
        }
    }

    fn append_stream(&mut self, input: &[u8], out: &mut Vec<u8>) {
        self.stream.reset();
        loop {
            let read = usize::try_from(self.stream.total_in()).unwrap_or(usize::MAX);
            let rest = input.get(read..).unwrap_or_default();
            if out.capacity() - out.len() < 64 {
                out.reserve(rest.len() / 2 + 256);
            }
            // Deflating into memory cannot fail: there is no state in which it is illegal.
            if matches!(
                self.stream.compress_vec(rest, out, FlushCompress::Finish),
                Ok(Status::StreamEnd) | Err(_)
            ) {
                return;
            }
        }
    }
}

/// A zstd compressor that is made once and used for many small inputs.
pub struct ZstdCompressor(zstd::bulk::Compressor<'static>);

impl std::fmt::Debug for ZstdCompressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ZstdCompressor")
    }
}

impl ZstdCompressor {
    /// A compressor of the given level, 1 (fast) to 22 (small).
    pub fn new(level: i32) -> std::io::Result<Self> {
        zstd::bulk::Compressor::new(level).map(Self)
    }

    /// `input` as one frame, which records its size.
    pub fn frame(&mut self, input: &[u8]) -> std::io::Result<Vec<u8>> {
        self.0.compress(input)
    }
}

/// So many bytes are handed on at a time.
const PIECE: usize = 64 << 10;
/// Up to this many bytes are not worth compressing.
const STORED: usize = 100;
/// Up to this many bytes are deflated in one go, which needs as much room for what comes out.
const WHOLE: usize = 1 << 20;

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

/// The CRC-32 of bytes that come one after the other.
#[derive(Clone, Debug, Default)]
pub struct Crc32(crc32fast::Hasher);

impl Crc32 {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// That of all that was added.
    pub fn finish(self) -> u32 {
        self.0.finalize()
    }
}

/// The CRC-32 of `bytes`, as a pack index stores it for each entry.
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_stream_that_the_whole_is() {
        let input: Vec<u8> = (0..400_000_u32)
            .flat_map(|n| (n / 7).wrapping_mul(2_654_435_761).to_be_bytes())
            .collect();
        for input in [&input[..], b"", b"short"] {
            let (mut deflater, mut out, mut crc) =
                (Deflater::default(), Vec::new(), Crc32::default());
            let done: Result<(), ()> = deflater.pieces(input, |piece| {
                assert!(piece.len() <= PIECE);
                crc.update(piece);
                out.extend_from_slice(piece);
                Ok(())
            });
            assert_eq!(done, Ok(()));
            assert_eq!(crc.finish(), crc32(&out));
            assert_eq!(Decompressor::default().zlib(&out, input.len()).unwrap(), input);
            assert_eq!(deflater.pieces(input, |_| Err(1)), Err(1));
        }
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Deflater::default().append(bytes, &mut out);
        out
    }

    #[test]
    fn the_beginning_and_all_at_once() {
        let text = b"a line of a text\n".repeat(100);
        let mut inflater = Decompressor::default();
        for text in [&text[..], b"", b"short"] {
            let stream = [&deflate(text)[..], b"and more"].concat();
            let whole = stream.len() - 8;
            assert_eq!(inflater.zlib_at_once(&stream, text.len()).unwrap(), text);
            assert_eq!(inflater.zlib_at_once(&stream, text.len() + 1), None);
            assert_eq!(inflater.zlib_at_once(&stream[..whole - 1], text.len()), None);
            if let Some(less) = text.len().checked_sub(1) {
                assert_eq!(inflater.zlib_at_once(&stream, less), None);
            }
            let most = text.len().min(20);
            assert_eq!(inflater.zlib_start(&stream, most).unwrap(), text[..most]);
            assert_eq!(inflater.zlib_start(&stream, 5000).unwrap(), text);
        }
        assert!(inflater.zlib_start(b"no stream", 5).is_err());
    }

    #[test]
    fn round_trips_of_every_size() {
        let mut inflater = Decompressor::default();
        for size in [0, 1, 99, 100, 101, 20_000, 300_000, 1 << 20, (1 << 20) + 1] {
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

    /// A frame as a stream writes it: without its size, in many small blocks.
    fn streamed(text: &[u8], block: usize) -> Vec<u8> {
        use std::io::Write;
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        for piece in text.chunks(block) {
            encoder.write_all(piece).unwrap();
            encoder.flush().unwrap();
        }
        encoder.finish().unwrap()
    }

    /// Mercurial writes texts of more than a million bytes like this.
    #[test]
    fn small_blocks_without_a_size_are_not_too_large() {
        let mut inflater = Decompressor::default();
        for size in [0, 1, 1000, 16 << 10, 300_000, 1_500_000] {
            let text: Vec<u8> = (0..size).map(|i: u32| (i % 251) as u8).collect();
            let frame = streamed(&text, 700);
            assert_eq!(inflater.zstd(&frame, text.len()).unwrap(), text, "{size}");
            if size > 0 {
                let limit = text.len() - 1;
                assert_eq!(inflater.zstd(&frame, limit), Err(DecompressError::TooLarge { limit }));
            }
        }
    }

    #[test]
    fn a_frame_does_not_get_the_memory_that_it_asks_for() {
        let mut inflater = Decompressor::default();
        // Magic number; a single segment with an eight-byte size; one empty raw block, not the last.
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xe0];
        frame.extend_from_slice(&(1u64 << 29).to_le_bytes());
        frame.extend_from_slice(&[0, 0, 0]);
        let broken = DecompressError::Broken { format: "zstd" };
        assert_eq!(inflater.zstd(&frame, 1 << 30), Err(broken));
        let bomb = streamed(&vec![0; 8 << 20], 8 << 20);
        let limit = 1 << 20;
        assert_eq!(inflater.zstd(&bomb, limit), Err(DecompressError::TooLarge { limit }));
    }

    #[test]
    fn every_prefix_of_a_stream_is_broken_and_so_is_more() {
        let mut inflater = Decompressor::default();
        let mut frame = streamed(b"some text, some more text, some text", 10);
        for end in 0..frame.len() {
            assert!(inflater.zstd(&frame[..end], 100).is_err(), "cut at {end}");
        }
        frame.push(0);
        assert!(inflater.zstd(&frame, 100).is_err());
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
