//! The pack: entries as they lie in our packs, in that order. A delta stays one if the target gets its
//! base, or has it; else the object is made whole. Nothing that is damaged is sent.
//!
//! An entry names as its base either one that was sent before it, by the distance, or by its id one that
//! the target has or that follows from the same pack. So no objects become deltas of each other,
//! whatever copies of them several packs have.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::layout::{Layout, by_pack};
use super::output::Output;
use super::{Outgoing, OutgoingError};
use crate::base::compress::{Crc32, Deflater, crc32};
use crate::base::durable::{self, Step};
use crate::base::{Interrupt, Progress, Stage};
use crate::git::pack::TAG;
use crate::git::pack::idx::Packed;
use crate::git::pack::lookup::{Indexed, Lookup, Place, ReadError};
use crate::git::pack::reader::{EntryFlaw, MAX_HEADER, PackError, Payload, entry_header};
use crate::git::pack::writer::{append_head, append_header, keep};
use crate::git::{ObjectId, ObjectKind};

/// How much is read at a time, and the most that is held of an entry.
const WINDOW: usize = 256 << 10;
/// From how many bytes on an object is deflated piece by piece.
const LARGE: usize = 8 << 20;

/// How an entry is sent.
enum Form {
    /// As it lies.
    Same,
    /// As a delta, with this header.
    Delta(Vec<u8>),
    /// Its object as a whole.
    Whole,
}

/// What a pack became on its way out.
struct Written {
    /// The entries, if they were asked for.
    entries: Vec<Packed>,
    checksum: [u8; 20],
}

impl Outgoing {
    /// Writes the pack, which is thin if the target has bases that are left out. Nothing of an object that
    /// turns out to be damaged is sent, but the beginning of a large one; the pack then has no end.
    pub fn write(
        &self,
        out: &mut dyn Write,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<(), OutgoingError> {
        progress.begin(Stage::SendingObjects, Some(u64::from(self.objects())));
        Sender::new(self, out, false, progress, interrupt)?.run()?;
        progress.end();
        Ok(())
    }

    /// Writes the pack and its index into `folder`, which has the packs of a repository, and flushes both
    /// to disk. They have all bases. Returns the path of the pack.
    pub fn save(
        self,
        folder: &Path,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<PathBuf, OutgoingError> {
        let outgoing = self.complete();
        progress.begin(Stage::PackingObjects, Some(u64::from(outgoing.objects())));
        let file = tempfile::Builder::new().prefix("tmp_pack_").tempfile_in(folder);
        let mut file = file.map_err(OutgoingError::Write)?;
        durable::step(Step::Write(file.path())).map_err(OutgoingError::Write)?;
        let written =
            Sender::new(&outgoing, file.as_file_mut(), true, progress, interrupt)?.run()?;
        let kept = keep(file, written.entries, written.checksum, folder);
        progress.end();
        kept.map_err(OutgoingError::Write)
    }
}

/// One pack on its way.
struct Sender<'w> {
    outgoing: &'w Outgoing,
    lookup: Lookup,
    out: Output<'w>,
    /// Where each object's entry begins in what is sent, by its number; 0 if it was not sent yet.
    sent: Vec<u64>,
    entries: Option<Vec<Packed>>,
    deflater: Deflater,
    /// A part of the pack that is being read, and where it begins.
    window: Vec<u8>,
    window_start: u64,
    progress: &'w dyn Progress,
    interrupt: &'w Interrupt,
}

impl<'w> Sender<'w> {
    fn new(
        outgoing: &'w Outgoing,
        out: &'w mut dyn Write,
        is_recorded: bool,
        progress: &'w dyn Progress,
        interrupt: &'w Interrupt,
    ) -> Result<Self, OutgoingError> {
        Ok(Self {
            outgoing,
            lookup: Lookup::open(&outgoing.folder, &outgoing.limits)?,
            out: Output::new(out),
            sent: vec![0; outgoing.objects.len()],
            entries: is_recorded.then(Vec::new),
            deflater: Deflater::default(),
            window: Vec::new(),
            window_start: 0,
            progress,
            interrupt,
        })
    }

    fn run(mut self) -> Result<Written, OutgoingError> {
        let outgoing = self.outgoing;
        self.out.put(b"PACK\0\0\0\x02")?;
        self.out.put(&outgoing.objects().to_be_bytes())?;
        for group in by_pack(&outgoing.order) {
            match group.first().and_then(|(place, _)| place.pack()) {
                Some(pack) => self.pack(pack, group)?,
                None => {
                    for &(place, number) in group {
                        self.begin(number)?;
                        self.whole(number, place)?;
                        self.end(number);
                    }
                }
            }
        }
        let checksum = self.out.finish()?;
        Ok(Written { entries: self.entries.unwrap_or_default(), checksum })
    }

