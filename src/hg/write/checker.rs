//! Checks whole revlogs, on all cores, while others still come.

use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use bstr::BString;

use super::error::WriteError;
use crate::base::compress::Decompressor;
use crate::base::{Interrupt, Interrupted, Limits};
use crate::hg::revlog::{
    Flags, Revlog, RevlogError, RevlogFiles, RevlogReader, Text, TextCache, check_nodes,
};
use crate::hg::{Rev, filelog};

/// A revlog that is to be checked.
///
/// In the order of their sizes: the largest are taken first, so that no core is idle at the end.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Job {
    /// What its files take, in bytes.
    pub(super) size: u64,
    /// What the names of its files have in common, not encoded.
    pub(super) stem: BString,
    pub(super) files: RevlogFiles,
}

/// The revision of a revlog that belongs to the latest changeset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newest {
    pub(super) rev: Rev,
    /// The number of the changeset. A negative one is beyond all of them.
    pub(super) link: i32,
}

impl Newest {
    /// Whether a revision that belongs to the changeset `link` is newer.
    pub(super) fn is_before(self, link: i32) -> bool {
        self.link.cast_unsigned() < link.cast_unsigned()
    }
}

/// What a revlog is found to be; a sound one without a revision has no newest.
type Checked = Result<Option<Newest>, WriteError>;

/// Workers, and what they have to do. Dropped, it ends what they do.
pub(super) struct Checker {
    queue: Arc<Queue>,
    workers: Vec<JoinHandle<()>>,
    found: Receiver<(Job, Checked)>,
}

impl Checker {
    pub(super) fn begin(limits: &Limits, interrupt: &Interrupt) -> Self {
        let queue = Arc::new(Queue::default());
        let (sender, found) = channel();
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let worker = || {
            let sender = sender.clone();
            let mut worker = Worker {
                queue: queue.clone(),
                limits: limits.clone(),
                interrupt: interrupt.clone(),
                texts: TextCache::new(0),
                decompressor: Decompressor::default(),
            };
            std::thread::spawn(move || worker.run(&sender))
        };
        let workers = (0..count).map(|_| worker()).collect();
        Self { queue, workers, found }
    }

    /// Has a revlog checked. Its files must not change any more.
    pub(super) fn add(&self, job: Job) {
        self.queue.lock().jobs.push(job);
        self.queue.changed.notify_one();
    }

    /// Gives each revlog and what is found to `each`, until everything is checked or `each` fails.
    pub(super) fn finish(
        mut self,
        mut each: impl FnMut(Job, Checked) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        self.queue.lock().is_complete = true;
        self.queue.changed.notify_all();
        self.found.iter().try_for_each(|(job, checked)| each(job, checked))?;
        for worker in self.workers.drain(..) {
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
        }
        Ok(())
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        self.queue.is_over.store(true, Ordering::Relaxed);
        self.queue.lock().is_complete = true;
        self.queue.changed.notify_all();
        for worker in self.workers.drain(..) {
            // Whoever drops this before its end has an error already.
            let _ = worker.join();
        }
    }
}

#[derive(Default)]
struct Jobs {
    jobs: BinaryHeap<Job>,
    /// No more will come.
    is_complete: bool,
}

#[derive(Default)]
struct Queue {
    jobs: Mutex<Jobs>,
    changed: Condvar,
    /// Nobody wants to know any more.
    is_over: AtomicBool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job; waits for it. `None` if there will be none.
    fn next(&self) -> Option<Job> {
        let waits = |jobs: &mut Jobs| jobs.jobs.is_empty() && !jobs.is_complete;
        let waited = self.changed.wait_while(self.lock(), waits);
        waited.unwrap_or_else(PoisonError::into_inner).jobs.pop()
    }

    fn check(&self) -> Result<(), Interrupted> {
        if self.is_over.load(Ordering::Relaxed) { Err(Interrupted) } else { Ok(()) }
    }
}

/// What one thread does.
struct Worker {
    queue: Arc<Queue>,
    limits: Limits,
    interrupt: Interrupt,
    texts: TextCache,
    decompressor: Decompressor,
}

impl Worker {
    fn run(&mut self, found: &Sender<(Job, Checked)>) {
        while let Some(job) = self.queue.next() {
            let checked = self.check(&job);
            if found.send((job, checked)).is_err() {
                return;
            }
        }
    }

    fn check(&mut self, Job { stem, files, .. }: &Job) -> Checked {
        let Some(revlog) = Revlog::open(&stem.to_string(), files, &self.limits)? else {
            return Ok(None);
        };
        self.texts.reset(revlog.kept_bytes());
        let Self { queue, interrupt, texts, decompressor, .. } = self;
        let go_on = || interrupt.check().and_then(|()| queue.check());
        let is_file = stem.starts_with(b"data/");
        revlog.read_on(texts, decompressor, |reader| check_all(reader, is_file, go_on))
    }
}

/// Checks all revisions, as long as it may go on.
fn check_all(
    reader: &mut RevlogReader<'_>,
    is_file: bool,
    go_on: impl Fn() -> Result<(), Interrupted>,
) -> Checked {
    let revlog = reader.revlog();
    let mut newest = None;
    let mut texts = Texts::default();
    for rev in revlog.revs() {
        go_on()?;
        let entry = revlog.entry(rev)?;
        let link = entry.link;
        if newest.is_none_or(|newest: Newest| newest.is_before(link)) {
            newest = Some(Newest { rev, link });
        }
        // What is wrong with a text may be that an earlier one is.
        let text = match reader.unchecked_text(rev) {
            Ok(text) => text,
            Err(error) => return Err(texts.check(revlog).err().unwrap_or(error).into()),
        };
        match entry.flags {
            Flags(Flags::CENSORED) if is_file => {
                if !filelog::is_tombstone(&text) {
                    let what = "it does not say that it was censored";
                    return Err(revlog.malformed(rev, what).into());
                }
            }
            flags if flags.is_external() && is_file => {}
            _ => texts.add(revlog, rev, text)?,
        }
    }
    texts.check(revlog)?;
    Ok(newest)
}

/// Texts of one revlog that are not checked yet.
#[derive(Default)]
struct Texts {
    texts: Vec<(Rev, Text)>,
    bytes: usize,
}

impl Texts {
    /// How many are checked at a time, and how many bytes of them: more would have left the
    /// processor's caches by then.
    const MOST: usize = 16;
    const MOST_BYTES: usize = 512 << 10;

    fn add(&mut self, revlog: &Revlog, rev: Rev, text: Text) -> Result<(), RevlogError> {
        self.bytes = self.bytes.saturating_add(text.len());
        self.texts.push((rev, text));
        match self.texts.len() >= Self::MOST || self.bytes >= Self::MOST_BYTES {
            true => self.check(revlog),
            false => Ok(()),
        }
    }

    fn check(&mut self, revlog: &Revlog) -> Result<(), RevlogError> {
        let texts: Vec<_> = self.texts.iter().map(|(rev, text)| (*rev, text.as_slice())).collect();
        check_nodes(revlog, &texts)?;
        self.texts.clear();
        self.bytes = 0;
        Ok(())
    }
}
