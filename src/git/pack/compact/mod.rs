//! The packs of a repository made again as one, with deltas that are searched for among many objects:
//! the deltas of a conversion are those of the source, which is fast, and takes more room than need be.
//!
//! | module | is |
//! | --- | --- |
//! | `order` | which objects there are, and which come one after the other |
//! | `search` | the best delta for an object among those before it |
//! | `difference` | what two texts share |
//!
//! Every object is read and hashed, so that nothing that is damaged gets a new checksum. What is held is
//! some fifty bytes for each object, and for each thread a window of texts.

mod difference;
mod order;
mod search;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::TAG;
use super::idx::Packed;
use super::lookup::{Lookup, ReadError};
use super::writer::{Output, append_head, append_header};
use crate::base::compress::{Deflater, crc32};
use crate::base::durable::{self, sync_folder};
use crate::base::{Interrupt, Interrupted, Limits, Progress, Stage, faults};
use crate::git::{ObjectId, ObjectKind};
use order::{Class, Object};
use search::Window;

/// How many objects a thread takes at a time, at least and at most: it takes all of a path if it can.
const TASK: usize = 500;
const LONGEST_TASK: usize = 8000;
/// How much a thread collects before it writes.
const SEGMENT: usize = 4 << 20;
/// How many threads search at most: each has texts of its own.
const MAX_THREADS: usize = 4;
/// The bytes behind the last entry of a pack.
const TRAILER: u64 = 20;
/// Files beside a pack that say of it what would not hold of another one with its objects.
const KEPT: [&str; 3] = ["keep", "promisor", "mtimes"];
/// Files beside a pack that git makes again.
const DERIVED: [&str; 2] = ["rev", "bitmap"];

/// Why packs cannot be compacted. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    /// A stop was requested.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// An object, or a file that it would be in, is damaged or does not read.
    #[error("read what is to be compacted")]
    Read(#[from] ReadError),
    /// An object is not there any more.
    #[error("compact the packs in {}: somebody else has changed them meanwhile", path.display())]
    Changed {
        /// The folder of the packs.
        path: PathBuf,
    },
    /// The new pack cannot be written.
    #[error("write a pack into {}", path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

faults!(CompactError {
    Self::Interrupted(error) => of(error),
    Self::Read(error) => of(error).at(Here),
    Self::Changed { .. } => Unavailable.at(Here).hint("try again"),
    Self::Write { source, .. } => io(source).at(Here),
});

/// What compacting has made of packs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// How many objects there are.
    pub objects: usize,
    /// How many bytes the packs had.
    pub before: u64,
    /// How many bytes the new one has.
    pub after: u64,
    /// The name of the new one.
    pub name: String,
}

/// Packs of a folder, and the one that takes their place.
pub struct Compaction {
    folder: PathBuf,
    packs: Vec<PathBuf>,
    before: u64,
    objects: usize,
    output: Output,
}

/// The packs of `folder` that may be compacted, each with its bytes.
pub fn compactable(folder: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut packs = Vec::new();
    for index in super::indexes(folder)? {
        let pack = index.with_extension("pack");
        let is_kept = KEPT.iter().any(|suffix| pack.with_extension(suffix).exists());
        match fs::metadata(&pack) {
            Ok(data) if !is_kept => packs.push((pack, data.len())),
            _ => {}
        }
    }
    Ok(packs)
}

impl Compaction {
    /// Makes one pack of `packs`, which are in `objects/pack`, in a file without a name in `scratch`, on the
    /// same file system. Nothing else changes, and others may use the repository meanwhile.
    pub fn make(
        objects: &Path,
        packs: Vec<(PathBuf, u64)>,
        scratch: &Path,
        limits: &Limits,
        (progress, interrupt): (&dyn Progress, &Interrupt),
    ) -> Result<Self, CompactError> {
        let folder = objects.join("pack");
        let before = packs.iter().map(|(_, bytes)| bytes).sum();
        let packs: Vec<PathBuf> = packs.into_iter().map(|(pack, _)| pack).collect();
        progress.begin(Stage::CountingObjects, None);
        let mut lookup = Lookup::open(objects, limits)?;
        let list = order::objects(&mut lookup, &packs, interrupt)?;
        drop(lookup);
        progress.end();
        let failed = |source| CompactError::Write { path: scratch.to_owned(), source };
        let output = Output::new(scratch).map_err(failed)?;
        progress.begin(Stage::CompressingObjects, Some(list.len() as u64));
        let work = Work {
            tasks: tasks(&list),
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            output: Mutex::new(output),
            objects,
            scratch,
            limits,
            progress,
            interrupt,
        };
        work.run()?;
        let output = work.output.into_inner().unwrap_or_else(PoisonError::into_inner);
        progress.end();
        if output.objects.len() != list.len() {
            return Err(CompactError::Changed { path: folder });
        }
        Ok(Self { folder, packs, before, objects: list.len(), output })
    }

