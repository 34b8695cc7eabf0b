//! One run of one mirror, on a thread of the pool: look, sync, and say what is to become of it.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::claimed::OfClaim;
use super::live::Watch;
use super::recorder::Recorder;
use super::schedule;
use super::view::ServiceEvent;
use crate::base::time::Timestamp;
use crate::base::{Fault, HasFault, Interrupt, Severity, Side};
use crate::config::MirrorConfig;
use crate::mirror::{LedgerStore, Mirror, Observer, RefChange, Seen, SyncContext, SyncReport};
use crate::queue::model::{Cause, Claim, Finish, RunState, Weight};
use crate::queue::{Failure, Next, Runner, backoff, not_before, random};

/// An error of a sync, whatever type it is of.
pub type SyncFailure = Box<dyn HasFault + Send + Sync>;

/// Syncs one mirror, on a thread that may block, and stops at a safe place once the interrupt is
/// raised. It is never called twice at once for the same mirror.
pub type Syncer = Arc<
    dyn Fn(&Mirror, &SyncContext<'_>, &dyn Observer, &Interrupt) -> Result<SyncReport, SyncFailure>
        + Send
        + Sync,
>;

/// A run that takes longer makes the next one count as long.
const LONG: Duration = Duration::from_mins(1);
/// A target is looked at so often at least, even if its source has not changed.
const FULL_EVERY: Duration = Duration::from_hours(24);

/// Runs the claims of the pool.
pub(super) struct SyncRunner(pub(super) Arc<Shared>);

/// How a run ended.
enum Ended {
    /// A look at the source showed that there is nothing to do.
    Unchanged,
    /// It went well, but for refs that were refused.
    Synced(SyncReport),
    /// It failed.
    Failed(SyncFailure),
}

impl Runner for SyncRunner {
    fn run(&self, claim: &Claim, interrupt: &Interrupt) -> Option<Finish> {
        let Self(shared) = self;
        let span = tracing::info_span!("run", mirror = &*claim.key, run = %claim.run);
        let _entered = span.enter();
        let directory = shared.directory();
        // It was renamed or removed since it was claimed. What was asked for waits: for its new name, or
        // until it comes back.
        let Some(configured) = directory.mirror(&claim.key) else {
            tracing::info!("the mirror is not there any more, and the run is given back");
            return None;
        };
        let before = shared.unpublished(&claim.key);
        let recorder = Arc::new(Recorder::new(Arc::clone(&shared.clock), before));
        shared.live.begin(claim.run, claim.weight, Arc::clone(&recorder));
        let mirror = claim.key.clone();
        shared.live.tell(&ServiceEvent::Begun { mirror, run: claim.run });
        tracing::info!(cause = ?claim.cause, requests = claim.requests, "a run begins");
        shared.given.stop(&claim.key, interrupt);
        let began = shared.clock.now();
        let ended = match directory.rename_cache(configured) {
            Ok(()) => self.sync(configured, claim, &recorder, interrupt),
            Err(error) => Ended::Failed(Box::new(error)),
        };
        if configured.mirror.forge.is_some() {
            shared.credentials.note(&claim.key, configured.mirror.credential_ends());
        }
        let took = shared.clock.now().since(began);
        let finish = self.finish(claim, ended, &recorder, took, configured);
        log(&finish, &recorder, took);
        Some(finish)
    }

    fn over(&self, claim: &Claim, finish: Option<&Finish>) {
        let Self(shared) = self;
        shared.live.end(claim.run);
        if finish.is_some_and(Finish::found_nothing) {
            // It has no place in the history, and nobody is told.
            return;
        }
        match shared.ended_run(claim.run) {
            Ok(Some(run)) if run.state.is_over() => shared.live.tell(&ServiceEvent::Ended { run }),
            // Its claim was given back, and it waits again.
            Ok(Some(run)) => shared.live.tell(&ServiceEvent::Changed { mirror: run.mirror }),
            Ok(None) => {}
            Err(error) => tracing::warn!("nobody is told how a run ended: {error}"),
        }
    }
}

impl SyncRunner {
    fn sync(
        &self,
        configured: &MirrorConfig,
        claim: &Claim,
        recorder: &Recorder,
        interrupt: &Interrupt,
    ) -> Ended {
        let Self(shared) = self;
        // What it names is read now: what is missing is the fault of this mirror alone.
        let mut mirror = match configured.ready() {
            Ok(mirror) => mirror,
            Err(error) => return Ended::Failed(Box::new(error)),
        };
        // A person who asks may have changed what the target takes, which nothing here shows.
        mirror.publish.retry |= claim.cause == Cause::Person;
        let seen = match self.look(&mirror, claim, interrupt) {
            Look::Unchanged => return Ended::Unchanged,
            Look::Changed(seen) => Some(seen),
            Look::NotNeeded => None,
            Look::Failed(error) => return Ended::Failed(error),
        };
        if let Err(error) = shared.room() {
            return Ended::Failed(Box::new(error));
        }
        let watch = Watch::of(&shared.live, &claim.key, claim.run, recorder);
        let right = Arc::new(OfClaim { shared: Arc::clone(shared), claim: claim.clone() });
        let ledger = shared.store.ledgers().map(|_| Arc::clone(&right) as Arc<dyn LedgerStore>);
        let context = SyncContext { fence: &*right, ledger, elsewhere: Some(&*right) };
        let is_cold = mirror.is_cold();
        match (shared.syncer)(&mirror, &context, &watch, interrupt) {
            Ok(report) => {
                if is_cold {
                    recorder.cold();
                }
                if let Some(seen) = seen.filter(|_| report.failure().is_none()) {
                    mirror.remember(&seen);
                }
                Ended::Synced(report)
            }
            Err(error) => Ended::Failed(error),
        }
    }

    /// Whether a sync that nobody but the schedule asks for could find something new.
    fn look(&self, mirror: &Mirror, claim: &Claim, interrupt: &Interrupt) -> Look {
        let Self(shared) = self;
        if claim.cause != Cause::Schedule || claim.failing.is_some() {
            return Look::NotNeeded;
        }
        let seen = match mirror.look(interrupt) {
            Ok(seen) => seen,
            Err(error) => return Look::Failed(Box::new(error)),
        };
        // A target that somebody has changed is found once a day.
        let is_recent =
            mirror.last_seen_at().is_some_and(|at| shared.clock.now().since(at) < FULL_EVERY);
        let went_well = claim.last_state == Some(RunState::Done);
        match is_recent && went_well && mirror.last_seen().as_ref() == Some(&seen) {
            true => Look::Unchanged,
            false => Look::Changed(seen),
        }
    }

    /// What is to become of the mirror.
    fn finish(
        &self,
        claim: &Claim,
        ended: Ended,
        recorder: &Recorder,
        took: Duration,
        configured: &MirrorConfig,
    ) -> Finish {
        let Self(shared) = self;
        let now = shared.clock.now();
        let host = configured.mirror.source.host();
        let weight = if took > LONG { Weight::Long } else { Weight::Short };
        let new = Finish {
            state: RunState::Done,
            failure: None,
            changed: false,
            unremarkable: false,
            details: String::new(),
            due: None,
            not_before: None,
            park: false,
            weight,
        };
        let finish = match ended {
            Ended::Unchanged => {
                recorder.line(Severity::Note, "the source has nothing new");
                self.note(host, true);
                // Somebody may have been told the id of a run that answers requests.
                let unremarkable = claim.requests == 0;
                Finish { unremarkable, due: Some(self.next_look(claim, false)), ..new }
            }
            Ended::Synced(report) => {
                self.note(host, true);
                recorder.finished(&report);
                let moved = report.refs.iter().any(RefChange::is_change);
                let changed = report.converted > 0 || moved;
                let refused = report.failure();
                let state = if refused.is_some() { RunState::Partial } else { RunState::Done };
                let failure = refused.map(|error| Failure::of(&error));
                Finish { state, failure, changed, due: Some(self.next_look(claim, changed)), ..new }
            }
            Ended::Failed(error) if error.fault() == Fault::Interrupted => {
                Finish { state: RunState::Interrupted, due: Some(now), ..new }
            }
            Ended::Failed(error) => {
                // A first conversion that failed is still one.
                let weight = if recorder.record().changesets == 0 { claim.weight } else { weight };
                self.failed(claim, &*error, configured, Finish { weight, ..new })
            }
        };
        if let Some(failure) = &finish.failure {
            recorder.line(Severity::Error, &failure.message);
        }
        Finish { details: recorder.record().to_json(), ..finish }
    }

    /// What is to become of a mirror whose sync has failed: `new`, with when it is tried again, if it is.
    fn failed(
        &self,
        claim: &Claim,
        error: &(dyn HasFault + 'static),
        configured: &MirrorConfig,
        new: Finish,
    ) -> Finish {
        let Self(shared) = self;
        let now = shared.clock.now();
        let failure = Failure::of(error);
        if failure.side == Side::Source && failure.fault == Fault::Unavailable {
            self.note(configured.mirror.source.host(), false);
        }
        let retry_after = error.diagnosis().retry_after;
        let failures = claim.failures(failure.fault);
        let (due, park) = match backoff(failure.fault, failures, retry_after, random()) {
            Next::At(delay) => (Some(now.after(delay)), false),
            Next::Park => (None, true),
        };
        let not_before = not_before(retry_after, now);
        if failure.side == Side::Target
            && let Some(until) = not_before
        {
            self.pause_target(configured, until);
        }
        let (state, failure) = (RunState::Failed, Some(failure));
        Finish { state, failure, due, not_before, park, ..new }
    }

    /// Notes whether the host of a source has answered; those on this machine have none.
    fn note(&self, host: &str, answered: bool) {
        let Self(shared) = self;
        if host.is_empty() {
            return;
        }
        match shared.store.note_host(host, answered, shared.clock.now()) {
            Ok(true) => shared.adjust(),
            Ok(false) => {}
            Err(error) => tracing::debug!(host, "whether the host answers was not noted: {error}"),
        }
    }

    /// Leaves the host of a target alone until then, with all mirrors of the same owner.
    fn pause_target(&self, configured: &MirrorConfig, until: Timestamp) {
        let Self(shared) = self;
        let Some(target) = &configured.mirror.target else { return };
        let (Some(host), owner) = (target.url.host(), configured.owner()) else { return };
        match shared.store.pause_target(host, owner, until) {
            Ok(()) => shared.adjust(),
            Err(error) => tracing::debug!(host, owner, "a pause was not noted: {error}"),
        }
    }

    fn next_look(&self, claim: &Claim, changed: bool) -> Timestamp {
        let Self(shared) = self;
        let now = shared.clock.now();
        let change = if changed { Some(now) } else { claim.last_change };
        schedule::next_look(&shared.directory().config().schedule, now, change, random())
    }
}

/// What a look at a source said.
enum Look {
    /// The run is not one of the schedule, and has to sync.
    NotNeeded,
    /// Nothing is new.
    Unchanged,
    /// Something is, or may be.
    Changed(Seen),
    /// The source cannot be looked at.
    Failed(SyncFailure),
}

/// The one place that logs how a run ended.
fn log(finish: &Finish, recorder: &Recorder, took: Duration) {
    let record = recorder.record();
    for line in &record.log {
        match line.severity {
            Severity::Note => tracing::info!("{}", line.text),
            Severity::Warning => tracing::warn!("{}", line.text),
            // That is the failure, which is told below.
            Severity::Error => {}
        }
    }
    let seconds = took.as_secs_f64();
    match &finish.failure {
        None => tracing::info!(
            seconds,
            state = finish.state.name(),
            changesets = record.changesets,
            converted = record.converted,
            changed = record.changed,
            "a run ended"
        ),
        Some(failure) => {
            let (fault, side) = (failure.fault.name(), failure.side.name());
            let reason = &failure.message;
            let parked = finish.park;
            tracing::error!(seconds, fault, side, parked, "a run failed: {reason}");
        }
    }
}
