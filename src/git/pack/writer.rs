//! A pack in the making, filled by several threads.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::delta;
use super::idx::{self, Packed};
use crate::base::compress::{Crc32, Deflater, crc32};
use crate::base::durable::{self, Step, sync_folder};
use crate::base::sha1::Sha1;
use crate::git::repository::KnownObjects;
use crate::git::sink::{NewObject, ObjectSink, ObjectWriter, SinkError};
use crate::git::{ObjectId, ObjectKind};

/// The longest chain of deltas, as long as Git's own default.
pub(super) const MAX_DEPTH: u8 = 50;
/// How much a writer collects before it takes its turn at the file.
const SEGMENT: usize = 4 << 20;
/// What is deflated from so many bytes goes straight into the file.
const LARGE: usize = 8 << 20;
/// Pack entry types that are not object kinds.
const OFFSET_DELTA: u8 = 6;
const REF_DELTA: u8 = 7;
/// How many parts the set of claimed ids has, so that threads seldom wait for one another.
const SHARDS: usize = 64;

/// A pack in the making, in a temporary file that vanishes unless [`PackWriter::save`] is called.
pub struct PackWriter<'k> {
    folder: PathBuf,
    known: KnownObjects<'k>,
    /// The objects that a thread has claimed to write, by id.
    claims: Vec<Mutex<HashMap<ObjectId, Claim>>>,
    output: Mutex<Output>,
}

/// An object that is, or will be, in the pack.
#[derive(Clone, Copy)]
struct Claim {
    /// How deep its chain of deltas is.
    depth: u8,
    /// The CRC-32 of its contents. Contents whose SHA-1 was made to collide differ in blocks that
    /// leave nothing to choose, so their CRC-32 differs, too.
    print: u32,
}

/// The file of a pack in the making.
pub(super) struct Output {
    file: tempfile::NamedTempFile,
    pub length: u64,
    pub objects: Vec<Packed>,
}

/// What was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedPack {
    /// How many objects the pack holds.
    pub objects: usize,
    /// How many bytes the pack has, its index not counted.
    pub bytes: u64,
}

/// The lock, whatever happened to the thread that held it: a panic elsewhere ends the run anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'k> PackWriter<'k> {
    /// A new pack in `folder`, the `objects/pack` of a repository that has the objects `known`.
    pub fn new(folder: &Path, known: KnownObjects<'k>) -> Result<Self, SinkError> {
        let output = Output::new(folder)
            .map_err(|source| SinkError::Io { path: folder.to_owned(), source })?;
        Ok(Self {
            folder: folder.to_owned(),
            known,
            claims: (0..SHARDS).map(|_| Mutex::default()).collect(),
            output: Mutex::new(output),
        })
    }

    fn shard(&self, id: &ObjectId) -> Option<MutexGuard<'_, HashMap<ObjectId, Claim>>> {
        let first = id.as_bytes().first().copied().unwrap_or_default();
        self.claims.get(usize::from(first) % SHARDS).map(lock)
    }

    /// What this pack holds or will hold of an object.
    fn claimed(&self, id: &ObjectId) -> Option<Claim> {
        self.shard(id)?.get(id).copied()
    }

    /// Whether the caller is the first to write `id`, and so is the one who does.
    fn claim(&self, id: ObjectId, claim: Claim) -> bool {
        let Some(mut shard) = self.shard(&id) else { return false };
        match shard.entry(id) {
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(claim);
                true
            }
        }
    }

    /// Whether the pack or the repository has an object already. An error if it has other contents.
    fn has(&self, object: &NewObject<'_>, print: u32) -> Result<bool, SinkError> {
        let is_same = match self.claimed(&object.id) {
            Some(claim) => claim.print == print,
            None if self.known.contains(object.id) => self.known.agrees(object),
            None => return Ok(false),
        };
        if is_same { Ok(true) } else { Err(SinkError::Collision { id: object.id }) }
    }

    /// Appends a segment to the file and empties it.
    fn append(&self, segment: &mut Segment) -> io::Result<()> {
        let mut output = lock(&self.output);
        output.file.write_all(&segment.bytes)?;
        let start = output.length;
        output.length += segment.bytes.len() as u64;
        output.objects.extend(
            segment
                .objects
                .drain(..)
                .map(|object| Packed { offset: start + object.offset, ..object }),
        );
        segment.bytes.clear();
        segment.offsets.clear();
        Ok(())
    }

    /// Completes the pack and its index, flushes both to disk and gives them their names. `None`
    /// if no object was written, and then nothing is left behind.
    pub fn save(self) -> Result<Option<SavedPack>, SinkError> {
        let folder = self.folder;
        let output = self.output.into_inner().unwrap_or_else(PoisonError::into_inner);
        if output.objects.is_empty() {
            return Ok(None);
        }
        let saved = SavedPack { objects: output.objects.len(), bytes: output.length + 20 };
        output.save(&folder).map_err(|source| SinkError::Io { path: folder, source })?;
        Ok(Some(saved))
    }
}

