//! What becomes of one row when something happens to its mirror: asked for, claimed, ended.
//!
//! Functions of a row and of its run, which know no clock, no lock and no database. Every store calls
//! them, and only says where rows are kept. Which rows are claimed is decided in `choose`.

use std::time::Duration;

use super::backoff::after_deaths;
use super::failure::Failure;
use super::model::{
    Cause, Claim, Class, Failing, Finish, Member, Receipt, Request, Row, Run, RunId, RunState,
    Running, Waiting, Weight,
};
use crate::base::time::Timestamp;
use crate::base::{Fault, Side};

impl Row {
    /// The row of a mirror that is new, and due. Its first run converts everything.
    pub(super) fn new(member: &Member, now: Timestamp) -> Self {
        let mut row = Self {
            member: Member { was: None, ..member.clone() },
            removed: None,
            wanted: 0,
            taken: 0,
            waiting: None,
            scheduled: None,
            not_before: None,
            weight: Weight::Long,
            token: 0,
            running: None,
            attempts: 0,
            failing: None,
            parked: None,
            paused: None,
            last_tried: None,
            last_good: None,
            last_change: None,
            last_run: None,
        };
        row.ask_for_configuration(now);
        row
    }

    /// When a claim has to look at the row: it is due, or its claim runs out.
    pub(super) fn attention(&self) -> Option<Timestamp> {
        match self.running {
            Some(running) => Some(running.until),
            None => self.next_run(),
        }
    }

    /// Whether the mirror is configured.
    pub(super) fn is_member(&self) -> bool {
        self.removed.is_none()
    }

    /// The configuration has the mirror, like this.
    pub(super) fn configure(&mut self, member: &Member, now: Timestamp) {
        let is_other = self.member.fingerprint != member.fingerprint || !self.is_member();
        self.member = Member { was: None, ..member.clone() };
        self.removed = None;
        if is_other {
            self.parked = None;
            self.not_before = None;
            self.attempts = u32::from(self.running.is_some());
            self.ask_for_configuration(now);
        }
    }

    fn ask_for_configuration(&mut self, now: Timestamp) {
        let (class, cause) = (Class::Schedule, Cause::Configuration);
        self.ask(class, cause, Duration::ZERO, Duration::ZERO, now);
    }

    /// The configuration has the mirror no more.
    pub(super) fn remove(&mut self, now: Timestamp) {
        self.removed.get_or_insert(now);
    }

    /// Takes a request, and says which run answers it.
    pub(super) fn request(&mut self, request: &Request, now: Timestamp) -> Receipt {
        match request.cause {
            Cause::Person => {
                self.parked = None;
                self.not_before = None;
                self.attempts = u32::from(self.running.is_some());
            }
            Cause::Hook if !self.ends_process() => self.parked = None,
            _ => {}
        }
        self.ask(request.class, request.cause, request.delay, request.longest_delay, now)
    }

    fn ask(
        &mut self,
        class: Class,
        cause: Cause,
        delay: Duration,
        longest_delay: Duration,
        now: Timestamp,
    ) -> Receipt {
        self.wanted = self.wanted.saturating_add(1);
        let latest = now.after(longest_delay);
        let begin = now.after(delay).min(latest);
        let unparks = matches!(cause, Cause::Hook | Cause::Person | Cause::Configuration);
        let folded = self.waiting.is_some();
        let run = match &mut self.waiting {
            None => {
                let run = RunId::random();
                let waiting = Waiting { run, cause, class, asked: now, begin, latest, unparks };
                self.waiting.insert(waiting).run
            }
            Some(waiting) => {
                waiting.latest = waiting.latest.min(latest);
                // What may begin already is not put off, nor is it by what is less urgent.
                let is_put_off = waiting.begin > now && class <= waiting.class;
                let begin = if is_put_off { begin } else { begin.min(waiting.begin) };
                waiting.begin = begin.min(waiting.latest);
                // It is known by what asks most urgently.
                if class < waiting.class {
                    (waiting.class, waiting.cause) = (class, cause);
                }
                waiting.unparks |= unparks;
                waiting.run
            }
        };
        Receipt { key: self.member.key.clone(), run, folded }
    }

