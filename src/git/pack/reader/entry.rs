//! The header of a pack entry: kind, length, and where its base is.

use super::error::EntryFlaw;
use crate::base::Reader;
use crate::git::{ObjectId, ObjectKind};

/// No header is longer: ten bytes of kind and length, and an id.
pub(in crate::git::pack) const MAX_HEADER: usize = 30;

/// What comes before the deflated bytes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::git::pack) struct Header {
    pub payload: Payload,
    /// How many bytes come out of the deflated ones.
    pub size: u64,
    /// How many bytes the header itself has.
    pub length: usize,
}

/// What is deflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::git::pack) enum Payload {
    /// The contents of an object; `None` is an annotated tag.
    Whole(Option<ObjectKind>),
    /// A delta of the entry that begins so many bytes before.
    OffsetDelta(u64),
    /// A delta of the object with this id.
    RefDelta(ObjectId),
}

/// Reads the header at the start of `bytes`.
pub(in crate::git::pack) fn header(bytes: &[u8]) -> Result<Header, EntryFlaw> {
    let mut reader = Reader::new(bytes);
    let first = reader.u8("entry header")?;
    let (mut byte, mut shift) = (first, 4);
    let mut size = u64::from(first & 0x0f);
    while byte & 0x80 != 0 {
        byte = reader.u8("entry length")?;
        let part = u64::from(byte & 0x7f);
        let place = part.checked_shl(shift).filter(|place| place >> shift == part);
        size |= place.ok_or(EntryFlaw::Number)?;
        shift += 7;
    }
    let payload = match first >> 4 & 7 {
        1 => Payload::Whole(Some(ObjectKind::Commit)),
        2 => Payload::Whole(Some(ObjectKind::Tree)),
        3 => Payload::Whole(Some(ObjectKind::Blob)),
        4 => Payload::Whole(None),
        6 => Payload::OffsetDelta(distance(&mut reader)?),
        7 => Payload::RefDelta(ObjectId::from_bytes(reader.array("delta base")?)),
        kind => return Err(EntryFlaw::Kind { kind }),
    };
    Ok(Header { payload, size, length: reader.offset() })
}

/// Seven bits a byte, the highest first, each continuation counting one more than its bits.
fn distance(reader: &mut Reader<'_>) -> Result<u64, EntryFlaw> {
    let mut byte = reader.u8("distance to the delta base")?;
    let mut distance = u64::from(byte & 0x7f);
    while byte & 0x80 != 0 {
        byte = reader.u8("distance to the delta base")?;
        let more = distance.checked_add(1).and_then(|more| more.checked_mul(0x80));
        distance = more.ok_or(EntryFlaw::Number)? | u64::from(byte & 0x7f);
    }
    Ok(distance)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By the words of `gitformat-pack(5)`, not by the code of the writer.
    fn encoded(kind: u8, size: u64, distance: Option<u64>) -> Vec<u8> {
        let mut out = vec![kind << 4 | (size & 0x0f) as u8];
        let mut rest = size >> 4;
        while rest > 0 {
            *out.last_mut().unwrap() |= 0x80;
            out.push((rest & 0x7f) as u8);
            rest >>= 7;
        }
        let mut digits = Vec::new();
        if let Some(mut distance) = distance {
            digits.push((distance & 0x7f) as u8);
            while distance >= 0x80 {
                distance = (distance >> 7) - 1;
                digits.push((distance & 0x7f) as u8 | 0x80);
            }
        }
        out.extend(digits.iter().rev());
        out
    }

    #[test]
    fn numbers_without_end_are_refused() {
        assert_eq!(header(&[0xff; 40]), Err(EntryFlaw::Number));
        let far = [&[0x61][..], &[0xff; 40]].concat();
        assert_eq!(header(&far), Err(EntryFlaw::Number));
        assert_eq!(header(&[0x51]), Err(EntryFlaw::Kind { kind: 5 }));
        assert_eq!(header(&[0x01]), Err(EntryFlaw::Kind { kind: 0 }));
    }

    proptest! {
        #[test]
        fn whole_ones(kind in 1..=4_u8, size: u64, after: Vec<u8>) {
            let bytes = encoded(kind, size, None);
            let found = header(&[&bytes[..], &after].concat()).unwrap();
            let Payload::Whole(whole) = found.payload else { panic!("{found:?}") };
            prop_assert_eq!(whole.map_or(4, ObjectKind::pack_type), kind);
            prop_assert_eq!((found.size, found.length), (size, bytes.len()));
            prop_assert!(bytes.len() <= MAX_HEADER);
        }

        #[test]
        fn deltas(size: u64, distance in 0..u64::MAX / 2, id: [u8; 20]) {
            let bytes = encoded(6, size, Some(distance));
            let found = header(&bytes).unwrap();
            prop_assert_eq!(found.payload, Payload::OffsetDelta(distance));
            prop_assert_eq!((found.size, found.length), (size, bytes.len()));
            prop_assert!(bytes.len() <= MAX_HEADER);
            let bytes = [&encoded(7, size, None)[..], &id].concat();
            let found = header(&bytes).unwrap();
            prop_assert_eq!(found.payload, Payload::RefDelta(ObjectId::from_bytes(id)));
            prop_assert_eq!((found.size, found.length), (size, bytes.len()));
        }

        #[test]
        fn every_prefix_is_cut(size: u64, distance in 0..u64::MAX / 2) {
            let bytes = encoded(6, size, Some(distance));
            for end in 0..bytes.len() {
                prop_assert!(matches!(header(&bytes[..end]), Err(EntryFlaw::Truncated(_))));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            if let Ok(found) = header(&bytes) {
                prop_assert!(found.length <= bytes.len());
            }
        }
    }
}
