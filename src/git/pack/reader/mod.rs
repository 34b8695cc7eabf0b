//! Packs, read and checked without libgit2, which trusts an index more than it should and resolves
//! chains of deltas again and again when it is asked for one object after the other.
//!
//! Deltas make a pack a forest: each object that is whole has below it those that are deltas of
//! it. Every tree is walked from its root, so each object is made once, in whatever order the
//! entries lie; see [`resolve`].

mod delta;
mod entry;
mod error;
pub(super) mod index;
mod resolve;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;

use crate::base::{Interrupt, Limits, Progress, ReadAt, Reader};
use crate::git::{ObjectId, ObjectKind};
pub(super) use entry::{Header, MAX_HEADER, Payload, header as entry_header};
use index::{Index, Indexed};

pub(super) use delta::{apply as apply_delta, result_length};
pub use error::{DeltaFlaw, EntryFlaw, IndexFlaw, PackError, PackFlaw};

/// The bytes before the first entry of a pack, and those after the last.
const HEADER: u64 = 12;
const TRAILER: u64 = 20;
/// How many flaws of one pack each check reports at most.
const MAX_FLAWS: usize = 100;

/// A pack whose index has been read and fits it. Entries are named by their place in the index.
#[derive(Debug)]
pub struct Pack {
    path: PathBuf,
    bytes: ReadAt,
    limits: Limits,
    entries: Vec<Entry>,
    /// The entries that are no deltas, in the order of the pack.
    roots: Vec<u32>,
    /// Base and delta of each entry that is one, sorted.
    deltas: Vec<(u32, u32)>,
    /// What is wrong with headers of entries.
    flaws: Vec<PackError>,
}

/// One entry of a pack.
#[derive(Clone, Copy, Debug)]
struct Entry {
    id: ObjectId,
    crc: Option<u32>,
    start: u64,
    end: u64,
}

/// What is in a pack.
#[derive(Debug, Default)]
pub struct PackContents {
    /// The objects whose contents hash to their ids; annotated tags have no kind of ours.
    pub objects: Vec<(ObjectId, Option<ObjectKind>)>,
    /// What is wrong: the first flaws, if there are very many.
    pub flaws: Vec<PackError>,
}

impl Pack {
    /// Opens the pack that belongs to the index at `path`, and reads the headers of its entries.
    ///
    /// The checksums at the ends of the two files are not computed here. Bounds:
    /// `Limits::index_bytes` for the index, `Limits::revision_bytes` for each object.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, PackError> {
        let index = read_index(path, limits)?;
        let path = path.with_extension("pack");
        let file = File::open(&path);
        let file = file.map_err(|source| PackError::Io { path: path.clone(), source })?;
        Self::new(path, &index, ReadAt::File(file), limits)
    }

    /// The pack whose index and whose self have these contents. Errors call it `path`.
    pub fn from_bytes(
        path: &Path,
        index: &[u8],
        pack: Vec<u8>,
        limits: &Limits,
    ) -> Result<Self, PackError> {
        let wrong = |source| PackError::Index { path: path.to_owned(), source };
        let index = index::parse(index).map_err(wrong)?;
        Self::new(path.to_owned(), &index, ReadAt::Memory(pack), limits)
    }

    fn new(
        path: PathBuf,
        index: &Index,
        bytes: ReadAt,
        limits: &Limits,
    ) -> Result<Self, PackError> {
        let io = |source| PackError::Io { path: path.clone(), source };
        let length = bytes.size().map_err(io)?;
        let wrong = |source| PackError::Pack { path: path.clone(), source };
        let end = length.checked_sub(TRAILER).filter(|end| *end >= HEADER);
        let end = end.ok_or_else(|| wrong(PackFlaw::NoPack))?;
        let (mut header, mut checksum) = ([0; 12], [0; 20]);
        bytes.read_exact_at(&mut header, 0).map_err(io)?;
        bytes.read_exact_at(&mut checksum, end).map_err(io)?;
        check_header(&header, index.objects.len()).map_err(wrong)?;
        if checksum != index.pack_checksum {
            return Err(wrong(PackFlaw::OtherIndex));
        }
        let order = order(&index.objects);
        let entries = entries(&index.objects, &order, end).map_err(wrong)?;
        let (roots, deltas, flaws) = (Vec::new(), Vec::new(), Vec::new());
        let mut pack = Self { path, bytes, limits: limits.clone(), entries, roots, deltas, flaws };
        pack.read_headers(&order);
        Ok(pack)
    }

    /// How many objects the pack has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Makes every object and compares its hash with its id, on as many threads as there are
    /// processors and trees of deltas to share out. An interrupt ends it early.
    pub fn check(self, progress: &dyn Progress, interrupt: &Interrupt) -> PackContents {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.min(self.roots.len().div_ceil(resolve::SHARE));
        let next = AtomicUsize::new(0);
        let found = std::thread::scope(|scope| {
            let work = || resolve::Worker::new(&self, progress, interrupt).run(&next);
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let join = |worker: std::thread::ScopedJoinHandle<'_, PackContents>| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            workers.into_iter().map(join).collect::<Vec<_>>()
        });
        let mut contents = PackContents::default();
        for part in found {
            contents.objects.extend(part.objects);
            contents.flaws.extend(part.flaws);
        }
        if self.flaws.is_empty() && contents.flaws.is_empty() && !interrupt.is_raised() {
            contents.flaws.extend(self.cycles(&contents.objects));
        }
        contents.flaws.extend(self.flaws);
        contents
    }

    /// Entries that no tree has, although all are sound: they hang from one another.
    fn cycles(&self, objects: &[(ObjectId, Option<ObjectKind>)]) -> Vec<PackError> {
        if objects.len() == self.entries.len() {
            return Vec::new();
        }
        let found: HashSet<_> = objects.iter().map(|(id, _)| *id).collect();
        let left = self.entries.iter().filter(|entry| !found.contains(&entry.id));
        left.take(MAX_FLAWS).map(|entry| self.flaw(entry, EntryFlaw::Cycle)).collect()
    }

    /// Reads the header of each entry, and finds its base.
    fn read_headers(&mut self, order: &[u32]) {
        for &number in order {
            let Some(entry) = self.entry(number) else { continue };
            match self.base_of(&entry, order) {
                Ok(Some(base)) => self.deltas.push((base, number)),
                Ok(None) => self.roots.push(number),
                Err(source) if self.flaws.len() < MAX_FLAWS => {
                    let flaw = self.flaw(&entry, source);
                    self.flaws.push(flaw);
                }
                Err(_) => {}
            }
        }
        self.deltas.sort_unstable();
    }

    /// The entry that another one is a delta of.
    fn base_of(&self, entry: &Entry, order: &[u32]) -> Result<Option<u32>, EntryFlaw> {
        let mut bytes = [0; MAX_HEADER];
        let length = usize::try_from(entry.end - entry.start).unwrap_or(MAX_HEADER);
        let bytes = bytes.get_mut(..length.min(MAX_HEADER)).unwrap_or_default();
        self.read_at(bytes, entry.start)?;
        match entry::header(bytes)?.payload {
            Payload::Whole(_) => Ok(None),
            Payload::OffsetDelta(distance) => {
                let start = entry.start.checked_sub(distance).filter(|_| distance > 0);
                let place = start.and_then(|start| {
                    let start_of =
                        |number: &u32| self.entry(*number).map_or(0, |entry| entry.start);
                    order.binary_search_by_key(&start, start_of).ok()
                });
                let base = place.and_then(|place| order.get(place).copied());
                base.ok_or(EntryFlaw::NoBaseAt { distance }).map(Some)
            }
            Payload::RefDelta(base) => {
                let place = self.entries.binary_search_by_key(&base, |entry| entry.id).ok();
                let place = place.and_then(|place| u32::try_from(place).ok());
                place.ok_or(EntryFlaw::NoBase { base }).map(Some)
            }
        }
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> Result<(), EntryFlaw> {
        let read = self.bytes.read_exact_at(bytes, offset);
        read.map_err(|error| EntryFlaw::Io { kind: error.kind() })
    }

    fn entry(&self, number: u32) -> Option<Entry> {
        self.entries.get(number as usize).copied()
    }

    /// The entries that are deltas of this one, each with this one before it.
    fn deltas_of(&self, base: u32) -> &[(u32, u32)] {
        let start = self.deltas.partition_point(|(of, _)| *of < base);
        let rest = self.deltas.get(start..).unwrap_or_default();
        rest.get(..rest.partition_point(|(of, _)| *of == base)).unwrap_or_default()
    }

    fn flaw(&self, entry: &Entry, source: EntryFlaw) -> PackError {
        PackError::Entry { path: self.path.clone(), offset: entry.start, id: entry.id, source }
    }
}

