//! One pack of which single entries are read, wherever they lie.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::index_file::{IndexFile, Indexed};
use crate::base::compress::Decompressor;
use crate::base::{Limits, ReadAt};
use crate::git::ObjectId;
use crate::git::pack::reader::{
    EntryFlaw, Header, MAX_HEADER, PackError, PackFlaw, Payload, check_header, entry_header,
};

/// The bytes before the first entry of a pack, and those after the last.
const HEADER: u64 = 12;
const TRAILER: u64 = 20;

/// A pack and its index.
#[derive(Debug)]
pub(in crate::git::pack) struct PackFile {
    path: PathBuf,
    pub index: IndexFile,
    /// The pack, and where its entries end, once something of it was read.
    opened: Option<(ReadAt, u64)>,
}

/// An entry whose bytes have been inflated.
pub(in crate::git::pack) struct Inflated {
    pub payload: Payload,
    pub bytes: Vec<u8>,
}

impl PackFile {
    /// The pack that belongs to the index at `path`.
    pub(in crate::git::pack) fn new(path: &Path) -> Result<Self, PackError> {
        let index = IndexFile::open(path)?;
        Ok(Self { path: path.with_extension("pack"), index, opened: None })
    }

    pub(in crate::git::pack) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is open.
    pub(in crate::git::pack) fn is_open(&self) -> bool {
        self.opened.is_some()
    }

    /// Closes the file until something of it is read again.
    pub(in crate::git::pack) fn close(&mut self) {
        self.opened = None;
    }

    /// The pack's bytes, and where its entries end.
    pub(in crate::git::pack) fn bytes(&mut self) -> Result<(&ReadAt, u64), PackError> {
        if self.opened.is_none() {
            self.opened = Some(self.open()?);
        }
        // It has just been opened.
        let opened = self.opened.as_ref().map(|(bytes, end)| (bytes, *end));
        opened.ok_or_else(|| PackError::Pack { path: self.path.clone(), source: PackFlaw::NoPack })
    }

    fn open(&mut self) -> Result<(ReadAt, u64), PackError> {
        let io = |source| PackError::Io { path: self.path.clone(), source };
        let wrong = |source| PackError::Pack { path: self.path.clone(), source };
        let bytes = ReadAt::File(File::open(&self.path).map_err(io)?);
        let end = bytes.size().map_err(io)?.checked_sub(TRAILER).filter(|end| *end >= HEADER);
        let end = end.ok_or_else(|| wrong(PackFlaw::NoPack))?;
        let (mut header, mut checksum) = ([0; 12], [0; 20]);
        bytes.read_exact_at(&mut header, 0).map_err(io)?;
        bytes.read_exact_at(&mut checksum, end).map_err(io)?;
        check_header(&header, self.index.len() as usize).map_err(wrong)?;
        if checksum != self.index.pack_checksum()? {
            return Err(wrong(PackFlaw::OtherIndex));
        }
        Ok((bytes, end))
    }

    /// The header of the entry at `offset`.
    pub(in crate::git::pack) fn header(&mut self, offset: u64) -> Result<Header, PackError> {
        let (bytes, end) = self.bytes()?;
        let mut head = [0; MAX_HEADER];
        let length = usize::try_from(end.saturating_sub(offset)).unwrap_or(MAX_HEADER);
        let head = head.get_mut(..length.min(MAX_HEADER)).unwrap_or_default();
        let read = bytes.read_exact_at(head, offset);
        let read = read.map_err(|error| EntryFlaw::Io { kind: error.kind() });
        let header = read.and_then(|()| entry_header(head));
        header.map_err(|source| self.flaw(offset, source))
    }

    /// The first bytes that come out of the entry at `offset`, at most `most` of them.
    pub(in crate::git::pack) fn start(
        &mut self,
        offset: u64,
        most: usize,
        inflater: &mut Decompressor,
    ) -> Result<Vec<u8>, PackError> {
        let header = self.header(offset)?;
        let (bytes, end) = self.bytes()?;
        let start = offset + header.length as u64;
        let length = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
        let mut input = vec![0; length.min(most.saturating_add(64))];
        let read = bytes.read_exact_at(&mut input, start);
        let read = read.map_err(|error| EntryFlaw::Io { kind: error.kind() });
        let start = read.and_then(|()| Ok(inflater.zlib_start(&input, most)?));
        start.map_err(|source| self.flaw(offset, source))
    }

    /// Reads the entry at `offset` and inflates it. `input` is scratch space.
    pub(in crate::git::pack) fn inflated(
        &mut self,
        offset: u64,
        limits: &Limits,
        inflater: &mut Decompressor,
        input: &mut Vec<u8>,
    ) -> Result<Inflated, PackError> {
        let limit = limits.revision_bytes;
        let (bytes, end) = self.bytes()?;
        let rest = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let result = inflate(bytes, offset, rest, limit, inflater, input);
        result.map_err(|source| self.flaw(offset, source))
    }

