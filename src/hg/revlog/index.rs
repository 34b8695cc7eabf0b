//! The index of a revlog: one fixed-size entry a revision.

mod extent;
mod history;

use super::error::{IndexProblem, Problem, RevlogError};
use super::shape::{DELTA_INFO, GENERALDELTA, HAS_META, INLINE, Parts, Shape};
use crate::base::reader::ShortRead;
use crate::base::{LazyBytes, ReadAt, Reader};
use crate::hg::{Node, Rev};
use extent::{check_len, count, inline_starts};

/// Bytes of one entry in version 1.
const ENTRY_V1: usize = 64;
/// Bytes of one entry in version 0.
const ENTRY_V0: usize = 76;

/// Per-revision flags: bits that say how a stored text relates to its node. Those that say nothing
/// about that are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flags(pub u16);

impl Flags {
    /// The text was removed on purpose and a placeholder stored.
    pub const CENSORED: u16 = 1 << 15;
    /// The revision stands for several that a narrow clone left out: its node is of other bytes.
    pub const ELLIPSIS: u16 = 1 << 14;
    /// The text says where the contents are and what they hash to; the node is that of the contents.
    pub const EXTERNAL: u16 = 1 << 13;
    /// The changeset touches copies.
    pub(in crate::hg) const HAS_COPIES_INFO: u16 = 1 << 12;
    /// Metadata precede the contents.
    pub(in crate::hg) const HAS_META: u16 = 1 << 11;
    /// What the delta is like.
    const DELTA_INFO: u16 = 0b1_1111 << 6;
    /// Of the same: there is none, the text is stored in full.
    pub(in crate::hg) const IS_FULL: u16 = 1 << 10;

    /// The flags in `bits` that matter, in a revlog with the feature flags `features`.
    fn new(bits: u16, features: u16) -> Self {
        let mut informative = Self::HAS_COPIES_INFO;
        if features & HAS_META != 0 {
            informative |= Self::HAS_META;
        }
        if features & DELTA_INFO != 0 {
            informative |= Self::DELTA_INFO;
        }
        Self(bits & !informative)
    }

    /// Why the text is not what the node was made from; `None` if it is.
    pub(super) fn problem(self) -> Option<Problem> {
        const KNOWN: u16 = Flags::CENSORED | Flags::ELLIPSIS | Flags::EXTERNAL;
        let has = |flag| self.0 & flag != 0;
        Some(match () {
            () if has(!KNOWN) => Problem::Flags(self.0),
            () if has(Self::CENSORED) => Problem::Censored,
            () if has(Self::ELLIPSIS) => Problem::Ellipsis,
            () if has(Self::EXTERNAL) => Problem::External,
            () => return None,
        })
    }

    /// Whether the contents are elsewhere, and nothing else is special about the revision.
    pub fn is_external(self) -> bool {
        self.0 == Self::EXTERNAL
    }
}

/// What the chunk of a revision is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// The text itself.
    Full,
    /// A delta against the text of an earlier revision, or against the null revision, whose text is
    /// empty.
    Delta(Option<Rev>),
}

/// One index entry whose fields were checked against the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where the chunk begins, in bytes from the start of the data.
    pub offset: u64,
    /// The chunk's length in bytes.
    pub stored_length: u32,
    /// The full text's length in bytes, where the index records it.
    pub text_length: Option<u32>,
    /// What the chunk is.
    pub storage: Storage,
    /// The changelog revision that introduced this one, as recorded; not checked.
    pub link: i32,
    /// The two parent slots.
    pub parents: [Option<Rev>; 2],
    /// How the text relates to the node.
    pub flags: Flags,
    /// The revision's hash.
    pub node: Node,
}

/// How entries lie in the index file.
#[derive(Clone, Debug, Default)]
enum Layout {
    /// Version 0, whose parents are nodes: they are looked up once, here.
    V0 { parents: Vec<[Option<Rev>; 2]> },
    /// Version 1, data in its own file.
    #[default]
    V1Split,
    /// Version 1, each entry followed by its data: where each entry begins.
    V1Inline { starts: Vec<usize> },
}

