//! The worker threads, and waiting for them.

use std::any::Any;
use std::hash::Hash;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::job::{Job, JobId};
use super::store::{Closed, Load, MemoryStore, Receipt};
use crate::base::{Fault, Interrupt, Side, faults};

/// Does the jobs of a queue.
pub trait Worker<K, T>: Send + Sync + 'static {
    /// Does one job, on a worker thread. A panic counts as a failure that is our own fault.
    fn run(&self, job: &Job<K, T>, interrupt: &Interrupt) -> Result<T, Failure>;

    /// Learns of each job that is over, once, on a worker thread or on the one that closes the
    /// queue. The state that others see has changed before. Must be quick.
    fn over(&self, job: &Job<K, T>);
}

/// A queue that cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system gives us no thread.
    #[error("start worker thread {number}")]
    Spawn {
        /// The worker, counted from 1.
        number: usize,
        /// What the system said.
        source: io::Error,
    },
}

faults!(StartError => Unavailable);

/// Jobs by key, done by worker threads. Cheap to clone; clones share the jobs.
///
/// The threads end once the queue is closed and their runs are over.
pub struct Queue<K, T>(Arc<Shared<K, T>>);

impl<K, T> Clone for Queue<K, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Shared<K, T> {
    store: Mutex<MemoryStore<K, T>>,
    /// Notified of every change of the store. Few threads listen: the workers, and those in
    /// [`Queue::wait`]. Hundreds of requests wait by means of [`Worker::over`] instead.
    changed: Condvar,
    interrupt: Interrupt,
    worker: Box<dyn Worker<K, T>>,
}

impl<K, T> Queue<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + 'static,
{
    /// Starts `workers` threads that each run jobs by `worker`, and keeps the last `history` jobs of
    /// each key.
    pub fn start(
        workers: NonZeroUsize,
        history: usize,
        worker: impl Worker<K, T>,
    ) -> Result<Self, StartError> {
        let queue = Self(Arc::new(Shared {
            store: Mutex::new(MemoryStore::new(history)),
            changed: Condvar::new(),
            interrupt: Interrupt::default(),
            worker: Box::new(worker),
        }));
        for number in 1..=workers.get() {
            let shared = Arc::clone(&queue.0);
            let thread = thread::Builder::new().name(format!("worker-{number}"));
            if let Err(source) = thread.spawn(move || shared.work_until_closed()) {
                queue.close();
                return Err(StartError::Spawn { number, source });
            }
        }
        Ok(queue)
    }

    /// Asks for a run of `key` that begins after this call.
    pub fn request(&self, key: K) -> Result<Receipt, Closed> {
        let receipt = self.0.lock().request(key)?;
        self.0.changed.notify_all();
        Ok(receipt)
    }

    /// The job called `id`; `None` if there is none or so many of its key came after it that it
    /// was forgotten.
    pub fn job(&self, id: JobId) -> Option<Job<K, T>> {
        self.0.lock().job(id)
    }

    /// Waits until the job called `id` is over, or `timeout` has passed, and returns it as it is
    /// then. Blocks the thread.
    pub fn wait(&self, id: JobId, timeout: Duration) -> Option<Job<K, T>> {
        let is_over =
            |store: &MemoryStore<K, T>| store.job(id).is_none_or(|job| job.state.is_over());
        self.0.wait_until(timeout, is_over).job(id)
    }

    /// How much there is to do.
    pub fn load(&self) -> Load {
        self.0.lock().load()
    }

    /// Takes no more requests, drops the jobs that wait, and asks those that run to stop. Their
    /// states say so.
    pub fn close(&self) {
        self.0.interrupt.raise();
        let dropped = self.0.lock().close();
        self.0.changed.notify_all();
        for job in &dropped {
            self.0.tell(job);
        }
    }

    /// Waits until no run is under way or `timeout` has passed, and returns how many still are.
    /// Blocks the thread.
    pub fn wait_idle(&self, timeout: Duration) -> usize {
        self.0.wait_until(timeout, |store| store.load().running == 0).load().running
    }
}

impl<K, T> Shared<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + 'static,
{
    /// The store. It is whole even if a thread has panicked while it held the lock: its methods
    /// call nothing that can.
    fn lock(&self) -> MutexGuard<'_, MemoryStore<K, T>> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store once `done` holds for it, or as it is when `timeout` has passed.
    fn wait_until(
        &self,
        timeout: Duration,
        done: impl Fn(&MemoryStore<K, T>) -> bool,
    ) -> MutexGuard<'_, MemoryStore<K, T>> {
        let begin = Instant::now();
        let mut store = self.lock();
        while !done(&store) {
            let Some(left) = timeout.checked_sub(begin.elapsed()) else { break };
            let waited = self.changed.wait_timeout(store, left);
            store = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        store
    }

    fn work_until_closed(&self) {
        while let Some(job) = self.claim() {
            let run = || self.worker.run(&job, &self.interrupt);
            let result = catch_unwind(AssertUnwindSafe(run))
                .unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
            let over = self.lock().finish(job.id, result);
            self.changed.notify_all();
            if let Some(job) = over {
                self.tell(&job);
            }
        }
    }

