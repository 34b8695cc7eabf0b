//! Bytes that are read at positions: those of a file, or some that are in memory already.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Where the bytes are.
#[derive(Debug)]
pub enum ReadAt {
    /// In a file, which others may cut short at any time.
    File(File),
    /// In memory.
    Memory(Vec<u8>),
}

impl ReadAt {
    /// How many bytes there are now.
    pub fn size(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// Fills `bytes` with what is at `offset`. An end that comes too early is `UnexpectedEof`.
    pub fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File(file) => file.read_exact_at(bytes, offset),
            Self::Memory(held) => {
                let start = usize::try_from(offset).ok();
                let rest = start.and_then(|start| held.get(start..));
                let found = rest.and_then(|rest| rest.get(..bytes.len()));
                bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn memory_and_files_are_alike() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        for bytes in [ReadAt::File(file), ReadAt::Memory(b"0123456789".to_vec())] {
            assert_eq!(bytes.size().unwrap(), 10);
            let mut out = [0; 4];
            bytes.read_exact_at(&mut out, 6).unwrap();
            assert_eq!(&out, b"6789");
            for offset in [7, 10, 11, 1 << 40] {
                let error = bytes.read_exact_at(&mut out, offset).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{offset}");
            }
            bytes.read_exact_at(&mut [], 10).unwrap();
        }
    }
}