    /// Makes the row due at `due` at the latest.
    pub(super) fn schedule(&mut self, due: Timestamp) {
        self.scheduled = self.scheduled.into_iter().chain([due]).min();
    }

    /// Pauses the mirror, or lets it go on.
    pub(super) fn pause(&mut self, paused: bool, now: Timestamp) {
        self.paused = paused.then(|| self.paused.unwrap_or(now));
    }

    /// Parks the mirror, or makes a parked one due.
    pub(super) fn park(&mut self, parked: Option<&Failure>, now: Timestamp) {
        match parked {
            Some(failure) => {
                self.parked = Some((failure.clone(), now));
                self.attempts = u32::from(self.running.is_some());
            }
            None if self.parked.is_some() => {
                self.parked = None;
                self.not_before = None;
                self.attempts = u32::from(self.running.is_some());
                self.schedule(now);
            }
            None => {}
        }
    }

    /// A token for the next claim of any mirror, where `last` is the largest so far.
    ///
    /// Tokens are at least the time in milliseconds. So they are larger than those that caches have seen
    /// even when the queue was lost and begun anew, or put back from a copy.
    pub(super) fn next_token(last: u64, now: Timestamp) -> u64 {
        last.saturating_add(1).max(u64::try_from(now.millis()).unwrap_or(0))
    }

    /// Begins the run that the row is due for.
    pub(super) fn begin(&mut self, token: u64, until: Timestamp, now: Timestamp) -> (Claim, Run) {
        let waiting = self.waiting.take();
        let unasked = if self.failing.is_some() { Cause::Retry } else { Cause::Schedule };
        let run = Run {
            id: waiting.map_or_else(RunId::random, |waiting| waiting.run),
            key: self.member.key.clone(),
            state: RunState::Running,
            cause: waiting.map_or(unasked, |waiting| waiting.cause),
            requests: self.requests(),
            asked: waiting.map_or(now, |waiting| waiting.asked),
            started: Some(now),
            ended: None,
            token,
            failure: None,
            details: String::new(),
        };
        let class = waiting.map_or(Class::Schedule, |waiting| waiting.class);
        self.running = Some(Running { run: run.id, until, class, weight: self.weight });
        self.taken = self.wanted;
        self.scheduled = None;
        self.not_before = None;
        self.parked = None;
        self.token = token;
        self.attempts = self.attempts.saturating_add(1);
        let claim = Claim {
            key: run.key.clone(),
            run: run.id,
            token,
            until,
            requests: run.requests,
            cause: run.cause,
            attempt: self.attempts,
            weight: self.weight,
            failing: self.failing.clone(),
            last_state: self.last_run.as_ref().map(|(_, state, _)| *state),
            last_change: self.last_change,
        };
        (claim, run)
    }

    /// Whether the row is claimed, by `claim` and by no later one.
    pub(super) fn is_held_by(&self, claim: &Claim) -> bool {
        self.token == claim.token && self.running.is_some_and(|running| running.run == claim.run)
    }

    /// The run is over. Of one that has found nothing, `postgres::turn` says the same in SQL.
    pub(super) fn finish(&mut self, run: &mut Run, finish: &Finish, now: Timestamp) {
        run.details.clone_from(&finish.details);
        let last_run = self.last_run.take();
        self.end(run, finish.state, finish.failure.clone(), now);
        if finish.unremarkable {
            self.last_run = last_run;
        }
        self.attempts = 0;
        self.weight = finish.weight;
        self.not_before = finish.not_before;
        if finish.changed {
            self.last_change = Some(now);
        }
        if let Some(due) = finish.due {
            self.schedule(due);
        }
        match finish.state {
            RunState::Done => {
                self.failing = None;
                self.last_good = Some(now);
            }
            RunState::Partial => self.failing = None,
            RunState::Failed => {
                if let Some(failure) = &finish.failure {
                    self.failing = Some(failed_again(self.failing.take(), failure, now));
                }
            }
            RunState::Interrupted | RunState::Queued | RunState::Running => {}
        }
        let has_reason = self.waiting.is_some_and(|waiting| waiting.unparks);
        if let Some(failure) = finish.failure.as_ref().filter(|_| finish.park && !has_reason) {
            self.parked = Some((failure.clone(), now));
        }
    }