    /// Sends the objects of one pack.
    fn pack(&mut self, pack: u32, group: &[(Place, u32)]) -> Result<(), OutgoingError> {
        let layout = Layout::of(&mut self.lookup, pack, group, true)?;
        self.window.clear();
        for &(place, number) in group {
            self.begin(number)?;
            let (offset, length) = (place.offset(), layout.length(place.offset()));
            let head = usize::try_from(length).unwrap_or(MAX_HEADER).min(MAX_HEADER);
            let header = entry_header(self.bytes(pack, offset, head)?);
            let header = header.map_err(|flaw| self.flaw(number, place, flaw))?;
            let base = match header.payload {
                Payload::Whole(_) => None,
                Payload::OffsetDelta(distance) => {
                    let base = offset.checked_sub(distance);
                    let base = base.and_then(|base| layout.entry(base));
                    let flaw = EntryFlaw::NoBaseAt { distance };
                    let base = base.ok_or_else(|| self.flaw(number, place, flaw))?;
                    Some(self.id_at(pack, base)?)
                }
                Payload::RefDelta(base) => Some(base),
            };
            let form = match base {
                None => Form::Same,
                Some(base) => self.form(base, header.size, pack, group)?,
            };
            let crc = layout.entry(offset).map_or(Ok(None), |entry| self.crc(pack, entry))?;
            if crc.is_none() {
                // An index of version 1: what is sound is read in one way only.
                let id = self.outgoing.id(number);
                self.lookup.read_at(&id, place)?;
            }
            let entry = Entry { number, place, pack, length, head: header.length, crc };
            match form {
                Form::Same => self.copy(&entry, None)?,
                Form::Delta(head) => self.copy(&entry, Some(&head))?,
                Form::Whole => self.whole(number, place)?,
            }
            self.end(number);
        }
        Ok(())
    }

    /// How a delta of `base` is sent, which inflates to `size` bytes.
    fn form(
        &mut self,
        base: ObjectId,
        size: u64,
        pack: u32,
        group: &[(Place, u32)],
    ) -> Result<Form, OutgoingError> {
        let Some(number) = self.outgoing.objects.number(&base) else { return Ok(Form::Whole) };
        let sent = self.sent.get(number as usize).copied().unwrap_or_default();
        let distance = match sent {
            0 if self.outgoing.objects.is_there(number) => {
                if !self.outgoing.is_thin {
                    return Ok(Form::Whole);
                }
                None
            }
            0 => {
                let found = self.lookup.pack(pack)?.index.find(&base);
                let found = found.map_err(ReadError::from)?;
                let place = found.map(|found| Place::new(pack, found.offset));
                let follows = place.is_some_and(|place| {
                    group.binary_search_by_key(&place, |(place, _)| *place).is_ok()
                });
                if !follows {
                    return Ok(Form::Whole);
                }
                None
            }
            sent => usize::try_from(self.out.at - sent).ok(),
        };
        let Ok(size) = usize::try_from(size) else { return Ok(Form::Whole) };
        let mut head = Vec::with_capacity(MAX_HEADER);
        append_head(&mut head, ObjectKind::Blob, Some((base, distance)), size);
        Ok(Form::Delta(head))
    }

    fn begin(&mut self, number: u32) -> Result<(), OutgoingError> {
        self.interrupt.check()?;
        if let Some(sent) = self.sent.get_mut(number as usize) {
            *sent = self.out.at;
        }
        if self.entries.is_some() {
            self.out.crc = Some(Crc32::default());
        }
        Ok(())
    }

    fn end(&mut self, number: u32) {
        self.progress.advance(1);
        let (id, crc) = (self.outgoing.id(number), self.out.crc.take());
        if let (Some(entries), Some(crc)) = (&mut self.entries, crc) {
            let offset = self.sent.get(number as usize).copied().unwrap_or_default();
            entries.push(Packed { id, offset, crc: crc.finish() });
        }
    }

