//! How many entries an index has, and where they are.

use super::ENTRY_V1;
use crate::base::Reader;
use crate::base::reader::ShortRead;
use crate::hg::revlog::error::IndexProblem;

/// How many whole entries of `size` bytes there are; an error if the last is cut.
pub(super) fn count(bytes: &[u8], size: usize) -> Result<usize, IndexProblem> {
    let (whole, rest) = (bytes.len() / size, bytes.len() % size);
    match rest {
        0 => Ok(whole),
        left => Err(ShortRead { field: "entry", offset: whole * size, needed: size, left }.into()),
    }
}

/// Revision numbers are 31 bits wide.
pub(super) fn check_len(len: usize) -> Result<(), IndexProblem> {
    let limit = i32::MAX.unsigned_abs();
    match u32::try_from(len) {
        Ok(len) if len <= limit => Ok(()),
        _ => Err(IndexProblem::TooLarge {
            what: "the number of revisions",
            size: len as u64,
            limit: u64::from(limit),
        }),
    }
}

/// Where each entry of an inline index begins.
pub(super) fn inline_starts(bytes: &[u8]) -> Result<Vec<usize>, IndexProblem> {
    let mut starts = Vec::new();
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        starts.push(reader.offset());
        let mut entry = Reader::new(reader.bytes("entry", ENTRY_V1)?);
        entry.u64("offset")?;
        let stored = usize::try_from(entry.u32("stored length")?).unwrap_or(usize::MAX);
        reader.bytes("inline data", stored)?;
    }
    Ok(starts)
}
