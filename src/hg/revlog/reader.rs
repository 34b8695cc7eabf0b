//! Full texts of one revlog, each checked against its node.

use std::collections::HashMap;
use std::sync::Arc;

use super::data::Window;
use super::fold::{self, Folded};
use super::large::{Failure, LARGE, Plain};
use super::text_cache::TextCache;
use super::{Delta, Entry, Problem, Revlog, RevlogError, Storage, chunk};
use crate::base::compress::Decompressor;
use crate::base::sha1::{self, Digest, Message};
use crate::hg::{Node, Rev};

/// A full text, shared with the reader's cache.
pub type Text = Arc<Vec<u8>>;

/// A revision that is stored as a delta, and what that is against.
type Link = (Rev, Option<Rev>);

/// So many deltas in a row are applied one by one.
const MANY: usize = 2;

/// A delta is small that is at most this part of its text.
const SMALL: usize = 16;

/// Reads full texts of one revlog and keeps the latest as delta bases. Reading in revision order
/// makes each text one delta away from one that was just made.
pub struct RevlogReader<'r> {
    revlog: &'r Revlog,
    window: Window,
    decompressor: Decompressor,
    cache: TextCache,
    /// Revisions that cannot be made, each with the one in its chain that is to blame: a long chain
    /// upon a broken revision is walked once, not once for each revision in it.
    broken: HashMap<Rev, Rev>,
}

impl Revlog {
    /// Gives `read` a reader that goes on with what an earlier one of this revlog left in `texts`; after
    /// [`TextCache::reset`] that may be one of another revlog.
    pub(in crate::hg) fn read_on<T>(
        &self,
        texts: &mut TextCache,
        decompressor: &mut Decompressor,
        read: impl FnOnce(&mut RevlogReader<'_>) -> T,
    ) -> T {
        let kept = std::mem::replace(texts, TextCache::new(0));
        let mut reader = RevlogReader::with(self, kept, std::mem::take(decompressor));
        let made = read(&mut reader);
        (*texts, *decompressor) = (reader.cache, reader.decompressor);
        made
    }
}

impl<'r> RevlogReader<'r> {
    pub(super) fn new(revlog: &'r Revlog) -> Self {
        Self::with(revlog, TextCache::new(revlog.kept_bytes()), Decompressor::default())
    }

    fn with(revlog: &'r Revlog, cache: TextCache, decompressor: Decompressor) -> Self {
        Self { revlog, window: Window::default(), decompressor, cache, broken: HashMap::new() }
    }