    /// The claim has run out: whoever had it is gone. Parks the mirror for a while if that was its last attempt.
    pub(super) fn expire(&mut self, run: &mut Run, attempts: u32, now: Timestamp) {
        let failure = Failure {
            fault: Fault::Interrupted,
            side: Side::Here,
            message: "interrupted: the process that ran it ended, or stood still".to_owned(),
            hint: None,
        };
        self.end(run, RunState::Interrupted, Some(failure), now);
        if self.attempts >= attempts {
            let times = self.attempts;
            let message = format!("none of the last {times} runs came to an end");
            let failure = Failure {
                hint: Some(
                    "each time, the process that ran it ended or stood still: look into its log and at its \
                     memory limit; the mirror is tried again now and then, less often each time"
                        .to_owned(),
                ),
                ..Failure::internal(message)
            };
            self.parked = Some((failure, now));
            self.not_before = Some(now.after(after_deaths(self.attempts.saturating_sub(attempts))));
        } else if self.parked.is_some() {
            // Somebody has parked it meanwhile, and it stays so.
            self.attempts = 0;
        }
    }

    fn end(&mut self, run: &mut Run, state: RunState, failure: Option<Failure>, now: Timestamp) {
        run.state = state;
        run.ended = Some(now);
        run.failure.clone_from(&failure);
        self.last_tried = Some(now);
        self.last_run = Some((run.id, state, failure));
        if state == RunState::Interrupted {
            self.give_back(run, None, now);
        }
        self.running = None;
    }

    /// Gives the claim back. Returns whether the run waits again; otherwise it is over.
    pub(super) fn release(&mut self, run: &mut Run, now: Timestamp) -> bool {
        self.attempts = self.attempts.saturating_sub(1);
        let waits = run.requests > 0 && self.waiting.is_none();
        if waits {
            self.give_back(run, Some(run.id), now);
            self.running = None;
        } else {
            self.end(run, RunState::Interrupted, None, now);
        }
        waits
    }

    /// What `run` was to answer waits again, and may begin at once: for the run `next`, for the one
    /// that was asked for meanwhile, or for a new one.
    fn give_back(&mut self, run: &Run, next: Option<RunId>, now: Timestamp) {
        self.taken = self.taken.saturating_sub(run.requests);
        if run.requests == 0 {
            self.schedule(now);
            return;
        }
        let class = self.running.map_or(Class::Schedule, |running| running.class);
        let later = self.waiting;
        self.waiting = Some(Waiting {
            run: later.map(|later| later.run).or(next).unwrap_or_else(RunId::random),
            cause: run.cause,
            class: later.map_or(class, |later| later.class.min(class)),
            asked: run.asked,
            begin: now,
            latest: now,
            unparks: later.is_some_and(|later| later.unparks),
        });
    }

    /// The run that waits, as it is shown.
    pub(super) fn queued_run(&self) -> Option<Run> {
        let waiting = self.waiting?;
        Some(Run {
            id: waiting.run,
            key: self.member.key.clone(),
            state: RunState::Queued,
            cause: waiting.cause,
            requests: self.requests(),
            asked: waiting.asked,
            started: None,
            ended: None,
            token: 0,
            failure: None,
            details: String::new(),
        })
    }
}

fn failed_again(before: Option<Failing>, failure: &Failure, now: Timestamp) -> Failing {
    let failure = failure.clone();
    match before {
        None => Failing { runs: 1, since: now, alike: 1, failure },
        Some(before) => Failing {
            runs: before.runs.saturating_add(1),
            since: before.since,
            alike: match before.failure.fault == failure.fault {
                true => before.alike.saturating_add(1),
                false => 1,
            },
            failure,
        },
    }
}
