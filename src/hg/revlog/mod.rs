//! Revlogs: append-only files of revisions, each a full text or a delta against an earlier one.
//!
//! The format is Mercurial's own (`hg help internals.revlogs`): version 0, and version 1 with its
//! data inline or in a separate file, with deltas against the previous revision or against any.
//! Every offset, length and parent is checked before use, and every text against its node.

pub(in crate::hg) mod chunk;
mod data;
pub mod delta;
mod error;
mod fold;
mod index;
mod large;
mod nodes;
mod reader;
mod shape;
mod text_cache;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::{Node, Rev};
use crate::base::Limits;
use data::DataFile;
use index::Index;
use nodes::NodeTable;

pub use delta::{Delta, Fragment};
pub use error::{Problem, RevlogError};
pub use index::{Entry, Flags, Storage};
pub use reader::{RevlogReader, Text, check_digest, check_node, check_nodes};
pub(in crate::hg) use shape::{Parts, Shape};
pub(in crate::hg) use text_cache::TextCache;

/// One revlog: its index in memory, its data on disk.
#[derive(Debug)]
pub struct Revlog {
    name: String,
    index: Index,
    data: Option<DataFile>,
    /// Made when the first node is looked for that is not where its changeset says.
    nodes: OnceLock<NodeTable>,
    /// How many nodes were looked for without it, where they should be and everywhere.
    guesses: AtomicUsize,
    scans: AtomicUsize,
    /// The revision that was found last: what is looked for next mostly follows it.
    found: AtomicU32,
    limits: Limits,
    /// What a reader keeps of texts, in bytes; found out when the first one is made.
    kept_bytes: OnceLock<usize>,
}

/// A reader keeps so many of the longest texts as bases. Who reads from the first revision to the
/// last needs few, and memory that is soon used again is faster.
const BASES: usize = 16;
/// A reader keeps so many bytes of texts in any case.
const FEW_BYTES: usize = 1 << 20;

/// If there are more revisions than so many, only some are asked how long their texts are: so many of the
/// newest, and about as many of the others.
const MANY: usize = 1 << 11;
const SAMPLES: usize = 12;
/// So many nodes are looked for where they should be before all are put into a table.
const GUESSES: usize = 256;
/// So many nodes are looked for among all before there is a table of them: each takes a part of the time for that.
const SCANS: usize = 4;
/// So many entries at the end are looked through for a node.
const NEWEST: usize = 32;

/// The two files of a revlog.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RevlogFiles {
    /// The index, which may hold the data too.
    pub index: PathBuf,
    /// The data; not there where the index holds it. Long names make its name differ from the
    /// index's in more than the last letter.
    pub data: PathBuf,
}

impl Revlog {
    /// Opens the revlog in `files`; `None` if its index does not exist. `name` is how errors call
    /// it: `00changelog`, `00manifest`, or the path of the tracked file.
    pub fn open(
        name: &str,
        files: &RevlogFiles,
        limits: &Limits,
    ) -> Result<Option<Self>, RevlogError> {
        let Some(index) = data::read_index(name, &files.index, limits)? else { return Ok(None) };
        let data = match index.is_inline() || index.is_empty() {
            true => None,
            false => Some(DataFile::open(&files.data)?),
        };
        Ok(Some(Self::new(name, index, data, limits)))
    }

    /// The revlog whose two files have these contents; `data` is of no use where the index holds it.
    pub fn from_bytes(
        name: &str,
        index: Vec<u8>,
        data: Vec<u8>,
        limits: &Limits,
    ) -> Result<Self, RevlogError> {
        let index = Index::parse(name, index)?;
        let data = (!index.is_inline()).then(|| DataFile::in_memory(data));
        Ok(Self::new(name, index, data, limits))
    }

    /// A revlog without revisions, for a file that is not there because nothing was committed yet.
    pub fn empty(name: &str, limits: &Limits) -> Self {
        Self::new(name, Index::default(), None, limits)
    }

    fn new(name: &str, index: Index, data: Option<DataFile>, limits: &Limits) -> Self {
        Self {
            name: name.to_owned(),
            index,
            data,
            nodes: OnceLock::new(),
            guesses: AtomicUsize::new(0),
            scans: AtomicUsize::new(0),
            found: AtomicU32::new(0),
            limits: limits.clone(),
            kept_bytes: OnceLock::new(),
        }
    }

    /// How many bytes the index takes in memory, about.
    pub(in crate::hg) fn index_bytes(&self) -> usize {
        self.index.held()
    }

    /// How many bytes of texts a reader keeps as bases for the next ones.
    pub(in crate::hg) fn kept_bytes(&self) -> usize {
        let limit = self.limits.text_cache_bytes;
        *self.kept_bytes.get_or_init(|| {
            let length = |rev| Some(self.index.text_length(rev)? as usize);
            // Of some the length is not known before they are made.
            // To ask each of a million would take longer than what is read then.
            let (newest, step) = match self.len() > MANY {
                true => (SAMPLES, self.len() / SAMPLES),
                false => (MANY, 1),
            };
            let older = self.revs().rev().skip(newest).step_by(step);
            let asked = self.revs().rev().take(newest).chain(older);
            let longest = asked.map(length).try_fold(0, |most, length| Some(most.max(length?)));
            longest
                .map_or(limit, |most: usize| most.saturating_mul(BASES).max(FEW_BYTES).min(limit))
        })
    }

    /// How its files are laid out; `None` of a version that has no layouts.
    pub(in crate::hg) fn shape(&self) -> Option<Shape> {
        self.index.shape()
    }