    /// Gives it the text of `rev`, which was made before, as a base for others.
    pub(in crate::hg) fn put(&mut self, rev: Rev, text: &Text) {
        self.cache.put(rev, text);
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

    /// The text of `rev`, not yet checked, and the delta that made it, where it is stored as one that
    /// builds on another revision. The delta comes with that one, whose text the cache still holds.
    pub fn text_and_delta(
        &mut self,
        rev: Rev,
    ) -> Result<(Text, Option<(Rev, Delta)>), RevlogError> {
        if let Some(text) = self.cache.get(rev) {
            return Ok((text, None));
        }
        // Down the chain by the index alone: only one delta of it is ever held, however long it is
        // and whatever its deltas expand to.
        let mut links = Vec::new();
        let mut at = rev;
        let mut text = loop {
            if let Some(text) = self.cache.get(at) {
                break text;
            }
            // The culprit itself is read again, to say again what is wrong with it.
            if let Some(&base) = self.broken.get(&at).filter(|base| **base != rev) {
                self.blame(base, &links);
                let problem = Problem::Base { base };
                return Err(self.revlog.error(rev, problem));
            }
            let entry = self.revlog.entry(at).inspect_err(|_| self.blame(at, &links))?;
            match entry.storage {
                Storage::Full => match self.full_text(at) {
                    Ok(text) => break text,
                    Err(error) => return Err(self.give_up(at, &links, error)),
                },
                Storage::Delta(base) => {
                    links.push((at, base));
                    // A base is always an earlier revision, so this ends.
                    let Some(base) = base else { break Text::default() };
                    at = base;
                }
            }
        };
        let mut last = None;
        loop {
            text = self.fold(text, &mut links)?;
            let Some((at, base)) = links.pop() else { break };
            match self.apply_delta(at, &text) {
                Ok((next, delta)) => {
                    (text, last) = (next, base.zip(delta));
                    base.inspect(|base| self.cache.replace(*base));
                }
                Err(error) => return Err(self.give_up(at, &links, error)),
            }
        }
        Ok((text, last))
    }

    /// The text that many deltas in a row make of `text`, but for the last one, whose base the caller
    /// may ask for. The `links` that were applied are gone then; there may be none.
    fn fold(&mut self, text: Text, links: &mut Vec<Link>) -> Result<Text, RevlogError> {
        if links.len() <= MANY || text.len() < fold::WORTHWHILE {
            return Ok(text);
        }
        let mut folded = Folded::new(text.len());
        let mut applied = None;
        while links.len() > 1 && !folded.is_full() {
            let Some((at, base)) = links.pop() else { break };
            match self.small_delta(at, text.len()).and_then(|delta| {
                let Some(delta) = delta else { return Ok(false) };
                folded.apply(&delta).map_err(|error| self.bad_delta(at, error))?;
                self.check_length(at, folded.length()).map(|()| true)
            }) {
                Ok(true) => applied = Some(at),
                Ok(false) => {
                    links.push((at, base));
                    break;
                }
                Err(error) => return Err(self.give_up(at, links, error)),
            }
            base.inspect(|base| self.cache.replace(*base));
        }
        let Some(rev) = applied else { return Ok(text) };
        let buffer = self.cache.buffer(folded.length());
        Ok(self.keep(rev, folded.text(&text, buffer)))
    }

    /// The delta of `rev`, unless it is large beside a text of `text` bytes.
    fn small_delta(&mut self, rev: Rev, text: usize) -> Result<Option<Delta>, RevlogError> {
        let most = text / SMALL;
        if self.revlog.entry(rev)?.stored_length as usize > most {
            return Ok(None);
        }
        let Some(plain) = self.large(rev)? else { return self.delta(rev).map(Some) };
        let bytes = plain.at_most(most).map_err(|failure| self.failed(rev, failure))?;
        bytes.map(|bytes| Delta::parse(bytes).map_err(|e| self.bad_delta(rev, e))).transpose()
    }

    /// The text of `rev`, whose delta is against `base`, and that delta.
    fn apply_delta(&mut self, rev: Rev, base: &Text) -> Result<(Text, Option<Delta>), RevlogError> {
        if let Some(plain) = self.large(rev)? {
            let made = plain.applied(base).map_err(|failure| self.failed(rev, failure));
            let (text, delta) = made?;
            self.check_length(rev, text.len())?;
            return Ok((self.keep(rev, text), delta));
        }
        let delta = self.delta(rev)?;
        let size = delta.result_length(base.len()).map_err(|e| self.bad_delta(rev, e))?;
        self.check_length(rev, size)?;
        let buffer = self.cache.buffer(size);
        let text = delta.apply_in(base, buffer).map_err(|e| self.bad_delta(rev, e))?;
        Ok((self.keep(rev, text), Some(delta)))
    }

    /// Remembers that `culprit`, and what is made from it by `links`, cannot be made. What the
    /// operating system says is no trait of a revision and may be otherwise the next time.
    fn give_up(&mut self, culprit: Rev, links: &[Link], error: RevlogError) -> RevlogError {
        if matches!(error, RevlogError::Revision { .. }) {
            self.blame(culprit, links);
        }
        error
    }

    fn blame(&mut self, culprit: Rev, links: &[Link]) {
        self.broken.insert(culprit, culprit);
        self.broken.extend(links.iter().map(|(rev, _)| (*rev, culprit)));
    }

    /// How the chunk of `rev` is compressed.
    pub fn compression(&mut self, rev: Rev) -> Result<&'static str, RevlogError> {
        let entry = self.revlog.entry(rev)?;
        self.check_size(rev, u64::from(entry.stored_length).saturating_sub(1))?;
        Ok(chunk::compression(stored(self.revlog, &mut self.window, rev, entry)?))
    }

    /// The text of a revision that is stored in full.
    fn full_text(&mut self, rev: Rev) -> Result<Text, RevlogError> {
        let text = match self.large(rev)? {
            Some(plain) => plain.text().map_err(|failure| self.failed(rev, failure))?,
            None => self.chunk(rev)?,
        };
        self.check_length(rev, text.len())?;
        Ok(self.keep(rev, text))
    }

    /// The delta of a revision that is stored as one.
    fn delta(&mut self, rev: Rev) -> Result<Delta, RevlogError> {
        let bytes = self.chunk(rev)?;
        Delta::parse(bytes).map_err(|e| self.bad_delta(rev, e))
    }

    fn bad_delta(&self, rev: Rev, error: super::delta::DeltaError) -> RevlogError {
        self.revlog.error(rev, Problem::Delta(error))
    }

    /// Refuses a text that is larger than the limit, before it is read.
    fn check_size(&self, rev: Rev, size: u64) -> Result<(), RevlogError> {
        let limit = self.revlog.limits.revision_bytes as u64;
        match size > limit {
            true => Err(self.revlog.error(rev, Problem::TooLarge { size, limit })),
            false => Ok(()),
        }
    }

    /// Refuses a text that is larger than the limit, or not as long as the index says.
    fn check_length(&self, rev: Rev, actual: usize) -> Result<(), RevlogError> {
        let actual = actual as u64;
        self.check_size(rev, actual)?;
        match self.revlog.entry(rev)?.text_length.map(u64::from) {
            Some(declared) if declared != actual => {
                Err(self.revlog.error(rev, Problem::Length { declared, actual }))
            }
            _ => Ok(()),
        }
    }

    /// Keeps a text just made.
    fn keep(&mut self, rev: Rev, text: Vec<u8>) -> Text {
        let text = Arc::new(text);
        self.cache.put(rev, &text);
        text
    }

