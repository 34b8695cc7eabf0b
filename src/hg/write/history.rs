//! The revisions of one revlog, those that were there and those that came: found by their nodes,
//! and made into texts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::entry::{Chain, Fresh};
use super::error::WriteError;
use crate::base::compress::Decompressor;
use crate::base::{Limits, ReadAt};
use crate::hg::revlog::{Delta, Problem, Revlog, RevlogError, Storage, Text, TextCache, chunk};
use crate::hg::{Node, Rev};

/// What is known of one revlog.
pub(super) struct History {
    /// What was there before.
    pub(super) old: Revlog,
    /// What came since.
    pub(super) fresh: Vec<Fresh>,
    by_node: HashMap<Node, Rev>,
    /// Chunks that are not in the data file yet, and how many bytes of new ones are.
    pub(super) chunks: Vec<u8>,
    pub(super) written: u64,
    /// The data file, and where the old data end in it.
    data: PathBuf,
    pub(super) data_end: u64,
    cache: TextCache,
    decompressor: Decompressor,
    /// Chains of old revisions.
    chains: HashMap<Rev, Chain>,
}

impl History {
    /// That of `old`, whose data are in `data` if they are not in the index.
    pub(super) fn new(old: Revlog, data: PathBuf, limits: &Limits) -> Result<Self, RevlogError> {
        let mut data_end = 0;
        if let Some(last) = old.revs().next_back() {
            let entry = old.entry(last)?;
            let (offset, length) = (entry.offset, u64::from(entry.stored_length));
            data_end = offset.saturating_add(length);
            let is_split = old.shape().is_some_and(|shape| !shape.is_inline());
            if is_split && data_end > old.data_size() {
                return Err(old.error(last, Problem::OutOfFile { offset, length }));
            }
        }
        Ok(Self {
            old,
            fresh: Vec::new(),
            by_node: HashMap::new(),
            chunks: Vec::new(),
            written: 0,
            data,
            data_end,
            cache: TextCache::new(limits.text_cache_bytes),
            decompressor: Decompressor::default(),
            chains: HashMap::new(),
        })
    }

    /// The revision with this node.
    pub(super) fn rev(&self, node: Node) -> Option<Rev> {
        self.by_node.get(&node).copied().or_else(|| self.old.rev(node))
    }

    /// The number of the next revision; `None` if the format has no more of them.
    pub(super) fn next(&self) -> Option<Rev> {
        let next = u32::try_from(self.old.len().checked_add(self.fresh.len())?).ok()?;
        i32::try_from(next).ok().map(|_| Rev::new(next))
    }

    /// Adds the next revision.
    pub(super) fn push(&mut self, rev: Rev, fresh: Fresh, text: &Text) {
        self.by_node.insert(fresh.node, rev);
        self.fresh.push(fresh);
        self.keep(rev, text);
    }

    fn keep(&mut self, rev: Rev, text: &Text) {
        self.cache.put(rev, text);
    }

    /// A revision that came.
    fn fresh(&self, rev: Rev) -> Option<&Fresh> {
        self.fresh.get(rev.index().checked_sub(self.old.len())?)
    }

    /// The flags of a revision that matter.
    pub(super) fn flags(&self, rev: Rev) -> Result<u16, RevlogError> {
        match self.fresh(rev) {
            Some(fresh) => Ok(fresh.flags),
            None => self.old.entry(rev).map(|entry| entry.flags.0),
        }
    }

    /// The chain of deltas that ends in `rev`.
    pub(super) fn chain(&mut self, rev: Rev) -> Result<Chain, RevlogError> {
        let mut links = Vec::new();
        let mut at = rev;
        let mut chain = loop {
            let known = self.fresh(at).map(|fresh| fresh.chain);
            if let Some(chain) = known.or_else(|| self.chains.get(&at).copied()) {
                break chain;
            }
            let entry = self.old.entry(at)?;
            let stored = entry.stored_length as usize;
            match entry.storage {
                // A delta against nothing begins a chain as well.
                Storage::Full | Storage::Delta(None) => break Chain::new(at, stored),
                Storage::Delta(Some(base)) => {
                    links.push((at, stored));
                    at = base;
                }
            }
        };
        for (at, stored) in links.into_iter().rev() {
            chain = chain.and(stored);
            self.chains.insert(at, chain);
        }
        Ok(chain)
    }

    /// The text of `rev`.
    pub(super) fn text(&mut self, rev: Rev) -> Result<Text, WriteError> {
        let mut links = Vec::new();
        let mut at = rev;
        let mut text = loop {
            if let Some(text) = self.cache.get(at) {
                break text;
            }
            let Some(&fresh) = self.fresh(at) else { break self.old_text(at)? };
            links.push((at, fresh));
            match fresh.base {
                // A base is always an earlier revision, so this ends.
                Some(base) => at = base,
                None => break Text::default(),
            }
        };
        while let Some((at, fresh)) = links.pop() {
            let chunk = self.chunk(at, &fresh)?;
            let made = if fresh.base.is_some() {
                let bad = |error| self.old.error(at, Problem::Delta(error));
                Delta::parse(chunk).and_then(|delta| delta.apply(&text)).map_err(bad)?
            } else {
                chunk
            };
            text = Arc::new(made);
            self.keep(at, &text);
        }
        Ok(text)
    }

    /// The text of a revision that was there before.
    fn old_text(&mut self, rev: Rev) -> Result<Text, RevlogError> {
        let Self { old, cache, decompressor, .. } = self;
        old.read_on(cache, decompressor, |reader| reader.unchecked_text(rev))
    }

    /// The chunk of a revision that came, unpacked.
    fn chunk(&mut self, rev: Rev, fresh: &Fresh) -> Result<Vec<u8>, WriteError> {
        // We have packed it ourselves: a delta has what came, and that was bounded.
        let limit = if fresh.base.is_none() { fresh.text } else { usize::MAX >> 1 };
        let mut room;
        let bytes = if let Some(start) = fresh.offset.checked_sub(self.written) {
            let start = usize::try_from(start).unwrap_or(usize::MAX);
            let chunk = self.chunks.get(start..).and_then(|rest| rest.get(..fresh.stored));
            chunk.unwrap_or_default()
        } else {
            room = vec![0; fresh.stored];
            let at = self.data_end.saturating_add(fresh.offset);
            let file = std::fs::File::open(&self.data).map(ReadAt::File);
            let read = file.and_then(|file| file.read_exact_at(&mut room, at));
            read.map_err(WriteError::io(&self.data))?;
            &room
        };
        let plain = chunk::decode(&mut self.decompressor, bytes, limit);
        plain.map_err(|problem| self.old.error(rev, problem).into())
    }
}