/// A parsed index: the bytes of the file and where its entries are.
#[derive(Debug, Default)]
pub(super) struct Index {
    bytes: LazyBytes,
    len: usize,
    features: u16,
    layout: Layout,
    /// The nodes from this revision on.
    first_node: usize,
    /// Those, once they were read; then entries must have them.
    nodes: Vec<Node>,
}

/// What is wrong with an entry whose revision was another one before.
pub(super) const GIVEN_AWAY: Problem =
    Problem::Malformed("its place in the index was given to another one");

impl Index {
    /// Parses the contents of an index file. An empty file is an index without revisions.
    pub(super) fn parse(name: &str, bytes: Vec<u8>) -> Result<Self, RevlogError> {
        let file = || name.to_owned();
        Self::parse_bytes(bytes).map_err(|problem| RevlogError::Index { file: file(), problem })
    }

    /// The index in a file of `size` bytes, most of which are read later: one of version 1 whose data
    /// are elsewhere. `None` if it is another one.
    pub(super) fn in_file(file: ReadAt, size: usize) -> Option<Self> {
        let mut header = [0; 4];
        file.read_exact_at(&mut header, 0).ok()?;
        let [high, low, version @ ..] = header;
        let features = u16::from_be_bytes([high, low]);
        let is_known = features & !(GENERALDELTA | HAS_META | DELTA_INFO) == 0;
        if version != [0, 1] || !is_known || !size.is_multiple_of(ENTRY_V1) {
            return None;
        }
        let len = size / ENTRY_V1;
        check_len(len).ok()?;
        let bytes = LazyBytes::of_file(file, size, ENTRY_V1);
        Some(Self { bytes, len, features, layout: Layout::V1Split, ..Self::default() })
    }

