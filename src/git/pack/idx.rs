//! The index of a pack: sorted ids with the offset and checksum of each entry.

use crate::base::sha1;
use crate::git::ObjectId;

/// One object of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Packed {
    pub id: ObjectId,
    /// Where its entry begins in the pack.
    pub offset: u64,
    /// The CRC-32 of the entry as it lies in the pack.
    pub crc: u32,
}

/// Offsets from here on need the table of 64-bit offsets.
const LARGE: u64 = 0x8000_0000;

/// The bytes of the version 2 index of the pack with these objects, sorted by id.
pub(super) fn encode(objects: &[Packed], pack_checksum: [u8; 20]) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + 1024 + objects.len() * 28 + 40);
    out.extend_from_slice(b"\xfftOc\0\0\0\x02");
    let mut counted = 0;
    for first in 0..=u8::MAX {
        counted += objects
            .iter()
            .skip(counted)
            .take_while(|object| object.id.as_bytes().first().is_some_and(|byte| *byte <= first))
            .count();
        out.extend_from_slice(&u32::try_from(counted).unwrap_or(u32::MAX).to_be_bytes());
    }
    for object in objects {
        out.extend_from_slice(object.id.as_bytes());
    }
    for object in objects {
        out.extend_from_slice(&object.crc.to_be_bytes());
    }
    let mut large = Vec::new();
    for object in objects {
        let entry = match u32::try_from(object.offset) {
            Ok(offset) if u64::from(offset) < LARGE => offset,
            _ => {
                large.push(object.offset);
                0x8000_0000 | u32::try_from(large.len() - 1).unwrap_or(u32::MAX)
            }
        };
        out.extend_from_slice(&entry.to_be_bytes());
    }
    for offset in large {
        out.extend_from_slice(&offset.to_be_bytes());
    }
    out.extend_from_slice(&pack_checksum);
    let checksum = sha1::digest(&[&out]);
    out.extend_from_slice(&checksum);
    out
}
