//! Bytes of records: all in memory, or read from their file when they are asked for.

use std::io;
use std::sync::OnceLock;

use super::ReadAt;

/// Bytes of one block, about: it has as many records as fit, so that none lies in two of them.
const BLOCK: usize = 32 << 10;

/// Bytes that consist of records of one size.
#[derive(Debug)]
pub enum LazyBytes {
    /// In memory.
    Whole(Vec<u8>),
    /// In a file. What was read once stays as it was, whatever becomes of the file.
    Blocks {
        /// The file.
        file: ReadAt,
        /// How many bytes of it count.
        size: usize,
        /// How many a block has.
        block: usize,
        /// Those that were read.
        blocks: Vec<OnceLock<Box<[u8]>>>,
    },
}

impl Default for LazyBytes {
    fn default() -> Self {
        Self::Whole(Vec::new())
    }
}

impl LazyBytes {
    /// The first `size` bytes of a file, which consist of records of `record` bytes.
    pub fn of_file(file: ReadAt, size: usize, record: usize) -> Self {
        let block = (BLOCK / record.max(1)).max(1) * record.max(1);
        let blocks = (0..size.div_ceil(block)).map(|_| OnceLock::new()).collect();
        Self::Blocks { file, size, block, blocks }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Blocks { size, .. } => *size,
        }
    }

    /// Those in memory; none of a file.
    pub fn whole(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Blocks { .. } => &[],
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `length` bytes at `start`, which lie in one record; `None` if they are not there, or not any
    /// more: whoever strips a repository cuts its files.
    pub fn get(&self, start: usize, length: usize) -> Option<&[u8]> {
        match self {
            Self::Whole(bytes) => bytes.get(start..)?.get(..length),
            Self::Blocks { file, size, block, blocks } => {
                let number = start / block;
                let slot = blocks.get(number)?;
                let bytes = if let Some(bytes) = slot.get() {
                    bytes
                } else {
                    let read = read_block(file, number * block, *block, *size).ok()?;
                    slot.get_or_init(|| read)
                };
                bytes.get(start % block..)?.get(..length)
            }
        }
    }
}

fn read_block(file: &ReadAt, start: usize, block: usize, size: usize) -> io::Result<Box<[u8]>> {
    let mut bytes = vec![0; block.min(size.saturating_sub(start))].into_boxed_slice();
    file.read_exact_at(&mut bytes, start as u64)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_is_read_in_parts_that_stay() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> =
            (0..=250).cycle().flat_map(|byte| [byte; 64]).take(BLOCK * 3 + 64).collect();
        file.write_all(&bytes).unwrap();
        let again = file.try_clone().unwrap();
        let index = LazyBytes::of_file(ReadAt::File(file), bytes.len(), 64);
        for start in [0, BLOCK - 64, BLOCK, 3 * BLOCK] {
            assert_eq!(index.get(start, 64), bytes.get(start..start + 64), "{start}");
        }
        assert_eq!(index.get(3 * BLOCK + 64, 64), None);
        again.set_len(64).unwrap();
        assert_eq!(index.get(64, 64), bytes.get(64..128));
        assert_eq!(index.get(2 * BLOCK, 64), None);
    }
}
