//! Single objects of a repository, asked for by id, without libgit2: over all its packs, its loose
//! objects, and those of the repositories that it borrows from. Memory is bounded: texts that deltas
//! were made of are kept up to [`CACHE`], and of indexes what was asked for.

mod cache;
mod error;
mod index_file;
mod loose;
mod pack_file;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::reader::{EntryFlaw, PackError, Payload, apply_delta, result_length};
use crate::base::compress::Decompressor;
use crate::base::{Limits, sha1};
use crate::git::pack::indexes;
use crate::git::{ObjectId, ObjectKind};
use cache::Cache;

pub use error::ReadError;
pub(super) use index_file::Indexed;
pub use loose::LooseFlaw;
use pack_file::Inflated;
pub(super) use pack_file::PackFile;

/// How many bytes of texts are kept.
const CACHE: usize = 24 << 20;
/// How many packs are open at once.
const MAX_OPEN: usize = 128;
/// How many repositories may borrow from one another, one after the other; as many as for Git.
const MAX_ALTERNATES: usize = 5;

/// Where the entry or the file of an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place(u64);

/// The highest number of a pack stands for loose objects.
const LOOSE: u32 = PACKS - 1;
const PACKS: u32 = 1 << 20;
const OFFSET_BITS: u32 = 44;

impl Place {
    /// The number of the pack, or [`LOOSE`], and the offset there, or the number of the folder.
    pub(super) fn new(pack: u32, offset: u64) -> Self {
        Self(u64::from(pack) << OFFSET_BITS | offset & ((1 << OFFSET_BITS) - 1))
    }

    /// The pack's number; `None` for a loose object.
    pub(super) fn pack(self) -> Option<u32> {
        u32::try_from(self.0 >> OFFSET_BITS).ok().filter(|pack| *pack < LOOSE)
    }

    /// Where its entry begins in the pack, or the number of the folder that its file is in.
    pub(super) fn offset(self) -> u64 {
        self.0 & ((1 << OFFSET_BITS) - 1)
    }
}

/// An object: its kind, `None` for an annotated tag, and its contents.
pub(super) type Object = (Option<ObjectKind>, Rc<Vec<u8>>);

/// What an object is, and its contents.
pub type ReadObject = (ObjectKind, Rc<Vec<u8>>);

/// Reads objects of a repository, one after the other: what was read last, and what it was made of, is
/// kept. It sees the packs that there were when it was made.
pub struct ObjectReader(Lookup);

impl std::fmt::Debug for ObjectReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ObjectReader")
    }
}

impl ObjectReader {
    /// One of the objects in the folder `objects` of a repository.
    pub(in crate::git) fn open(objects: &Path, limits: &Limits) -> Result<Self, ReadError> {
        Lookup::open(objects, limits).map(Self)
    }

    /// The kind and contents of an object, which have been hashed; `None` if it is not there or is an
    /// annotated tag.
    pub fn read(&mut self, id: ObjectId) -> Result<Option<ReadObject>, ReadError> {
        let object = self.0.read(&id)?;
        Ok(object.and_then(|(kind, contents)| Some((kind?, contents))))
    }
}

/// The objects of a repository, as they were when this was made.
pub(super) struct Lookup {
    /// The folder `objects`, and those that are borrowed from.
    folders: Vec<PathBuf>,
    packs: Packs,
    /// The pack in which something was found last.
    recent: usize,
    limits: Limits,
    inflater: Decompressor,
    input: Vec<u8>,
    cache: Cache,
}

impl Lookup {
    /// The objects in the folder `objects` of a repository.
    pub(super) fn open(objects: &Path, limits: &Limits) -> Result<Self, ReadError> {
        let folders = with_alternates(objects)?;
        let mut packs = Vec::new();
        for folder in &folders {
            packs.extend(packs_in(&folder.join("pack"))?);
        }
        if packs.len() >= LOOSE as usize {
            return Err(ReadError::TooMany { path: objects.to_owned() });
        }
        Ok(Self {
            folders,
            packs: Packs { list: packs, open: 0 },
            recent: 0,
            limits: limits.clone(),
            inflater: Decompressor::default(),
            input: Vec::new(),
            cache: Cache::new(CACHE.min(limits.text_cache_bytes)),
        })
    }

    /// Where an object is; `None` if it is not there.
    pub(super) fn find(&mut self, id: &ObjectId) -> Result<Option<Place>, ReadError> {
        let (first, count) = (self.recent, self.packs.list.len());
        for number in std::iter::once(first).chain((0..count).filter(|number| *number != first)) {
            let Some(pack) = self.packs.list.get_mut(number) else { continue };
            if let Some(Indexed { offset, .. }) = pack.index.find(id)? {
                self.recent = number;
                return Ok(Some(Place::new(u32::try_from(number).unwrap_or(LOOSE), offset)));
            }
        }
        let folder = self.folders.iter().position(|folder| loose::path(folder, id).exists());
        Ok(folder.map(|folder| Place::new(LOOSE, folder as u64)))
    }