    fn parse_bytes(bytes: Vec<u8>) -> Result<Self, IndexProblem> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut header = Reader::new(&bytes);
        let flags = header.u16("format flags")?;
        match (header.u16("format version")?, flags) {
            (0, 0) => Self::parse_v0(bytes),
            (1, features) if features & !(INLINE | GENERALDELTA | HAS_META | DELTA_INFO) == 0 => {
                let (len, layout) = match features & INLINE != 0 {
                    true => {
                        let starts = inline_starts(&bytes)?;
                        (starts.len(), Layout::V1Inline { starts })
                    }
                    false => (count(&bytes, ENTRY_V1)?, Layout::V1Split),
                };
                check_len(len)?;
                let bytes = LazyBytes::Whole(bytes);
                Ok(Self { bytes, len, features, layout, ..Self::default() })
            }
            (0 | 1, flags) => Err(IndexProblem::Flags(flags)),
            (version, _) => Err(IndexProblem::Version(version)),
        }
    }

    fn parse_v0(bytes: Vec<u8>) -> Result<Self, IndexProblem> {
        let len = count(&bytes, ENTRY_V0)?;
        check_len(len)?;
        let mut by_node = std::collections::HashMap::with_capacity(len);
        let mut parents = Vec::with_capacity(len);
        for (rev, entry) in (0u32..).map(Rev::new).zip(bytes.chunks_exact(ENTRY_V0)) {
            let mut reader = Reader::new(entry);
            reader.bytes("entry", 16)?;
            let [p1, p2, node] = [reader.array("p1")?, reader.array("p2")?, reader.array("node")?];
            parents.push([p1, p2].map(|parent: [u8; 20]| by_node.get(&parent).copied()));
            by_node.insert(node, rev);
        }
        let bytes = LazyBytes::Whole(bytes);
        let layout = Layout::V0 { parents };
        Ok(Self { bytes, len, layout, ..Self::default() })
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes are held, about.
    pub(super) fn held(&self) -> usize {
        self.bytes.len()
    }

    /// The feature flags of version 1.
    pub(super) fn shape(&self) -> Option<Shape> {
        (!matches!(self.layout, Layout::V0 { .. })).then_some(Shape::new(self.features))
    }

    /// The entries and the data of an inline index.
    pub(super) fn parts(&self) -> Option<Parts> {
        let Layout::V1Inline { starts } = &self.layout else { return None };
        let mut parts = Parts::default();
        let ends = starts.iter().skip(1).copied().chain([self.bytes.len()]);
        for (start, end) in starts.iter().zip(ends) {
            let (entry, data) = self.bytes.whole().get(*start..end)?.split_at_checked(ENTRY_V1)?;
            parts.entries.extend_from_slice(entry);
            parts.data.extend_from_slice(data);
        }
        let header = self.shape()?.split().header();
        parts.entries.get_mut(..header.len())?.copy_from_slice(&header);
        Some(parts)
    }

    /// Whether the data lies between the entries.
    pub(super) fn is_inline(&self) -> bool {
        matches!(self.layout, Layout::V1Inline { .. })
    }

    /// The bytes of the entry of `rev`.
    fn raw(&self, rev: Rev) -> Option<&[u8]> {
        let rest = |start, size| self.bytes.get(start, size);
        match &self.layout {
            Layout::V0 { .. } => rest(rev.index().checked_mul(ENTRY_V0)?, ENTRY_V0),
            Layout::V1Split => rest(rev.index().checked_mul(ENTRY_V1)?, ENTRY_V1),
            Layout::V1Inline { starts } => rest(*starts.get(rev.index())?, ENTRY_V1),
        }
    }

    /// The inline data of `rev`, `length` bytes after its entry.
    pub(super) fn inline_data(&self, rev: Rev, length: usize) -> Option<&[u8]> {
        let Layout::V1Inline { starts } = &self.layout else { return None };
        let start = starts.get(rev.index())?.checked_add(ENTRY_V1)?;
        self.bytes.get(start, length)
    }

    /// The node of `rev`.
    pub(super) fn node(&self, rev: Rev) -> Option<Node> {
        if let Some(node) = self.kept_node(rev) {
            return Some(node);
        }
        let at = if matches!(self.layout, Layout::V0 { .. }) { 56 } else { 32 };
        let bytes = self.raw(rev)?.get(at..)?.first_chunk::<20>()?;
        Some(Node::from_bytes(*bytes))
    }

    /// The changelog revision that introduced `rev`, as recorded; `None` where that is not asked.
    pub(super) fn link(&self, rev: Rev) -> Option<i64> {
        let raw = self.raw(rev).filter(|_| !matches!(self.layout, Layout::V0 { .. }))?;
        Some(i64::from(i32::from_be_bytes(*raw.get(20..)?.first_chunk()?)))
    }

    /// How long the text of `rev` is, as recorded and not checked; `None` where it is not recorded.
    pub(super) fn text_length(&self, rev: Rev) -> Option<u32> {
        let raw = self.raw(rev).filter(|_| !matches!(self.layout, Layout::V0 { .. }))?;
        u32::try_from(i32::from_be_bytes(*raw.get(12..)?.first_chunk()?)).ok()
    }

    /// The entry of `rev`, checked.
    pub(super) fn entry(&self, rev: Rev) -> Result<Entry, Problem> {
        let raw = self.raw(rev).ok_or(Problem::NoSuchRevision)?;
        match &self.layout {
            Layout::V0 { parents } => {
                let parents = parents.get(rev.index()).copied().unwrap_or_default();
                self.entry_v0(rev, raw, parents)
            }
            Layout::V1Split | Layout::V1Inline { .. } => self.entry_v1(rev, raw),
        }
    }

    fn entry_v1(&self, rev: Rev, raw: &[u8]) -> Result<Entry, Problem> {
        let mut reader = Reader::new(raw);
        let offset = u64::from(reader.u32("offset")?) << 16 | u64::from(reader.u16("offset")?);
        let flags = reader.u16("flags")?;
        let stored = reader.i32("stored length")?;
        let text = reader.i32("text length")?;
        let base = reader.i32("delta base")?;
        let link = reader.i32("link revision")?;
        let [p1, p2] = [reader.i32("first parent")?, reader.i32("second parent")?];
        let node = Node::from_bytes(reader.array("node")?);
        if self.kept_node(rev).is_some_and(|known| known != node) {
            return Err(GIVEN_AWAY);
        }
        // The first entry's offset shares its bytes with the header and is always zero.
        let offset = if rev.number() == 0 { 0 } else { offset };
        Ok(Entry {
            offset,
            stored_length: unsigned("stored length", stored)?,
            text_length: Some(unsigned("text length", text)?),
            storage: self.storage(rev, base)?,
            link,
            parents: [earlier("first parent", rev, p1)?, earlier("second parent", rev, p2)?],
            flags: Flags::new(flags, self.features),
            node,
        })
    }

    fn entry_v0(&self, rev: Rev, raw: &[u8], parents: [Option<Rev>; 2]) -> Result<Entry, Problem> {
        let mut reader = Reader::new(raw);
        let offset = reader.u32("offset")?;
        let stored_length = reader.u32("stored length")?;
        let base = reader.i32("delta base")?;
        let link = reader.i32("link revision")?;
        let parent_nodes = [reader.array("first parent")?, reader.array("second parent")?];
        let node = Node::from_bytes(reader.array("node")?);
        let unknown = |(slot, node): (&Option<Rev>, &[u8; 20])| slot.is_none() && *node != [0; 20];
        if parents.iter().zip(&parent_nodes).any(unknown) {
            return Err(Problem::Malformed("a parent is not an earlier revision"));
        }
        Ok(Entry {
            offset: u64::from(offset),
            stored_length,
            text_length: None,
            storage: self.storage(rev, base)?,
            link,
            parents,
            flags: Flags::default(),
            node,
        })
    }

    /// What the chunk of `rev` is, from the recorded base: a full text if that is the revision itself,
    /// and otherwise a delta: with generaldelta against the base, before that always against the
    /// revision before. Either may be the null revision, as Mercurial reads it.
    fn storage(&self, rev: Rev, base: i32) -> Result<Storage, Problem> {
        if i64::from(base) == i64::from(rev.number()) {
            return Ok(Storage::Full);
        }
        let base = earlier("delta base", rev, base)?;
        let previous = rev.number().checked_sub(1).map(Rev::new);
        Ok(Storage::Delta(if self.features & GENERALDELTA != 0 { base } else { previous }))
    }
}

