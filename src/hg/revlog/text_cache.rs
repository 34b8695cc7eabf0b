//! Full texts that were read last.

use std::collections::{HashMap, VecDeque};

use super::Text;
use crate::hg::Rev;

/// The latest texts, up to a number of bytes.
pub(in crate::hg) struct TextCache {
    capacity: usize,
    held: usize,
    tick: u64,
    texts: HashMap<Rev, (Text, u64)>,
    /// Uses in order; an entry whose tick is not the text's latest is stale.
    uses: VecDeque<(Rev, u64)>,
}

impl TextCache {
    /// A cache of `capacity` bytes; two texts are held whatever they cost.
    pub(in crate::hg) fn new(capacity: usize) -> Self {
        Self { capacity, held: 0, tick: 0, texts: HashMap::new(), uses: VecDeque::new() }
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
        if self.uses.len() > 4 * self.texts.len() + 64 {
            let texts = &self.texts;
            self.uses.retain(|(rev, tick)| texts.get(rev).is_some_and(|(_, last)| last == tick));
        }
    }

    /// Keeps `text`, and forgets what was not used for longest if it is too much.
    pub(in crate::hg) fn put(&mut self, rev: Rev, text: &Text) {
        self.tick += 1;
        self.uses.push_back((rev, self.tick));
        if let Some((old, _)) = self.texts.insert(rev, (text.clone(), self.tick)) {
            self.held -= cost(&old);
        }
        self.held += cost(text);
        // The text just made and its base stay whatever they cost: the next delta needs one of them.
        while self.held > self.capacity && self.texts.len() > 2 {
            let Some((oldest, tick)) = self.uses.pop_front() else { return };
            if self.texts.get(&oldest).is_some_and(|(_, latest)| *latest == tick)
                && let Some((dropped, _)) = self.texts.remove(&oldest)
            {
                self.held -= cost(&dropped);
            }
        }
    }
}

/// What a cached text costs in bytes, its bookkeeping included.
fn cost(text: &Text) -> usize {
    text.len() + 96
}
