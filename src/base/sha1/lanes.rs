//! Several messages at a time.

use super::{Digest, digest};

/// What is hashed as one: `head`, and `text` after it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'m> {
    /// What is short and not in one piece with the rest.
    pub head: &'m [u8],
    /// The rest.
    pub text: &'m [u8],
}

/// Puts the digest of each of `messages` into `digests`, in their order. Where the processor has
/// instructions for it, several are made at the same time: of many, sixteen.
pub fn digests(messages: &[Message<'_>], digests: &mut [Digest]) {
    // Each instruction is a function, and where these are not inlined, as in a build for tests, this
    // takes fifty times as long.
    if cfg!(debug_assertions) {
        return one_by_one(messages, digests);
    }
    in_lanes(messages, digests);
}

fn in_lanes(messages: &[Message<'_>], digests: &mut [Digest]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(wide) = super::wide::Wide::of_this_machine()
        && messages.iter().all(|message| message.head.len() < BLOCK)
    {
        // With them, few messages take least time one after the other.
        return match messages.len() < in_lanes::FEW {
            true => one_by_one(messages, digests),
            false => in_lanes::wide_digests(wide, messages, digests),
        };
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(instructions) = super::x86::Instructions::of_this_machine()
        && messages.iter().all(|message| message.head.len() < BLOCK)
    {
        return in_lanes::digests(instructions, messages, digests);
    }
    one_by_one(messages, digests);
}

fn one_by_one(messages: &[Message<'_>], digests: &mut [Digest]) {
    for (message, place) in messages.iter().zip(digests) {
        *place = digest(&[message.head, message.text]);
    }
}

/// What is compressed at a time, in bytes.
const BLOCK: usize = 64;
pub(super) type Block = [u8; BLOCK];
/// What is kept of a message between two blocks.
pub(super) type State = [u32; 5];

#[cfg(target_arch = "x86_64")]
mod in_lanes {
    use super::super::wide::{WIDTH, Wide};
    use super::super::x86::Instructions;
    use super::{BLOCK, Block, Digest, Message, State};

    /// Fewer messages than this are not worth the width of sixteen.
    pub(super) const FEW: usize = 6;
    /// So many messages at a time: the registers hold no more.
    const LANES: usize = 4;
    /// The state of a message that has not begun.
    const BEGUN: State = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

    /// The digests of messages whose heads are shorter than a block.
    pub(super) fn digests(
        instructions: Instructions,
        messages: &[Message<'_>],
        digests: &mut [Digest],
    ) {
        let ends: Vec<_> = messages.iter().map(Ends::new).collect();
        let mut waiting = messages.iter().zip(&ends).map(|(message, ends)| ends.lane(message));
        let mut places = digests.iter_mut();
        let mut under_way: Vec<(Lane<'_>, &mut Digest)> = Vec::with_capacity(LANES);
        loop {
            let free = LANES - under_way.len();
            under_way.extend(waiting.by_ref().zip(places.by_ref()).take(free));
            match under_way.as_mut_slice() {
                [] => return,
                [(a, _)] => advance(instructions, [a]),
                [(a, _), (b, _)] => advance(instructions, [a, b]),
                [(a, _), (b, _), (c, _)] => advance(instructions, [a, b, c]),
                [(a, _), (b, _), (c, _), (d, _), ..] => advance(instructions, [a, b, c, d]),
            }
            under_way.retain_mut(|(lane, place)| {
                if lane.is_over() {
                    **place = lane.digest();
                }
                !lane.is_over()
            });
        }
    }

    /// The same for many messages, sixteen at a time, the longest first; the last few one by one.
    pub(super) fn wide_digests(wide: Wide, messages: &[Message<'_>], digests: &mut [Digest]) {
        let single = Instructions::of_this_machine();
        let ends: Vec<_> = messages.iter().map(Ends::new).collect();
        let mut all: Vec<_> = messages.iter().zip(&ends).zip(digests).collect();
        all.sort_by_key(|((message, _), _)| std::cmp::Reverse(message.text.len()));
        let mut waiting =
            all.into_iter().map(|((message, ends), place)| (ends.lane(message), place));
        let mut under_way: Vec<(Lane<'_>, &mut Digest)> = Vec::with_capacity(WIDTH);
        loop {
            under_way.extend(waiting.by_ref().take(WIDTH - under_way.len()));
            if under_way.is_empty() {
                return;
            }
            match single.filter(|_| under_way.len() < FEW) {
                Some(single) => {
                    for (lane, _) in &mut under_way {
                        lane.finish(single);
                    }
                }
                None => advance_wide(wide, &mut under_way),
            }
            under_way.retain_mut(|(lane, place)| {
                if lane.is_over() {
                    **place = lane.digest();
                }
                !lane.is_over()
            });
        }
    }

    /// Takes as many blocks of each message as come next in all of them.
    fn advance_wide(wide: Wide, lanes: &mut [(Lane<'_>, &mut Digest)]) {
        let (mut states, mut blocks) = ([BEGUN; WIDTH], [[].as_slice(); WIDTH]);
        for ((state, blocks), (lane, _)) in states.iter_mut().zip(&mut blocks).zip(&mut *lanes) {
            (*state, *blocks) = (lane.state, lane.next().map_or([].as_slice(), |run| *run));
        }
        let lengths = blocks.iter().take(lanes.len()).map(|blocks| blocks.len());
        let count = lengths.min().unwrap_or(0);
        wide.compress(&mut states, blocks, count);
        for ((lane, _), state) in lanes.iter_mut().zip(states) {
            lane.advanced(state, count);
        }
    }

    /// The blocks of a message that are not blocks of its text.
    struct Ends {
        /// The first block, unless it is the last one, and the last ones.
        bytes: Vec<u8>,
        /// How many of the blocks are first ones.
        firsts: usize,
    }

    impl Ends {
        fn new(Message { head, text }: &Message<'_>) -> Self {
            let mut bytes = Vec::with_capacity(3 * BLOCK);
            bytes.extend_from_slice(head);
            let (begin, rest) = text.split_at_checked(BLOCK - head.len()).unwrap_or((&[], text));
            bytes.extend_from_slice(begin);
            let firsts = bytes.len() / BLOCK;
            let rest = if firsts > 0 { rest.as_chunks::<BLOCK>().1 } else { rest };
            bytes.extend_from_slice(rest);
            bytes.push(0x80);
            let bits = (head.len() as u64 + text.len() as u64) * 8;
            let whole = (bytes.len() + size_of_val(&bits)).next_multiple_of(BLOCK);
            bytes.resize(whole - size_of_val(&bits), 0);
            bytes.extend_from_slice(&bits.to_be_bytes());
            Self { bytes, firsts }
        }

        /// The message that these are the ends of, not begun.
        fn lane<'m>(&'m self, Message { head, text }: &Message<'m>) -> Lane<'m> {
            let (ends, _) = self.bytes.as_chunks();
            let (first, last) = ends.split_at_checked(self.firsts).unwrap_or_default();
            let begun = self.firsts * BLOCK;
            let middle = text.get(begun.saturating_sub(head.len())..).unwrap_or_default();
            let middle = if begun > 0 { middle.as_chunks().0 } else { &[] };
            Lane { state: BEGUN, runs: [first, middle, last] }
        }
    }

    /// A message under way.
    struct Lane<'m> {
        state: State,
        /// The blocks that are left.
        runs: [&'m [Block]; 3],
    }

    impl<'m> Lane<'m> {
        /// The blocks that come next.
        fn next(&mut self) -> Option<&mut &'m [Block]> {
            self.runs.iter_mut().find(|run| !run.is_empty())
        }

        fn is_over(&self) -> bool {
            self.runs.iter().all(|run| run.is_empty())
        }

        /// Takes note of `count` blocks that have been taken, and the state after them.
        fn advanced(&mut self, state: State, count: usize) {
            self.state = state;
            if let Some(run) = self.next() {
                *run = run.get(count..).unwrap_or_default();
            }
        }

        /// Takes all blocks that are left.
        fn finish(&mut self, instructions: Instructions) {
            while !self.is_over() {
                advance(instructions, [self]);
            }
        }

        fn digest(&self) -> Digest {
            let mut digest = Digest::default();
            for (place, word) in digest.as_chunks_mut().0.iter_mut().zip(self.state) {
                *place = word.to_be_bytes();
            }
            digest
        }
    }

    /// Takes as many blocks of each message as come next in all of them.
    fn advance<const N: usize>(instructions: Instructions, mut lanes: [&mut Lane<'_>; N]) {
        let next = lanes.each_mut().map(|lane| lane.next().map_or([].as_slice(), |run| *run));
        let count = next.iter().map(|run| run.len()).min().unwrap_or(0);
        let next = next.map(|run| run.get(..count).unwrap_or_default());
        let states = instructions.compress(lanes.each_ref().map(|lane| lane.state), next);
        for (lane, state) in lanes.into_iter().zip(states) {
            lane.advanced(state, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Way = Box<dyn Fn(&[Message<'_>], &mut [Digest])>;

    /// Every way that this processor knows.
    fn ways() -> Vec<Way> {
        let mut ways: Vec<Way> = vec![Box::new(in_lanes)];
        #[cfg(target_arch = "x86_64")]
        {
            use super::super::{wide::Wide, x86::Instructions};
            fn short(messages: &[Message<'_>]) -> bool {
                messages.iter().all(|message| message.head.len() < BLOCK)
            }
            ways.extend(Instructions::of_this_machine().map(|few| -> Way {
                Box::new(move |messages, digests| match short(messages) {
                    true => in_lanes::digests(few, messages, digests),
                    false => in_lanes(messages, digests),
                })
            }));
            ways.extend(Wide::of_this_machine().map(|wide| -> Way {
                Box::new(move |messages, digests| match short(messages) {
                    true => in_lanes::wide_digests(wide, messages, digests),
                    false => in_lanes(messages, digests),
                })
            }));
        }
        ways
    }

    #[test]
    fn many_at_a_time_are_as_one_after_the_other() {
        let bytes: Vec<u8> = (0u32..5000).map(|i| (i * 7 + i / 13).to_le_bytes()[0]).collect();
        let message =
            |head: usize, text: usize| Message { head: &bytes[..head], text: &bytes[..text] };
        let check = |messages: &[Message<'_>]| {
            let none = vec![Digest::default(); messages.len()];
            let mut expected = none.clone();
            one_by_one(messages, &mut expected);
            for way in ways() {
                let mut actual = none.clone();
                way(messages, &mut actual);
                assert_eq!(actual, expected, "{}", messages.len());
            }
        };
        // Every length about one and two blocks, with heads of every kind.
        for head in [0, 1, 20, 40, 55, 56, 63, 64, 100] {
            check(&(0..200).map(|text| message(head, text)).collect::<Vec<_>>());
        }
        // Lengths that end at different times, and every number of messages.
        for count in 0..40 {
            let lengths = [4999, 3, 700, 64, 0, 1000, 24, 23, 25, 128];
            let lengths = lengths.iter().cycle().take(count);
            check(&lengths.map(|&text| message(40, text)).collect::<Vec<_>>());
        }
    }
}
