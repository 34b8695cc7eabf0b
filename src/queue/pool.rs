//! The threads that run what is due.
//!
//! One thread, the dispatcher, asks the store for claims, as many as there are free workers, and renews
//! those that are held, each after a third of its lease. It sleeps until something is due, until
//! [`Pool::wake`] says that something was asked for, or until a run ends. The workers run what was
//! claimed, one run at a time each, and tell the store how it ended.
//!
//! ```text
//!            claim, renew                       claims                    run
//!   store <---------------- dispatcher ----------------------> workers -------> Runner
//!     ^                                                           |
//!     '-----------------------------------------------------------'
//!                          finish, or release
//! ```
//!
//! A claim that was lost raises the interrupt of its run, whose end is then not noted: the store refuses
//! it. A store that fails is tried again after a pause, for as long as it takes; what a worker has to say
//! to it is kept until it could be said, and the claim is renewed meanwhile.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::backoff::{Next, backoff};
use super::failure::Failure;
use super::job_store::{ClaimLimits, JobStore};
use super::model::{Claim, Finish, RunId, RunState, Weight};
use super::store_error::StoreError;
use crate::base::time::{Clock, Timestamp};
use crate::base::{Fault, Interrupt, faults};

/// The dispatcher looks again after this long, whatever it waits for: the clock may have been set.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// How long a store that fails is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs mirrors.
pub trait Runner: Send + Sync {
    /// Runs the mirror that was claimed, on a thread of the pool, and says how that ended. Stops soon once
    /// `interrupt` is raised, and says so with [`RunState::Interrupted`]. A panic counts as a failure that
    /// is our own mistake.
    fn run(&self, claim: &Claim, interrupt: &Interrupt) -> Finish;

