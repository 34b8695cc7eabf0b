//! Walks the trees of deltas of a pack, from the whole objects down, and makes every object once.
//!
//! The texts on the way from the root that are still needed are kept, up to a number of bytes; the
//! ones nearest to the root, which are needed last, go first and are made again when their turn
//! comes. Nothing recurses: a chain may be as long as the pack.

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::delta;
use super::entry::{self, Payload};
use super::error::EntryFlaw;
use super::{Entry, MAX_FLAWS, Pack, PackContents};
use crate::base::compress::{Decompressor, crc32};
use crate::base::sha1::{self, Digest, Message};
use crate::base::{Interrupt, Progress};
use crate::git::{ObjectId, ObjectKind};

/// How many trees a worker takes at a time.
pub(super) const SHARE: usize = 16;
/// How many objects are made before they are hashed, all at the same time.
const BATCH: usize = 64;
/// With so many bytes it is enough, however few they are.
const BATCH_BYTES: usize = 8 << 20;

/// One of the threads that check a pack.
pub(super) struct Worker<'p> {
    pack: &'p Pack,
    progress: &'p dyn Progress,
    interrupt: &'p Interrupt,
    inflater: Decompressor,
    /// The bytes of the entry that is being read.
    input: Vec<u8>,
    /// The way from the root of the tree to where we are.
    way: Vec<Step<'p>>,
    /// How many bytes the texts on the way have.
    held: usize,
    /// Objects that were made and not hashed yet, and how many bytes they have.
    made: Vec<Made>,
    made_bytes: usize,
    contents: PackContents,
}

/// An object that was made.
struct Made {
    number: u32,
    entry: Entry,
    kind: Option<ObjectKind>,
    text: Rc<Vec<u8>>,
    /// How many objects are on the way to it.
    depth: usize,
}

/// An object with deltas.
struct Step<'p> {
    number: u32,
    /// Its contents, unless they had to go.
    text: Option<Rc<Vec<u8>>>,
    /// Those of its deltas that are still to be made.
    left: &'p [(u32, u32)],
}

impl<'p> Worker<'p> {
    pub(super) fn new(
        pack: &'p Pack,
        progress: &'p dyn Progress,
        interrupt: &'p Interrupt,
    ) -> Self {
        Self {
            pack,
            progress,
            interrupt,
            inflater: Decompressor::default(),
            input: Vec::new(),
            way: Vec::new(),
            held: 0,
            made: Vec::new(),
            made_bytes: 0,
            contents: PackContents::default(),
        }
    }

    /// Takes trees until there are none left; `next` counts those that are taken.
    pub(super) fn run(mut self, next: &AtomicUsize) -> PackContents {
        loop {
            let start = next.fetch_add(SHARE, Ordering::Relaxed);
            let rest = self.pack.roots.get(start..).unwrap_or_default();
            if rest.is_empty() || self.interrupt.is_raised() {
                self.settle();
                return self.contents;
            }
            for root in rest.iter().take(SHARE) {
                self.tree(*root);
            }
        }
    }

    /// Makes the object of a root and all that are made from it.
    fn tree(&mut self, root: u32) {
        let Some(entry) = self.pack.entry(root) else { return };
        let kind = match self.whole(&entry) {
            Ok((kind, text)) => {
                self.made(root, &entry, kind, text);
                kind
            }
            Err(flaw) => return self.broken(&entry, flaw),
        };
        while let Some(step) = self.way.last_mut() {
            if self.interrupt.is_raised() {
                break;
            }
            let Some((&(_, number), left)) = step.left.split_first() else {
                self.leave();
                continue;
            };
            step.left = left;
            let base = step.number;
            let Some(entry) = self.pack.entry(number) else { continue };
            match self.delta(&entry) {
                Ok(text) => self.made(number, &entry, kind, text),
                Err(flaw) => {
                    // What its base is not made right for is no flaw of its own.
                    self.settle();
                    if self.way.last().is_some_and(|step| step.number == base) {
                        self.broken(&entry, flaw);
                    }
                }
            }
        }
        self.way.clear();
        self.held = 0;
    }

    /// Takes an object that was made, and goes on with its deltas. Its contents are checked with those of
    /// others.
    fn made(&mut self, number: u32, entry: &Entry, kind: Option<ObjectKind>, text: Vec<u8>) {
        self.progress.advance(1);
        let (text, depth) = (Rc::new(text), self.way.len());
        self.made_bytes += text.len();
        self.made.push(Made { number, entry: *entry, kind, text: Rc::clone(&text), depth });
        let left = self.pack.deltas_of(number);
        if !left.is_empty() {
            self.make_room(text.len());
            self.held += text.len();
            self.way.push(Step { number, text: Some(text), left });
        }
        if self.made.len() >= BATCH || self.made_bytes >= BATCH_BYTES {
            self.settle();
        }
    }

    /// Hashes what was made. Of an object that is not what its id says, all that was made of it is
    /// forgotten, and the rest of its tree is not looked at.
    fn settle(&mut self) {
        self.made_bytes = 0;
        let all = std::mem::take(&mut self.made);
        let heads: Vec<_> = all.iter().map(|made| header(made.kind, made.text.len())).collect();
        let messages = heads.iter().zip(&all);
        let messages =
            messages.map(|(head, made)| Message { head: head.as_bytes(), text: &made.text });
        let mut digests = vec![Digest::default(); all.len()];
        sha1::digests(&messages.collect::<Vec<_>>(), &mut digests);
        let mut wrong = None;
        for (made, digest) in all.iter().zip(digests) {
            if wrong.is_some_and(|depth| made.depth > depth) {
                continue;
            }
            let found = ObjectId::from_bytes(digest);
            wrong = (found != made.entry.id).then_some(made.depth);
            if wrong.is_none() {
                self.contents.objects.push((found, made.kind));
                continue;
            }
            self.broken(&made.entry, EntryFlaw::Id { found });
            if self.way.get(made.depth).is_some_and(|step| step.number == made.number) {
                while self.way.len() > made.depth {
                    self.leave();
                }
            }
        }
    }

