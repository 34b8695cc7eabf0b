//! The compression function of SHA-1 with the processor's own instructions, for several messages in
//! step: an instruction waits for the one before it of the same message, not for those of others.
//!
//! Source: FIPS 180-4, section 6.1.2, and Intel's manual for what the instructions do.

use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x, _mm_setzero_si128,
    _mm_sha1msg1_epu32, _mm_sha1msg2_epu32, _mm_sha1nexte_epu32, _mm_sha1rnds4_epu32,
    _mm_xor_si128,
};

use super::lanes::{Block, State};

/// Says that the processor has the instructions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instructions(());

impl Instructions {
    /// `None` if this processor does not have them.
    pub(super) fn of_this_machine() -> Option<Self> {
        let all = is_x86_feature_detected!("sha")
            && is_x86_feature_detected!("ssse3")
            && is_x86_feature_detected!("sse4.1");
        all.then_some(Self(()))
    }

    /// The states after as many blocks of each message as all of them have.
    #[expect(clippy::unused_self, reason = "it is the proof that the processor can")]
    #[expect(unsafe_code, reason = "no compiler knows on which processor a program will run")]
    pub(super) fn compress<const N: usize>(
        self,
        states: [State; N],
        blocks: [&[Block]; N],
    ) -> [State; N] {
        // SAFETY: whoever has `self` has asked the processor for all that is enabled there.
        unsafe { compress(states, blocks) }
    }
}

/// One message under way.
struct Lane {
    /// Four words of the state, the first in the highest bits.
    abcd: __m128i,
    /// The fifth, in the highest bits; between rounds, the state of four rounds ago.
    e: __m128i,
    /// The next sixteen words of the message schedule.
    words: [__m128i; 4],
    /// The state before this block.
    before: (__m128i, __m128i),
}

#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn compress<const N: usize>(states: [State; N], blocks: [&[Block]; N]) -> [State; N] {
    let count = blocks.iter().map(|blocks| blocks.len()).min().unwrap_or(0);
    let mut lanes = states.map(|state| begin(state));
    for at in 0..count {
        for (lane, blocks) in lanes.iter_mut().zip(blocks) {
            if let Some(block) = blocks.get(at) {
                load(lane, block);
            }
        }
        for lane in &mut lanes {
            four_rounds::<0, true>(lane);
        }
        rounds::<0, N>(&mut lanes, 4);
        rounds::<1, N>(&mut lanes, 5);
        rounds::<2, N>(&mut lanes, 5);
        rounds::<3, N>(&mut lanes, 5);
        for lane in &mut lanes {
            lane.abcd = _mm_add_epi32(lane.abcd, lane.before.0);
            lane.e = _mm_sha1nexte_epu32(lane.e, lane.before.1);
        }
    }
    lanes.map(|lane| end(&lane))
}

#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn begin(state: State) -> Lane {
    let [first, second, third, fourth, fifth] = state.map(u32::cast_signed);
    let abcd = _mm_set_epi32(first, second, third, fourth);
    let e = _mm_set_epi32(fifth, 0, 0, 0);
    Lane { abcd, e, words: [_mm_setzero_si128(); 4], before: (abcd, e) }
}

#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn end(Lane { abcd, e, .. }: &Lane) -> State {
    let abcd = *abcd;
    let [a, b] = [_mm_extract_epi32::<3>(abcd), _mm_extract_epi32::<2>(abcd)];
    let [c, d] = [_mm_extract_epi32::<1>(abcd), _mm_extract_epi32::<0>(abcd)];
    [a, b, c, d, _mm_extract_epi32::<3>(*e)].map(i32::cast_unsigned)
}

/// Begins a block.
#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn load(lane: &mut Lane, block: &Block) {
    let (halves, _) = block.as_chunks();
    let words = lane.words.iter_mut().zip(halves.chunks_exact(2));
    for (words, halves) in words {
        if let [first, second] = *halves {
            *words = _mm_set_epi64x(i64::from_be_bytes(first), i64::from_be_bytes(second));
        }
    }
    lane.before = (lane.abcd, lane.e);
}

/// `count` times four rounds of each message, with the `F`th function.
#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn rounds<const F: i32, const N: usize>(lanes: &mut [Lane; N], count: usize) {
    for _ in 0..count {
        for lane in &mut *lanes {
            four_rounds::<F, false>(lane);
        }
    }
}

/// Four rounds of one message with the `F`th function, and the schedule moved on by as many words.
#[inline]
#[target_feature(enable = "sha,sse2,ssse3,sse4.1")]
fn four_rounds<const F: i32, const FIRST: bool>(lane: &mut Lane) {
    let [a, b, c, d] = lane.words;
    let with_e = match FIRST {
        true => _mm_add_epi32(lane.e, a),
        false => _mm_sha1nexte_epu32(lane.e, a),
    };
    lane.e = lane.abcd;
    lane.abcd = _mm_sha1rnds4_epu32::<F>(lane.abcd, with_e);
    let next = _mm_xor_si128(_mm_sha1msg1_epu32(a, b), c);
    lane.words = [b, c, d, _mm_sha1msg2_epu32(next, d)];
}