    /// The entries and the data of a revlog whose data are between its entries, each together.
    pub(in crate::hg) fn parts(&self) -> Option<Parts> {
        self.index.parts()
    }

    /// How many bytes the data file has; none if there is none.
    pub(in crate::hg) fn data_size(&self) -> u64 {
        self.data.as_ref().map_or(0, DataFile::size)
    }

    /// How errors call this revlog.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many revisions there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// All revisions, in order.
    pub fn revs(&self) -> impl DoubleEndedIterator<Item = Rev> + ExactSizeIterator + use<> {
        // The index has checked that its length fits.
        (0..u32::try_from(self.index.len()).unwrap_or(u32::MAX)).map(Rev::new)
    }

    /// The revision with this node.
    pub fn rev(&self, node: Node) -> Option<Rev> {
        if self.nodes.get().is_none() && self.scans.fetch_add(1, Ordering::Relaxed) < SCANS {
            return nodes::scan(&self.index, node);
        }
        self.nodes.get_or_init(|| NodeTable::new(&self.index)).find(&self.index, node)
    }

    /// The same for a revision that is probably new, or that the changelog revision `link` introduced.
    /// Where few are asked for, or one after the other, and they are where they should be, it reads a few
    /// entries and not all.
    pub fn rev_of(&self, node: Node, link: Option<Rev>) -> Option<Rev> {
        let last = self.found.load(Ordering::Relaxed);
        let mut near = [last.checked_add(1), Some(last)].into_iter().flatten().map(Rev::new);
        if self.nodes.get().is_none()
            && let Some(found) = near.find(|rev| self.index.node(*rev) == Some(node))
        {
            self.found.store(found.number(), Ordering::Relaxed);
            return Some(found);
        }
        let is_sought =
            self.nodes.get().is_none() && self.guesses.fetch_add(1, Ordering::Relaxed) < GUESSES;
        let guessed = is_sought.then(|| self.guess(node, link)).flatten();
        let found = guessed.or_else(|| self.rev(node))?;
        self.found.store(found.number(), Ordering::Relaxed);
        Some(found)
    }

    /// The revision with this node if it is the first, among the newest, or where links grow up to `link`.
    fn guess(&self, node: Node, link: Option<Rev>) -> Option<Rev> {
        let is_it = |rev: &Rev| self.index.node(*rev) == Some(node);
        let newest = self.revs().rev().take(NEWEST);
        if let Some(found) = newest.chain(self.revs().take(1)).find(is_it) {
            return Some(found);
        }
        let link = link?;
        let (mut low, mut high) = (0, u32::try_from(self.len()).ok()?);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.index.link(Rev::new(middle))? < i64::from(link.number()) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        Some(Rev::new(low)).filter(is_it)
    }

    /// Reads what of its index tells the shape of a history: hands the parents of each revision, checked
    /// against the index, to `visit`, in order, from the one with the number `first` on, and keeps their
    /// nodes.
    pub(in crate::hg) fn read_shape(
        &mut self,
        first: usize,
        mut visit: impl FnMut([Option<Rev>; 2]) -> Option<Rev>,
    ) -> Result<(), RevlogError> {
        let read = self.index.read_shape(first, |parents| visit(parents).is_some());
        read.map_err(|(rev, problem)| self.error(rev, problem))
    }

    /// An error if one of these revisions has another node in the file now than when it was read first.
    pub(in crate::hg) fn check_unchanged(
        &self,
        mut revs: impl Iterator<Item = Rev>,
    ) -> Result<(), RevlogError> {
        match revs.find(|rev| self.index.node_on_disk(*rev) != self.index.node(*rev)) {
            None => Ok(()),
            Some(rev) => Err(self.error(rev, index::GIVEN_AWAY)),
        }
    }

    /// The node of `rev`, as the index records it.
    pub fn node(&self, rev: Rev) -> Result<Node, RevlogError> {
        self.index.node(rev).ok_or_else(|| self.error(rev, Problem::NoSuchRevision))
    }

    /// The index entry of `rev`, its fields checked against the index.
    pub fn entry(&self, rev: Rev) -> Result<Entry, RevlogError> {
        self.index.entry(rev).map_err(|problem| self.error(rev, problem))
    }

    /// The nodes of the two parents of `rev`, null where there is none.
    pub fn parent_nodes(&self, rev: Rev) -> Result<[Node; 2], RevlogError> {
        let [p1, p2] = self.entry(rev)?.parents;
        let node = |parent: Option<Rev>| parent.map_or(Ok(Node::NULL), |parent| self.node(parent));
        Ok([node(p1)?, node(p2)?])
    }

    /// A reader with its own cache of full texts. Cheap to make; each thread has its own.
    pub fn reader(&self) -> RevlogReader<'_> {
        RevlogReader::new(self)
    }

    /// The error that the text of `rev` hashes right and yet is not what it should be.
    pub fn malformed(&self, rev: Rev, what: &'static str) -> RevlogError {
        self.error(rev, Problem::Malformed(what))
    }

    /// The error that there is no revision with this node, which something names.
    pub fn missing(&self, node: Node) -> RevlogError {
        RevlogError::Missing { file: self.name.clone(), node }
    }

    /// The error that `problem` is in `rev` of this revlog.
    pub(super) fn error(&self, rev: Rev, problem: Problem) -> RevlogError {
        let node = self.index.node(rev).unwrap_or(Node::NULL);
        RevlogError::Revision { file: self.name.clone(), rev, node, problem }
    }
}