    /// Puts the new pack in the place of the others. Killed anywhere, every object is in some pack. Nobody
    /// else may write to the folder, and who has it open for reading must open it again.
    pub fn put(self) -> Result<Compacted, CompactError> {
        let Self { folder, packs, before, objects, output } = self;
        let is_there = |pack: &PathBuf| pack.exists() && pack.with_extension("idx").exists();
        if !packs.iter().all(is_there) {
            return Err(CompactError::Changed { path: folder });
        }
        let after = output.length + TRAILER;
        let replaced = || -> io::Result<PathBuf> {
            let saved = output.save(&folder)?;
            // An index of them all names packs that are gone in a moment.
            durable::remove_if_there(&folder.join("multi-pack-index"))?;
            for pack in packs.iter().filter(|pack| **pack != saved) {
                // The index first: an index without its pack is an error to readers.
                durable::remove_file(&pack.with_extension("idx"))?;
                for suffix in DERIVED {
                    durable::remove_if_there(&pack.with_extension(suffix))?;
                }
                durable::remove_file(pack)?;
            }
            sync_folder(&folder)?;
            Ok(saved)
        };
        match replaced() {
            Ok(saved) => {
                let name = saved.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                Ok(Compacted { objects, before, after, name })
            }
            Err(source) => Err(CompactError::Write { path: folder, source }),
        }
    }
}

/// Parts of a list that threads search on their own: as few paths as possible are parted.
fn tasks(list: &[Object]) -> Vec<&[Object]> {
    let mut tasks = Vec::new();
    let (mut start, mut previous): (usize, Option<Object>) = (0, None);
    for (at, object) in list.iter().enumerate() {
        let is_other = previous.is_some_and(|p| p.class != object.class);
        let is_path = previous.is_some_and(|p| p.path != object.path);
        let length = at - start;
        if is_other || length >= LONGEST_TASK || (is_path && length >= TASK) {
            tasks.extend(list.get(start..at));
            start = at;
        }
        previous = Some(*object);
    }
    tasks.extend(list.get(start..).filter(|rest| !rest.is_empty()));
    tasks
}

/// What the threads share.
struct Work<'w> {
    tasks: Vec<&'w [Object]>,
    next: AtomicUsize,
    /// Whether one has failed.
    stop: AtomicBool,
    output: Mutex<Output>,
    objects: &'w Path,
    scratch: &'w Path,
    limits: &'w Limits,
    progress: &'w dyn Progress,
    interrupt: &'w Interrupt,
}

impl Work<'_> {
    fn run(&self) -> Result<(), CompactError> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.min(MAX_THREADS).min(self.tasks.len()).max(1);
        thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.search())).collect();
            let mut result = Ok(());
            for thread in running {
                match thread.join() {
                    Ok(done) => result = result.and(done),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            result
        })
    }

    /// One thread: task after task.
    fn search(&self) -> Result<(), CompactError> {
        let result = self.tasks();
        if result.is_err() {
            self.stop.store(true, Ordering::Relaxed);
        }
        result
    }

    fn tasks(&self) -> Result<(), CompactError> {
        let mut lookup = Lookup::open(self.objects, self.limits)?;
        let mut segment = Segment::new(self);
        while !self.stop.load(Ordering::Relaxed) {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(task) = self.tasks.get(next) else { break };
            let mut window = Window::default();
            for object in *task {
                self.interrupt.check()?;
                let changed = || CompactError::Changed { path: self.objects.join("pack") };
                let (kind, text) = lookup.read(&object.id)?.ok_or_else(changed)?;
                let found = match object.class {
                    Class::Commit | Class::Tag => None,
                    Class::Tree | Class::Blob => window.delta(object.id, &text),
                };
                match found {
                    Some(found) => segment.add(object.id, kind, Some(found.base), &found.delta)?,
                    None => segment.add(object.id, kind, None, &text)?,
                }
                self.progress.advance(1);
            }
            segment.flush()?;
        }
        Ok(())
    }
}

/// One thread's entries that are not in the file yet.
struct Segment<'w> {
    work: &'w Work<'w>,
    deflater: Deflater,
    bytes: Vec<u8>,
    objects: Vec<Packed>,
    offsets: HashMap<ObjectId, usize>,
}

impl<'w> Segment<'w> {
    fn new(work: &'w Work<'w>) -> Self {
        Self {
            work,
            deflater: Deflater::thorough(),
            bytes: Vec::new(),
            objects: Vec::new(),
            offsets: HashMap::new(),
        }
    }

    fn add(
        &mut self,
        id: ObjectId,
        kind: Option<ObjectKind>,
        base: Option<ObjectId>,
        payload: &[u8],
    ) -> Result<(), CompactError> {
        let start = self.bytes.len();
        let base = base.map(|base| (base, self.offsets.get(&base).map(|offset| start - offset)));
        if base.is_some() {
            // The type of a delta is that of its base.
            append_head(&mut self.bytes, ObjectKind::Blob, base, payload.len());
        } else {
            let number = kind.map_or(TAG, ObjectKind::pack_type);
            append_header(&mut self.bytes, number, payload.len());
        }
        self.deflater.append(payload, &mut self.bytes);
        let crc = crc32(self.bytes.get(start..).unwrap_or_default());
        self.offsets.insert(id, start);
        self.objects.push(Packed { id, offset: start as u64, crc });
        if self.bytes.len() >= SEGMENT { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), CompactError> {
        let mut output = self.work.output.lock().unwrap_or_else(PoisonError::into_inner);
        let appended = output.append(&self.bytes, self.objects.drain(..));
        drop(output);
        self.bytes.clear();
        self.offsets.clear();
        let path = || self.work.scratch.to_owned();
        appended.map_err(|source| CompactError::Write { path: path(), source })
    }
}
