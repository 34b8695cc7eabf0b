//! Full texts that were read last.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::Text;
use crate::base::memory;
use crate::hg::Rev;

/// The latest texts, up to a number of bytes, and some of the memory of those that were forgotten:
/// pages fresh from the system cost more time than what is written to them.
pub(in crate::hg) struct TextCache {
    capacity: usize,
    held: usize,
    tick: u64,
    texts: HashMap<Rev, (Text, u64)>,
    /// Uses in order; an entry whose tick is not the text's latest is stale.
    uses: VecDeque<(Rev, u64)>,
    /// The texts from which later ones were made, in the order of that; stale in the same way. They go
    /// first: of a line of development, the last text is the base of the next.
    replaced: VecDeque<(Rev, u64)>,
    spare: Spare,
}

impl TextCache {
    /// A cache of `capacity` bytes; two texts are held whatever they cost.
    pub(in crate::hg) fn new(capacity: usize) -> Self {
        let spare = Spare { capacity: capacity / SPARE, ..Spare::default() };
        let (uses, replaced) = (VecDeque::new(), VecDeque::new());
        Self { capacity, held: 0, tick: 0, texts: HashMap::new(), uses, replaced, spare }
    }

    /// An empty buffer for a text of `length` bytes.
    pub(in crate::hg) fn buffer(&mut self, length: usize) -> Vec<u8> {
        self.spare.take(length).unwrap_or_else(|| memory::room(rounded(length)))
    }

    /// Forgets all texts: what comes next is of another revlog, and `capacity` bytes of it are held.
    pub(in crate::hg) fn reset(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.spare.capacity = capacity / SPARE;
        for (_, (text, _)) in self.texts.drain() {
            self.spare.put(text);
        }
        self.uses.clear();
        self.replaced.clear();
        self.held = 0;
    }

    /// The text of `rev`, if it is still held.
    pub(in crate::hg) fn get(&mut self, rev: Rev) -> Option<Text> {
        let (text, tick) = self.texts.get_mut(&rev)?;
        self.tick += 1;
        *tick = self.tick;
        let text = text.clone();
        self.uses.push_back((rev, self.tick));
        self.forget_stale_uses();
        Some(text)
    }

    /// How many bytes are held.
    pub(in crate::hg) fn held(&self) -> usize {
        self.held
    }

    /// One text that is asked for again and again must not make the list of uses grow.
    fn forget_stale_uses(&mut self) {
        let texts = &self.texts;
        for list in [&mut self.uses, &mut self.replaced] {
            if list.len() > 4 * texts.len() + 64 {
                list.retain(|(rev, tick)| texts.get(rev).is_some_and(|(_, last)| last == tick));
            }
        }
    }

    /// Says that a later text was made from that of `rev`, which is not needed so soon again then.
    pub(in crate::hg) fn replace(&mut self, rev: Rev) {
        if let Some((_, tick)) = self.texts.get(&rev) {
            self.replaced.push_back((rev, *tick));
            self.forget_stale_uses();
        }
    }

    /// The text to be forgotten next.
    fn next_to_go(&mut self) -> Option<Rev> {
        for list in [&mut self.replaced, &mut self.uses] {
            while let Some((rev, tick)) = list.pop_front() {
                if self.texts.get(&rev).is_some_and(|(_, latest)| *latest == tick) {
                    return Some(rev);
                }
            }
        }
        None
    }

    /// Keeps `text`, and forgets others if it is too much: those that were replaced first, then those that
    /// were not used for longest.
    pub(in crate::hg) fn put(&mut self, rev: Rev, text: &Text) {
        self.tick += 1;
        self.uses.push_back((rev, self.tick));
        if let Some((old, _)) = self.texts.insert(rev, (text.clone(), self.tick)) {
            self.held -= cost(&old);
            self.spare.put(old);
        }
        self.held += cost(text);
        // The text just made and its base stay whatever they cost: the next delta needs one of them.
        while self.held > self.capacity && self.texts.len() > 2 {
            let Some(next) = self.next_to_go() else { return };
            if let Some((dropped, _)) = self.texts.remove(&next) {
                self.held -= cost(&dropped);
                self.spare.put(dropped);
            }
        }
    }
}

