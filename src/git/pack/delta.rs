//! Git's delta format, written: the two lengths, then copies from the base and inserted bytes.

use super::reader;
use crate::git::sink::DeltaHint;

/// The longest copy that one instruction can name.
const MAX_COPY: usize = 0x00ff_ffff;
/// The most bytes that one instruction can insert.
const MAX_INSERT: usize = 127;
/// A copy shorter than this costs more than the bytes it saves.
const MIN_COPY: usize = 12;

/// The delta that makes `contents` from the base of `delta_hint`; `None` if the base is too long for
/// the format or the ranges do not fit the contents.
pub(in crate::git) fn encode(delta_hint: &DeltaHint<'_>, contents: &[u8]) -> Option<Vec<u8>> {
    u32::try_from(delta_hint.base_length).ok()?;
    let mut out = Vec::with_capacity(64);
    append_size(&mut out, delta_hint.base_length);
    append_size(&mut out, contents.len());
    let mut done = 0;
    for copied in delta_hint.copied.iter().filter(|copied| copied.length >= MIN_COPY) {
        append_insert(&mut out, contents.get(done..copied.to)?);
        let within = copied.from.checked_add(copied.length)? <= delta_hint.base_length;
        done =
            copied.to.checked_add(copied.length).filter(|end| within && *end <= contents.len())?;
        append_copy(&mut out, copied.from, copied.length);
    }
    append_insert(&mut out, contents.get(done..)?);
    Some(out)
}

/// A length, seven bits a byte, the lowest first.
fn append_size(out: &mut Vec<u8>, mut size: usize) {
    loop {
        let low = low_byte(size) & 0x7f;
        size >>= 7;
        out.push(if size > 0 { low | 0x80 } else { low });
        if size == 0 {
            return;
        }
    }
}

fn append_insert(out: &mut Vec<u8>, bytes: &[u8]) {
    for piece in bytes.chunks(MAX_INSERT) {
        out.push(low_byte(piece.len()));
        out.extend_from_slice(piece);
    }
}

fn append_copy(out: &mut Vec<u8>, mut from: usize, mut length: usize) {
    while length > 0 {
        let piece = length.min(MAX_COPY);
        let at = out.len();
        out.push(0x80);
        let mut instruction = 0x80;
        let numbers = [from, from >> 8, from >> 16, from >> 24, piece, piece >> 8, piece >> 16];
        for (bit, byte) in numbers.map(low_byte).into_iter().enumerate() {
            if byte != 0 {
                instruction |= 1 << bit;
                out.push(byte);
            }
        }
        if let Some(first) = out.get_mut(at) {
            *first = instruction;
        }
        from += piece;
        length -= piece;
    }
}

/// The lowest eight bits.
fn low_byte(number: usize) -> u8 {
    number.to_le_bytes().first().copied().unwrap_or_default()
}

/// What `delta` makes of `base`; `None` if it is no delta, or one of something else, or makes more
/// than `limit` bytes.
pub fn apply(base: &[u8], delta: &[u8], limit: usize) -> Option<Vec<u8>> {
    reader::apply_delta(base, delta, limit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::ObjectId;
    use crate::git::sink::Copied;

    const LIMIT: usize = 1 << 20;

    fn like(base_length: usize, copied: &[Copied]) -> DeltaHint<'_> {
        DeltaHint { base: ObjectId::NULL, base_length, copied }
    }

    #[test]
    fn bytes_as_the_format_says() {
        let contents = [b"new".to_vec(), vec![b'x'; 0x1_0000]].concat();
        let copied = [Copied { from: 0x0100, to: 3, length: 0x1_0000 }];
        let delta = encode(&like(0x1_0100, &copied), &contents).unwrap();
        let expected = [&[0x80, 0x82, 4][..], &[0x83, 0x80, 4], b"\x03new", &[0xc2, 1, 1]].concat();
        assert_eq!(delta, expected);
    }

    #[test]
    fn ranges_that_do_not_fit_make_no_delta() {
        let copied = [Copied { from: 90, to: 0, length: 20 }];
        assert_eq!(encode(&like(100, &copied), &[0; 50]), None);
        assert_eq!(encode(&like(1000, &copied), &[0; 10]), None);
    }

    #[test]
    fn a_delta_makes_what_it_was_made_from() {
        let base: Vec<u8> = (0..=255).cycle().take(0x2_0000).collect();
        let contents = [b"new".to_vec(), base[7..0x1_8007].to_vec(), vec![b'x'; 300]].concat();
        let copied = [Copied { from: 7, to: 3, length: 0x1_8000 }];
        let delta = encode(&like(base.len(), &copied), &contents).unwrap();
        assert_eq!(apply(&base, &delta, LIMIT).unwrap(), contents);
        assert_eq!(apply(&base[1..], &delta, LIMIT), None);
        for end in 0..delta.len() {
            assert_eq!(apply(&base, &delta[..end], LIMIT), None, "cut at {end}");
        }
        assert_eq!(apply(b"", &[0, 1, 0], LIMIT), None);
        assert_eq!(apply(&base, &delta, contents.len() - 1), None);
    }
}
