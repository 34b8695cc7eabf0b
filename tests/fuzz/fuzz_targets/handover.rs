//! A cache that another machine sends.
#![no_main]

use std::io::{self, Read};

use libfuzzer_sys::fuzz_target;
use synchroniser::mirror::Decoder;

/// Gives so many bytes at a time.
struct Pieces<'d>(&'d [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let most = bytes.len().min(self.1);
        self.0.read(&mut bytes[..most])
    }
}

/// The names and sizes of all files, if the stream is sound.
fn files(data: &[u8], piece: usize) -> Option<Vec<(Vec<u8>, u64)>> {
    let mut decoder = Decoder::begin(Pieces(data, piece)).ok()?;
    let announced = decoder.announced();
    let (mut files, mut bytes) = (Vec::new(), 0);
    while let Some((name, size)) = decoder.next_file().ok()? {
        let read = io::copy(&mut decoder.contents(), &mut io::sink());
        if let Ok(read) = read {
            assert_eq!(read, size);
        }
        read.ok()?;
        assert!(!name.is_empty());
        bytes += size;
        assert!(bytes <= data.len() as u64 && bytes <= announced.bytes);
        files.push((name, size));
        assert!(files.len() as u64 <= announced.files);
    }
    // So that inputs need not hash.
    let seal: synchroniser::mirror::Seal = Box::new(|_| [7; 32]);
    decoder.finish(&seal).ok()?;
    Some(files)
}

fuzz_target!(|data: &[u8]| {
    let Some((&piece, data)) = data.split_first() else { return };
    // How it is cut makes no difference.
    assert_eq!(files(data, data.len().max(1)), files(data, usize::from(piece).max(1)));
});
