//! Git's delta format, read: two lengths, then copies from the base and inserted bytes.

use super::error::DeltaFlaw;
use crate::base::Reader;

/// What a copy of no bytes means.
const DEFAULT_COPY: usize = 0x1_0000;

enum Instruction<'d> {
    Copy { from: usize, length: usize },
    Insert(&'d [u8]),
}

/// What `delta` makes of `base`.
///
/// The instructions are added up before anything is set aside, so neither a declared length nor
/// many copies of a few bytes can make more than `limit` bytes.
pub(in crate::git::pack) fn apply(
    base: &[u8],
    delta: &[u8],
    limit: usize,
) -> Result<Vec<u8>, DeltaFlaw> {
    let mut reader = Reader::new(delta);
    let declared_base = length(&mut reader)?;
    if declared_base != base.len() {
        return Err(DeltaFlaw::Base { declared: declared_base, found: base.len() });
    }
    let declared = length(&mut reader)?;
    if declared > limit {
        return Err(DeltaFlaw::TooLarge { size: declared, limit });
    }
    let found = added_up(reader.clone())?;
    if found != declared {
        return Err(DeltaFlaw::Result { declared, found });
    }
    let mut out = Vec::with_capacity(declared);
    while !reader.is_empty() {
        match instruction(&mut reader)? {
            Instruction::Insert(bytes) => out.extend_from_slice(bytes),
            Instruction::Copy { from, length } => {
                let piece = base.get(from..).and_then(|rest| rest.get(..length));
                let end = (from as u64).saturating_add(length as u64);
                let beyond = DeltaFlaw::BeyondBase { end, base: base.len() };
                out.extend_from_slice(piece.ok_or(beyond)?);
            }
        }
    }
    Ok(out)
}

/// How many bytes a delta makes that begins with `start`, where its two lengths are.
pub(in crate::git::pack) fn result_length(start: &[u8]) -> Result<usize, DeltaFlaw> {
    let mut reader = Reader::new(start);
    length(&mut reader)?;
    length(&mut reader)
}

/// How many bytes the instructions make.
fn added_up(mut reader: Reader<'_>) -> Result<usize, DeltaFlaw> {
    let mut sum = 0_usize;
    while !reader.is_empty() {
        let more = match instruction(&mut reader)? {
            Instruction::Insert(bytes) => bytes.len(),
            Instruction::Copy { length, .. } => length,
        };
        sum = sum.checked_add(more).ok_or(DeltaFlaw::Number)?;
    }
    Ok(sum)
}

/// A length, seven bits a byte, the lowest first.
fn length(reader: &mut Reader<'_>) -> Result<usize, DeltaFlaw> {
    let mut length = 0_u64;
    let mut shift = 0;
    loop {
        let byte = reader.u8("delta length")?;
        let part = u64::from(byte & 0x7f);
        length |=
            part.checked_shl(shift).filter(|it| it >> shift == part).ok_or(DeltaFlaw::Number)?;
        if byte & 0x80 == 0 {
            return usize::try_from(length).map_err(|_| DeltaFlaw::Number);
        }
        shift += 7;
    }
}

fn instruction<'d>(reader: &mut Reader<'d>) -> Result<Instruction<'d>, DeltaFlaw> {
    let code = reader.u8("delta instruction")?;
    if code == 0 {
        return Err(DeltaFlaw::Reserved);
    }
    if code & 0x80 == 0 {
        return Ok(Instruction::Insert(reader.bytes("inserted bytes", usize::from(code))?));
    }
    let mut number = |bits: std::ops::Range<u8>| {
        let mut number = 0_usize;
        for (place, _) in bits.enumerate().filter(|(_, bit)| code >> bit & 1 == 1) {
            number |= usize::from(reader.u8("copied range")?) << (8 * place);
        }
        Ok::<_, DeltaFlaw>(number)
    };
    let from = number(0..4)?;
    let length = number(4..7)?;
    Ok(Instruction::Copy { from, length: if length == 0 { DEFAULT_COPY } else { length } })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::git::ObjectId;
    use crate::git::pack::delta::encode;
    use crate::git::sink::{Copied, DeltaHint};

    const LIMIT: usize = 1 << 20;

    #[test]
    fn a_copy_of_no_length_is_64_kib() {
        let base = vec![b'x'; 0x1_0001];
        let delta = [&[0x81, 0x80, 4][..], &[0x80, 0x80, 4], &[0x81, 1]].concat();
        assert_eq!(apply(&base, &delta, LIMIT).unwrap(), vec![b'x'; 0x1_0000]);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let of = |delta: &[u8]| apply(b"base", delta, 10).unwrap_err();
        assert_eq!(of(&[5, 1, 1, b'x']), DeltaFlaw::Base { declared: 5, found: 4 });
        assert_eq!(of(&[4, 11]), DeltaFlaw::TooLarge { size: 11, limit: 10 });
        assert_eq!(of(&[4, 1, 0]), DeltaFlaw::Reserved);
        assert_eq!(of(&[4, 2, 1, b'x']), DeltaFlaw::Result { declared: 2, found: 1 });
        assert_eq!(of(&[4, 2, 0x91, 3, 2]), DeltaFlaw::BeyondBase { end: 5, base: 4 });
        assert_eq!(of(&[0xff; 11]), DeltaFlaw::Number);
        assert!(matches!(of(&[4, 2, 2, b'x']), DeltaFlaw::Truncated(_)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(base: Vec<u8>, delta: Vec<u8>) {
            if let Ok(text) = apply(&base, &delta, LIMIT) {
                prop_assert!(text.len() <= LIMIT);
            }
        }

        #[test]
        fn what_the_writer_wrote(from in 0..50_usize, length in 12..0x2_0000_usize, new: Vec<u8>) {
            let base: Vec<u8> = (0..from + length + 7).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let contents = [&new, &base[from..from + length], &new].concat();
            let copied = [Copied { from, to: new.len(), length }];
            let delta_hint =
                DeltaHint { base: ObjectId::NULL, base_length: base.len(), copied: &copied };
            let delta = encode(&delta_hint, &contents).unwrap();
            prop_assert_eq!(apply(&base, &delta, LIMIT), Ok(contents));
        }
    }
}