impl Output {
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        let mut file = tempfile::Builder::new().prefix("tmp_pack_").tempfile_in(folder)?;
        // The count of objects is not known yet.
        let header = b"PACK\0\0\0\x02\0\0\0\0";
        file.write_all(header)?;
        Ok(Self { file, length: header.len() as u64, objects: Vec::new() })
    }

    /// Appends entries; `objects` tells where each begins, from the first byte of `entries`.
    pub(super) fn append(
        &mut self,
        entries: &[u8],
        objects: impl Iterator<Item = Packed>,
    ) -> io::Result<()> {
        durable::step(Step::Write(self.file.path()))?;
        self.file.write_all(entries)?;
        let start = self.length;
        self.length += entries.len() as u64;
        self.objects.extend(objects.map(|o| Packed { offset: start + o.offset, ..o }));
        Ok(())
    }

    /// Completes the pack and its index, and gives them their names. Returns the pack's path.
    pub(super) fn save(mut self, folder: &Path) -> io::Result<PathBuf> {
        let count = u32::try_from(self.objects.len()).map_err(io::Error::other)?;
        let checksum = self.complete(count)?;
        keep(self.file, self.objects, checksum, folder)
    }

    /// Fills in the count and appends the checksum of it all.
    fn complete(&mut self, count: u32) -> io::Result<[u8; 20]> {
        let file = self.file.as_file_mut();
        file.seek(SeekFrom::Start(8))?;
        file.write_all(&count.to_be_bytes())?;
        file.seek(SeekFrom::Start(0))?;
        let mut hash = Sha1::new();
        let mut reader = BufReader::with_capacity(1 << 20, &mut *file);
        let mut block = vec![0; 1 << 20];
        loop {
            let read = reader.read(&mut block)?;
            if read == 0 {
                break;
            }
            hash.update(block.get(..read).unwrap_or_default());
        }
        let checksum = hash.finish();
        file.seek(SeekFrom::End(0))?;
        file.write_all(&checksum)?;
        Ok(checksum)
    }
}

/// Makes an index for the finished pack in `file`, flushes both and gives them their names in `folder`.
/// Returns the pack's path.
pub(super) fn keep(
    file: tempfile::NamedTempFile,
    mut objects: Vec<Packed>,
    checksum: [u8; 20],
    folder: &Path,
) -> io::Result<PathBuf> {
    objects.sort_unstable();
    durable::flush(file.as_file(), file.path())?;
    let mut index = tempfile::Builder::new().prefix("tmp_idx_").tempfile_in(folder)?;
    index.write_all(&idx::encode(&objects, checksum))?;
    durable::flush(index.as_file(), index.path())?;
    let name = format!("pack-{}", crate::base::hex::encode(&checksum));
    // Readers look for indexes, so the pack must be there first.
    let pack = folder.join(format!("{name}.pack"));
    for (file, path) in [(file, pack.clone()), (index, pack.with_extension("idx"))] {
        read_only(file.as_file())?;
        durable::persist(file, &path)?;
    }
    sync_folder(folder)?;
    Ok(pack)
}

/// Packs never change, and Git marks them so; everybody who may enter the folder may read them.
fn read_only(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o444))
}

impl ObjectSink for PackWriter<'_> {
    fn writer(&self) -> Box<dyn ObjectWriter + '_> {
        Box::new(Segment {
            pack: self,
            deflater: Deflater::default(),
            bytes: Vec::new(),
            objects: Vec::new(),
            offsets: HashMap::new(),
        })
    }
}

/// One thread's entries, not yet in the file. Deltas within a segment name their base by distance,
/// which holds wherever the segment comes to lie; others name it by id.
struct Segment<'p> {
    pack: &'p PackWriter<'p>,
    deflater: Deflater,
    bytes: Vec<u8>,
    /// The objects, offsets counted from the start of the segment.
    objects: Vec<Packed>,
    offsets: HashMap<ObjectId, usize>,
}

