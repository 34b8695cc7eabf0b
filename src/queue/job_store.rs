//! What keeps the rows, and the rules that each keeper follows: one contract suite runs over all.

use std::path::Path;
use std::time::Duration;

use super::failure::Failure;
use super::fleet::Fleet;
use super::hosts::Closed;
use super::ledgers::Ledgers;
use super::model::{
    Claim, Claimed, DeliveryEntry, DeliveryRecord, End, EndState, Finish, Member, Receipt, Request,
    Row, Run, RunId, RunState, Running,
};
use super::receivers::Receivers;
use super::sessions::Sessions;
use super::store_error::StoreError;
use crate::base::time::Timestamp;

/// How runs are handed out, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimLimits {
    /// Short runs at the same time.
    pub short: usize,
    /// Long runs at the same time.
    pub long: usize,
    /// Runs at the same time that read from one host.
    pub per_source_host: usize,
    /// Runs at the same time that publish to one host.
    pub per_target_host: usize,
    /// Runs at the same time that publish to one host and are of one owner.
    pub per_target_owner: usize,
    /// Runs of one target repository that begin within a minute.
    pub per_target_minute: usize,
    /// The pins of mirrors that this process may run, beside those that have none.
    pub pins: Vec<String>,
    /// What is not to be asked now: only requests of class `Interactive` are handed out.
    pub closed: Closed,
    /// How long a claim holds.
    pub lease: Duration,
    /// How often in a row a mirror is claimed whose run never ends, before it is parked. Mirrors that may be at the
    /// next such end run one at a time.
    pub attempts: u32,
}

impl ClaimLimits {
    /// Whether a mirror with this pin may run here.
    pub(in crate::queue) fn may_run(&self, pin: &str) -> bool {
        pin.is_empty() || self.pins.iter().any(|known| known == pin)
    }
}

/// Keeps rows, runs and deliveries. What a method has done is durable when it returns.
///
/// All times come from the caller, who has one clock. The methods may block, for as long as a disk takes.
pub trait JobStore: Send + Sync {
    /// Makes `members` the mirrors that there are.
    ///
    /// New ones get a row, and are due. Those that are gone keep theirs for the case that they come back,
    /// and are not claimed; their history stays. One that comes back, or whose fingerprint has changed, is
    /// parked no more, and due. One with another name keeps its row and its history: if there is no row of
    /// its name, that of the name that it had becomes its row, unless that is another member.
    fn configure(&self, members: &[Member], now: Timestamp) -> Result<(), StoreError>;

    /// Asks for a run of each mirror that is named, all or none, and notes the delivery that asks, if one
    /// does. Answers with a receipt for each request.
    ///
    /// What is parked is tried again if `Cause` is `Hook` or `Person`. If it was parked since it ended the
    /// process that it ran in, only a person helps at once; what a hook asks for then waits until it is tried again
    /// anyway. A person does not have to wait for [`Finish::not_before`].
    ///
    /// A delivery that was accepted before, of the same endpoint and with the same sender's id, asks for
    /// nothing: it is noted as `Repeated`, and the receipts are those of the first one. A key that is not
    /// a member is an error.
    fn enqueue(
        &self,
        requests: &[Request],
        delivery: Option<&DeliveryRecord>,
        now: Timestamp,
    ) -> Result<Vec<Receipt>, StoreError>;

    /// Notes a delivery that asks for nothing.
    fn record(&self, delivery: &DeliveryRecord) -> Result<(), StoreError>;

    /// Has `wake` called when another process has asked for something, if others can use the store. That is a hint: it
    /// may come for nothing, late or never.
    fn watch(&self, wake: Box<dyn Fn() + Send + Sync>) {
        drop(wake);
    }

    /// Claims what is due, the most urgent first, fairly among owners and hosts. A mirror with a pin that is not among
    /// those of `limits` waits for another process.
    ///
    /// A claim that has run out is over: its run is recorded as `Interrupted`, and its mirror is due, or
    /// parked if this was its last attempt: for a minute, and for longer each time that it happens again. Of mirrors
    /// whose next such end would park them, one runs at a time, so that they are told from those that only ran
    /// beside one.
    fn claim(&self, limits: &ClaimLimits, now: Timestamp) -> Result<Claimed, StoreError>;

    /// Holds `claim` until `until`. Returns whether it is still ours.
    fn renew(&self, claim: &Claim, until: Timestamp) -> Result<bool, StoreError>;

    /// Notes how the run of `claim` ended. Returns `false`, and changes nothing, if the claim is not ours
    /// any more.
    ///
    /// After an `Interrupted` run its requests wait again, for another run. What was asked for by a hook,
    /// a person or a new configuration while the run was under way keeps the mirror from being parked.
    fn finish(&self, claim: &Claim, finish: &Finish, now: Timestamp) -> Result<bool, StoreError>;

