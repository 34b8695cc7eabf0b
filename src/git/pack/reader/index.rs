//! The index of a pack, read and checked: `gitformat-pack(5)`, versions 1 and 2.

use super::error::IndexFlaw;
use crate::base::Reader;
use crate::git::ObjectId;

/// What an index says of a pack.
#[derive(Debug)]
pub(in crate::git::pack) struct Index {
    /// The objects, sorted by id.
    pub objects: Vec<Indexed>,
    /// The last twenty bytes of the pack.
    pub pack_checksum: [u8; 20],
}

/// One object of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::git::pack) struct Indexed {
    pub id: ObjectId,
    pub offset: u64,
    /// The CRC-32 of its entry, which version 1 does not have.
    pub crc: Option<u32>,
}

const MAGIC: &[u8] = b"\xfftOc";
/// The bit of an offset that says that the rest is a place in the table of 64-bit ones.
const LARGE: u32 = 0x8000_0000;
/// The checksums at the end, that of the pack and that of the index.
const TRAILER: usize = 40;

/// Reads a whole index. Its own checksum is not looked at; everything else is.
pub(in crate::git::pack) fn parse(bytes: &[u8]) -> Result<Index, IndexFlaw> {
    let mut reader = Reader::new(bytes);
    let second = bytes.starts_with(MAGIC);
    if second {
        reader.bytes("magic", MAGIC.len())?;
        let version = reader.u32("version")?;
        if version != 2 {
            return Err(IndexFlaw::Version { version });
        }
    }
    let mut fanout = Vec::with_capacity(256);
    for _ in 0..256 {
        fanout.push(reader.u32("table of first bytes")?);
    }
    let count = fanout.last().copied().unwrap_or_default();
    let wrong = IndexFlaw::Length { length: bytes.len(), count };
    let body = reader.rest().len().checked_sub(TRAILER).ok_or_else(|| wrong.clone())?;
    let each = if second { 28 } else { 24 };
    let needed = usize::try_from(count).ok().and_then(|count| count.checked_mul(each));
    let more = needed.and_then(|needed| body.checked_sub(needed)).ok_or_else(|| wrong.clone())?;
    if more % 8 != 0 || (!second && more > 0) {
        return Err(wrong);
    }
    let body = reader.bytes("objects", body)?;
    let objects = if second { version_2(body, count)? } else { version_1(body)? };
    check_order(&objects, &fanout)?;
    Ok(Index { objects, pack_checksum: reader.array("checksum of the pack")? })
}

fn version_1(body: &[u8]) -> Result<Vec<Indexed>, IndexFlaw> {
    let records = body.chunks_exact(24).map(|record| {
        let mut reader = Reader::new(record);
        let offset = u64::from(reader.u32("offset")?);
        Ok(Indexed { id: ObjectId::from_bytes(reader.array("id")?), offset, crc: None })
    });
    records.collect()
}

/// Three tables side by side, and one of the offsets that do not fit 31 bits.
fn version_2(body: &[u8], count: u32) -> Result<Vec<Indexed>, IndexFlaw> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut tables = Reader::new(body);
    let mut ids = Reader::new(tables.bytes("ids", count.saturating_mul(20))?);
    let mut crcs = Reader::new(tables.bytes("checksums", count.saturating_mul(4))?);
    let mut offsets = Reader::new(tables.bytes("offsets", count.saturating_mul(4))?);
    let large = tables.rest();
    let mut objects = Vec::with_capacity(count);
    while !ids.is_empty() {
        let id = ObjectId::from_bytes(ids.array("id")?);
        let crc = Some(crcs.u32("checksum")?);
        let offset = match offsets.u32("offset")? {
            offset if offset & LARGE == 0 => u64::from(offset),
            place => large_offset(large, place & !LARGE).ok_or(IndexFlaw::NoOffset { id })?,
        };
        objects.push(Indexed { id, offset, crc });
    }
    Ok(objects)
}

fn large_offset(table: &[u8], place: u32) -> Option<u64> {
    let start = usize::try_from(place).ok()?.checked_mul(8)?;
    Some(u64::from_be_bytes(*table.get(start..)?.first_chunk()?))
}

/// The same object may be there twice; Git itself once wrote such packs.
fn check_order(objects: &[Indexed], fanout: &[u32]) -> Result<(), IndexFlaw> {
    let mut previous = ObjectId::NULL;
    for (place, object) in objects.iter().enumerate() {
        let first = object.id.as_bytes().first().map_or(0, |byte| usize::from(*byte));
        let bound = |byte: usize| fanout.get(byte).map_or(0, |bound| *bound as usize);
        let start = first.checked_sub(1).map_or(0, bound);
        if object.id < previous || place < start || place >= bound(first) {
            return Err(IndexFlaw::Order { id: object.id });
        }
        previous = object.id;
    }
    let ordered = fanout.is_sorted();
    if ordered { Ok(()) } else { Err(IndexFlaw::Order { id: previous }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::pack::idx::{self, Packed};

    fn packed() -> Vec<Packed> {
        let mut objects: Vec<_> = [3_u8, 3, 200, 255, 0]
            .iter()
            .zip(0_u8..)
            .map(|(first, i)| {
                let mut id = [i; 20];
                id[0] = *first;
                let offset = if i == 2 { 1 << 33 } else { 12 + 10 * u64::from(i) };
                Packed { id: ObjectId::from_bytes(id), offset, crc: 7 * u32::from(i) }
            })
            .collect();
        objects.sort_unstable();
        objects
    }

    #[test]
    fn what_the_writer_wrote() {
        let objects = packed();
        let index = parse(&idx::encode(&objects, [9; 20])).unwrap();
        let expected: Vec<_> = objects
            .iter()
            .map(|object| Indexed { id: object.id, offset: object.offset, crc: Some(object.crc) })
            .collect();
        assert_eq!(index.objects, expected);
        assert_eq!(index.pack_checksum, [9; 20]);
    }

    #[test]
    fn every_prefix_and_every_flip_of_the_tables() {
        let whole = idx::encode(&packed(), [9; 20]);
        for end in 0..whole.len() {
            parse(&whole[..end]).unwrap_err();
        }
        for place in 0..8 + 1024 {
            let mut flipped = whole.clone();
            flipped[place] ^= 1;
            assert!(parse(&flipped).is_err(), "byte {place}");
        }
        for place in 8 + 1024..whole.len() {
            let mut flipped = whole.clone();
            flipped[place] ^= 0x80;
            let _: Result<_, _> = parse(&flipped);
        }
    }
}
