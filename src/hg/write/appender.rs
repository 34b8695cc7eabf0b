//! Appends to one revlog: what comes as deltas is made into texts, checked, and stored.

use std::sync::Arc;

use super::check::{Check, Checks};
use super::entry::{Chain, ENTRY, Fresh};
use super::error::{WriteError, Wrong};
use super::history::History;
use super::journal::Folder;
use super::packer::Packer;
use super::transaction::Transaction;
use crate::base::Limits;
use crate::hg::bundle::DeltaRevision;
use crate::hg::revlog::{Flags, Revlog, RevlogFiles, Shape, Text};
use crate::hg::{Node, Rev, filelog};

/// What kind of revisions a revlog has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Changelog,
    Manifest,
    File,
}

/// Where a revlog is and what it is called.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// How errors call it.
    pub(super) shown: Arc<str>,
    pub(super) files: RevlogFiles,
    /// What the journal calls the index and the data.
    pub(super) index_name: Vec<u8>,
    pub(super) data_name: Vec<u8>,
}

/// What all appenders of one repository need.
pub(super) struct Tools<'w> {
    pub(super) transaction: &'w mut Transaction,
    pub(super) packer: &'w mut Packer,
    pub(super) checks: &'w mut Checks,
    pub(super) limits: &'w Limits,
}

/// Chunks are handed on once there are so many bytes of them.
const PENDING: usize = 8 << 20;
/// An index that is longer does not hold its data.
const LONGEST_INLINE: usize = 128 << 10;

/// One revlog that is appended to.
pub(super) struct Appender {
    place: Place,
    kind: Kind,
    history: History,
    shape: Shape,
    /// The old entries, if the data were between them and are in a file of their own now.
    split: Option<Vec<u8>>,
}

/// Whether a revision is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Added,
    Known,
}

impl Appender {
    /// Opens the revlog at `place`, which need not be there; then it becomes one with
    /// `general_deltas` or without.
    pub(super) fn open(
        place: Place,
        kind: Kind,
        general_deltas: bool,
        limits: &Limits,
    ) -> Result<Self, WriteError> {
        let old = Revlog::open(&place.shown, &place.files, limits)?;
        let old = old.unwrap_or_else(|| Revlog::empty(&place.shown, limits));
        // Mercurial keeps changesets as full texts, and their data in a file of their own.
        let new_shape = match kind {
            Kind::Changelog => Shape::SPLIT,
            _ if general_deltas => Shape::INLINE_GENERAL,
            _ => Shape::INLINE,
        };
        let shape = old.shape().filter(|_| !old.is_empty()).unwrap_or(new_shape);
        let history = History::new(old, place.files.data.clone(), limits)?;
        Ok(Self { place, kind, history, shape, split: None })
    }

    /// The revision with this node, old or new.
    pub(super) fn rev(&self, node: Node) -> Option<Rev> {
        self.history.rev(node)
    }

    fn wrong(&self, node: Node, problem: impl Into<Wrong>) -> WriteError {
        WriteError::Revision { file: self.place.shown.to_string(), node, problem: problem.into() }
    }

    fn next(&self, node: Node) -> Result<Rev, WriteError> {
        self.history.next().ok_or_else(|| self.wrong(node, Wrong::Full))
    }

    /// Adds a revision, if it is not there. `link` says which changeset brings it; a changeset brings
    /// itself.
    pub(super) fn add(
        &mut self,
        revision: &DeltaRevision,
        link: impl Fn(Node) -> Option<Rev>,
        tools: &mut Tools<'_>,
    ) -> Result<Outcome, WriteError> {
        let node = revision.node;
        if self.rev(node).is_some() {
            return Ok(Outcome::Known);
        }
        let rev = self.next(node)?;
        let link = match self.kind {
            Kind::Changelog => rev,
            _ => link(revision.link).ok_or_else(|| self.wrong(node, Wrong::Link(revision.link)))?,
        };
        let [p1, p2] = revision.parents;
        let mut parents =
            [self.known(p1, node, Wrong::Parent)?, self.known(p2, node, Wrong::Parent)?];
        let base = self.known(revision.base, node, Wrong::Base)?;
        let text = self.made(revision, base, tools.limits)?;
        self.check(revision, &text, tools)?;
        let is_meta = self.kind == Kind::File && text.starts_with(b"\x01\n");
        if self.kind == Kind::File {
            swap(&mut parents, is_meta);
        }
        let mut fresh = self.stored(revision, base, &text, tools)?;
        (fresh.parents, fresh.link, fresh.flags) = (parents, link, revision.flags.0);
        if self.shape.has_meta() && is_meta {
            fresh.flags |= Flags::HAS_META;
        }
        if self.shape.has_delta_info() && fresh.base.is_none() {
            fresh.flags |= Flags::IS_FULL;
        }
        self.history.push(rev, fresh, &text);
        if self.history.chunks.len() > PENDING {
            self.hand_on(tools.transaction)?;
            tools.transaction.flush()?;
        }
        Ok(Outcome::Added)
    }

