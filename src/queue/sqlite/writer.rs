//! The one thread that writes.
//!
//! A commit waits for the disk, some milliseconds each time. So whatever has arrived while the disk was
//! busy is done in one transaction, each operation in a savepoint of its own, and is answered once all
//! of it is on the disk: thousands of operations a second, each durable before its answer. An operation
//! that fails undoes itself and none of the others.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;

use super::open::BUSY;
use crate::queue::choose::Turns;
use crate::queue::store_error::StoreError;

/// Operations in one transaction.
const MOST: usize = 1000;
/// What was written goes from the log into the file itself once nothing was asked for so long.
const IDLE: Duration = Duration::from_secs(5);

/// What an operation works with.
pub(super) struct Work<'c> {
    pub(super) connection: &'c Connection,
    pub(super) turns: &'c mut Turns,
    pub(super) path: &'c Path,
}

impl Work<'_> {
    /// What `result` says, as an error of this store.
    pub(super) fn check<T>(&self, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        result.map_err(|error| StoreError::of(self.path, &error))
    }
}

/// Does an operation, or does not if there is nothing to do it with, and keeps its outcome until it is
/// told whether that is on the disk.
type Operation = Box<dyn FnOnce(Option<&mut Work<'_>>) -> Done + Send>;

struct Done {
    is_good: bool,
    /// Answers who asked: with what came out, or with why it was not written.
    answer: Box<dyn FnOnce(Result<(), StoreError>)>,
}

/// The thread that writes.
pub(super) struct Writer {
    operations: Option<Sender<Operation>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, path: PathBuf) -> io::Result<Self> {
        let (operations, receiver) = channel();
        let thread = thread::Builder::new().name("queue-writer".to_owned());
        let thread = thread.spawn(move || {
            let turns = Turns::default();
            Main { connection, turns, path, is_checkpointed: false }.write_until_closed(&receiver);
        })?;
        Ok(Self { operations: Some(operations), thread: Some(thread) })
    }

    /// Does `operation` in a transaction, and returns what came out once it is on the disk. If it fails,
    /// nothing of it is.
    pub(super) fn write<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&mut Work<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = sync_channel(1);
        let operation: Operation = Box::new(move |work| {
            let result = work.map(|work| {
                // A mistake of ours must not end the thread that all others need too.
                catch_unwind(AssertUnwindSafe(|| operation(work))).unwrap_or_else(|_| {
                    let message = "panicked: this is a mistake in synchroniser".to_owned();
                    Err(StoreError::Database { path: work.path.to_owned(), message })
                })
            });
            let is_good = result.as_ref().is_some_and(Result::is_ok);
            let answer = Box::new(move |written: Result<(), StoreError>| {
                let result = written.and_then(|()| result.unwrap_or(Err(StoreError::Closed)));
                // Nobody is there any more if it cannot be sent.
                drop(answer.send(result));
            });
            Done { is_good, answer }
        });
        let operations = self.operations.as_ref().ok_or(StoreError::Closed)?;
        operations.send(operation).map_err(|_| StoreError::Closed)?;
        answered.recv().unwrap_or(Err(StoreError::Closed))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Without senders, the thread does what has arrived and ends.
        self.operations = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// What the thread has.
struct Main {
    connection: Connection,
    turns: Turns,
    path: PathBuf,
    /// Whether nothing was written since the log was last emptied.
    is_checkpointed: bool,
}

impl Main {
    fn write_until_closed(&mut self, operations: &Receiver<Operation>) {
        loop {
            match operations.recv_timeout(IDLE) {
                Ok(first) => {
                    let more = operations.try_iter().take(MOST - 1);
                    let all: Vec<_> = std::iter::once(first).chain(more).collect();
                    self.is_checkpointed = false;
                    self.write(all);
                }
                Err(RecvTimeoutError::Timeout) => self.checkpoint(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.checkpoint();
    }

    /// Does all `operations` in one transaction, then answers them.
    fn write(&mut self, operations: Vec<Operation>) {
        let mut done = Vec::with_capacity(operations.len());
        let written = self.transact(operations, &mut done);
        if let Err(error) = &written {
            tracing::debug!(%error, "a transaction of the queue was undone");
            // Some errors have undone it already, and to do so again would be another.
            if !self.connection.is_autocommit() {
                drop(self.connection.execute_batch("ROLLBACK"));
            }
        }
        for one in done {
            let written = written.as_ref().copied();
            (one.answer)(written.map_err(|error| StoreError::of(&self.path, error)));
        }
    }

    /// An error says that nothing at all was written.
    fn transact(
        &mut self,
        operations: Vec<Operation>,
        done: &mut Vec<Done>,
    ) -> rusqlite::Result<()> {
        let connection = &self.connection;
        let mut work = Work { connection, turns: &mut self.turns, path: &self.path };
        // Immediate, since a transaction that reads first and then finds that somebody else writes fails
        // at once instead of waiting.
        let run = |sql: &str| connection.prepare_cached(sql)?.execute([]).map(drop);
        let mut state = run("BEGIN IMMEDIATE");
        for operation in operations {
            if state.is_ok() {
                state = run("SAVEPOINT operation");
            }
            if state.is_err() {
                done.push(operation(None));
                continue;
            }
            let one = operation(Some(&mut work));
            // An error of the disk undoes the whole transaction at once, and the savepoint with it.
            if !one.is_good {
                state = run("ROLLBACK TO operation");
            }
            done.push(one);
            state = state.and_then(|()| run("RELEASE operation"));
        }
        state.and_then(|()| run("COMMIT"))
    }

    /// Empties the log, unless somebody reads it just now: then it is tried again when there is nothing
    /// else to do.
    fn checkpoint(&mut self) {
        if self.is_checkpointed {
            return;
        }
        let select = "PRAGMA wal_checkpoint(TRUNCATE)";
        let is_busy = self.connection.busy_timeout(Duration::ZERO).and_then(|()| {
            self.connection.query_row(select, [], |columns| columns.get::<_, i64>(0))
        });
        drop(self.connection.busy_timeout(BUSY));
        match is_busy {
            Ok(busy) => self.is_checkpointed = busy == 0,
            Err(error) => tracing::debug!(%error, "the log of the queue could not be emptied"),
        }
    }
}
