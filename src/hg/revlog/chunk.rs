//! One stored chunk: a header byte says how it is compressed.

use super::error::Problem;
use crate::base::compress::{DecompressError, Decompressor};

/// How a stored chunk is compressed.
pub(super) fn compression(chunk: &[u8]) -> &'static str {
    match chunk.first() {
        None | Some(0 | b'u') => "none",
        Some(b'x') => "zlib",
        Some(b'(') => "zstd",
        Some(_) => "unknown",
    }
}

/// The plain bytes of a stored chunk, at most `limit` of them.
pub(in crate::hg) fn decode(
    decompressor: &mut Decompressor,
    chunk: &[u8],
    limit: usize,
) -> Result<Vec<u8>, Problem> {
    let plain = |bytes: &[u8]| match bytes.len() <= limit {
        true => Ok(bytes.to_vec()),
        false => Err(Problem::Decompress(DecompressError::TooLarge { limit })),
    };
    match chunk {
        [] => Ok(Vec::new()),
        // The header byte of a literal chunk belongs to its text.
        [0, ..] => plain(chunk),
        [b'u', rest @ ..] => plain(rest),
        [b'x', ..] => decompressor.zlib(chunk, limit).map_err(Problem::Decompress),
        [b'(', ..] => decompressor.zstd(chunk, limit).map_err(Problem::Decompress),
        [other, ..] => Err(Problem::Compression(*other)),
    }
}