    /// The revision `wanted`, which must be there if it is one.
    fn known(
        &self,
        wanted: Node,
        node: Node,
        missing: impl Fn(Node) -> Wrong,
    ) -> Result<Option<Rev>, WriteError> {
        match wanted.is_null() {
            true => Ok(None),
            false => self.rev(wanted).map(Some).ok_or_else(|| self.wrong(node, missing(wanted))),
        }
    }

    /// The text that came, made of that of `base`.
    fn made(
        &mut self,
        revision: &DeltaRevision,
        base: Option<Rev>,
        limits: &Limits,
    ) -> Result<Text, WriteError> {
        let (node, delta) = (revision.node, &revision.delta);
        let base = base.map_or_else(|| Ok(Text::default()), |base| self.history.text(base))?;
        let size = delta.result_length(base.len()).map_err(|error| self.wrong(node, error))?;
        // What is longer has no room in an entry.
        let limit = limits.revision_bytes.min(usize::try_from(i32::MAX).unwrap_or(usize::MAX));
        if size > limit {
            let (size, limit) = (size as u64, limit as u64);
            return Err(self.wrong(node, Wrong::TooLarge { size, limit }));
        }
        delta.apply(&base).map(Arc::new).map_err(|error| self.wrong(node, error))
    }

    /// Has the text checked against its node, where that can be.
    fn check(
        &self,
        revision: &DeltaRevision,
        text: &Text,
        tools: &mut Tools<'_>,
    ) -> Result<(), WriteError> {
        let (node, flags) = (revision.node, revision.flags.0);
        let known = Flags::CENSORED | Flags::ELLIPSIS | Flags::EXTERNAL | Flags::HAS_COPIES_INFO;
        let is_file = self.kind == Kind::File;
        match () {
            () if flags & !known != 0 => Err(self.wrong(node, Wrong::Flags(flags))),
            () if flags & Flags::ELLIPSIS != 0 => Err(self.wrong(node, Wrong::Ellipsis)),
            () if flags & Flags::CENSORED != 0 => match is_file && filelog::is_tombstone(text) {
                true => Ok(()),
                false => Err(self.wrong(node, Wrong::NoTombstone)),
            },
            // The contents of nothing else are elsewhere.
            () if flags & Flags::EXTERNAL != 0 && !is_file => {
                Err(self.wrong(node, Wrong::Flags(flags)))
            }
            () if flags & Flags::EXTERNAL != 0 => Ok(()),
            () => {
                let (file, parents) = (self.place.shown.clone(), revision.parents);
                Ok(tools.checks.add(Check { file, node, parents, text: text.clone() })?)
            }
        }
    }

    /// Stores a revision as the delta that it came as, if that is worth it, or in full.
    fn stored(
        &mut self,
        revision: &DeltaRevision,
        base: Option<Rev>,
        text: &Text,
        tools: &mut Tools<'_>,
    ) -> Result<Fresh, WriteError> {
        let rev = self.next(revision.node)?;
        let before = self.history.chunks.len();
        let offset = self.history.written.saturating_add(before as u64);
        let mut fresh = Fresh::new(revision.node, offset, text.len());
        let path = &self.place.files.index;
        let is_plain = self.kind != Kind::Changelog && revision.flags == Flags::default();
        if let Some(base) = base.filter(|_| is_plain)
            && self.may_be_base(base, rev)
        {
            let chain = self.history.chain(base)?;
            let delta = revision.delta.as_bytes();
            let packed = tools.packer.append(delta, &mut self.history.chunks);
            fresh.stored = packed.map_err(WriteError::io(path))?;
            (fresh.base, fresh.chain) = (Some(base), chain.and(fresh.stored));
            if fresh.chain.is_reasonable(fresh.stored, text.len()) {
                return Ok(fresh);
            }
            self.history.chunks.truncate(before);
        }
        let packed = tools.packer.append(text, &mut self.history.chunks);
        fresh.stored = packed.map_err(WriteError::io(path))?;
        (fresh.base, fresh.chain) = (None, Chain::new(rev, fresh.stored));
        Ok(fresh)
    }

