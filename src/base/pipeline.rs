//! Work that is handed over in batches to a thread beside the one that makes it.

use std::sync::mpsc::{IntoIter, SyncSender, sync_channel};

/// How many things are handed over at a time, at most.
const BATCH: usize = 64;
/// How many batches wait.
const BATCHES: usize = 4;

/// Something that takes memory while it waits.
pub trait Weight {
    /// How many bytes, about.
    fn bytes(&self) -> usize;
}

/// Takes things to be handed over.
#[derive(Debug)]
pub struct Batches<T> {
    sender: SyncSender<Vec<T>>,
    batch: Vec<T>,
    bytes: usize,
    most_bytes: usize,
}

/// Whoever takes things has stopped, for an error of its own: that is the one to tell.
#[derive(Clone, Copy, Debug)]
pub struct Stopped;

/// Runs `give`, while a thread beside it runs `take` on the batches that are handed over, of
/// `most_bytes` or a little more. If `take` fails, that is the error, whatever came of the other.
pub fn run_pipeline<I: Send + Weight, T, E: Send>(
    most_bytes: usize,
    take: impl FnOnce(IntoIter<Vec<I>>) -> Result<(), E> + Send,
    give: impl FnOnce(&mut Batches<I>) -> Result<T, E>,
) -> Result<T, E> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(BATCHES);
        let taking = scope.spawn(move || take(receiver.into_iter()));
        let mut batches = Batches { sender, batch: Vec::new(), bytes: 0, most_bytes };
        let made = give(&mut batches);
        if made.is_ok() {
            // Where nobody takes it, what `take` says is the error.
            let _ = batches.hand_over();
        }
        drop(batches);
        match taking.join() {
            Ok(taken) => taken.and(made),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

impl<T: Weight> Batches<T> {
    /// Has one thing taken, some time.
    pub fn add(&mut self, thing: T) -> Result<(), Stopped> {
        self.bytes = self.bytes.saturating_add(thing.bytes());
        self.batch.push(thing);
        let is_full = self.batch.len() >= BATCH || self.bytes >= self.most_bytes;
        if is_full { self.hand_over() } else { Ok(()) }
    }

    /// Has what was added taken, although it is not a whole batch.
    pub fn hand_over(&mut self) -> Result<(), Stopped> {
        self.bytes = 0;
        self.sender.send(std::mem::take(&mut self.batch)).map_err(|_| Stopped)
    }
}
