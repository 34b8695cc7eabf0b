//! Chunks as they are stored: compressed, or as they are where that is not shorter.

use std::borrow::Cow;
use std::io;

use crate::base::compress::{Deflater, ZstdCompressor};
use crate::hg::store::requirements::Requirements;

/// Shorter chunks are hardly ever worth it.
const SHORTEST: usize = 40;
/// What Mercurial chooses.
const ZSTD_LEVEL: i32 = 3;

/// Compresses chunks in the way that a repository requires.
#[derive(Debug)]
pub(super) enum Packer {
    Zstd(ZstdCompressor),
    /// The deflater, and room for what comes out.
    Zlib(Deflater, Vec<u8>),
    None,
}

impl Packer {
    pub(super) fn new(requirements: &Requirements) -> io::Result<Self> {
        let has = |method: &str| {
            ["revlog-compression-", "exp-compression-"]
                .iter()
                .any(|prefix| requirements.has(&format!("{prefix}{method}")))
        };
        Ok(match () {
            () if has("zstd") => Self::Zstd(ZstdCompressor::new(ZSTD_LEVEL)?),
            () if has("none") => Self::None,
            () => Self::Zlib(Deflater::default(), Vec::new()),
        })
    }

    /// Appends `plain` to `out` as a chunk; says how many bytes that took.
    pub(super) fn append(&mut self, plain: &[u8], out: &mut Vec<u8>) -> io::Result<usize> {
        let packed: Cow<'_, [u8]> = match self {
            _ if plain.len() < SHORTEST => Cow::Borrowed(&[]),
            Self::Zstd(compressor) => Cow::Owned(compressor.frame(plain)?),
            Self::Zlib(deflater, room) => {
                room.clear();
                deflater.append(plain, room);
                Cow::Borrowed(room)
            }
            Self::None => Cow::Borrowed(&[]),
        };
        let before = out.len();
        if !packed.is_empty() && packed.len() < plain.len() {
            out.extend_from_slice(&packed);
        } else {
            // What begins with a zero byte says itself that it is not compressed.
            if plain.first().is_some_and(|first| *first != 0) {
                out.push(b'u');
            }
            out.extend_from_slice(plain);
        }
        Ok(out.len() - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::compress::Decompressor;
    use crate::hg::revlog::chunk;

    #[test]
    fn what_is_packed_is_unpacked() {
        let long: Vec<u8> = (0..9000u32).flat_map(|i| (i / 100).to_be_bytes()).collect();
        let noise: Vec<u8> =
            (0..200u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let text = [b"u".repeat(100), b"tail".to_vec()].concat();
        for (requirement, first) in [
            ("revlog-compression-zstd", b'('),
            ("exp-compression-zstd", b'('),
            ("store", b'x'),
            ("revlog-compression-none", 0),
        ] {
            let requirements = Requirements::parse(requirement.as_bytes()).unwrap();
            let mut packer = Packer::new(&requirements).unwrap();
            let mut out = Vec::new();
            assert_eq!(packer.append(&long, &mut out).unwrap(), out.len());
            assert_eq!(out[0], first, "{requirement}");
            for plain in [&b""[..], b"\0", b"a", b"\0short", b"xshort", &long, &noise, &text] {
                let start = out.len();
                let length = packer.append(plain, &mut out).unwrap();
                assert_eq!(length, out.len() - start);
                assert!(length <= plain.len() + 1);
                let made = chunk::decode(&mut Decompressor::default(), &out[start..], 1 << 20);
                assert_eq!(made.unwrap(), plain, "{requirement}");
            }
        }
    }
}