    /// How the run of `claim` ended is in the store, or its claim was given back.
    fn over(&self, claim: &Claim) {
        let _ = claim;
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
    /// Notified of each run that is over.
    over: Condvar,
}

struct State {
    limits: ClaimLimits,
    /// How many worker threads there are.
    workers: usize,
    /// Claims that no worker has taken yet.
    assigned: VecDeque<Claim>,
    /// Claims that are held, those of `assigned` and those that are being run.
    held: HashMap<RunId, Held>,
    /// Something was asked for, or a worker is free.
    is_woken: bool,
    is_closed: bool,
    beat: Timestamp,
    /// The store has failed, and nothing has worked since.
    is_failing: bool,
}

struct Held {
    claim: Claim,
    interrupt: Interrupt,
    renew_at: Instant,
    /// When the claim runs out.
    ends: Instant,
    /// Somebody else may have claimed the mirror.
    is_lost: bool,
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
            held: HashMap::new(),
            is_woken: true,
            is_closed: false,
            beat: clock.now(),
            is_failing: false,
        };
        let pool = Self(Arc::new(Shared {
            store,
            runner,
            clock,
            state: Mutex::new(state),
            dispatch: Condvar::new(),
            work: Condvar::new(),
            over: Condvar::new(),
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

    /// What the dispatcher does until the pool is closed and nothing is held any more.
    fn dispatch(&self) {
        // When to claim although nobody says so.
        let mut claim_at = None;
        loop {
            self.renew();
            let is_wanted = {
                let mut state = self.lock();
                state.beat = self.clock.now();
                if state.is_closed && state.held.is_empty() {
                    return;
                }
                let is_due = claim_at.is_some_and(|at| at <= state.beat);
                (std::mem::take(&mut state.is_woken) || is_due) && !state.is_closed
            };
            if is_wanted {
                claim_at = self.claim();
            }
            self.sleep(claim_at);
        }
    }

    /// Sleeps until `until`, until a claim has to be renewed, or until somebody wakes the dispatcher.
    fn sleep(&self, until: Option<Timestamp>) {
        let state = self.lock();
        let renewals = state.held.values().filter(|held| !held.is_lost).map(|held| held.renew_at);
        let now = Instant::now();
        let renewal = renewals.min().map(|at| at.saturating_duration_since(now));
        let due = until.map(|until| until.since(self.clock.now()));
        let sleep = due.into_iter().chain(renewal).chain([LONGEST_SLEEP]).min();
        let is_asleep =
            |state: &mut State| !(state.is_woken || state.is_closed && state.held.is_empty());
        let sleep = sleep.unwrap_or(LONGEST_SLEEP);
        drop(self.dispatch.wait_timeout_while(state, sleep, is_asleep));
    }

    /// Claims what there are workers for. Returns when to claim again.
    fn claim(&self) -> Option<Timestamp> {
        let mut limits;
        {
            // A run whose claim was lost keeps its worker until it has stopped.
            let state = self.lock();
            limits = state.limits.clone();
            for lost in state.held.values().filter(|held| held.is_lost) {
                match lost.claim.weight {
                    Weight::Short => limits.short = limits.short.saturating_sub(1),
                    Weight::Long => limits.long = limits.long.saturating_sub(1),
                }
            }
        }
        let asked = Instant::now();
        let now = self.clock.now();
        let claimed = match self.store.claim(&limits, now) {
            Ok(claimed) => claimed,
            Err(error) => {
                self.failed("claim", &error);
                return Some(now.after(PAUSE));
            }
        };
        let mut state = self.lock();
        state.is_failing = false;
        for claim in claimed.claims {
            let interrupt = Interrupt::default();
            if state.is_closed {
                interrupt.raise();
            }
            let held = Held {
                claim: claim.clone(),
                interrupt,
                renew_at: asked + limits.lease / 3,
                ends: asked + limits.lease,
                is_lost: false,
            };
            state.held.insert(claim.run, held);
            state.assigned.push_back(claim);
            self.work.notify_one();
        }
        claimed.again
    }

    /// Renews the claims for which it is time.
    fn renew(&self) {
        let now = Instant::now();
        let is_due = |held: &&Held| !held.is_lost && held.renew_at <= now;
        let (due, lease) = {
            let state = self.lock();
            let due = state.held.values().filter(is_due).map(|held| held.claim.clone());
            (due.collect::<Vec<_>>(), state.limits.lease)
        };
        for claim in due {
            let asked = Instant::now();
            let renewed = self.store.renew(&claim, self.clock.now().after(lease));
            if let Err(error) = &renewed {
                self.failed("renew a claim", error);
            }
            let mut state = self.lock();
            state.is_failing &= renewed.is_err();
            let Some(held) = state.held.get_mut(&claim.run) else { continue };
            match renewed {
                Ok(true) => {
                    held.renew_at = asked + lease / 3;
                    held.ends = asked + lease;
                }
                // Nobody else could claim it before it ran out.
                Err(_) if asked < held.ends => held.renew_at = asked + PAUSE,
                Ok(false) | Err(_) => {
                    tracing::warn!(mirror = claim.key, run = %claim.run, "the claim was lost: its run stops");
                    held.is_lost = true;
                    held.interrupt.raise();
                }
            }
        }
    }

    /// What a worker does until the pool is closed.
    fn work(&self) {
        while let Some((claim, interrupt)) = self.next() {
            let finish = if interrupt.is_raised() {
                None
            } else {
                let run = || self.runner.run(&claim, &interrupt);
                let finish = catch_unwind(AssertUnwindSafe(run));
                Some(finish.unwrap_or_else(|panic| panicked(&claim, panic.as_ref(), self)))
            };
            self.end(&claim, finish.as_ref());
            self.runner.over(&claim);
            let mut state = self.lock();
            state.held.remove(&claim.run);
            state.is_woken = true;
            self.over.notify_all();
            self.dispatch.notify_one();
        }
    }

    /// The next claim, once there is one; `None` once the pool is closed and none is left.
    fn next(&self) -> Option<(Claim, Interrupt)> {
        let is_idle = |state: &mut State| state.assigned.is_empty() && !state.is_closed;
        let mut state =
            self.work.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
        let claim = state.assigned.pop_front()?;
        let interrupt = state.held.get(&claim.run).map(|held| held.interrupt.clone());
        Some((claim, interrupt.unwrap_or_default()))
    }

    /// Tells the store how a run ended, or that it was not begun: until it listens.
    fn end(&self, claim: &Claim, finish: Option<&Finish>) {
        loop {
            let is_closed = self.lock().is_closed;
            let now = self.clock.now();
            let told = match finish {
                Some(finish) if finish.state != RunState::Interrupted || !is_closed => {
                    self.store.finish(claim, finish, now)
                }
                _ => self.store.release(claim, now).map(|()| true),
            };
            match told {
                Ok(is_noted) => {
                    if !is_noted {
                        let Claim { key: mirror, run, .. } = claim;
                        tracing::warn!(mirror, %run, "a run ended whose claim was lost");
                    }
                    break;
                }
                Err(StoreError::Closed) => return,
                Err(error) => self.failed("note how a run ended", &error),
            }
            thread::sleep(PAUSE);
        }
        self.lock().is_failing = false;
    }

    /// Logs an error of the store, once until it works again.
    fn failed(&self, what: &str, error: &StoreError) {
        if !std::mem::replace(&mut self.lock().is_failing, true) {
            tracing::error!(%error, "failed to {what}; it is tried again until it works");
        }
    }
}

/// What becomes of a mirror whose run has panicked.
fn panicked(claim: &Claim, panic: &(dyn Any + Send), shared: &Shared) -> Finish {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let failure = Failure::internal(format!("panicked: {}", text.unwrap_or("no message")));
    let failures = claim.failures(Fault::Internal);
    let (due, park) = match backoff(Fault::Internal, failures, None, 1.0) {
        Next::At(pause) => (Some(shared.clock.now().after(pause)), false),
        Next::Park => (None, true),
    };
    Finish {
        state: RunState::Failed,
        failure: Some(failure),
        changed: false,
        details: String::new(),
        due,
        not_before: None,
        park,
        weight: claim.weight,
    }
}