    /// The numbers of the packs whose paths `is_wanted`.
    pub(super) fn numbers(&self, is_wanted: impl Fn(&Path) -> bool) -> impl Iterator<Item = u32> {
        let packs = self.packs.list.iter().zip(0..);
        packs.filter(move |(pack, _)| is_wanted(pack.path())).map(|(_, number)| number)
    }

    /// The pack with this number.
    pub(super) fn pack(&mut self, number: u32) -> Result<&mut PackFile, ReadError> {
        self.packs.get(number)
    }

    /// The object `id`, whose contents have been hashed; `None` if it is not there.
    pub(super) fn read(&mut self, id: &ObjectId) -> Result<Option<Object>, ReadError> {
        let Some(place) = self.find(id)? else { return Ok(None) };
        self.read_at(id, place).map(Some)
    }

    /// The object `id`, which is at `place`. Its contents have been hashed.
    pub(super) fn read_at(&mut self, id: &ObjectId, place: Place) -> Result<Object, ReadError> {
        let is_packed = place.pack().is_some();
        if let Some(object) = self.cache.get(place).filter(|_| is_packed) {
            return Ok(object);
        }
        let object = match place.pack() {
            Some(pack) => self.packed(pack, place.offset())?,
            None => self.loose(id, place)?,
        };
        let found = id_of(object.0, &object.1);
        if found != *id {
            let path = self.path(id, place);
            return Err(ReadError::Id { path, id: *id, found });
        }
        // Most commits are asked for once, and are no bases. Loose objects have no place of their own.
        if is_packed && object.0 != Some(ObjectKind::Commit) {
            self.cache.insert(place, object.clone());
        }
        Ok(object)
    }

    /// How many bytes an object has, which is at `place`: what is in a pack says so before anything else.
    pub(super) fn size(&mut self, id: &ObjectId, place: Place) -> Result<u64, ReadError> {
        let Some(number) = place.pack() else {
            let path = self.path(id, place);
            let io = |source| ReadError::Io { path: path.clone(), source };
            let size = loose::size(File::open(&path).map_err(io)?).map_err(io)?;
            return size.map_err(|source| ReadError::Loose { path, source });
        };
        let offset = place.offset();
        let header = self.pack(number)?.header(offset)?;
        if matches!(header.payload, Payload::Whole(_)) {
            return Ok(header.size);
        }
        // The two lengths at the start of a delta have at most ten bytes each.
        let start = self.packs.get(number)?.start(offset, 20, &mut self.inflater)?;
        match result_length(&start) {
            Ok(size) => Ok(size as u64),
            Err(flaw) => Err(self.pack(number)?.flaw(offset, flaw.into()).into()),
        }
    }

    /// The file that an object is in.
    pub(super) fn path(&self, id: &ObjectId, place: Place) -> PathBuf {
        if let Some(pack) = place.pack() {
            let pack = self.packs.list.get(pack as usize);
            return pack.map(|pack| pack.path().to_owned()).unwrap_or_default();
        }
        let folder = usize::try_from(place.offset()).ok();
        let folder = folder.and_then(|folder| self.folders.get(folder));
        folder.map(|folder| loose::path(folder, id)).unwrap_or_default()
    }

    fn loose(&self, id: &ObjectId, place: Place) -> Result<Object, ReadError> {
        let path = self.path(id, place);
        let io = |source| ReadError::Io { path: path.clone(), source };
        let file = File::open(&path).map_err(io)?;
        match loose::read(file, self.limits.revision_bytes).map_err(io)? {
            Ok((kind, contents)) => Ok((kind, Rc::new(contents))),
            Err(source) => Err(ReadError::Loose { path, source }),
        }
    }

