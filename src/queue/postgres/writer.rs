//! The one thread of a process that writes, over one connection.
//!
//! Whatever has arrived while the database was busy is done in one transaction, and answered once that is committed.
//! If something in it fails, each operation is done again in a transaction of its own, so that none pays for another.
//! A connection that was lost is made again; what was not committed over it is done again, once. Whether something
//! was committed whose answer did not arrive cannot be known: that is an error to whoever asked, and asking again
//! does no harm.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use postgres::Client;

use super::alone::{Memory, Work};
use super::batch::{Batch, Needs};
use super::connection::Connector;
use super::homes::Process;
use super::listener::{self, Told};
use super::trouble::{Problem, Trouble};
use crate::queue::store_error::StoreError;

/// Operations in one transaction.
const MOST: usize = 500;
/// How often one is done again that others were in the way of.
const TRIES: usize = 5;
/// After a server could not be reached it is left alone for so long, so that nobody waits for the same again.
const LEFT_ALONE: Duration = Duration::from_millis(500);

/// An operation of a batch; it can be done again.
trait Batched: Send {
    fn needs(&self) -> &Needs;
    fn apply(&mut self, batch: &mut Batch);
    fn answer(self: Box<Self>, written: Result<(), StoreError>);
}

struct OfBatch<T, F> {
    needs: Needs,
    apply: F,
    result: Option<Result<T, StoreError>>,
    answer: SyncSender<Result<T, StoreError>>,
}

impl<T: Send, F> Batched for OfBatch<T, F>
where
    F: FnMut(&mut Batch) -> Result<T, StoreError> + Send,
{
    fn needs(&self) -> &Needs {
        &self.needs
    }

    fn apply(&mut self, batch: &mut Batch) {
        self.result = Some((self.apply)(batch));
    }

    fn answer(self: Box<Self>, written: Result<(), StoreError>) {
        let Self { result, answer, .. } = *self;
        let result = written.and_then(|()| result.unwrap_or(Err(StoreError::Closed)));
        // Nobody is there any more if it cannot be sent.
        drop(answer.send(result));
    }
}