    /// The next job, once there is one; `None` once the queue is closed.
    fn claim(&self) -> Option<Job<K, T>> {
        let mut store = self.lock();
        loop {
            if store.is_closed() {
                return None;
            }
            if let Some(job) = store.claim() {
                return Some(job);
            }
            store = self.changed.wait(store).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells of a job that is over. A panic there must not cost us the thread.
    fn tell(&self, job: &Job<K, T>) {
        let _ = catch_unwind(AssertUnwindSafe(|| self.worker.over(job)));
    }
}

/// The failure that a panic with the payload `panic` is for whoever asked for the job.
fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Failure {
        fault: Fault::Internal,
        side: Side::Here,
        message: format!("panicked: {}", text.unwrap_or("no message")),
        hint: Some("this is a mistake in synchroniser; please report it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::super::JobState;
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    type Outcome = Result<u32, Failure>;

    /// A worker that tells when a run begins, and ends it when it is told how.
    struct FakeWorker {
        begun: Mutex<Sender<(&'static str, Sender<Outcome>)>>,
        over: Mutex<Sender<(&'static str, JobState<u32>)>>,
    }

    impl Worker<&'static str, u32> for FakeWorker {
        fn run(&self, job: &Job<&'static str, u32>, interrupt: &Interrupt) -> Outcome {
            assert!(job.key != "panic", "as asked");
            let (end, ended) = channel();
            self.begun.lock().unwrap().send((job.key, end)).unwrap();
            match ended.recv() {
                Ok(outcome) => outcome,
                // The test has dropped the sender: run until the interrupt is raised.
                Err(_) => loop {
                    if interrupt.is_raised() {
                        return Err(failure("interrupted"));
                    }
                    thread::yield_now();
                },
            }
        }

        fn over(&self, job: &Job<&'static str, u32>) {
            let _ = self.over.lock().unwrap().send((job.key, job.state.clone()));
        }
    }

    fn failure(message: &str) -> Failure {
        Failure {
            fault: Fault::Interrupted,
            side: Side::Here,
            message: message.to_owned(),
            hint: None,
        }
    }

    struct Rig {
        queue: Queue<&'static str, u32>,
        begun: Receiver<(&'static str, Sender<Outcome>)>,
        over: Receiver<(&'static str, JobState<u32>)>,
    }

    fn rig(workers: usize) -> Rig {
        let (begun_sender, begun) = channel();
        let (over_sender, over) = channel();
        let worker = FakeWorker { begun: Mutex::new(begun_sender), over: Mutex::new(over_sender) };
        let workers = NonZeroUsize::new(workers).unwrap();
        Rig { queue: Queue::start(workers, 10, worker).unwrap(), begun, over }
    }

    #[test]
    fn keys_run_side_by_side_as_far_as_there_are_workers() {
        let Rig { queue, begun, over } = rig(2);
        let ids = ["a", "b", "c"].map(|key| queue.request(key).unwrap().id);
        let first = begun.recv_timeout(LONG).unwrap();
        let second = begun.recv_timeout(LONG).unwrap();
        assert_eq!((first.0, second.0), ("a", "b"));
        assert_eq!(queue.job(ids[2]).unwrap().state, JobState::Queued, "no worker is free");
        first.1.send(Ok(1)).unwrap();
        assert_eq!(over.recv_timeout(LONG).unwrap(), ("a", JobState::Done(1)));
        let third = begun.recv_timeout(LONG).unwrap();
        assert_eq!(third.0, "c");
        third.1.send(Ok(3)).unwrap();
        second.1.send(Err(failure("two"))).unwrap();
        let states = ids.map(|id| queue.wait(id, LONG).unwrap().state);
        assert_eq!(
            states,
            [JobState::Done(1), JobState::Failed(failure("two")), JobState::Done(3)]
        );
        assert_eq!(queue.wait_idle(LONG), 0);
        queue.close();
    }

    #[test]
    fn waiting_ends_with_the_time() {
        let Rig { queue, begun, over: _over } = rig(1);
        let id = queue.request("a").unwrap().id;
        let (_, end) = begun.recv_timeout(LONG).unwrap();
        assert_eq!(queue.wait(id, Duration::from_millis(1)).unwrap().state, JobState::Running);
        assert_eq!(queue.wait_idle(Duration::ZERO), 1);
        end.send(Ok(1)).unwrap();
        assert_eq!(queue.wait(id, LONG).unwrap().state, JobState::Done(1));
        queue.close();
    }

    #[test]
    fn a_panic_is_a_failure_and_the_worker_lives() {
        let Rig { queue, begun, over: _over } = rig(1);
        let id = queue.request("panic").unwrap().id;
        let JobState::Failed(failure) = queue.wait(id, LONG).unwrap().state else { panic!() };
        assert_eq!((failure.fault, &*failure.message), (Fault::Internal, "panicked: as asked"));
        let id = queue.request("a").unwrap().id;
        begun.recv_timeout(LONG).unwrap().1.send(Ok(1)).unwrap();
        assert_eq!(queue.wait(id, LONG).unwrap().state, JobState::Done(1));
        queue.close();
    }

    #[test]
    fn closing_interrupts_runs_and_drops_what_waits() {
        let Rig { queue, begun, over } = rig(1);
        let running = queue.request("a").unwrap().id;
        drop(begun.recv_timeout(LONG).unwrap());
        let pending = queue.request("b").unwrap().id;
        queue.close();
        assert_eq!(queue.wait_idle(LONG), 0);
        let interrupted = queue.wait(running, LONG).unwrap().state;
        assert_eq!(interrupted, JobState::Failed(failure("interrupted")));
        let JobState::Failed(dropped) = queue.job(pending).unwrap().state else { panic!() };
        assert_eq!(dropped.message, "dropped before it began: the daemon is stopping");
        assert_eq!(queue.request("c"), Err(Closed));
        let told: Vec<_> = (0..2).map(|_| over.recv_timeout(LONG).unwrap().0).collect();
        assert!(told.contains(&"a") && told.contains(&"b"), "{told:?}");
        assert!(begun.try_recv().is_err(), "nothing began after the queue was closed");
    }
}
