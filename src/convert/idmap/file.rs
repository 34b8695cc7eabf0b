//! The file of an id map before all of it is known to be whole.

use std::io;
use std::ops::Range;

use super::{RECORD, Record, parse};
use crate::base::ReadAt;

/// So many bytes of the file are looked through at a time.
const PART: usize = RECORD << 12;

/// The record of this number in a file.
pub(super) fn record_in(file: &ReadAt, number: usize) -> Option<Record> {
    let mut record = [0; RECORD];
    file.read_exact_at(&mut record, (number as u64).checked_mul(RECORD as u64)?).ok()?;
    parse(&record)
}

/// How many records of a file there are before the first one that is not whole, if those before
/// `unsure` are.
pub(super) fn whole_records(file: &ReadAt, unsure: Range<usize>) -> io::Result<usize> {
    let mut at = unsure.start;
    let mut part = Vec::new();
    while at < unsure.end {
        part.resize(PART.min((unsure.end - at) * RECORD), 0);
        file.read_exact_at(&mut part, (at * RECORD) as u64)?;
        let whole = part.chunks_exact(RECORD).map_while(parse).count();
        at += whole;
        if whole < part.len() / RECORD {
            break;
        }
    }
    Ok(at)
}
