//! The compression function of SHA-1 for sixteen messages in step, one in each part of the registers of
//! AVX-512: an operation on words is one of all sixteen.
//!
//! Source: FIPS 180-4, section 6.1.2, and Intel's manual for what the instructions do.

use core::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_loadu_si512, _mm512_rol_epi32, _mm512_set1_epi32,
    _mm512_set4_epi32, _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_shuffle_i32x4,
    _mm512_storeu_si512, _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi32, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use super::lanes::{Block, State};

/// How many messages there are at a time.
pub(super) const WIDTH: usize = 16;

/// Says that the processor has the instructions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wide(());

impl Wide {
    /// `None` if this processor does not have them.
    pub(super) fn of_this_machine() -> Option<Self> {
        let all = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
        all.then_some(Self(()))
    }

    /// The states after `count` blocks of each message. What is missing of one counts as zeros.
    #[expect(clippy::unused_self, reason = "it is the proof that the processor can")]
    #[expect(unsafe_code, reason = "no compiler knows on which processor a program will run")]
    pub(super) fn compress(
        self,
        states: &mut [State; WIDTH],
        blocks: [&[Block]; WIDTH],
        count: usize,
    ) {
        // SAFETY: whoever has `self` has asked the processor for all that is enabled there.
        unsafe { compress(states, blocks, count) }
    }
}

/// One word of the schedule or the state of each message.
type Words = [u32; WIDTH];

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
#[expect(unsafe_code, reason = "the bytes of an array are read as what they are")]
fn load<T>(bytes: &[T; WIDTH]) -> __m512i {
    const { assert!(size_of::<T>() == 4, "sixteen words of 32 bits") }
    // SAFETY: the array has 64 bytes, and nothing needs to be aligned.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
#[expect(unsafe_code, reason = "the words of a register are written as what they are")]
fn store(words: __m512i, to: &mut Words) {
    // SAFETY: the array has 64 bytes, and nothing needs to be aligned.
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), words) }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn compress(states: &mut [State; WIDTH], blocks: [&[Block]; WIDTH], count: usize) {
    let mut words = [Words::default(); 5];
    for (lane, state) in states.iter().enumerate() {
        for (words, word) in words.iter_mut().zip(state) {
            if let Some(place) = words.get_mut(lane) {
                *place = *word;
            }
        }
    }
    let mut state = words.each_ref().map(|words| load(words));
    for at in 0..count {
        state = one_block(&state, schedule(&blocks, at));
    }
    for (words, state) in words.iter_mut().zip(state) {
        store(state, words);
    }
    for (lane, state) in states.iter_mut().enumerate() {
        for (words, word) in words.iter().zip(state) {
            *word = words.get(lane).copied().unwrap_or_default();
        }
    }
}

/// What becomes of the states with one block of each message.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn one_block(before: &[__m512i; 5], mut words: [__m512i; 16]) -> [__m512i; 5] {
    let mut state = *before;
    // Which three bits make which: choice, parity, majority, parity again.
    twenty_rounds::<0xca, 0x5a82_7999>(&mut state, &mut words);
    twenty_rounds::<0x96, 0x6ed9_eba1>(&mut state, &mut words);
    twenty_rounds::<0xe8, 0x8f1b_bcdc>(&mut state, &mut words);
    twenty_rounds::<0x96, 0xca62_c1d6>(&mut state, &mut words);
    for (after, before) in state.iter_mut().zip(before) {
        *after = _mm512_add_epi32(*after, *before);
    }
    state
}

/// Does something twenty times without a loop, whose registers would be memory.
macro_rules! twenty_times {
    ($what:expr) => {
        twenty_times!(5 $what);
        twenty_times!(5 $what);
        twenty_times!(5 $what);
        twenty_times!(5 $what);
    };
    (5 $what:expr) => {
        $what;
        $what;
        $what;
        $what;
        $what;
    };
}

/// Twenty rounds with one function, which is that of three bits whose results are those of `F`, and one
/// constant. There is one caller of each, so that it becomes part of that, and no word leaves the registers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn twenty_rounds<const F: i32, const K: u32>(state: &mut [__m512i; 5], words: &mut [__m512i; 16]) {
    let constant = _mm512_set1_epi32(K.cast_signed());
    twenty_times!(round::<F>(state, words, constant));
}

/// One round, with the first of the words; the one that comes sixteen later takes its place at the end.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn round<const F: i32>(state: &mut [__m512i; 5], words: &mut [__m512i; 16], constant: __m512i) {
    let [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15] = *words;
    let [first, second, third, fourth, fifth] = *state;
    let mixed = _mm512_ternarylogic_epi32::<F>(second, third, fourth);
    let rest = _mm512_add_epi32(_mm512_add_epi32(fifth, constant), w0);
    let sum = _mm512_add_epi32(_mm512_add_epi32(_mm512_rol_epi32::<5>(first), mixed), rest);
    *state = [sum, first, _mm512_rol_epi32::<30>(second), third, fourth];
    let three = _mm512_ternarylogic_epi32::<0x96>(w13, w8, w2);
    let later = _mm512_rol_epi32::<1>(_mm512_xor_si512(three, w0));
    *words = [w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15, later];
}

/// The sixteen words of the block at `at` of each message: blocks are rows, words are columns.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn schedule(blocks: &[&[Block]; WIDTH], at: usize) -> [__m512i; 16] {
    // Numbers in a message begin with their highest byte.
    let swap = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    let mut rows = [_mm512_setzero_si512(); WIDTH];
    for (row, blocks) in rows.iter_mut().zip(blocks) {
        if let Some(block) = blocks.get(at) {
            let (words, _) = block.as_chunks::<4>();
            *row = words.first_chunk().map_or(*row, |words| _mm512_shuffle_epi8(load(words), swap));
        }
    }
    // Four rows become four columns in each quarter of the registers; then quarters change places.
    let mut turned = [[_mm512_setzero_si512(); 4]; 4];
    for (turned, rows) in turned.iter_mut().zip(rows.as_chunks().0) {
        let [a, b, c, d] = *rows;
        let (low, high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        let (low_too, high_too) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        *turned = [
            _mm512_unpacklo_epi64(low, low_too),
            _mm512_unpackhi_epi64(low, low_too),
            _mm512_unpacklo_epi64(high, high_too),
            _mm512_unpackhi_epi64(high, high_too),
        ];
    }
    let [first, second, third, fourth] = turned;
    let [a0, a1, a2, a3] = first;
    let [b0, b1, b2, b3] = second;
    let [c0, c1, c2, c3] = third;
    let [d0, d1, d2, d3] = fourth;
    let [w0, w4, w8, w12] = quarters([a0, b0, c0, d0]);
    let [w1, w5, w9, w13] = quarters([a1, b1, c1, d1]);
    let [w2, w6, w10, w14] = quarters([a2, b2, c2, d2]);
    let [w3, w7, w11, w15] = quarters([a3, b3, c3, d3]);
    [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15]
}

/// Four registers of the first quarters of these, the second ones, and so on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn quarters([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (front, back) = (_mm512_shuffle_i32x4::<0x44>(a, b), _mm512_shuffle_i32x4::<0xee>(a, b));
    let (front_too, back_too) =
        (_mm512_shuffle_i32x4::<0x44>(c, d), _mm512_shuffle_i32x4::<0xee>(c, d));
    [
        _mm512_shuffle_i32x4::<0x88>(front, front_too),
        _mm512_shuffle_i32x4::<0xdd>(front, front_too),
        _mm512_shuffle_i32x4::<0x88>(back, back_too),
        _mm512_shuffle_i32x4::<0xdd>(back, back_too),
    ]
}