    /// The rest of its tree is not looked at: without its base there is nothing to see.
    fn broken(&mut self, entry: &Entry, flaw: EntryFlaw) {
        if self.contents.flaws.len() < MAX_FLAWS {
            self.contents.flaws.push(self.pack.flaw(entry, flaw));
        }
    }

    /// Lets texts go, from the root on, until `more` bytes have room; the last one stays.
    fn make_room(&mut self, more: usize) {
        let budget = self.pack.limits.text_cache_bytes;
        for step in &mut self.way {
            if self.held.saturating_add(more) <= budget {
                return;
            }
            self.held -= step.text.take().map_or(0, |text| text.len());
        }
    }

    fn leave(&mut self) {
        let text = self.way.pop().and_then(|step| step.text);
        self.held -= text.map_or(0, |text| text.len());
    }

    /// The contents of an entry that is a delta of the object at the end of the way.
    fn delta(&mut self, entry: &Entry) -> Result<Vec<u8>, EntryFlaw> {
        let base = match self.way.last_mut().and_then(|step| step.text.take()) {
            Some(text) => {
                self.held -= text.len();
                text
            }
            None => self.again()?,
        };
        let text = self.applied(entry, &base);
        if let Some(step) = self.way.last_mut().filter(|step| !step.left.is_empty()) {
            self.held += base.len();
            step.text = Some(base);
        }
        text
    }

    /// Makes the contents of the object at the end of the way again.
    fn again(&mut self) -> Result<Rc<Vec<u8>>, EntryFlaw> {
        let kept = self.way.iter().rposition(|step| step.text.is_some());
        let from = kept.and_then(|place| Some((place, self.way.get(place)?.text.clone()?)));
        let (place, mut text) = match (from, self.way.first()) {
            (Some(from), _) => from,
            (None, Some(root)) => {
                let entry = self.pack.entry(root.number).ok_or(EntryFlaw::Cycle)?;
                (0, Rc::new(self.whole(&entry)?.1))
            }
            (None, None) => return Err(EntryFlaw::Cycle),
        };
        let numbers: Vec<u32> = self.way.iter().skip(place + 1).map(|step| step.number).collect();
        for number in numbers {
            self.interrupt.check().map_err(|_| EntryFlaw::Io { kind: INTERRUPTED })?;
            let entry = self.pack.entry(number).ok_or(EntryFlaw::Cycle)?;
            text = Rc::new(self.applied(&entry, &text)?);
        }
        Ok(text)
    }

    /// What the delta of an entry makes of its base.
    fn applied(&mut self, entry: &Entry, base: &[u8]) -> Result<Vec<u8>, EntryFlaw> {
        let (_, bytes) = self.inflated(entry)?;
        Ok(delta::apply(base, &bytes, self.pack.limits.revision_bytes)?)
    }

    /// The kind and contents of an entry that is no delta.
    fn whole(&mut self, entry: &Entry) -> Result<(Option<ObjectKind>, Vec<u8>), EntryFlaw> {
        match self.inflated(entry)? {
            (Payload::Whole(kind), text) => Ok((kind, text)),
            // It was none when the headers were read.
            _ => Err(EntryFlaw::Checksum),
        }
    }

    /// Reads an entry, checks everything about it that needs no base, and inflates it.
    fn inflated(&mut self, entry: &Entry) -> Result<(Payload, Vec<u8>), EntryFlaw> {
        let limit = self.pack.limits.revision_bytes;
        let length = entry.end - entry.start;
        // Deflating makes nothing longer by more than this, so the entry has too much in it.
        let longest = (limit as u64).saturating_add(limit as u64 / 64).saturating_add(1 << 10);
        let fits = usize::try_from(length).ok().filter(|_| length <= longest);
        let length = fits.ok_or(EntryFlaw::TooLarge { size: length, limit })?;
        self.input.resize(length, 0);
        self.pack.read_at(&mut self.input, entry.start)?;
        if entry.crc.is_some_and(|crc| crc != crc32(&self.input)) {
            return Err(EntryFlaw::Checksum);
        }
        let header = entry::header(&self.input)?;
        let size = usize::try_from(header.size).ok().filter(|size| *size <= limit);
        let size = size.ok_or(EntryFlaw::TooLarge { size: header.size, limit })?;
        let deflated = self.input.get(header.length..).unwrap_or_default();
        let (out, used) = self.inflater.zlib_prefix(deflated, size)?;
        if out.len() != size {
            return Err(EntryFlaw::Size { declared: size, found: out.len() });
        }
        match deflated.len() - used {
            0 => Ok((header.payload, out)),
            extra => Err(EntryFlaw::Trailing { extra }),
        }
    }
}

/// What interrupted work is told; nobody reads it.
const INTERRUPTED: std::io::ErrorKind = std::io::ErrorKind::Interrupted;

/// What is hashed before the contents of an object; `None` is an annotated tag.
fn header(kind: Option<ObjectKind>, length: usize) -> String {
    kind.map_or_else(|| format!("tag {length}\0"), |kind| kind.header(length))
}
