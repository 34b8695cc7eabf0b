//! The thread that notes how runs ended, claims what is due, and renews what is held.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::worker::lost;
use super::{Held, PAUSE, Shared, State};
use crate::base::Interrupt;
use crate::base::time::Timestamp;
use crate::queue::job_store::ClaimLimits;
use crate::queue::model::{Claimed, End, EndState, Finish, Weight};
use crate::queue::store_error::StoreError;

/// The dispatcher looks again after this long, whatever it waits for: the clock may have been set.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// For so long it waits for runs whose ends are being noted, to claim for all their workers at once.
const GATHER: Duration = Duration::from_millis(5);
/// If only looks that found nothing have ended, it waits for so long for more of them, until a quarter of all runs is over.
const BATCH: Duration = Duration::from_millis(50);

impl Shared {
    /// What the dispatcher does until the pool is closed and nothing is held any more.
    pub(super) fn dispatch(&self) {
        // When to claim although nobody says so; and not to note before when what was not noted.
        let (mut claim_at, mut note_at) = (None, None);
        loop {
            self.renew();
            let (is_woken, may_claim, has_ended) = {
                let mut state = self.lock();
                state.beat = self.clock.now();
                if state.is_closed && state.held.is_empty() {
                    return;
                }
                let is_due = claim_at.is_some_and(|at| at <= state.beat);
                let is_woken = std::mem::take(&mut state.is_woken) || is_due;
                note_at = note_at.filter(|at| Instant::now() < *at);
                let has_ended = note_at.is_none() && !state.ended.is_empty();
                (is_woken, !state.is_closed, has_ended)
            };
            if may_claim && is_woken || has_ended {
                self.gather(is_woken, claim_at);
                (claim_at, note_at) = self.turn();
            }
            self.sleep(claim_at, note_at);
        }
    }

    /// Sleeps until `until`, until a claim has to be renewed, or until somebody wakes the dispatcher. What was not noted
    /// waits until `note_at`.
    fn sleep(&self, until: Option<Timestamp>, note_at: Option<Instant>) {
        let state = self.lock();
        let renewals = state.held.values().filter(|held| !held.is_lost).map(|held| held.renew_at);
        let now = Instant::now();
        let renewal = renewals.min().map(|at| at.saturating_duration_since(now));
        let due = until.map(|until| until.since(self.clock.now()));
        let noting = note_at.map(|at| at.saturating_duration_since(now));
        let sleep = due.into_iter().chain(renewal).chain(noting).chain([LONGEST_SLEEP]).min();
        let is_asleep = |state: &mut State| {
            let is_over = state.is_closed && state.held.is_empty();
            !(state.is_woken || is_over || note_at.is_none() && !state.ended.is_empty())
        };
        let sleep = sleep.unwrap_or(LONGEST_SLEEP);
        drop(self.dispatch.wait_timeout_while(state, sleep, is_asleep));
    }

    /// Lets runs end that are about to, so that they are noted together, and claims are for all their workers at once.
    fn gather(&self, is_woken: bool, claim_at: Option<Timestamp>) {
        let mut state = self.lock();
        if !is_woken {
            let until = claim_at.map(|at| at.since(self.clock.now()));
            let wait = until.into_iter().chain([BATCH]).min().unwrap_or(BATCH);
            let are_few = |state: &mut State| {
                !state.is_woken && !state.is_closed && state.ended.len() * 4 < state.held.len()
            };
            let waited = self.dispatch.wait_timeout_while(state, wait, are_few);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let are_ending = |state: &mut State| {
            let running = state.held.values().filter(|held| !held.is_noted);
            let (ending, running): (Vec<_>, Vec<_>) = running.partition(|held| held.is_ending);
            let (all, ended) = (ending.len() + running.len(), state.ended.len());
            // All that began together may end together.
            ending.len() > ended || (1..all).contains(&ended)
        };
        drop(self.dispatch.wait_timeout_while(state, GATHER, are_ending));
    }

    /// Notes how runs ended, and claims what there are workers for. Returns when to claim again, and when to
    /// note again what was not noted.
    fn turn(&self) -> (Option<Timestamp>, Option<Instant>) {
        let (ends, limits) = {
            let mut state = self.lock();
            let limits = (!state.is_closed).then(|| limits_now(&state));
            (std::mem::take(&mut state.ended), limits)
        };
        let (asked, now) = (Instant::now(), self.clock.now());
        match self.store.turn(&ends, limits.as_ref(), now) {
            Ok((states, claimed)) => {
                self.lock().failing = None;
                let note_at = self.noted(ends, &states);
                let again = limits.and_then(|limits| self.claimed(claimed, &limits, asked));
                (again, note_at)
            }
            Err(StoreError::Closed) if limits.is_none() => {
                // Nobody will ever note them.
                for end in ends {
                    self.settle(&end, None);
                }
                (None, None)
            }
            Err(error) => {
                self.failed("claim", &error);
                self.lock().ended.extend(ends);
                (Some(now.after(PAUSE)), Some(Instant::now() + PAUSE))
            }
        }
    }

    /// An end is noted, if it ever will be. Of whatever else than a look that found nothing its worker tells the others.
    fn settle(&self, end: &End, finish: Option<&Finish>) {
        if end.finish.found_nothing() {
            self.over(&end.claim, finish);
            return;
        }
        if let Some(held) = self.lock().held.get_mut(&end.claim.run) {
            held.is_noted = true;
        }
        self.noted.notify_all();
    }

    /// The store has said what has become of these ends. Returns when to note those that it did not note.
    fn noted(&self, ends: Vec<End>, states: &[EndState]) -> Option<Instant> {
        let mut left = Vec::new();
        for (end, state) in ends.into_iter().zip(states) {
            match state {
                EndState::Noted => self.settle(&end, Some(&end.finish)),
                EndState::Lost => {
                    lost(&end.claim);
                    self.settle(&end, None);
                }
                EndState::NotYet => left.push(end),
            }
        }
        let note_at = (!left.is_empty()).then(|| Instant::now() + BATCH);
        self.lock().ended.extend(left);
        note_at
    }

    /// Gives what was claimed to the workers. Returns when to claim again.
    fn claimed(&self, claimed: Claimed, limits: &ClaimLimits, asked: Instant) -> Option<Timestamp> {
        let mut state = self.lock();
        if state.is_closed {
            // Closed meanwhile: there may be no worker any more.
            drop(state);
            claimed.claims.iter().for_each(|claim| self.release(claim));
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
                is_noted: false,
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

/// How runs are handed out. One whose claim was lost keeps its worker until it has stopped.
fn limits_now(state: &State) -> ClaimLimits {
    let mut limits = state.limits.clone();
    for lost in state.held.values().filter(|held| held.is_lost) {
        match lost.claim.weight {
            Weight::Short => limits.short = limits.short.saturating_sub(1),
            Weight::Long => limits.long = limits.long.saturating_sub(1),
        }
    }
    limits
}