    /// The plain bytes of the chunk of `rev`, not read yet, if all of them are too many to hold.
    fn large(&mut self, rev: Rev) -> Result<Option<Plain<'r>>, RevlogError> {
        let revlog = self.revlog;
        let entry = revlog.entry(rev)?;
        if entry.text_length.unwrap_or_default().max(entry.stored_length) < LARGE {
            return Ok(None);
        }
        self.check_sizes(rev, entry)?;
        let Some(file) = &revlog.data else { return Ok(None) };
        // What was read before is not needed now.
        self.window = Window::default();
        let stored = file.stream(entry.offset, entry.stored_length);
        let stored = stored.ok_or_else(|| out_of_file(revlog, rev, entry))?;
        let expected = entry.text_length.unwrap_or_default() as usize;
        let plain = Plain::new(stored, self.limit(entry), expected);
        plain.map(Some).map_err(|failure| self.failed(rev, failure))
    }

    /// The error that a large chunk does not become a text.
    fn failed(&self, rev: Rev, failure: Failure) -> RevlogError {
        let path = || self.revlog.data.as_ref().map(|file| file.path().to_owned());
        match failure {
            Failure::Problem(problem) => self.revlog.error(rev, problem),
            Failure::Io(source) => RevlogError::Io { path: path().unwrap_or_default(), source },
        }
    }

    /// Refuses a revision that is larger than the limit, by what the index says of it.
    fn check_sizes(&self, rev: Rev, entry: Entry) -> Result<(), RevlogError> {
        if let Some(size) = entry.text_length {
            self.check_size(rev, u64::from(size))?;
        }
        // What is stored is never longer than what it stands for, but for a byte that says how.
        self.check_size(rev, u64::from(entry.stored_length).saturating_sub(1))
    }

    /// How many plain bytes a chunk may have: a full text has its declared size, a delta no more than
    /// we would hold of a text.
    fn limit(&self, entry: Entry) -> usize {
        match (entry.storage, entry.text_length) {
            (Storage::Full, Some(size)) => size as usize,
            _ => self.revlog.limits.revision_bytes,
        }
    }

    /// The decompressed chunk of `rev`.
    fn chunk(&mut self, rev: Rev) -> Result<Vec<u8>, RevlogError> {
        let revlog = self.revlog;
        let entry = revlog.entry(rev)?;
        self.check_sizes(rev, entry)?;
        let limit = self.limit(entry);
        let stored = stored(revlog, &mut self.window, rev, entry)?;
        chunk::decode(&mut self.decompressor, stored, limit).map_err(|p| revlog.error(rev, p))
    }
}

/// The chunk of `rev` as it is stored.
fn stored<'s>(
    revlog: &'s Revlog,
    window: &'s mut Window,
    rev: Rev,
    entry: Entry,
) -> Result<&'s [u8], RevlogError> {
    let stored = match &revlog.data {
        Some(file) => file.read(window, entry.offset, entry.stored_length)?,
        None => revlog.index.inline_data(rev, entry.stored_length as usize),
    };
    stored.ok_or_else(|| out_of_file(revlog, rev, entry))
}

/// The error that the chunk of `rev` is not all in the file.
fn out_of_file(revlog: &Revlog, rev: Rev, entry: Entry) -> RevlogError {
    let length = u64::from(entry.stored_length);
    revlog.error(rev, Problem::OutOfFile { offset: entry.offset, length })
}

/// Checks that `text` hashes to the node of `rev`: SHA-1 over the parents' nodes, the smaller one
/// first, and the text.
pub fn check_node(revlog: &Revlog, rev: Rev, text: &[u8]) -> Result<(), RevlogError> {
    let head = Node::before_text(revlog.parent_nodes(rev)?);
    check_digest(revlog, rev, sha1::digest(&[&head, text]))
}

/// The same as [`check_node`] for several texts, which takes less time than one after the other.
/// The first that is wrong is the error.
pub fn check_nodes(revlog: &Revlog, texts: &[(Rev, &[u8])]) -> Result<(), RevlogError> {
    let head = |(rev, _): &(Rev, &[u8])| revlog.parent_nodes(*rev).map(Node::before_text);
    let heads = texts.iter().map(head).collect::<Result<Vec<_>, _>>()?;
    let messages = heads.iter().zip(texts).map(|(head, (_, text))| Message { head, text });
    let mut digests = vec![Digest::default(); texts.len()];
    sha1::digests(&messages.collect::<Vec<_>>(), &mut digests);
    let mut all = texts.iter().zip(digests);
    all.try_for_each(|((rev, _), digest)| check_digest(revlog, *rev, digest))
}

/// Checks that the node of `rev` is `digest`, which is that of [`Node::before_text`] and its text.
pub fn check_digest(revlog: &Revlog, rev: Rev, digest: Digest) -> Result<(), RevlogError> {
    let (entry, actual) = (revlog.entry(rev)?, Node::from_bytes(digest));
    if let Some(problem) = entry.flags.problem() {
        return Err(revlog.error(rev, problem));
    }
    match actual == entry.node {
        true => Ok(()),
        false => Err(revlog.error(rev, Problem::Hash { actual })),
    }
}
