//! The bytes of a bundle, one after the other, and how many have been read.

use std::io::{self, Read};

use super::error::{BundleError, Damage};
use crate::base::Carried;

/// As much is set aside at a time, whatever length is declared.
const STEP: usize = 64 << 10;

/// The bytes that come out of a bundle's compression.
pub(super) struct Source<'r> {
    reader: Box<dyn Read + 'r>,
    offset: u64,
}

impl<'r> Source<'r> {
    /// What `reader` gives; `offset` bytes were read before.
    pub(super) fn new(reader: Box<dyn Read + 'r>, offset: u64) -> Self {
        Self { reader, offset }
    }

    /// How many bytes have been read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The error that something is wrong here.
    pub(super) fn damaged(&self, damage: impl Into<Damage>) -> BundleError {
        BundleError::Damaged { offset: self.offset, damage: damage.into() }
    }

    /// Fills a part of `bytes`, and says how much; nothing at the end.
    pub(super) fn some(&mut self, bytes: &mut [u8]) -> Result<usize, BundleError> {
        loop {
            match self.reader.read(bytes) {
                Ok(read) => {
                    self.offset += read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error().is_some() => return Err(error.into()),
                Err(error) if Carried::of(&error).is_some() => return Err(error.into()),
                // What no operating system says is said by a decompressor.
                Err(error) => {
                    return Err(self.damaged(Damage::Compressed { problem: error.to_string() }));
                }
            }
        }
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], BundleError> {
        let mut bytes = [0; N];
        self.fill(field, &mut bytes)?;
        Ok(bytes)
    }

    /// The next four bytes as a number.
    pub(super) fn number(&mut self, field: &'static str) -> Result<i32, BundleError> {
        Ok(i32::from_be_bytes(self.array(field)?))
    }

    /// The next `length` bytes. Memory grows with what is really there.
    pub(super) fn bytes(
        &mut self,
        field: &'static str,
        length: usize,
    ) -> Result<Vec<u8>, BundleError> {
        grown(length, |more| self.fill(field, more))
    }

    fn fill(&mut self, field: &'static str, bytes: &mut [u8]) -> Result<(), BundleError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let read = self.some(rest)?;
            let truncated = Damage::Truncated { field };
            let more = rest.get_mut(read..).filter(|_| read > 0);
            rest = more.ok_or(BundleError::Damaged { offset: self.offset, damage: truncated })?;
        }
        Ok(())
    }
}

/// `length` bytes, made a step at a time.
pub(super) fn grown<E>(
    length: usize,
    mut fill: impl FnMut(&mut [u8]) -> Result<(), E>,
) -> Result<Vec<u8>, E> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let before = bytes.len();
        bytes.resize(length.min(before.saturating_add(STEP)), 0);
        fill(bytes.get_mut(before..).unwrap_or_default())?;
    }
    Ok(bytes)
}