/// The part of a cache's capacity that buffers may take which hold nothing.
const SPARE: usize = 8;
/// Smaller buffers are not worth keeping: memory for them is at hand.
const SMALL: usize = 4 << 10;

/// The size of a new buffer: some more than `length`, for texts grow with time and the buffer is to
/// be good for a later one.
fn rounded(length: usize) -> usize {
    let step = length.checked_ilog2().map_or(1, |log| 1 << log.saturating_sub(3));
    length.checked_next_multiple_of(step).unwrap_or(length)
}

/// Buffers that hold nothing, by their size.
#[derive(Default)]
struct Spare {
    capacity: usize,
    held: usize,
    buffers: BTreeMap<usize, Vec<Vec<u8>>>,
}

impl Spare {
    /// Takes the buffer of a text, if nobody else has it and it is worth it.
    fn put(&mut self, text: Text) {
        let size = text.capacity();
        if size < SMALL || size > self.capacity {
            return;
        }
        let Ok(mut buffer) = Arc::try_unwrap(text) else { return };
        buffer.clear();
        while self.held + size > self.capacity
            && let Some(mut others) = self.buffers.first_entry()
        {
            self.held -= others.get_mut().pop().map_or(0, |other| other.capacity());
            if others.get().is_empty() {
                others.remove();
            }
        }
        self.held += size;
        self.buffers.entry(size).or_default().push(buffer);
    }

    /// A buffer for `length` bytes that is not much too large for them.
    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        let fitting = length..=length.saturating_add(length / 2);
        let (&size, buffers) = self.buffers.range_mut(fitting).next()?;
        let buffer = buffers.pop();
        if buffers.is_empty() {
            self.buffers.remove(&size);
        }
        self.held -= buffer.as_ref().map_or(0, Vec::capacity);
        buffer
    }
}

/// What a cached text costs in bytes, its bookkeeping included.
fn cost(text: &Text) -> usize {
    text.capacity() + 96
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(cache: &mut TextCache, length: usize) -> Text {
        let mut text = cache.buffer(length);
        assert!(text.is_empty() && text.capacity() >= length);
        text.resize(length, 0);
        Arc::new(text)
    }

    #[test]
    fn memory_of_forgotten_texts_is_used_again() {
        let mut cache = TextCache::new(1 << 20);
        let mut places = std::collections::HashSet::new();
        for rev in 0..1000 {
            let text = text(&mut cache, 50_000 + rev as usize);
            places.insert(text.as_ptr());
            cache.put(Rev::new(rev), &text);
            assert!(cache.held <= cache.capacity && cache.spare.held <= cache.spare.capacity);
        }
        // Texts grow, and so must buffers from time to time.
        assert!(places.len() < 60, "{}", places.len());
        cache.reset(1 << 20);
        assert!(cache.get(Rev::new(999)).is_none() && cache.held == 0 && cache.spare.held > 0);
    }

    #[test]
    fn what_another_holds_is_not_used_again() {
        let mut cache = TextCache::new(1 << 20);
        let mut theirs = Vec::new();
        for rev in 0..100 {
            let text = text(&mut cache, 50_000);
            cache.put(Rev::new(rev), &text);
            theirs.push(text);
        }
        assert_eq!(cache.spare.held, 0);
        // Nor what is too large, and what is small is not worth it.
        let mut cache = TextCache::new(100_000);
        for (rev, length) in (0..).zip([90_000, 90_000, 90_000, 90_000, 0, 10, 1000, 10, 0, 1000]) {
            let text = text(&mut cache, length);
            cache.put(Rev::new(rev), &text);
        }
        assert_eq!(cache.spare.held, 0);
    }
}