    /// The object whose entry is at `offset` of a pack: its deltas from the first base on, or from the
    /// nearest that is kept. Nothing recurses: a chain may be as long as the pack.
    fn packed(&mut self, pack: u32, offset: u64) -> Result<Object, ReadError> {
        let mut deltas = Vec::new();
        let (mut pack, mut offset) = (pack, offset);
        let most: u64 = self.packs.list.iter().map(|pack| u64::from(pack.index.len())).sum();
        let (kind, mut text) = loop {
            if let Some(object) = self.cache.get(Place::new(pack, offset)) {
                break object;
            }
            let entry = self.inflated(pack, offset)?;
            let base = match entry.payload {
                Payload::Whole(kind) => {
                    let object = (kind, Rc::new(entry.bytes));
                    if !deltas.is_empty() {
                        self.cache.insert_base(Place::new(pack, offset), object.clone());
                    }
                    break object;
                }
                Payload::OffsetDelta(distance) => {
                    let base = offset.checked_sub(distance).filter(|_| distance > 0);
                    let Some(base) = base else {
                        let flaw = EntryFlaw::NoBaseAt { distance };
                        return Err(self.pack(pack)?.flaw(offset, flaw).into());
                    };
                    Place::new(pack, base)
                }
                Payload::RefDelta(base) => {
                    let Some(place) = self.base(pack, &base)? else {
                        let flaw = EntryFlaw::NoBase { base };
                        return Err(self.pack(pack)?.flaw(offset, flaw).into());
                    };
                    place
                }
            };
            // Many deltas in a row are made again rather than held.
            deltas.push((pack, offset, (deltas.len() < MAX_HELD).then_some(entry.bytes)));
            if deltas.len() as u64 > most {
                return Err(self.pack(pack)?.flaw(offset, EntryFlaw::Cycle).into());
            }
            let Some(number) = base.pack() else {
                // Git makes no delta of a loose object.
                return Err(self.pack(pack)?.flaw(offset, EntryFlaw::Cycle).into());
            };
            (pack, offset) = (number, base.offset());
        };
        while let Some((pack, offset, delta)) = deltas.pop() {
            let delta = match delta {
                Some(delta) => delta,
                None => self.inflated(pack, offset)?.bytes,
            };
            let made = apply_delta(&text, &delta, self.limits.revision_bytes);
            let made = match made {
                Ok(made) => made,
                Err(flaw) => return Err(self.pack(pack)?.flaw(offset, flaw.into()).into()),
            };
            text = Rc::new(made);
            if !deltas.is_empty() {
                self.cache.insert_base(Place::new(pack, offset), (kind, text.clone()));
            }
        }
        Ok((kind, text))
    }

    /// Where the base of a delta in a pack is: in the same pack, but for strange repositories.
    fn base(&mut self, pack: u32, base: &ObjectId) -> Result<Option<Place>, ReadError> {
        match self.pack(pack)?.index.find(base)? {
            Some(Indexed { offset, .. }) => Ok(Some(Place::new(pack, offset))),
            None => self.find(base),
        }
    }

    fn inflated(&mut self, pack: u32, offset: u64) -> Result<Inflated, ReadError> {
        let Self { packs, limits, inflater, input, .. } = self;
        Ok(packs.get(pack)?.inflated(offset, limits, inflater, input)?)
    }
}

/// The packs of a repository, not too many of them open.
struct Packs {
    list: Vec<PackFile>,
    open: usize,
}

impl Packs {
    /// The pack with this number.
    fn get(&mut self, number: u32) -> Result<&mut PackFile, ReadError> {
        let is_closed = |pack: &PackFile| !pack.is_open();
        if self.list.get(number as usize).is_some_and(is_closed) {
            if self.open >= MAX_OPEN {
                self.list.iter_mut().for_each(PackFile::close);
                self.open = 0;
            }
            self.open += 1;
        }
        // Numbers are those that were given to packs here.
        let none = ReadError::TooMany { path: PathBuf::new() };
        self.list.get_mut(number as usize).ok_or(none)
    }
}

/// How many deltas are held while their base is looked for.
const MAX_HELD: usize = 64;

/// The id of an object; `None` is an annotated tag.
fn id_of(kind: Option<ObjectKind>, contents: &[u8]) -> ObjectId {
    if let Some(kind) = kind {
        return ObjectId::of(kind, contents);
    }
    let header = format!("tag {}\0", contents.len());
    ObjectId::from_bytes(sha1::digest(&[header.as_bytes(), contents]))
}

/// The packs of a folder, the largest first, in which most is found. Those that vanish meanwhile have
/// been merged by somebody, and are left out.
fn packs_in(folder: &Path) -> Result<Vec<PackFile>, ReadError> {
    let paths = match indexes(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        paths => paths.map_err(|source| ReadError::Io { path: folder.to_owned(), source })?,
    };
    let mut packs = Vec::with_capacity(paths.len());
    for path in paths {
        match PackFile::new(&path) {
            Ok(pack) if !path.with_extension("pack").exists() => drop(pack),
            Ok(pack) => packs.push(pack),
            Err(PackError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    packs.sort_by_key(|pack| std::cmp::Reverse(pack.index.len()));
    Ok(packs)
}

/// A folder of objects, and those that it borrows from, as `objects/info/alternates` names them.
fn with_alternates(objects: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let mut folders = vec![objects.to_owned()];
    let mut layer = folders.clone();
    for _ in 0..MAX_ALTERNATES {
        let mut next = Vec::new();
        for folder in &layer {
            let list = folder.join("info/alternates");
            let text = match fs::read(&list) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                text => text.map_err(|source| ReadError::Io { path: list, source })?,
            };
            for line in text.split(|&byte| byte == b'\n') {
                next.extend(alternate(folder, line).filter(|path| !folders.contains(path)));
            }
        }
        folders.extend(next.iter().cloned());
        layer = next;
    }
    Ok(folders)
}

/// The folder that a line of `alternates` names, counted from the folder that the list is in.
fn alternate(folder: &Path, line: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let is_path = !line.is_empty() && !line.starts_with(b"#");
    is_path.then(|| folder.join(std::ffi::OsStr::from_bytes(line)))
}
