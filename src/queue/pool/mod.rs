//! The threads that run what is due.
//!
//! One thread, the dispatcher, asks the store for claims, as many as there are free workers, and renews
//! those that are held, each after a third of its lease. It sleeps until something is due, until
//! [`Pool::wake`] says that something was asked for, or until a run ends. The workers run what was
//! claimed, one run at a time each, and tell the store how it ended.
//!
//! ```text
//!            claim, renew                       claims                    run
//!   store <---------------- dispatcher <---------------------> workers -------> Runner
//!     ^      and finish                        ends               |
//!     '-----------------------------------------------------------'
//!                               release
//! ```
//!
//! How runs ended is noted by the dispatcher, of many together, with the next claim: what costs is the commit. Most runs
//! are looks of the schedule that find nothing; for these the worker does not wait. If the process ends before, they are
//! looked at once more.
//!
//! A claim that was lost raises the interrupt of its run, whose end is then not noted: the store refuses
//! it. A store that fails is tried again after a pause, for as long as it takes; what a worker has to say
//! to it is kept until it could be said, and the claim is renewed meanwhile.

mod dispatcher;
mod hold;
mod worker;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::job_store::{ClaimLimits, JobStore};
use super::model::{Claim, End, Finish, RunId};
use super::store_error::StoreError;
use crate::base::time::{Clock, Timestamp};
use crate::base::{Interrupt, faults};

/// How long a store that fails is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs mirrors.
pub trait Runner: Send + Sync {
    /// Runs the mirror that was claimed, on a thread of the pool, and says how that ended. Stops soon once
    /// `interrupt` is raised, and says so with [`Interrupted`](super::model::RunState::Interrupted). A panic counts as a failure that
    /// is our own mistake. `None` gives the claim back: there is no such mirror any more.
    fn run(&self, claim: &Claim, interrupt: &Interrupt) -> Option<Finish>;

    /// How the run of `claim` ended is in the store: like this, if that is known. Or its claim was given back, or was lost.
    fn over(&self, claim: &Claim, finish: Option<&Finish>) {
        let _ = (claim, finish);
    }
}

/// A pool that cannot be started.
#[derive(Debug, thiserror::Error)]
#[error("start a thread that runs mirrors")]
pub struct StartPoolError {
    /// What the system said.
    #[from]
    source: io::Error,
}

faults!(StartPoolError => Unavailable);

/// Threads that run what is due. They end once the pool is closed and the runs are over.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    store: Arc<dyn JobStore>,
    runner: Arc<dyn Runner>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Notified of what the dispatcher waits for.
    dispatch: Condvar,
    /// Notified of what workers wait for: claims, and the end.
    work: Condvar,
    /// Notified of ends of runs that were noted.
    noted: Condvar,
    /// Notified of each run that is over.
    over: Condvar,
}

struct State {
    limits: ClaimLimits,
    /// How many worker threads there are.
    workers: usize,
    /// Claims that no worker has taken yet.
    assigned: VecDeque<Claim>,
    /// Runs that have ended, which is not noted yet.
    ended: Vec<End>,
    /// Claims that are held, those of `assigned` and those that are being run.
    held: HashMap<RunId, Held>,
    /// Something was asked for, or a worker is free.
    is_woken: bool,
    is_closed: bool,
    beat: Timestamp,
    /// How the store has failed, if nothing has worked since.
    failing: Option<Failure>,
}

struct Held {
    claim: Claim,
    interrupt: Interrupt,
    renew_at: Instant,
    /// When the claim runs out.
    ends: Instant,
    /// Somebody else may have claimed the mirror.
    is_lost: bool,
    /// The run is over, and the store is being told.
    is_ending: bool,
    /// The store was told.
    is_noted: bool,
}

impl State {
    /// Takes a claim that no worker has yet. A mirror is not run here while an earlier run of it, whose
    /// claim was lost, has not stopped.
    fn take(&mut self) -> Option<(Claim, Interrupt)> {
        let held = self.held.values();
        let lost: Vec<_> = held.filter(|held| held.is_lost).map(|held| &held.claim).collect();
        let may_run =
            |claim: &Claim| !lost.iter().any(|lost| lost.key == claim.key && lost.run != claim.run);
        let claim = self.assigned.remove(self.assigned.iter().position(may_run)?)?;
        let interrupt = self.held.get(&claim.run).map(|held| held.interrupt.clone());
        Some((claim, interrupt.unwrap_or_default()))
    }
}

