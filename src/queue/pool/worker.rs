//! The threads that run what was claimed, one run at a time each.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::thread;

use super::{PAUSE, Shared, State};
use crate::base::{Fault, Interrupt};
use crate::queue::backoff::{Next, backoff};
use crate::queue::failure::Failure;
use crate::queue::model::{Claim, End, Finish, RunState};
use crate::queue::store_error::StoreError;

impl Shared {
    /// What a worker does until the pool is closed.
    pub(super) fn work(&self) {
        while let Some((claim, interrupt)) = self.next() {
            let finish = if interrupt.is_raised() {
                None
            } else {
                let run = || self.runner.run(&claim, &interrupt);
                let finish = catch_unwind(AssertUnwindSafe(run));
                finish.unwrap_or_else(|panic| Some(panicked(&claim, panic.as_ref(), self)))
            };
            if let Some(held) = self.lock().held.get_mut(&claim.run) {
                held.is_ending = true;
            }
            match finish {
                Some(finish) if finish.found_nothing() => {
                    self.lock().ended.push(End { claim, finish });
                }
                Some(finish) if finish.state != RunState::Interrupted || !self.is_closed() => {
                    self.note(&claim, &finish);
                    self.over(&claim, Some(&finish));
                    self.lock().is_woken = true;
                }
                finish => {
                    self.release(&claim);
                    self.over(&claim, finish.as_ref());
                    self.lock().is_woken = true;
                }
            }
            self.dispatch.notify_one();
        }
    }

    fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Has the dispatcher note how a run ended, with all others that end now, and waits until it is noted.
    fn note(&self, claim: &Claim, finish: &Finish) {
        let mut state = self.lock();
        state.ended.push(End { claim: claim.clone(), finish: finish.clone() });
        state.is_woken = true;
        self.dispatch.notify_one();
        let is_waiting =
            |state: &mut State| state.held.get(&claim.run).is_some_and(|held| !held.is_noted);
        drop(self.noted.wait_while(state, is_waiting));
    }

    /// The run is over, and so is its claim.
    pub(super) fn over(&self, claim: &Claim, finish: Option<&Finish>) {
        // A panic there must not cost us the thread.
        drop(catch_unwind(AssertUnwindSafe(|| self.runner.over(claim, finish))));
        let ended = self.lock().held.remove(&claim.run);
        if ended.is_some_and(|held| held.is_lost) {
            // A later claim of the mirror may have waited for it.
            self.work.notify_all();
        }
        self.over.notify_all();
    }

    /// The next claim, once there is one; `None` once the pool is closed and none is left.
    fn next(&self) -> Option<(Claim, Interrupt)> {
        let mut state = self.lock();
        loop {
            if let Some(taken) = state.take() {
                return Some(taken);
            }
            if state.is_closed && state.assigned.is_empty() {
                return None;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells the store that a run is not begun, or is to be begun anew: until it listens.
    pub(super) fn release(&self, claim: &Claim) {
        loop {
            match self.store.release(claim, self.clock.now()) {
                Ok(()) => break,
                Err(StoreError::Closed) => return,
                Err(error) => self.failed("give a claim back", &error),
            }
            thread::sleep(PAUSE);
        }
        self.lock().failing = None;
    }
}

/// Says that the claim of a run was lost before it ended.
pub(super) fn lost(claim: &Claim) {
    let Claim { key: mirror, run, .. } = claim;
    tracing::warn!(mirror, %run, "a run ended whose claim was lost");
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
        unremarkable: false,
        details: String::new(),
        due,
        not_before: None,
        park,
        weight: claim.weight,
    }
}
