//! The index of a pack, of which only those parts are read that are asked for: `gitformat-pack(5)`,
//! versions 1 and 2.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::base::ReadAt;
use crate::git::ObjectId;
use crate::git::pack::reader::{IndexFlaw, PackError};

/// How much of a file is read at a time, and kept.
const PAGE: u64 = 16 << 10;
/// How many objects of an index are read at a time, if all are.
const PASS: usize = 4096;
const MAGIC: [u8; 8] = *b"\xfftOc\0\0\0\x02";
/// The table of how many ids there are up to each first byte.
const FANOUT: usize = 256;
/// The checksums at the end, that of the pack and that of the index.
const TRAILER: u64 = 40;
/// The bit of an offset that says that the rest is a place in the table of 64-bit ones.
const LARGE: u32 = 0x8000_0000;

/// A file of which the parts that were read are kept.
#[derive(Debug)]
struct Paged {
    bytes: ReadAt,
    length: u64,
    pages: Vec<Option<Box<[u8]>>>,
}

impl Paged {
    fn new(bytes: ReadAt) -> std::io::Result<Self> {
        let length = bytes.size()?;
        let count = usize::try_from(length.div_ceil(PAGE)).map_err(std::io::Error::other)?;
        Ok(Self { bytes, length, pages: vec![None; count] })
    }

    /// The `N` bytes at `offset`. An end that comes too early is `UnexpectedEof`.
    fn array<const N: usize>(&mut self, offset: u64) -> std::io::Result<[u8; N]> {
        let mut out = [0; N];
        let mut done = 0;
        while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.saturating_add(done as u64);
            let within = usize::try_from(at % PAGE).unwrap_or_default();
            let page = self.page(at / PAGE)?.get(within..).unwrap_or_default();
            let count = rest.len().min(page.len());
            let (Some(to), Some(from)) = (rest.get_mut(..count), page.get(..count)) else { break };
            if count == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            to.copy_from_slice(from);
            done += count;
        }
        Ok(out)
    }

    fn page(&mut self, number: u64) -> std::io::Result<&[u8]> {
        let start = number.saturating_mul(PAGE);
        let place = usize::try_from(number).ok().and_then(|place| self.pages.get_mut(place));
        let page = place.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        if page.is_none() {
            let length = usize::try_from(PAGE.min(self.length.saturating_sub(start)));
            let mut bytes = vec![0; length.unwrap_or_default()];
            self.bytes.read_exact_at(&mut bytes, start)?;
            *page = Some(bytes.into_boxed_slice());
        }
        Ok(page.as_deref().unwrap_or_default())
    }

    fn u32(&mut self, offset: u64) -> std::io::Result<u32> {
        self.array(offset).map(u32::from_be_bytes)
    }
}

/// An object of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::git::pack) struct Indexed {
    /// Its place among the sorted ids.
    pub number: u32,
    /// Where its entry begins in the pack.
    pub offset: u64,
}

/// An open index.
#[derive(Debug)]
pub(in crate::git::pack) struct IndexFile {
    path: PathBuf,
    file: Paged,
    fanout: Vec<u32>,
    is_second: bool,
}

impl IndexFile {
    pub(in crate::git::pack) fn open(path: &Path) -> Result<Self, PackError> {
        let io = |source| PackError::Io { path: path.to_owned(), source };
        Self::read(path, ReadAt::File(File::open(path).map_err(io)?))
    }

    /// The index with these bytes. Errors call it `path`.
    pub(in crate::git::pack) fn read(path: &Path, bytes: ReadAt) -> Result<Self, PackError> {
        let io = |source| PackError::Io { path: path.to_owned(), source };
        let wrong = |source| PackError::Index { path: path.to_owned(), source };
        let mut file = Paged::new(bytes).map_err(io)?;
        let head: [u8; 8] = file.array(0).map_err(io)?;
        let is_second = head.starts_with(MAGIC.first_chunk::<4>().map_or(&[], |magic| magic));
        if is_second && head != MAGIC {
            let version = file.u32(4).map_err(io)?;
            return Err(wrong(IndexFlaw::Version { version }));
        }
        let start = if is_second { 8 } else { 0 };
        let mut fanout = Vec::with_capacity(FANOUT);
        for place in (0..FANOUT as u64).map(|first| start + 4 * first) {
            fanout.push(file.u32(place).map_err(io)?);
        }
        let count = fanout.last().copied().unwrap_or_default();
        let each = if is_second { 28 } else { 24 };
        let needed = start + 4 * FANOUT as u64 + u64::from(count) * each + TRAILER;
        let more = file.length.checked_sub(needed);
        if more.is_none_or(|more| more % 8 != 0 || (!is_second && more > 0)) {
            let length = usize::try_from(file.length).unwrap_or(usize::MAX);
            return Err(wrong(IndexFlaw::Length { length, count }));
        }
        if !fanout.is_sorted() {
            return Err(wrong(IndexFlaw::Order { id: ObjectId::NULL }));
        }
        Ok(Self { path: path.to_owned(), file, fanout, is_second })
    }

