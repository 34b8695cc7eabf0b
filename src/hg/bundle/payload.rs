//! What is in a part: chunks, each behind its length, put together again.

use super::error::{BundleError, Damage, Unsupported};
use super::part;
use super::source::{Source, grown};

/// Where the payload of a part ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Where the bundle ends.
    Whole,
    /// Behind chunks; so many bytes are left of this one.
    Chunks { left: u64 },
    /// Here.
    Ended,
}

/// The payload of the part that is being read.
pub(super) struct Payload<'b, 'r> {
    source: &'b mut Source<'r>,
    framing: &'b mut Framing,
}

impl<'b, 'r> Payload<'b, 'r> {
    pub(super) fn new(source: &'b mut Source<'r>, framing: &'b mut Framing) -> Self {
        Self { source, framing }
    }

    /// The same payload, for a while.
    pub(super) fn reborrow(&mut self) -> Payload<'_, 'r> {
        Payload { source: self.source, framing: self.framing }
    }

    /// The error that something is wrong here.
    pub(super) fn damaged(&self, damage: impl Into<Damage>) -> BundleError {
        self.source.damaged(damage)
    }

    /// Fills a part of `bytes`, and says how much; nothing at the end.
    pub(super) fn some(&mut self, bytes: &mut [u8]) -> Result<usize, BundleError> {
        loop {
            match *self.framing {
                Framing::Whole => return self.source.some(bytes),
                Framing::Ended => return Ok(0),
                Framing::Chunks { left: 0 } => self.next_chunk()?,
                Framing::Chunks { left } => {
                    let room = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let read = self.source.some(bytes.get_mut(..room).unwrap_or_default())?;
                    if read == 0 && room > 0 {
                        return Err(self.damaged(Damage::Truncated { field: "chunk" }));
                    }
                    *self.framing = Framing::Chunks { left: left - read as u64 };
                    return Ok(read);
                }
            }
        }
    }

    /// Goes to the next chunk.
    fn next_chunk(&mut self) -> Result<(), BundleError> {
        match chunk(self.source)? {
            Chunk::Data(left) => *self.framing = Framing::Chunks { left },
            Chunk::End => *self.framing = Framing::Ended,
            Chunk::Interruption => skip_interruption(self.source)?,
        }
        Ok(())
    }

    /// Fills `bytes`; says how much if the payload ends before.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<usize, BundleError> {
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.some(rest)? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(filled)
    }

    /// The next byte; `None` at the end.
    pub(super) fn byte(&mut self) -> Result<Option<u8>, BundleError> {
        let mut byte = [0];
        let read = self.some(&mut byte)?;
        Ok(byte.first().copied().filter(|_| read > 0))
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], BundleError> {
        let mut bytes = [0; N];
        match self.fill(&mut bytes)? {
            filled if filled == N => Ok(bytes),
            _ => Err(self.damaged(Damage::Truncated { field })),
        }
    }

    /// The next `length` bytes. Memory grows with what is really there.
    pub(super) fn bytes(
        &mut self,
        field: &'static str,
        length: usize,
    ) -> Result<Vec<u8>, BundleError> {
        grown(length, |more| match self.fill(more)? {
            filled if filled == more.len() => Ok(()),
            _ => Err(self.damaged(Damage::Truncated { field })),
        })
    }

    /// All that is left, at most `limit` bytes.
    pub(super) fn all(&mut self, field: &'static str, limit: u64) -> Result<Vec<u8>, BundleError> {
        let mut bytes = Vec::new();
        let mut block = vec![0; 16 << 10];
        loop {
            let read = self.some(&mut block)?;
            bytes.extend_from_slice(block.get(..read).unwrap_or_default());
            let length = bytes.len() as u64;
            if length > limit {
                return Err(self.damaged(Damage::TooLarge { field, length, limit }));
            }
            if read == 0 {
                return Ok(bytes);
            }
        }
    }

    /// Passes over all that is left; says how many bytes that was.
    pub(super) fn skip(&mut self) -> Result<u64, BundleError> {
        let mut block = vec![0; 16 << 10];
        let mut skipped = 0;
        loop {
            match self.some(&mut block)? {
                0 => return Ok(skipped),
                read => skipped += read as u64,
            }
        }
    }
}

/// What the length of a chunk says.
enum Chunk {
    /// So many bytes follow.
    Data(u64),
    /// It was the last.
    End,
    /// Another part comes first.
    Interruption,
}

/// Reads the length of the next chunk.
fn chunk(source: &mut Source<'_>) -> Result<Chunk, BundleError> {
    match source.number("length of a chunk")? {
        0 => Ok(Chunk::End),
        -1 => Ok(Chunk::Interruption),
        length => u64::try_from(length)
            .map(Chunk::Data)
            .map_err(|_| source.damaged(Damage::Length { field: "chunk", length: length.into() })),
    }
}

/// Reads the part that comes between two chunks of another one. They tell of errors, or are of no
/// use to us.
fn skip_interruption(source: &mut Source<'_>) -> Result<(), BundleError> {
    let header = part::read_header(source)?;
    let header = header
        .ok_or_else(|| source.damaged(Damage::Malformed { field: "part within another one" }))?;
    part::check_abort(&header)?;
    if header.is_mandatory && header.kind != "output" {
        return Err(BundleError::Unsupported(Unsupported::Part(header.kind)));
    }
    loop {
        match chunk(source)? {
            Chunk::Data(left) => skip_chunk(source, left)?,
            Chunk::End => return Ok(()),
            Chunk::Interruption => {
                return Err(source.damaged(Damage::Malformed { field: "interruption" }));
            }
        }
    }
}

fn skip_chunk(source: &mut Source<'_>, mut left: u64) -> Result<(), BundleError> {
    let mut block = [0; 4 << 10];
    while left > 0 {
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        match source.some(block.get_mut(..room).unwrap_or_default())? {
            0 => return Err(source.damaged(Damage::Truncated { field: "chunk" })),
            read => left -= read as u64,
        }
    }
    Ok(())
}