fn read_index(path: &Path, limits: &Limits) -> Result<Index, PackError> {
    let io = |source: io::Error| PackError::Io { path: path.to_owned(), source };
    let wrong = |source| PackError::Index { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let (length, limit) = (file.metadata().map_err(io)?.len(), limits.index_bytes);
    if length > limit {
        return Err(wrong(IndexFlaw::TooLarge { length, limit }));
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(io)?;
    index::parse(&bytes).map_err(wrong)
}

pub(super) fn check_header(header: &[u8; 12], index: usize) -> Result<(), PackFlaw> {
    let mut reader = Reader::new(header);
    let mut number = || reader.u32("pack header").map_err(|_| PackFlaw::NoPack);
    if number()?.to_be_bytes() != *b"PACK" {
        return Err(PackFlaw::NoPack);
    }
    let version = number()?;
    if !matches!(version, 2 | 3) {
        return Err(PackFlaw::Version { version });
    }
    let pack = number()?;
    if pack as usize == index { Ok(()) } else { Err(PackFlaw::Count { pack, index }) }
}

/// The objects of an index by where they lie in the pack.
fn order(objects: &[Indexed]) -> Vec<u32> {
    // The count of objects is itself a number of 32 bits.
    let mut order: Vec<u32> = (0..=u32::MAX).take(objects.len()).collect();
    order.sort_by_key(|&number| objects.get(number as usize).map(|object| object.offset));
    order
}

/// Entries reach from one offset to the next, and the last to `end`.
fn entries(objects: &[Indexed], order: &[u32], end: u64) -> Result<Vec<Entry>, PackFlaw> {
    let at =
        |indexed: &Indexed| Entry { id: indexed.id, crc: indexed.crc, start: indexed.offset, end };
    let mut entries: Vec<Entry> = objects.iter().map(at).collect();
    let mut following = end;
    for &number in order.iter().rev() {
        let Some(entry) = entries.get_mut(number as usize) else { continue };
        if entry.start < HEADER || entry.start >= following {
            return Err(PackFlaw::Offset { offset: entry.start });
        }
        entry.end = following;
        following = entry.start;
    }
    if following == HEADER { Ok(entries) } else { Err(PackFlaw::Offset { offset: following }) }
}