    /// How many objects the index has.
    pub(in crate::git::pack) fn len(&self) -> u32 {
        self.fanout.last().copied().unwrap_or_default()
    }

    /// Where the entry of an object begins; `None` if the pack does not have it.
    pub(in crate::git::pack) fn find(
        &mut self,
        id: &ObjectId,
    ) -> Result<Option<Indexed>, PackError> {
        let first = usize::from(id.as_bytes().first().copied().unwrap_or_default());
        let bound = |place: usize| self.fanout.get(place).copied().unwrap_or_default();
        let (mut low, mut high) = (first.checked_sub(1).map_or(0, bound), bound(first));
        while low < high {
            let middle = low + (high - low) / 2;
            match self.id(middle)?.cmp(id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    let offset = self.offset(middle)?;
                    return Ok(Some(Indexed { number: middle, offset }));
                }
            }
        }
        Ok(None)
    }

    /// The id at a place.
    pub(in crate::git::pack) fn id(&mut self, number: u32) -> Result<ObjectId, PackError> {
        let place = match self.is_second {
            true => self.table(0) + 20 * u64::from(number),
            false => self.table(0) + 24 * u64::from(number) + 4,
        };
        self.file.array(place).map(ObjectId::from_bytes).map_err(|source| self.io(source))
    }

    /// Where the entry of the object at a place begins.
    pub(in crate::git::pack) fn offset(&mut self, number: u32) -> Result<u64, PackError> {
        let place = match self.is_second {
            true => self.table(24) + 4 * u64::from(number),
            false => self.table(0) + 24 * u64::from(number),
        };
        let offset = self.file.u32(place).map_err(|source| self.io(source))?;
        if !self.is_second || offset & LARGE == 0 {
            return Ok(u64::from(offset));
        }
        let place = self.table(28) + 8 * u64::from(offset & !LARGE);
        let end = self.file.length.saturating_sub(TRAILER);
        if place.saturating_add(8) > end {
            let source = IndexFlaw::NoOffset { id: self.id(number)? };
            return Err(PackError::Index { path: self.path.clone(), source });
        }
        self.file.array(place).map(u64::from_be_bytes).map_err(|source| self.io(source))
    }

    /// Tells all objects, sorted by id. What is read for it is not kept.
    pub(in crate::git::pack) fn each_offset(
        &mut self,
        mut tell: impl FnMut(Indexed),
    ) -> Result<(), PackError> {
        let (start, each) = match self.is_second {
            true => (self.table(24), 4),
            false => (self.table(0), 24),
        };
        let mut numbers = 0..self.len();
        let mut bytes = vec![0; PASS * each];
        let mut at = start;
        while !numbers.is_empty() {
            let count = numbers.len().min(PASS) * each;
            let part = bytes.get_mut(..count).unwrap_or_default();
            self.file.bytes.read_exact_at(part, at).map_err(|source| self.io(source))?;
            at += count as u64;
            let words = bytes.get(..count).unwrap_or_default().chunks_exact(each);
            for (word, number) in words.zip(numbers.by_ref()) {
                let word = word.first_chunk().map_or(0, |word| u32::from_be_bytes(*word));
                let offset = match self.is_second && word & LARGE != 0 {
                    true => self.offset(number)?,
                    false => u64::from(word),
                };
                tell(Indexed { number, offset });
            }
        }
        Ok(())
    }

    /// The CRC-32 of the entry at a place, which version 1 does not have.
    pub(in crate::git::pack) fn crc(&mut self, number: u32) -> Result<Option<u32>, PackError> {
        if !self.is_second {
            return Ok(None);
        }
        let place = self.table(20) + 4 * u64::from(number);
        self.file.u32(place).map(Some).map_err(|source| self.io(source))
    }

    /// The checksum of the pack.
    pub(in crate::git::pack) fn pack_checksum(&mut self) -> Result<[u8; 20], PackError> {
        let place = self.file.length.saturating_sub(TRAILER);
        self.file.array(place).map_err(|source| self.io(source))
    }

    /// Where the table begins that comes after others with so many bytes for each object.
    fn table(&self, before: u64) -> u64 {
        let start = if self.is_second { 8 } else { 0 };
        start + 4 * FANOUT as u64 + before * u64::from(self.len())
    }

    fn io(&self, source: std::io::Error) -> PackError {
        PackError::Io { path: self.path.clone(), source }
    }
}