/// An operation with a transaction of its own; it can be done again.
trait Alone: Send {
    fn run(&mut self, work: &mut Work<'_>) -> Result<(), Trouble>;
    fn answer(self: Box<Self>, written: Result<(), StoreError>);
}

struct OfItself<T, F> {
    run: F,
    result: Option<T>,
    answer: SyncSender<Result<T, StoreError>>,
}

impl<T: Send, F> Alone for OfItself<T, F>
where
    F: FnMut(&mut Work<'_>) -> Result<T, Trouble> + Send,
{
    fn run(&mut self, work: &mut Work<'_>) -> Result<(), Trouble> {
        self.result = Some((self.run)(work)?);
        Ok(())
    }

    fn answer(self: Box<Self>, written: Result<(), StoreError>) {
        let Self { result, answer, .. } = *self;
        drop(answer.send(written.and_then(|()| result.ok_or(StoreError::Closed))));
    }
}

enum Operation {
    Batched(Box<dyn Batched>),
    /// The second one comes after all that is batched, and is committed with it.
    Last(Box<dyn Batched>, Box<dyn Alone>),
    Alone(Box<dyn Alone>),
}

/// The thread that writes.
pub(super) struct Writer {
    operations: Option<Sender<Operation>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        connector: Arc<Connector>,
        client: Client,
        node: Process,
    ) -> io::Result<Self> {
        let (operations, receiver) = channel();
        let thread = thread::Builder::new().name("queue-writer".to_owned());
        let (client, memory) = (Some(client), Memory::default());
        let told = Told::default();
        let main = Main { connector, client, failed: None, node, memory, told };
        let thread = thread.spawn(move || main.write_until_closed(&receiver))?;
        Ok(Self { operations: Some(operations), thread: Some(thread) })
    }

    /// Does `apply` together with others, and returns what came out once it is committed.
    pub(super) fn write<T: Send + 'static>(
        &self,
        needs: Needs,
        apply: impl FnMut(&mut Batch) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = sync_channel(1);
        let operation = OfBatch { needs, apply, result: None, answer };
        self.send(Operation::Batched(Box::new(operation)))?;
        answered.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Does `apply` together with others, and `run` after what else has arrived. Returns what came out of both once all
    /// that is committed.
    pub(super) fn write_last<A: Send + 'static, T: Send + 'static>(
        &self,
        needs: Needs,
        apply: impl FnMut(&mut Batch) -> Result<A, StoreError> + Send + 'static,
        run: impl FnMut(&mut Work<'_>) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<(A, T), StoreError> {
        let (tell_applied, applied) = sync_channel(1);
        let batched = OfBatch { needs, apply, result: None, answer: tell_applied };
        let (tell_done, done) = sync_channel(1);
        let last = OfItself { run, result: None, answer: tell_done };
        self.send(Operation::Last(Box::new(batched), Box::new(last)))?;
        let applied = applied.recv().unwrap_or(Err(StoreError::Closed));
        let done = done.recv().unwrap_or(Err(StoreError::Closed));
        Ok((applied?, done?))
    }

    /// Does `run` in a transaction of its own, and returns what came out once it is committed.
    pub(super) fn write_alone<T: Send + 'static>(
        &self,
        run: impl FnMut(&mut Work<'_>) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = sync_channel(1);
        self.send(Operation::Alone(Box::new(OfItself { run, result: None, answer })))?;
        answered.recv().unwrap_or(Err(StoreError::Closed))
    }

    fn send(&self, operation: Operation) -> Result<(), StoreError> {
        let operations = self.operations.as_ref().ok_or(StoreError::Closed)?;
        operations.send(operation).map_err(|_| StoreError::Closed)
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

/// How far a transaction came that went wrong.
enum Undone {
    /// Nothing of it was committed.
    Known(Trouble),
    /// It may have been committed.
    Unknown(Trouble),
}

/// What the thread has.
struct Main {
    connector: Arc<Connector>,
    client: Option<Client>,
    /// When the server could not be reached, and why.
    failed: Option<(Instant, Problem, String)>,
    /// The process that we are.
    node: Process,
    memory: Memory,
    told: Told,
}

impl Main {
    fn write_until_closed(mut self, operations: &Receiver<Operation>) {
        loop {
            let first = match self.told.wait() {
                None => operations.recv().ok(),
                Some(wait) => match operations.recv_timeout(wait) {
                    Ok(first) => Some(first),
                    Err(RecvTimeoutError::Timeout) => {
                        self.tell();
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => None,
                },
            };
            let Some(first) = first else { return };
            let more = operations.try_iter().take(MOST - 1);
            let (mut together, mut alone) = (Together::default(), Vec::new());
            for operation in std::iter::once(first).chain(more) {
                match operation {
                    Operation::Batched(operation) => together.batched.push(operation),
                    Operation::Last(batched, last) => {
                        together.batched.push(batched);
                        together.last.push(last);
                    }
                    Operation::Alone(operation) => alone.push(operation),
                }
            }
            self.write_together(together);
            for mut operation in alone {
                let written = self.insist(|main| main.transact(|work| operation.run(work)));
                operation.answer(written);
            }
            if self.told.wait().is_some_and(|wait| wait.is_zero()) {
                self.tell();
            }
        }
    }

    /// Tells other processes that something was asked for.
    fn tell(&mut self) {
        self.told = Told::now();
        if let Some(client) = &mut self.client
            && let Err(trouble) = listener::tell(client, &self.node.id.to_string())
        {
            tracing::debug!(?trouble, "other processes were not told what was asked for");
            // In whatever state it is.
            self.client = None;
        }
    }

    /// Does all of `together` in one transaction; or each in its own, if that cannot be done.
    fn write_together(&mut self, mut together: Together) {
        let written = match together.count() {
            0 => return,
            1 => self.insist(|main| main.transact(|work| together.apply(work))),
            _ => match self.transact(|work| together.apply(work)) {
                Ok(()) => Ok(()),
                Err(Undone::Unknown(trouble)) => Err(self.connector.error(&trouble)),
                Err(Undone::Known(trouble)) => {
                    tracing::debug!(?trouble, "a transaction of the queue was undone");
                    return together.apart().for_each(|one| self.write_together(one));
                }
            },
        };
        let mut batched = together.batched.iter();
        let is_asked_for = batched.any(|operation| operation.needs().asks);
        if self.connector.is_shared() && written.is_ok() && is_asked_for {
            self.told.ask();
        }
        let place = self.connector.place();
        let answer = || written.as_ref().copied().map_err(|error| again(error, place));
        together.batched.into_iter().for_each(|operation| operation.answer(answer()));
        together.last.into_iter().for_each(|operation| operation.answer(answer()));
    }

    /// Does something until it is done, or until it is clear that it cannot be now.
    fn insist(
        &mut self,
        mut attempt: impl FnMut(&mut Self) -> Result<(), Undone>,
    ) -> Result<(), StoreError> {
        let mut is_reconnected = false;
        for left in (0..TRIES).rev() {
            match attempt(self) {
                Ok(()) => return Ok(()),
                Err(Undone::Known(trouble)) if left > 0 && trouble.was_in_the_way() => {}
                // One that nobody has used for a while may have ended long ago.
                Err(Undone::Known(trouble))
                    if left > 0 && trouble.ends_connection() && !is_reconnected =>
                {
                    is_reconnected = true;
                }
                Err(Undone::Known(trouble) | Undone::Unknown(trouble)) => {
                    return Err(self.connector.error(&trouble));
                }
            }
        }
        Err(StoreError::Closed)
    }

    fn take_client(&mut self) -> Result<Client, Trouble> {
        if let Some(client) = self.client.take().filter(|client| !client.is_closed()) {
            return Ok(client);
        }
        if let Some((when, problem, message)) = &self.failed
            && when.elapsed() < LEFT_ALONE
        {
            return Err(Trouble::of(*problem, message.clone()));
        }
        let connected = self.connector.connect();
        self.failed = connected
            .as_ref()
            .err()
            .map(|trouble| (Instant::now(), trouble.problem(), trouble.message()));
        connected
    }

    /// Does `run` in a transaction.
    fn transact(
        &mut self,
        run: impl FnOnce(&mut Work<'_>) -> Result<(), Trouble>,
    ) -> Result<(), Undone> {
        let mut client = self.take_client().map_err(Undone::Known)?;
        let connector = Arc::clone(&self.connector);
        let done = connector.begin(&mut client, "BEGIN").and_then(|ahead| {
            let (node, memory) = (&self.node, &mut self.memory);
            let mut work = Work { client: &mut client, ahead, node, memory };
            // A mistake of ours must not end the thread that all others need too.
            catch_unwind(AssertUnwindSafe(|| run(&mut work))).unwrap_or_else(|_| {
                let message = "panicked: this is a mistake in synchroniser";
                Err(Trouble::of(Problem::Other, message))
            })
        });
        let done = match done {
            Ok(()) => client.batch_execute("COMMIT").map_err(|error| {
                let trouble = Trouble::from(error);
                match trouble.ends_connection() {
                    true => Undone::Unknown(trouble),
                    false => Undone::Known(trouble),
                }
            }),
            Err(trouble) => Err(Undone::Known(trouble)),
        };
        let is_of_use = match &done {
            Ok(()) => true,
            Err(Undone::Known(trouble)) if !trouble.ends_connection() => {
                client.batch_execute("ROLLBACK").is_ok()
            }
            Err(_) => false,
        };
        if is_of_use {
            self.client = Some(client);
        }
        done
    }
}

/// Operations that are committed together.
#[derive(Default)]
struct Together {
    batched: Vec<Box<dyn Batched>>,
    last: Vec<Box<dyn Alone>>,
}

impl Together {
    fn count(&self) -> usize {
        self.batched.len() + self.last.len()
    }

    /// Each by itself.
    fn apart(self) -> impl Iterator<Item = Self> {
        let batched = self.batched.into_iter();
        let batched = batched.map(|one| Self { batched: vec![one], last: Vec::new() });
        let last = self.last.into_iter();
        batched.chain(last.map(|one| Self { batched: Vec::new(), last: vec![one] }))
    }

    fn apply(&mut self, work: &mut Work<'_>) -> Result<(), Trouble> {
        if !self.batched.is_empty() {
            let needs = Needs::of(self.batched.iter().map(|operation| operation.needs()));
            let mut batch = Batch::read(work.client, work.ahead, &needs)?;
            for operation in &mut self.batched {
                operation.apply(&mut batch);
            }
            if !batch.is_unchanged() {
                batch.write(work.client, work.ahead, work.node)?;
            }
        }
        self.last.iter_mut().try_for_each(|operation| operation.run(work))
    }
}

/// The same error for one more who waits for it.
fn again(error: &StoreError, place: &str) -> StoreError {
    let (problem, message) = match error {
        StoreError::Server { problem, message, .. } => (*problem, message.clone()),
        other => (Problem::Other, other.to_string()),
    };
    StoreError::Server { place: place.to_owned(), problem, message }
}
