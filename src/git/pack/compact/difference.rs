//! What two texts share, wherever it lies in them: the same head, the same tail, and for what is between
//! them, blocks of the one that are found in the other.

use crate::git::sink::Copied;

/// How many bytes a block has by which a range is found.
const BLOCK: usize = 16;
/// How many blocks with the same hash are tried. More come from texts that repeat themselves.
const TRIED: usize = 4;
/// From a text with more blocks than this, not all are noted.
const MOST_BLOCKS: usize = 1 << 20;

/// The blocks of a text by their hash.
#[derive(Debug)]
pub(super) struct Blocks {
    /// One more than the number of the first block with a hash; 0 if there is none.
    first: Vec<u32>,
    /// One more than the number of the next block with the same hash; 0 behind the last.
    next: Vec<u32>,
    /// How far one block begins after the other.
    step: usize,
}

impl Blocks {
    pub(super) fn of(text: &[u8]) -> Self {
        let step = BLOCK * (text.len() / BLOCK).div_ceil(MOST_BLOCKS).max(1);
        let count = text.len() / step;
        let mut first = vec![0; count.next_power_of_two()];
        let mut next = vec![0; count];
        // From the end, so that the first of several is found first.
        for number in (0..count).rev() {
            let hash = block(text, number * step).map(|block| place(block, first.len()));
            let head = hash.and_then(|hash| first.get_mut(hash));
            if let (Some(head), Some(next)) = (head, next.get_mut(number)) {
                *next = std::mem::replace(head, u32::try_from(number + 1).unwrap_or(0));
            }
        }
        Self { first, next, step }
    }

    /// Where in the text blocks begin that may be equal to this one.
    fn like(&self, block: u128) -> impl Iterator<Item = usize> + '_ {
        let head = self.first.get(place(block, self.first.len())).copied();
        let follow = |one: &u32| self.next.get(*one as usize - 1).copied().filter(|next| *next > 0);
        let numbers = std::iter::successors(head.filter(|head| *head > 0), follow);
        numbers.take(TRIED).map(|number| (number as usize - 1) * self.step)
    }
}

fn block(text: &[u8], at: usize) -> Option<u128> {
    text.get(at..)?.first_chunk::<BLOCK>().map(|block| u128::from_le_bytes(*block))
}

/// The place of a block in a table of `length` heads, a power of two.
fn place(block: u128, length: usize) -> usize {
    const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
    const SECOND: u64 = 0xc2b2_ae3d_27d4_eb4f;
    let bytes = block.to_le_bytes();
    let half = |at: usize| {
        let half = bytes.get(at..).and_then(|half| half.first_chunk::<8>());
        half.map_or(0, |half| u64::from_le_bytes(*half))
    };
    let hash = half(0).wrapping_mul(FIRST) ^ half(8).wrapping_mul(SECOND).rotate_left(32);
    let hash = hash.wrapping_mul(FIRST) >> 32;
    usize::try_from(hash).unwrap_or_default() & (length - 1)
}

/// The ranges of `text` that are copied from `base`, whose blocks are `blocks`, in order; `None` if more
/// than `most` bytes of `text` are in none.
pub(super) fn shared(
    base: &[u8],
    blocks: &Blocks,
    text: &[u8],
    most: usize,
) -> Option<Vec<Copied>> {
    let head = common_head(base, text);
    let (base_rest, text_rest) = (base.get(head..)?, text.get(head..)?);
    let tail = common_tail(base_rest, text_rest);
    let end = text.len() - tail;
    let mut copied = Vec::new();
    if head > 0 {
        copied.push(Copied { from: 0, to: 0, length: head });
    }
    let (mut done, mut at, mut inserted) = (head, head, 0_usize);
    while at + BLOCK <= end {
        if inserted + (at - done) > most {
            return None;
        }
        // Most changes leave what follows them as far from the beginning, or from the end, as it was.
        let last = copied.last().map_or(0, |last: &Copied| last.from + last.length);
        let likely = [at + last - done, (at + base.len()).wrapping_sub(text.len())];
        let found = longest(base, (blocks, likely), text.get(..end)?, done, at);
        let Some(found) = found else {
            at += 1;
            continue;
        };
        inserted += found.to - done;
        done = found.to + found.length;
        at = done;
        copied.push(found);
    }
    inserted += end.saturating_sub(done);
    if tail > 0 {
        copied.push(Copied { from: base.len() - tail, to: end, length: tail });
    }
    (inserted <= most).then_some(copied)
}