impl Segment<'_> {
    /// The delta to write instead of the contents, with its base and depth, if it is worth it.
    ///
    /// A base must be claimed before the object that needs it, so no two objects can end up as
    /// deltas of each other.
    fn delta(&self, object: &NewObject<'_>) -> Option<(ObjectId, u8, Vec<u8>)> {
        let delta_hint = object.delta_hint.as_ref()?;
        let depth = self.pack.claimed(&delta_hint.base)?.depth.checked_add(1)?;
        if depth > MAX_DEPTH {
            return None;
        }
        let delta = delta::encode(delta_hint, object.contents)?;
        let worth = delta.len() < object.contents.len() / 2;
        worth.then_some((delta_hint.base, depth, delta))
    }

    /// Appends an entry: its header, the reference to its base, and what is left deflated.
    fn append(&mut self, id: ObjectId, kind: ObjectKind, base: Option<ObjectId>, payload: &[u8]) {
        let start = self.bytes.len();
        let base = base.map(|base| (base, self.offsets.get(&base).map(|offset| start - offset)));
        append_head(&mut self.bytes, kind, base, payload.len());
        self.deflater.append(payload, &mut self.bytes);
        let crc = crc32(self.bytes.get(start..).unwrap_or_default());
        self.offsets.insert(id, start);
        self.objects.push(Packed { id, offset: start as u64, crc });
    }

    /// Writes an entry whose payload is too large to be held deflated as well, straight into the file.
    fn write_through(
        &mut self,
        id: ObjectId,
        kind: ObjectKind,
        base: Option<ObjectId>,
        payload: &[u8],
    ) -> Result<(), SinkError> {
        self.flush()?;
        let mut head = Vec::new();
        append_head(&mut head, kind, base.map(|base| (base, None)), payload.len());
        let mut output = lock(&self.pack.output);
        let (offset, mut crc) = (output.length, Crc32::default());
        let mut write = |bytes: &[u8]| -> io::Result<()> {
            output.file.write_all(bytes)?;
            output.length += bytes.len() as u64;
            crc.update(bytes);
            Ok(())
        };
        let written = write(&head).and_then(|()| self.deflater.pieces(payload, write));
        written.map_err(|source| SinkError::Io { path: self.pack.folder.clone(), source })?;
        output.objects.push(Packed { id, offset, crc: crc.finish() });
        Ok(())
    }

    /// Appends an entry, in the way that its size asks for.
    fn put(
        &mut self,
        id: ObjectId,
        kind: ObjectKind,
        base: Option<ObjectId>,
        payload: &[u8],
    ) -> Result<(), SinkError> {
        if payload.len() >= LARGE {
            return self.write_through(id, kind, base, payload);
        }
        self.append(id, kind, base, payload);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        let pack = self.pack;
        pack.append(self).map_err(|source| SinkError::Io { path: pack.folder.clone(), source })
    }
}