impl Pool {
    /// Starts a dispatcher, and as many workers as `limits` allows runs at a time.
    pub fn start(
        store: Arc<dyn JobStore>,
        runner: Arc<dyn Runner>,
        clock: Arc<dyn Clock>,
        limits: ClaimLimits,
    ) -> Result<Self, StartPoolError> {
        let state = State {
            limits,
            workers: 0,
            assigned: VecDeque::new(),
            ended: Vec::new(),
            held: HashMap::new(),
            is_woken: true,
            is_closed: false,
            beat: clock.now(),
            failing: None,
        };
        let pool = Self(Arc::new(Shared {
            store,
            runner,
            clock,
            state: Mutex::new(state),
            dispatch: Condvar::new(),
            work: Condvar::new(),
            noted: Condvar::new(),
            over: Condvar::new(),
        }));
        let watching = Arc::downgrade(&pool.0);
        pool.0.store.watch(Box::new(move || {
            if let Some(shared) = watching.upgrade() {
                Self(shared).wake();
            }
        }));
        let started = pool.spawn("dispatcher", Shared::dispatch).and_then(|()| pool.adjust(|_| {}));
        started.inspect_err(|_| pool.close())?;
        Ok(pool)
    }

    /// Changes the limits from the next claim on. What runs goes on.
    pub fn adjust(&self, change: impl FnOnce(&mut ClaimLimits)) -> Result<(), StartPoolError> {
        let mut state = self.0.lock();
        change(&mut state.limits);
        // Workers that are not needed any more stay, and get nothing.
        while state.workers < state.limits.short + state.limits.long {
            self.spawn("worker", Shared::work)?;
            state.workers += 1;
        }
        drop(state);
        self.wake();
        Ok(())
    }

    fn spawn(&self, name: &str, main: fn(&Shared)) -> Result<(), StartPoolError> {
        let shared = Arc::clone(&self.0);
        thread::Builder::new().name(name.to_owned()).spawn(move || main(&shared))?;
        Ok(())
    }

    /// Says that something was asked for: what is due is claimed now.
    pub fn wake(&self) {
        self.0.lock().is_woken = true;
        self.0.dispatch.notify_one();
    }

    /// Asks the run of a mirror to stop, if one is under way here. Returns whether there is one.
    pub fn interrupt(&self, key: &str) -> bool {
        let state = self.0.lock();
        let run = state.held.values().find(|held| held.claim.key == key);
        run.inspect(|held| held.interrupt.raise()).is_some()
    }

    /// When the dispatcher last went round. It does so every few seconds; if it does not, it hangs.
    pub fn beat(&self) -> Timestamp {
        self.0.lock().beat
    }

    /// Why the store can do nothing for us, if the last thing that it was to do failed.
    pub fn failing(&self) -> Option<Failure> {
        self.0.lock().failing.clone()
    }

    /// Claims nothing more. Runs that are under way go on to their end.
    pub fn drain(&self) {
        self.0.lock().is_closed = true;
        self.0.dispatch.notify_all();
        self.0.work.notify_all();
    }

    /// Claims nothing more, and asks the runs to stop; those that do give their claims back.
    pub fn close(&self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        for held in state.held.values() {
            held.interrupt.raise();
        }
        self.0.dispatch.notify_all();
        self.0.work.notify_all();
    }

    /// Waits until no run is under way or `timeout` has passed, and returns how many still are. Blocks the
    /// thread.
    pub fn wait_idle(&self, timeout: Duration) -> usize {
        let state = self.0.lock();
        let waited = self.0.over.wait_timeout_while(state, timeout, |state| !state.held.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).0.held.len()
    }
}

impl Shared {
    /// The state. It is whole even if a thread has panicked while it held the lock: nothing is called in
    /// between that can.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs an error of the store, once until it works again.
    fn failed(&self, what: &str, error: &StoreError) {
        let failure = Failure::of(error);
        let (fault, side) = (failure.fault.name(), failure.side.name());
        if self.lock().failing.replace(failure).is_none() {
            tracing::error!(
                fault,
                side,
                "failed to {what}: {error}; it is tried again until it works"
            );
        }
    }
}
