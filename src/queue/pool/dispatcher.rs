//! The thread that claims what is due, and renews what is held.

use std::time::{Duration, Instant};

use super::{Held, PAUSE, Shared, State};
use crate::base::Interrupt;
use crate::base::time::Timestamp;
use crate::queue::model::Weight;

/// The dispatcher looks again after this long, whatever it waits for: the clock may have been set.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// For so long it waits for runs whose ends are being noted, to claim for all their workers at once.
const GATHER: Duration = Duration::from_millis(5);

impl Shared {
    /// What the dispatcher does until the pool is closed and nothing is held any more.
    pub(super) fn dispatch(&self) {
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
                self.gather();
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

    /// Lets workers come free that are about to.
    fn gather(&self) {
        let are_ending = |state: &mut State| state.held.values().any(|held| held.is_ending);
        drop(self.dispatch.wait_timeout_while(self.lock(), GATHER, are_ending));
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
        state.failing = None;
        if state.is_closed {
            // Closed meanwhile: there may be no worker any more.
            drop(state);
            claimed.claims.iter().for_each(|claim| self.end(claim, None));
            return None;
        }
        for claim in claimed.claims {
            let held = Held {
                claim: claim.clone(),
                interrupt: Interrupt::default(),
                renew_at: asked + limits.lease / 3,
                ends: asked + limits.lease,
                is_lost: false,
                is_ending: false,
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
            if renewed.is_ok() {
                state.failing = None;
            }
            let Some(held) = state.held.get_mut(&claim.run) else { continue };
            match renewed {
                Ok(true) => {
                    held.renew_at = asked + lease / 3;
                    held.ends = asked + lease;
                }
                // Nobody else could claim it before it ran out.
                Err(_) if asked < held.ends => held.renew_at = asked + PAUSE,
                // It is over; only that its worker has not said so yet.
                Ok(false) if held.is_ending => {}
                Ok(false) | Err(_) => {
                    tracing::warn!(mirror = claim.key, run = %claim.run, "the claim was lost: its run stops");
                    held.is_lost = true;
                    held.interrupt.raise();
                }
            }
        }
    }
}