impl ObjectWriter for Segment<'_> {
    fn write(&mut self, object: NewObject<'_>) -> Result<(), SinkError> {
        let print = crc32(object.contents);
        if self.pack.has(&object, print)? {
            return Ok(());
        }
        match self.delta(&object) {
            Some((base, depth, delta)) => {
                if self.pack.claim(object.id, Claim { depth, print }) {
                    self.put(object.id, object.kind, Some(base), &delta)?;
                }
            }
            None => {
                if self.pack.claim(object.id, Claim { depth: 0, print }) {
                    self.put(object.id, object.kind, None, object.contents)?;
                }
            }
        }
        if self.bytes.len() >= SEGMENT { self.flush() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> Result<(), SinkError> {
        self.flush()
    }
}

/// What stands before the payload of an entry: its type and size, and its base if it is a delta, by
/// the distance back to it where that is known and else by its id.
pub(super) fn append_head(
    out: &mut Vec<u8>,
    kind: ObjectKind,
    base: Option<(ObjectId, Option<usize>)>,
    size: usize,
) {
    match base {
        None => append_header(out, kind.pack_type(), size),
        Some((_, Some(distance))) => {
            append_header(out, OFFSET_DELTA, size);
            append_distance(out, distance);
        }
        Some((base, None)) => {
            append_header(out, REF_DELTA, size);
            out.extend_from_slice(base.as_bytes());
        }
    }
}

/// The type and size of an entry: three bits and four, then seven a byte.
pub(super) fn append_header(out: &mut Vec<u8>, kind: u8, size: usize) {
    let low = |number: usize| number.to_le_bytes().first().copied().unwrap_or_default();
    let mut byte = kind << 4 | low(size) & 0x0f;
    let mut rest = size >> 4;
    while rest > 0 {
        out.push(byte | 0x80);
        byte = low(rest) & 0x7f;
        rest >>= 7;
    }
    out.push(byte);
}

/// The distance back to a base: seven bits a byte, the highest first, each continuation counting
/// one more than its bits.
fn append_distance(out: &mut Vec<u8>, mut distance: usize) {
    let low = |number: usize| number.to_le_bytes().first().copied().unwrap_or_default() & 0x7f;
    let mut digits = vec![low(distance)];
    loop {
        distance >>= 7;
        if distance == 0 {
            break;
        }
        distance -= 1;
        digits.push(low(distance) | 0x80);
    }
    out.extend(digits.iter().rev());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::BareRepository;
    use crate::git::sink::{Copied, DeltaHint};

    /// Two threads write the same hundred objects, each a delta of the one before; libgit2 finds
    /// every one of them whole.
    #[test]
    fn libgit2_reads_what_two_threads_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let repository = BareRepository::open_or_create(folder.path(), "master").unwrap();
        let texts: Vec<Vec<u8>> = (0..100)
            .map(|i| {
                (0..=i).flat_map(|line| format!("line {line} of a file\n").into_bytes()).collect()
            })
            .collect();
        let pack = PackWriter::new(&repository.pack_folder(), repository.known().unwrap()).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| write_all(&pack, &texts));
            }
        });
        let saved = pack.save().unwrap().unwrap();
        assert_eq!(saved.objects, texts.len());
        repository.refresh().unwrap();
        for text in &texts {
            let id = ObjectId::of(ObjectKind::Blob, text);
            assert_eq!(repository.read(id).unwrap(), Some((ObjectKind::Blob, text.clone())));
        }
    }

    fn write_all(pack: &PackWriter<'_>, texts: &[Vec<u8>]) {
        let mut writer = pack.writer();
        let mut before: Option<&Vec<u8>> = None;
        for text in texts {
            let length = before.map_or(0, Vec::len);
            let copied = [Copied { from: 0, to: 0, length }];
            let delta_hint = before.map(|before| DeltaHint {
                base: ObjectId::of(ObjectKind::Blob, before),
                base_length: length,
                copied: &copied,
            });
            let id = ObjectId::of(ObjectKind::Blob, text);
            let object = NewObject { id, kind: ObjectKind::Blob, contents: text, delta_hint };
            writer.write(object).unwrap();
            before = Some(text);
        }
        writer.finish().unwrap();
    }

    /// As if two files had been made whose SHA-1 collides: in one run, and in two.
    #[test]
    fn two_contents_with_one_id_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let repository = BareRepository::open_or_create(folder.path(), "master").unwrap();
        let object = |contents: &'static [u8]| NewObject {
            id: ObjectId::of(ObjectKind::Blob, b"one"),
            kind: ObjectKind::Blob,
            contents,
            delta_hint: None,
        };
        let is_collision =
            |result| matches!(result, Err(SinkError::Collision { id }) if id == object(b"").id);
        let pack = PackWriter::new(&repository.pack_folder(), repository.known().unwrap()).unwrap();
        let mut writer = pack.writer();
        for _ in 0..2 {
            writer.write(object(b"one")).unwrap();
        }
        assert!(is_collision(writer.write(object(b"two"))));
        writer.finish().unwrap();
        pack.save().unwrap().unwrap();
        repository.refresh().unwrap();
        let pack = PackWriter::new(&repository.pack_folder(), repository.known().unwrap()).unwrap();
        let mut writer = pack.writer();
        writer.write(object(b"one")).unwrap();
        assert!(is_collision(writer.write(object(b"two"))));
    }

    #[test]
    fn nothing_written_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let repository = BareRepository::open_or_create(folder.path(), "master").unwrap();
        let pack = PackWriter::new(&repository.pack_folder(), repository.known().unwrap()).unwrap();
        assert_eq!(pack.save().unwrap(), None);
        assert_eq!(fs::read_dir(repository.pack_folder()).unwrap().count(), 0);
    }

    #[test]
    fn numbers_as_the_format_says() {
        let distance = |n| {
            let mut out = Vec::new();
            append_distance(&mut out, n);
            out
        };
        assert_eq!(distance(127), [0x7f]);
        assert_eq!(distance(128), [0x80, 0x00]);
        assert_eq!(distance(16511), [0xff, 0x7f]);
        assert_eq!(distance(16512), [0x80, 0x80, 0x00]);
        let mut header = Vec::new();
        append_header(&mut header, 3, 100);
        assert_eq!(header, [0xb4, 0x06]);
    }
}