/// The longest range around `at` that `base` has, too, and that does not begin before `done`.
///
/// It is looked for where it is `likely`, and where `blocks` are like it.
fn longest(
    base: &[u8],
    (blocks, likely): (&Blocks, [usize; 2]),
    text: &[u8],
    done: usize,
    at: usize,
) -> Option<Copied> {
    let wanted = block(text, at)?;
    let mut longest: Option<Copied> = None;
    for from in likely.into_iter().chain(blocks.like(wanted)) {
        if block(base, from) != Some(wanted) {
            continue;
        }
        let after = common_head(base.get(from..)?, text.get(at..)?);
        let before = common_tail(base.get(..from)?, text.get(done..at)?);
        let found = Copied { from: from - before, to: at - before, length: before + after };
        if longest.is_none_or(|longest| found.length > longest.length) {
            longest = Some(found);
        }
    }
    longest
}

/// How much is compared at once.
const CHUNK: usize = 32;

/// How many bytes two texts begin with that are the same.
fn common_head(one: &[u8], other: &[u8]) -> usize {
    let chunks = one.chunks_exact(CHUNK).zip(other.chunks_exact(CHUNK));
    let same = chunks.take_while(|(one, other)| one == other).count() * CHUNK;
    let rest = one.iter().skip(same).zip(other.iter().skip(same));
    same + rest.take_while(|(one, other)| one == other).count()
}

/// How many bytes two texts end with that are the same.
fn common_tail(one: &[u8], other: &[u8]) -> usize {
    let chunks = one.rchunks_exact(CHUNK).zip(other.rchunks_exact(CHUNK));
    let same = chunks.take_while(|(one, other)| one == other).count() * CHUNK;
    let rest = one.iter().rev().skip(same).zip(other.iter().rev().skip(same));
    same + rest.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::git::ObjectId;
    use crate::git::pack::delta::{apply, encode};
    use crate::git::sink::DeltaHint;

    fn delta(base: &[u8], text: &[u8], most: usize) -> Option<Vec<u8>> {
        let copied = shared(base, &Blocks::of(base), text, most)?;
        let hint = DeltaHint { base: ObjectId::NULL, base_length: base.len(), copied: &copied };
        encode(&hint, text)
    }

    fn lines(numbers: impl Iterator<Item = usize>) -> Vec<u8> {
        numbers.flat_map(|n| format!("this is line {n} of a file\n").into_bytes()).collect()
    }

    #[test]
    fn what_has_moved_is_found() {
        let base = lines(0..100);
        let text = lines((0..10).chain(60..80).chain(10..60).chain(80..100));
        let delta = delta(&base, &text, 1000).unwrap();
        assert!(delta.len() < 60, "{}", delta.len());
        assert_eq!(apply(&base, &delta, 1 << 20).unwrap(), text);
    }

    #[test]
    fn a_changed_line_costs_its_change_and_too_much_is_given_up() {
        let base = lines(0..100);
        let text = String::from_utf8(base.clone()).unwrap();
        let text = text.replace("line 50 ", "LINE 50 ").replace("line 70 ", "LINE 70 ");
        let delta_of = |most| delta(&base, text.as_bytes(), most);
        assert!(delta_of(100).unwrap().len() < 50);
        assert_eq!(delta_of(7), None);
        assert_eq!(delta(b"", b"all new", 6), None);
        assert!(delta(b"", b"all new", 7).is_some());
    }

    #[test]
    fn a_text_that_repeats_itself_takes_no_longer() {
        let base = vec![b' '; 1 << 20];
        let mut text = base.clone();
        text[5000] = b'x';
        text[900_000] = b'y';
        let delta = delta(&base, &text, 1 << 10).unwrap();
        assert_eq!(apply(&base, &delta, 2 << 20).unwrap(), text);
    }

    proptest! {
        #[test]
        fn a_delta_makes_the_text(
            pieces in prop::collection::vec(prop::collection::vec(0..4_u8, 1..80), 1..12),
            picks in prop::collection::vec((0..12_usize, any::<bool>()), 0..20),
        ) {
            let base = pieces.concat();
            let mut text = Vec::new();
            for (pick, is_changed) in picks {
                text.extend_from_slice(&pieces[pick % pieces.len()]);
                if is_changed {
                    text.push(9);
                }
            }
            let delta = delta(&base, &text, usize::MAX / 2).unwrap();
            prop_assert_eq!(apply(&base, &delta, 1 << 20), Some(text));
        }
    }
}
