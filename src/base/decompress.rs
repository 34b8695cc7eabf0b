//! Decompression of streams that are too long to hold. Only home of `bzip2`.

use std::io::{BufReader, Read};

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// zlib.
    Zlib,
    /// bzip2.
    Bzip2,
    /// Zstandard, with windows of at most 128 MiB.
    Zstd,
}

/// What comes out of the stream `source`.
///
/// Memory is that of one window, whatever comes out. A stream that is damaged or ends too early is
/// an error that the operating system has no number for.
pub fn decompressed<'r>(
    format: Format,
    source: impl Read + 'r,
) -> std::io::Result<Box<dyn Read + 'r>> {
    let source = BufReader::new(source);
    Ok(match format {
        Format::Zlib => Box::new(flate2::bufread::ZlibDecoder::new(source)),
        Format::Bzip2 => Box::new(bzip2::bufread::BzDecoder::new(source)),
        Format::Zstd => Box::new(zstd::Decoder::with_buffer(source)?),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn compressed(format: Format, text: &[u8]) -> Vec<u8> {
        match format {
            Format::Zlib => {
                let mut out = Vec::new();
                crate::base::compress::Deflater::default().append(text, &mut out);
                out
            }
            Format::Bzip2 => {
                let mut writer =
                    bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                writer.write_all(text).unwrap();
                writer.finish().unwrap()
            }
            Format::Zstd => zstd::encode_all(text, 3).unwrap(),
        }
    }

    fn read(format: Format, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut out = Vec::new();
        decompressed(format, bytes)?.read_to_end(&mut out).map(|_| out)
    }

    #[test]
    fn every_format_and_every_cut() {
        let text: Vec<u8> = (0..3000_u32).flat_map(u32::to_be_bytes).collect();
        for format in [Format::Zlib, Format::Bzip2, Format::Zstd] {
            let bytes = compressed(format, &text);
            assert_eq!(read(format, &bytes).unwrap(), text, "{format:?}");
            for end in (1..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
                let error = read(format, &bytes[..end]).unwrap_err();
                assert_eq!(error.raw_os_error(), None, "{format:?} cut at {end}: {error}");
            }
        }
    }
}
