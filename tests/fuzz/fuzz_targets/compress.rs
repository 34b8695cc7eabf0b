//! Bounded decompression, and the deflate that packs are made of.
#![no_main]

use libfuzzer_sys::fuzz_target;
use synchroniser::base::compress::{DecompressError, Decompressor, Deflater};
use synchroniser_fuzz::Input;

type Decompressed = Result<Vec<u8>, DecompressError>;

/// A stream gives the same whatever the bound, as long as that has room; and never more.
fn check_bounds(limit: usize, mut decompress: impl FnMut(usize) -> Decompressed) {
    let wide = decompress(limit.max(1 << 16));
    let narrow = decompress(limit);
    if let Ok(out) = &narrow {
        assert!(out.len() <= limit);
        assert_eq!(wide.as_ref(), Ok(out));
    }
    let Ok(out) = wide else { return };
    assert_eq!(decompress(out.len()).as_ref(), Ok(&out));
    if let Some(less) = out.len().checked_sub(1) {
        assert_eq!(decompress(less), Err(DecompressError::TooLarge { limit: less }));
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let (mode, limit) = (input.byte(), usize::from(input.short()));
    let bytes = input.rest();
    let mut decompressor = Decompressor::default();
    match mode % 3 {
        0 => {
            check_bounds(limit, |limit| decompressor.zlib(bytes, limit));
            if let Ok((out, used)) = decompressor.zlib_prefix(bytes, limit) {
                assert_eq!(decompressor.zlib(&bytes[..used], limit), Ok(out));
            }
        }
        1 => check_bounds(limit, |limit| decompressor.zstd(bytes, limit)),
        _ => {
            let mut deflated = b"before".to_vec();
            Deflater::default().append(bytes, &mut deflated);
            let deflated = deflated.strip_prefix(b"before").unwrap();
            let inflated = decompressor.zlib_prefix(deflated, bytes.len());
            assert_eq!(inflated, Ok((bytes.to_vec(), deflated.len())));
        }
    }
});
