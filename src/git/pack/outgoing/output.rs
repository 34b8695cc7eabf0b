//! Where a pack goes.

use std::io::{self, Write};

use super::error::OutgoingError;
use crate::base::compress::Crc32;
use crate::base::sha1::Sha1;

/// How much is handed on at a time.
const BLOCK: usize = 32 << 10;

/// Where the bytes go: counted, hashed, and in blocks.
pub(super) struct Output<'w> {
    out: &'w mut dyn Write,
    block: Vec<u8>,
    hash: Sha1,
    pub at: u64,
    /// The checksum of the entry that is being written, if it is asked for.
    pub crc: Option<Crc32>,
}

impl<'w> Output<'w> {
    pub(super) fn new(out: &'w mut dyn Write) -> Self {
        Self { out, block: Vec::with_capacity(BLOCK), hash: Sha1::new(), at: 0, crc: None }
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), OutgoingError> {
        self.hash.update(bytes);
        if let Some(crc) = &mut self.crc {
            crc.update(bytes);
        }
        self.at += bytes.len() as u64;
        self.write(bytes).map_err(OutgoingError::Write)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.block.len() + bytes.len() > BLOCK {
            self.out.write_all(&self.block)?;
            self.block.clear();
        }
        if bytes.len() >= BLOCK {
            return self.out.write_all(bytes);
        }
        self.block.extend_from_slice(bytes);
        Ok(())
    }

    /// Ends with the checksum of it all, and returns that.
    pub(super) fn finish(mut self) -> Result<[u8; 20], OutgoingError> {
        let checksum = std::mem::take(&mut self.hash).finish();
        let last = self.write(&checksum).and_then(|()| self.out.write_all(&self.block));
        last.and_then(|()| self.out.flush()).map_err(OutgoingError::Write)?;
        Ok(checksum)
    }
}
