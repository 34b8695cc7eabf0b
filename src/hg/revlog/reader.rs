//! Full texts of one revlog, each checked against its node.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::data::Window;
use super::{Delta, Entry, Problem, Revlog, RevlogError, chunk};
use crate::base::compress::Decompressor;
use crate::base::sha1;
use crate::hg::{Node, Rev};

/// A full text, shared with the reader's cache.
pub type Text = Arc<Vec<u8>>;

/// Reads full texts of one revlog and keeps the latest as delta bases. Reading in revision order
/// makes each text one delta away from one that was just made.
pub struct RevlogReader<'r> {
    revlog: &'r Revlog,
    window: Window,
    decompressor: Decompressor,
    cache: TextCache,
}

/// What is stored for a revision.
enum Stored {
    Full(Vec<u8>),
    Delta(Rev, Delta),
}

impl<'r> RevlogReader<'r> {
    pub(super) fn new(revlog: &'r Revlog) -> Self {
        Self {
            revlog,
            window: Window::default(),
            decompressor: Decompressor::default(),
            cache: TextCache::new(revlog.limits.text_cache_bytes),
        }
    }

    /// The revlog that this reads.
    pub fn revlog(&self) -> &'r Revlog {
        self.revlog
    }

    /// The text of `rev`, checked against its node.
    pub fn text(&mut self, rev: Rev) -> Result<Text, RevlogError> {
        let text = self.unchecked_text(rev)?;
        check_node(self.revlog, rev, &text)?;
        Ok(text)
    }

    /// The text of `rev` without the check, for callers that run [`check_node`] themselves,
    /// elsewhere or later.
    pub fn unchecked_text(&mut self, rev: Rev) -> Result<Text, RevlogError> {
        self.text_and_delta(rev).map(|(text, _)| text)
    }

    /// The text of `rev`, not yet checked, and the delta that made it, where it is stored as one.
    /// The delta comes with its base revision, whose text the cache still holds.
    pub fn text_and_delta(
        &mut self,
        rev: Rev,
    ) -> Result<(Text, Option<(Rev, Delta)>), RevlogError> {
        if let Some(text) = self.cache.get(rev) {
            return Ok((text, None));
        }
        let mut deltas = Vec::new();
        let mut at = rev;
        let mut text = loop {
            if let Some(text) = self.cache.get(at) {
                break text;
            }
            match self.stored(at)? {
                Stored::Full(text) => break self.keep(at, text)?,
                // A base is always an earlier revision, so this ends.
                Stored::Delta(base, delta) => {
                    deltas.push((at, base, delta));
                    at = base;
                }
            }
        };
        let mut last = None;
        for (at, base, delta) in deltas.into_iter().rev() {
            self.check_size(
                at,
                delta.result_length(text.len()).map_err(|e| self.bad_delta(at, e))?,
            )?;
            let next = delta.apply(&text).map_err(|e| self.bad_delta(at, e))?;
            text = self.keep(at, next)?;
            last = Some((base, delta));
        }
        Ok((text, last))
    }

    fn bad_delta(&self, rev: Rev, error: super::delta::DeltaError) -> RevlogError {
        self.revlog.error(rev, Problem::Delta(error))
    }

    /// Refuses a text that is larger than the limit before it is made.
    fn check_size(&self, rev: Rev, size: usize) -> Result<(), RevlogError> {
        let (size, limit) = (size as u64, self.revlog.limits.revision_bytes as u64);
        match size > limit {
            true => Err(self.revlog.error(rev, Problem::TooLarge { size, limit })),
            false => Ok(()),
        }
    }

    /// Checks the length of a text just made, and keeps it.
    fn keep(&mut self, rev: Rev, text: Vec<u8>) -> Result<Text, RevlogError> {
        let declared = self.revlog.entry(rev)?.text_length.map(u64::from);
        let actual = text.len() as u64;
        if let Some(declared) = declared.filter(|declared| *declared != actual) {
            return Err(self.revlog.error(rev, Problem::Length { declared, actual }));
        }
        let text = Arc::new(text);
        self.cache.put(rev, &text);
        Ok(text)
    }

    /// Reads and decompresses what is stored for `rev`.
    fn stored(&mut self, rev: Rev) -> Result<Stored, RevlogError> {
        let entry = self.revlog.entry(rev)?;
        if let Some(size) = entry.text_length {
            self.check_size(rev, size as usize)?;
        }
        let bytes = self.chunk(rev, &entry)?;
        Ok(match entry.delta_base {
            None => Stored::Full(bytes),
            Some(base) => {
                let delta = Delta::parse(bytes).map_err(|e| self.bad_delta(rev, e))?;
                Stored::Delta(base, delta)
            }
        })
    }

    /// The decompressed chunk of `rev`.
    fn chunk(&mut self, rev: Rev, entry: &Entry) -> Result<Vec<u8>, RevlogError> {
        let revlog = self.revlog;
        let outside =
            || Problem::OutOfFile { offset: entry.offset, length: u64::from(entry.stored_length) };
        let stored = match &revlog.data {
            Some(file) => file.read(&mut self.window, entry.offset, entry.stored_length)?,
            None => revlog.index.inline_data(rev, entry.stored_length as usize),
        };
        let stored = stored.ok_or_else(|| revlog.error(rev, outside()))?;
        // A full text has its declared size; a delta can be no larger than its ranges and texts.
        let limit = match (entry.delta_base, entry.text_length) {
            (None, Some(size)) => size as usize,
            _ => revlog.limits.revision_bytes,
        };
        chunk::decode(&mut self.decompressor, stored, limit).map_err(|p| revlog.error(rev, p))
    }
}

/// Checks that `text` hashes to the node of `rev`: SHA-1 over the parents' nodes, the smaller one
/// first, and the text.
pub fn check_node(revlog: &Revlog, rev: Rev, text: &[u8]) -> Result<(), RevlogError> {
    let entry = revlog.entry(rev)?;
    if entry.flags.is_censored() {
        return Err(revlog.error(rev, Problem::Censored));
    }
    if !entry.flags.is_plain() {
        return Err(revlog.error(rev, Problem::Flags(entry.flags.0)));
    }
    let mut parents = revlog.parent_nodes(rev)?;
    parents.sort_unstable();
    let [low, high] = &parents;
    let actual = Node::from_bytes(sha1::digest(&[low.as_bytes(), high.as_bytes(), text]));
    match actual == entry.node {
        true => Ok(()),
        false => Err(revlog.error(rev, Problem::Hash { actual })),
    }
}

/// The latest texts, up to a number of bytes.
struct TextCache {
    capacity: usize,
    held: usize,
    tick: u64,
    texts: HashMap<Rev, (Text, u64)>,
    /// Uses in order; an entry whose tick is not the text's latest is stale.
    uses: VecDeque<(Rev, u64)>,
}

impl TextCache {
    fn new(capacity: usize) -> Self {
        Self { capacity, held: 0, tick: 0, texts: HashMap::new(), uses: VecDeque::new() }
    }

    fn get(&mut self, rev: Rev) -> Option<Text> {
        let (text, tick) = self.texts.get_mut(&rev)?;
        self.tick += 1;
        *tick = self.tick;
        self.uses.push_back((rev, self.tick));
        Some(text.clone())
    }

    fn put(&mut self, rev: Rev, text: &Text) {
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