    /// Sends an entry as it lies, or with another header.
    fn copy(&mut self, entry: &Entry, head: Option<&[u8]>) -> Result<(), OutgoingError> {
        let (start, length) = (entry.place.offset(), entry.length);
        let skipped = head.map_or(0, |_| entry.head);
        if let Some(whole) = usize::try_from(length).ok().filter(|length| *length <= WINDOW) {
            let bytes = self.bytes(entry.pack, start, whole)?;
            if entry.crc.is_some_and(|crc| crc != crc32(bytes)) {
                return Err(self.flaw(entry.number, entry.place, EntryFlaw::Checksum));
            }
            self.out.put(head.unwrap_or_default())?;
            let bytes = window(&self.window, self.window_start, start, whole);
            return self.out.put(bytes.and_then(|bytes| bytes.get(skipped..)).unwrap_or_default());
        }
        self.out.put(head.unwrap_or_default())?;
        let (mut crc, mut at, mut skipped) = (Crc32::default(), start, skipped);
        while at < start + length {
            self.interrupt.check()?;
            let count = (start + length - at).min(WINDOW as u64);
            let count = usize::try_from(count).unwrap_or(WINDOW);
            let bytes = self.bytes(entry.pack, at, count)?;
            crc.update(bytes);
            let bytes = window(&self.window, self.window_start, at, count);
            self.out.put(bytes.and_then(|bytes| bytes.get(skipped..)).unwrap_or_default())?;
            (at, skipped) = (at + count as u64, 0);
        }
        // Without its checksum at the end, nobody takes the pack.
        match entry.crc.is_none_or(|expected| expected == crc.finish()) {
            true => Ok(()),
            false => Err(self.flaw(entry.number, entry.place, EntryFlaw::Checksum)),
        }
    }

    /// Sends an object that is made again, which checks it.
    fn whole(&mut self, number: u32, place: Place) -> Result<(), OutgoingError> {
        let id = self.outgoing.id(number);
        let (kind, contents) = self.lookup.read_at(&id, place)?;
        let mut out = Vec::new();
        append_header(&mut out, kind.map_or(TAG, ObjectKind::pack_type), contents.len());
        if contents.len() < LARGE {
            self.deflater.append(&contents, &mut out);
            return self.out.put(&out);
        }
        self.out.put(&out)?;
        self.deflater.pieces(&contents, |piece| self.out.put(piece))
    }

    /// Some bytes of the pack that is being read.
    fn bytes(&mut self, pack: u32, start: u64, length: usize) -> Result<&[u8], OutgoingError> {
        if window(&self.window, self.window_start, start, length).is_none() {
            let pack = self.lookup.pack(pack)?;
            let path = pack.path().to_owned();
            let (bytes, end) = pack.bytes().map_err(ReadError::from)?;
            let rest = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX);
            self.window.resize(WINDOW.max(length).min(rest), 0);
            self.window_start = start;
            let read = bytes.read_exact_at(&mut self.window, start);
            let io = |source| PackError::Io { path, source };
            read.map_err(io).map_err(ReadError::from)?;
        }
        let bytes = window(&self.window, self.window_start, start, length);
        let short = || {
            let source = io::ErrorKind::UnexpectedEof.into();
            ReadError::Io { path: PathBuf::new(), source }
        };
        Ok(bytes.ok_or_else(short)?)
    }

    fn id_at(&mut self, pack: u32, entry: Indexed) -> Result<ObjectId, OutgoingError> {
        let id = self.lookup.pack(pack)?.index.id(entry.number);
        Ok(id.map_err(ReadError::from)?)
    }

    fn crc(&mut self, pack: u32, entry: Indexed) -> Result<Option<u32>, OutgoingError> {
        let crc = self.lookup.pack(pack)?.index.crc(entry.number);
        Ok(crc.map_err(ReadError::from)?)
    }

    fn flaw(&self, number: u32, place: Place, source: EntryFlaw) -> OutgoingError {
        let id = self.outgoing.id(number);
        let path = self.lookup.path(&id, place);
        let flaw = PackError::Entry { path, offset: place.offset(), id, source };
        ReadError::from(flaw).into()
    }
}

/// An entry that is copied.
struct Entry {
    number: u32,
    place: Place,
    pack: u32,
    length: u64,
    /// How many bytes its header has.
    head: usize,
    crc: Option<u32>,
}

/// `length` bytes from `start` on, if the window that begins at `window_start` has them.
fn window(window: &[u8], window_start: u64, start: u64, length: usize) -> Option<&[u8]> {
    let within = usize::try_from(start.checked_sub(window_start)?).ok()?;
    window.get(within..)?.get(..length)
}