    /// What is wrong with the entry at `offset`.
    pub(in crate::git::pack) fn flaw(&mut self, offset: u64, source: EntryFlaw) -> PackError {
        let id = self.id_at(offset).unwrap_or(ObjectId::NULL);
        PackError::Entry { path: self.path.clone(), offset, id, source }
    }

    /// The object whose entry begins at `offset`: for errors, as it looks through the whole index.
    fn id_at(&mut self, offset: u64) -> Option<ObjectId> {
        let mut numbers = 0..self.index.len();
        let number = numbers.find(|number| self.index.offset(*number).ok() == Some(offset))?;
        self.index.id(number).ok()
    }

    /// All entries by where they begin.
    pub(in crate::git::pack) fn order(&mut self) -> Result<Vec<Indexed>, PackError> {
        let mut order = Vec::with_capacity(self.index.len() as usize);
        self.index.each_offset(|indexed| order.push(indexed))?;
        order.sort_unstable_by_key(|indexed| indexed.offset);
        self.checked(order)
    }

    /// The entries that begin at `offsets`, which are sorted, and those that follow each of them.
    pub(in crate::git::pack) fn order_of(
        &mut self,
        offsets: &[u64],
    ) -> Result<Vec<Indexed>, PackError> {
        let mut found: Vec<(Option<Indexed>, Option<Indexed>)> = vec![(None, None); offsets.len()];
        self.index.each_offset(|indexed| {
            let place = offsets.partition_point(|offset| *offset <= indexed.offset);
            let Some((its, next)) = place.checked_sub(1).and_then(|place| found.get_mut(place))
            else {
                return;
            };
            let is_it = place.checked_sub(1).and_then(|it| offsets.get(it));
            if is_it == Some(&indexed.offset) {
                *its = Some(indexed);
            } else if next.is_none_or(|next| indexed.offset < next.offset) {
                *next = Some(indexed);
            }
        })?;
        let mut order: Vec<_> =
            found.into_iter().flat_map(|(its, next)| [its, next]).flatten().collect();
        order.sort_unstable_by_key(|indexed| indexed.offset);
        self.checked(order)
    }

    /// Entries of which each begins inside of the pack.
    fn checked(&mut self, order: Vec<Indexed>) -> Result<Vec<Indexed>, PackError> {
        let (_, end) = self.bytes()?;
        let outside = order.iter().find(|indexed| !(HEADER..end).contains(&indexed.offset));
        match outside {
            None => Ok(order),
            Some(indexed) => {
                let source = PackFlaw::Offset { offset: indexed.offset };
                Err(PackError::Pack { path: self.path.clone(), source })
            }
        }
    }
}

/// How many bytes a small entry is read with at once, header and what follows it included.
const FIRST_READ: usize = 4 << 10;

/// What has at most so many bytes is inflated in one go, which takes half of the time.
const AT_ONCE: usize = 256 << 10;

/// Inflates the entry at `offset`, behind which the pack has `rest` bytes. Where it ends shows only
/// then, so more is read until it is enough.
fn inflate(
    bytes: &ReadAt,
    offset: u64,
    rest: usize,
    limit: usize,
    inflater: &mut Decompressor,
    input: &mut Vec<u8>,
) -> Result<Inflated, EntryFlaw> {
    let mut want = FIRST_READ;
    loop {
        let length = want.min(rest);
        input.resize(length, 0);
        let read = bytes.read_exact_at(input, offset);
        read.map_err(|error| EntryFlaw::Io { kind: error.kind() })?;
        let header = entry_header(input)?;
        let size = usize::try_from(header.size).ok().filter(|size| *size <= limit);
        let size = size.ok_or(EntryFlaw::TooLarge { size: header.size, limit })?;
        let enough = header.length.saturating_add(size).saturating_add(size / 64 + 64);
        // It may fit, or be so large that it is not worth a try.
        if length == rest || length >= enough / 8 {
            let deflated = input.get(header.length..).unwrap_or_default();
            let at_once = (size <= AT_ONCE).then(|| inflater.zlib_at_once(deflated, size));
            if let Some(bytes) = at_once.flatten() {
                return Ok(Inflated { payload: header.payload, bytes });
            }
            match inflater.zlib_prefix(deflated, size) {
                Ok((out, _)) if out.len() == size => {
                    return Ok(Inflated { payload: header.payload, bytes: out });
                }
                Ok((out, _)) => {
                    return Err(EntryFlaw::Size { declared: size, found: out.len() });
                }
                // What is stored in many small pieces may be longer than what comes out.
                Err(error) if length == rest || length / 2 > enough => return Err(error.into()),
                Err(_) => {}
            }
        }
        want = (length.saturating_mul(2)).max(enough / 2);
    }
}
