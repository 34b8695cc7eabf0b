//! Revlogs: append-only files of revisions, each a full text or a delta against an earlier one.
//!
//! The format is Mercurial's own (`hg help internals.revlogs`): version 0, and version 1 with its
//! data inline or in a separate file, with deltas against the previous revision or against any.
//! Every offset, length and parent is checked before use, and every text against its node.

pub(in crate::hg) mod chunk;
mod data;
pub mod delta;
mod error;
mod index;
mod large;
mod nodes;
mod reader;
mod shape;
mod text_cache;

use std::path::PathBuf;
use std::sync::OnceLock;

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
    nodes: NodeTable,
    limits: Limits,
    /// What a reader keeps of texts, in bytes; found out when the first one is made.
    kept_bytes: OnceLock<usize>,
}

/// A reader keeps so many of the longest texts as bases. Who reads from the first revision to the
/// last needs few, and memory that is soon used again is faster.
const BASES: usize = 16;
/// A reader keeps so many bytes of texts in any case.
const FEW_BYTES: usize = 1 << 20;

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
        let Some(bytes) = data::read_index(name, &files.index, limits)? else { return Ok(None) };
        let index = Index::parse(name, bytes)?;
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
        let nodes = NodeTable::new(&index);
        let (limits, kept_bytes) = (limits.clone(), OnceLock::new());
        Self { name: name.to_owned(), index, data, nodes, limits, kept_bytes }
    }

    /// How many bytes the index takes in memory, about.
    pub(in crate::hg) fn index_bytes(&self) -> usize {
        self.index.held()
    }

    /// How many bytes of texts a reader keeps as bases for the next ones.
    pub(in crate::hg) fn kept_bytes(&self) -> usize {
        let limit = self.limits.text_cache_bytes;
        *self.kept_bytes.get_or_init(|| {
            let length = |rev| Some(self.entry(rev).ok()?.text_length? as usize);
            // Of some the length is not known before they are made.
            let longest =
                self.revs().map(length).try_fold(0, |most, length| Some(most.max(length?)));
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
        self.nodes.find(&self.index, node)
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