    /// Whether what is stored next, as `rev`, can be a delta of `base`.
    fn may_be_base(&self, base: Rev, rev: Rev) -> bool {
        // What is special is no base: its text is not what it stands for, or may be taken away.
        let special = Flags::CENSORED | Flags::ELLIPSIS | Flags::EXTERNAL;
        let is_plain = self.history.flags(base).is_ok_and(|flags| flags & special == 0);
        let is_previous = base.number().checked_add(1) == Some(rev.number());
        is_plain && (self.shape.has_general_deltas() || is_previous)
    }

    /// Hands the chunks on to the data file. From now on there is one.
    fn hand_on(&mut self, transaction: &mut Transaction) -> Result<(), WriteError> {
        let (name, path) = (&self.place.data_name, &self.place.files.data);
        let history = &mut self.history;
        if self.shape.is_inline() {
            let parts = history.old.parts().unwrap_or_default();
            transaction.append(name, path, 0, parts.data)?;
            self.shape = self.shape.split();
            self.split = Some(parts.entries);
        }
        let chunks = std::mem::take(&mut history.chunks);
        let at = history.data_end.saturating_add(history.written);
        history.written = history.written.saturating_add(chunks.len() as u64);
        transaction.append(name, path, at, chunks)
    }

    /// Writes what came. `made` gets the names of files that were not there before.
    pub(super) fn finish(
        mut self,
        transaction: &mut Transaction,
        made: &mut Vec<Vec<u8>>,
    ) -> Result<(), WriteError> {
        if self.history.fresh.is_empty() {
            return Ok(());
        }
        let was_there = !self.history.old.is_empty();
        let was_split = was_there && !self.shape.is_inline() && self.split.is_none();
        let old_size = self.history.old.index_bytes();
        let entries = self.history.fresh.len().saturating_mul(ENTRY);
        let size = old_size.saturating_add(entries).saturating_add(self.history.chunks.len());
        if !self.shape.is_inline() || size > LONGEST_INLINE {
            self.hand_on(transaction)?;
        }
        let entries = self.entries()?;
        if !was_there {
            made.push(self.place.index_name.clone());
        }
        if !was_split && !self.shape.is_inline() {
            made.push(self.place.data_name.clone());
        }
        let (name, path) = (&self.place.index_name, &self.place.files.index);
        match self.split.filter(|_| was_there) {
            Some(old) => transaction.replace(Folder::Store, name, path, &[&old, &entries]),
            None => transaction.append(name, path, old_size as u64, entries),
        }
    }

    /// The new entries, each with its data if these are between them.
    fn entries(&self) -> Result<Vec<u8>, WriteError> {
        let (history, shape) = (&self.history, self.shape);
        let mut bytes = Vec::with_capacity(history.fresh.len().saturating_mul(ENTRY));
        let mut chunks = history.chunks.as_slice();
        let revs = (0u32..).map(Rev::new).skip(history.old.len());
        for (rev, fresh) in revs.zip(&history.fresh) {
            let general = shape.has_general_deltas();
            let entry = fresh.entry(rev, history.data_end, general, shape.header());
            bytes.extend_from_slice(&entry.ok_or_else(|| self.wrong(fresh.node, Wrong::Full))?);
            if shape.is_inline() {
                let (chunk, rest) = chunks.split_at_checked(fresh.stored).unwrap_or_default();
                bytes.extend_from_slice(chunk);
                chunks = rest;
            }
        }
        Ok(bytes)
    }
}

/// Puts the parents of a file revision where Mercurial puts them: the first is not there if, and only
/// if, something was copied, for that is how it tells.
fn swap(parents: &mut [Option<Rev>; 2], is_meta: bool) {
    match parents {
        [Some(_), None] if is_meta => parents.swap(0, 1),
        [None, Some(_)] if !is_meta => parents.swap(0, 1),
        _ => {}
    }
}