impl From<ShortRead> for Problem {
    /// An entry was cut out of the index at its full size: only a wrong number can be short.
    fn from(_: ShortRead) -> Self {
        Self::NoSuchRevision
    }
}

/// A length that must not be negative.
fn unsigned(field: &'static str, value: i32) -> Result<u32, Problem> {
    u32::try_from(value).map_err(|_| Problem::Field { field, value: i64::from(value) })
}

/// A revision number that must be -1 for none, or lie before `rev`.
fn earlier(field: &'static str, rev: Rev, value: i32) -> Result<Option<Rev>, Problem> {
    match u32::try_from(value) {
        Ok(number) if number < rev.number() => Ok(Some(Rev::new(number))),
        Err(_) if value == -1 => Ok(None),
        _ => Err(Problem::Field { field, value: i64::from(value) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_that_matter_are_told_apart() {
        let problem = |bits, features| Flags::new(bits, features).problem();
        for (bits, features, expected) in [
            (0, 0, None),
            (0x8000, 0, Some(Problem::Censored)),
            (0xa000, 0, Some(Problem::Censored)),
            (0x4000, 0, Some(Problem::Ellipsis)),
            (0x2000, 0, Some(Problem::External)),
            (0x1000, 0, None),
            // These inform in the revlogs that say so, and are unknown elsewhere.
            (0x0800, HAS_META, None),
            (0x0800, 0, Some(Problem::Flags(0x0800))),
            (0x07c0, DELTA_INFO, None),
            (0x07c0, HAS_META, Some(Problem::Flags(0x07c0))),
            (0x8020, HAS_META | DELTA_INFO, Some(Problem::Flags(0x8020))),
            (0x2001, 0, Some(Problem::Flags(0x2001))),
        ] {
            assert_eq!(problem(bits, features), expected, "{bits:#06x} {features}");
        }
        assert!(Flags(Flags::EXTERNAL).is_external());
        assert!(!Flags(Flags::EXTERNAL | Flags::CENSORED).is_external());
    }
}