    /// Notes how these runs ended, each as [`finish`](Self::finish) does, and then claims as [`claim`](Self::claim) does, if
    /// there are `limits`: what a process does again and again, at the cost of one operation. If a claim was lost, that
    /// concerns its end alone. After an error, all ends may be noted again.
    fn turn(
        &self,
        ends: &[End],
        limits: Option<&ClaimLimits>,
        now: Timestamp,
    ) -> Result<(Vec<EndState>, Claimed), StoreError> {
        let note = |end: &End| self.finish(&end.claim, &end.finish, now).map(EndState::of);
        let states = ends.iter().map(note).collect::<Result<_, _>>()?;
        let claimed = limits.map(|limits| self.claim(limits, now)).transpose()?;
        Ok((states, claimed.unwrap_or_default()))
    }

    /// Gives a claim back as if it had not been made: its requests wait again for the same run, or for the
    /// one that was asked for meanwhile, if there is one. Does nothing if the claim is not ours any more.
    fn release(&self, claim: &Claim, now: Timestamp) -> Result<(), StoreError>;

    /// Makes a mirror due at `due` at the latest, although nobody asks.
    fn schedule(&self, key: &str, due: Timestamp) -> Result<(), StoreError>;

    /// Pauses a mirror, or lets it go on. Requests are kept while it is paused; a run that is under way
    /// goes on.
    fn pause(&self, key: &str, paused: bool, now: Timestamp) -> Result<(), StoreError>;

    /// Parks a mirror for a reason; or, if it is parked, makes it due again.
    fn park(&self, key: &str, parked: Option<&Failure>, now: Timestamp) -> Result<(), StoreError>;

    /// A host of sources has answered, or could not be reached or used. One that could not several times in a row is
    /// left alone for a while, by all who use the store; then one run is claimed, until it has answered, or has not,
    /// for which it is left alone for longer. Returns whether what is left alone is another now.
    fn note_host(&self, host: &str, answered: bool, now: Timestamp) -> Result<bool, StoreError>;

    /// The host of a target wants to be left alone until `until`, with the mirrors of one owner.
    fn pause_target(&self, host: &str, owner: &str, until: Timestamp) -> Result<(), StoreError>;

    /// What is left alone now.
    fn closed(&self, now: Timestamp) -> Result<Closed, StoreError>;

    /// The rows of all members, in the order of their names.
    fn rows(&self) -> Result<Vec<Row>, StoreError>;

    /// The keys of all rows, also of those that are no members now.
    fn keys(&self) -> Result<Vec<String>, StoreError>;

    /// The names of mirrors that are configured no more, each with the time since when.
    fn removed(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        Ok(Vec::new())
    }

    /// The row of one mirror.
    fn row(&self, key: &str) -> Result<Option<Row>, StoreError>;

    /// One run, also one that waits.
    fn run(&self, id: RunId) -> Result<Option<Run>, StoreError>;

    /// The last runs of a mirror, or of all, that were begun, the newest first: those before `before`. Of
    /// all if `before` is a run that waits; none if there is no such run.
    fn runs(
        &self,
        key: Option<&str>,
        before: Option<RunId>,
        count: usize,
    ) -> Result<Vec<Run>, StoreError>;

    /// The last deliveries, the newest first: those with a smaller number than `before`.
    fn deliveries(
        &self,
        before: Option<i64>,
        count: usize,
    ) -> Result<Vec<DeliveryEntry>, StoreError>;

    /// Forgets runs that ended and deliveries that came before `before`, but for the last `keep` runs of
    /// each mirror.
    fn trim(&self, before: Timestamp, keep: usize) -> Result<(), StoreError>;

    /// Writes something that changes nothing, to see whether that can be done.
    fn probe(&self, now: Timestamp) -> Result<(), StoreError> {
        let _ = now;
        Ok(())
    }

    /// How many bytes of a log are not yet where they are kept in the end, if there is such a log. More
    /// than some hundred megabytes say that something reads the queue for far too long.
    fn log_size(&self) -> Option<u64> {
        None
    }

    /// Whether the run of `claim` may go on: nobody else has claimed its mirror, and nobody may.
    fn holds(&self, claim: &Claim, now: Timestamp) -> Result<bool, StoreError> {
        let Some(row) = self.row(&claim.key)? else {
            // It was renamed or removed meanwhile, and goes on as it began.
            let run = self.run(claim.run)?;
            return Ok(run.is_some_and(|run| run.state == RunState::Running));
        };
        let is_ours = |running: Running| running.run == claim.run && running.until > now;
        Ok(row.token == claim.token && row.running.is_some_and(is_ours))
    }

    /// The processes that share the store; `None` if there can be one alone.
    fn fleet(&self) -> Option<&dyn Fleet> {
        None
    }

    /// Where the ledgers of mirrors are, if several processes share them.
    fn ledgers(&self) -> Option<&dyn Ledgers> {
        None
    }

    /// Where the sessions of browsers are, if several processes share them.
    fn sessions(&self) -> Option<&dyn Sessions> {
        None
    }

    /// Where it is kept what receivers of notifications were told, if several processes tell them.
    fn receivers(&self) -> Option<&dyn Receivers> {
        None
    }

    /// Writes a copy of everything to a new file at `path`, while work goes on.
    fn backup(&self, path: &Path) -> Result<(), StoreError>;
}
