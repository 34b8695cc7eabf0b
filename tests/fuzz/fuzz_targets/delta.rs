//! Deltas of Mercurial and of Git, and the one made into the other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use synchroniser::git::ObjectId;
use synchroniser::git::fuzzing;
use synchroniser::git::pack::apply_delta;
use synchroniser::git::sink::{Copied, DeltaHint};
use synchroniser::hg::revlog::Delta;
use synchroniser_fuzz::Input;

const LIMIT: usize = 1 << 16;

fn mercurial(base: &[u8], delta: &[u8]) {
    let Ok(delta) = Delta::parse(delta.to_vec()) else { return };
    let Ok(length) = delta.result_length(base.len()) else {
        assert!(delta.apply(base).is_err());
        return;
    };
    let text = delta.apply(base).expect("it has a length");
    assert_eq!(text.len(), length);
    let mut copied = Vec::new();
    for (from, to, length) in delta.copies(base.len()) {
        assert_eq!(base[from..from + length], text[to..to + length]);
        copied.push(Copied { from, to, length });
    }
    let delta_hint = DeltaHint { base: ObjectId::NULL, base_length: base.len(), copied: &copied };
    let git = fuzzing::delta(&delta_hint, &text).expect("the ranges fit");
    assert_eq!(apply_delta(base, &git, text.len()), Some(text));
}

/// Git's format by the words of `gitformat-pack(5)`.
fn as_described(base: &[u8], delta: &[u8]) -> Option<Vec<u8>> {
    let mut at = delta.iter().copied();
    let mut size = || {
        let mut size = 0_u64;
        for shift in (0..).step_by(7) {
            let byte = at.next()?;
            let bits = u64::from(byte & 0x7f);
            // Zeros that lie beyond any number are as wrong as other bits.
            if shift >= 64 || bits << shift >> shift != bits {
                return None;
            }
            size |= bits << shift;
            if byte < 0x80 {
                break;
            }
        }
        Some(size)
    };
    let (from, to) = (size()?, size()?);
    if from != base.len() as u64 || to > LIMIT as u64 {
        return None;
    }
    let mut out = Vec::new();
    while let Some(code) = at.next() {
        if code == 0 || out.len() > LIMIT {
            return None;
        }
        if code < 0x80 {
            for _ in 0..code {
                out.push(at.next()?);
            }
            continue;
        }
        let mut number = [0_u8; 7];
        for (bit, byte) in number.iter_mut().enumerate() {
            if code >> bit & 1 == 1 {
                *byte = at.next()?;
            }
        }
        let [a, b, c, d, e, f, g] = number;
        let start = u32::from_le_bytes([a, b, c, d]) as usize;
        let length = u32::from_le_bytes([e, f, g, 0]) as usize;
        let length = if length == 0 { 0x1_0000 } else { length };
        out.extend_from_slice(base.get(start..)?.get(..length)?);
    }
    (out.len() as u64 == to).then_some(out)
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let git = input.byte() % 2 == 1;
    let base = input.part();
    let delta = input.rest();
    if git {
        assert_eq!(apply_delta(base, delta, LIMIT), as_described(base, delta));
    } else {
        mercurial(base, delta);
    }
});
