//! What the queue keeps, as plain data: a row for each mirror, a run for each time that one was synced,
//! a delivery for each hook.
//!
//! The queue is no list of jobs. A row counts how often its mirror was asked for (`wanted`) and how much
//! of that a run has taken up (`taken`): however many hooks arrive, there is one row, and at most one
//! run that waits. Whatever asks while a run is under way is answered by the next, since the one that is
//! under way may have read the source already.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use crate::base::time::Timestamp;
use crate::base::{Fault, faults};

/// The id of a run: 128 bits that cannot be guessed, so that a run can be asked for only by those who
/// were given its id. Written as 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub u128);

impl RunId {
    /// A new one, of random bits.
    ///
    /// # Panics
    /// If the system has no random bits; then it cannot encrypt either.
    pub fn random() -> Self {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).expect("a system that can encrypt has random bits");
        Self(u128::from_ne_bytes(bits))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A text that is not the id of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read the id of a run: it has 32 lower-case hex digits")]
pub struct ParseRunIdError;

faults!(ParseRunIdError => Config);

impl FromStr for RunId {
    type Err = ParseRunIdError;

    fn from_str(text: &str) -> Result<Self, ParseRunIdError> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return Err(ParseRunIdError);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| ParseRunIdError)
    }
}

impl Serialize for RunId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How urgent a request is. Of two rows that are due, that with the more urgent class goes first, but
/// for the share that is kept for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A person waits for it.
    Interactive,
    /// A forge told of a push.
    Hook,
    /// It is time to look again.
    Schedule,
}

/// Whether a run is expected to be long: first conversions are, and whatever was long last time. Long
/// runs have workers of their own, so that they never hold up the short ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Seconds.
    #[default]
    Short,
    /// Minutes or hours.
    Long,
}

/// What asked for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A hook.
    Hook,
    /// The schedule, which saw something new at the source, or has to look again.
    Schedule,
    /// A person, or a program in the name of one.
    Person,
    /// The run before has failed, and is tried again.
    Retry,
    /// The mirror, or its configuration, is new.
    Configuration,
}

/// A mirror as the queue knows it: what its configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, which is the key of its row.
    pub key: String,
    /// The name that it had before, if it was renamed: the row of that name becomes its row.
    pub was: Option<String>,
    /// Whose it is, so that nobody's mirrors hold up those of others.
    pub owner: String,
    /// The host of its source; empty if it is on this machine.
    pub source_host: String,
    /// The host of its target; empty if that is on this machine, or if there is none.
    pub target_host: String,
    /// The repository of its target, for which starts are counted; empty without one.
    pub target: String,
    /// Changes whenever its configuration or a secret of it does: what is parked is then tried again.
    pub fingerprint: String,
}

/// A request for a run that begins after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Of which mirror.
    pub key: String,
    /// How urgent it is.
    pub class: Class,
    /// What asks.
    pub cause: Cause,
    /// How long to wait for further requests before the run begins. Each one that is no less urgent
    /// puts it off again.
    pub delay: Duration,
    /// How long this request may be put off by itself and by later ones.
    pub longest_delay: Duration,
}

/// What a request got. It is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The run that does what was asked for.
    pub run: RunId,
    /// Whether an earlier request had asked for the same run.
    pub folded: bool,
}

/// The right to run a mirror, for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The mirror.
    pub key: String,
    /// The run that was begun.
    pub run: RunId,
    /// Larger than that of each claim of this mirror before. Whatever is written in the name of a claim
    /// is refused once there is a larger token.
    pub token: u64,
    /// Until when it holds, if it is not renewed.
    pub until: Timestamp,
    /// How many requests this run answers.
    pub requests: u64,
    /// What asked for it first.
    pub cause: Cause,
    /// How often in a row the mirror was claimed without a run that came to an end: at first 1.
    pub attempt: u32,
    /// How long the run is expected to be.
    pub weight: Weight,
    /// What has failed before, if the last run did.
    pub failing: Option<Failing>,
}

impl Claim {
    /// How many runs in a row have failed with this fault, if this one does too: what
    /// [`backoff`](super::backoff::backoff) asks for.
    pub fn failures(&self, fault: Fault) -> u32 {
        let alike = self.failing.as_ref().filter(|failing| failing.failure.fault == fault);
        alike.map_or(1, |failing| failing.alike.saturating_add(1))
    }
}

/// What a call of [`claim`](super::JobStore::claim) has got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// The claims, in the order in which they are to be begun.
    pub claims: Vec<Claim>,
    /// When there may be more to claim, even if nobody asks and no run ends until then; `None` if never.
    pub again: Option<Timestamp>,
}

/// Runs of a mirror that have failed, one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// How many.
    pub runs: u32,
    /// When the first of them ended.
    pub since: Timestamp,
    /// Why the last one failed.
    pub failure: Failure,
    /// How many of them, counted from the last one, failed with its fault.
    pub alike: u32,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It waits for a worker, for its time, or for the run before it.
    Queued,
    /// A worker is at it.
    Running,
    /// It ended well.
    Done,
    /// Some refs were refused; all others are published.
    Partial,
    /// It failed.
    Failed,
    /// It was stopped, or the process that it ran in ended; what was asked for is done by a later run.
    Interrupted,
}

impl RunState {
    /// Whether nothing will become of the run any more.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// The lower-case name used in logs, JSON and databases.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What is to become of a mirror after a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// How the run ended: `Done`, `Partial`, `Failed` or `Interrupted`.
    pub state: RunState,
    /// Why, if it did not end well.
    pub failure: Option<Failure>,
    /// Whether it found something new at the source.
    pub changed: bool,
    /// What the run did, as the service writes and reads it (JSON); the queue does not look inside.
    pub details: String,
    /// When the mirror is due again although nobody asks: the next retry, or the next look by the
    /// schedule; `None` if never.
    pub due: Option<Timestamp>,
    /// Before then the mirror is not due, whoever asks but a person: what `Retry-After` says.
    pub not_before: Option<Timestamp>,
    /// Park the mirror for its failure: nothing but a person, a hook or a changed configuration tries it
    /// again.
    pub park: bool,
    /// How long the next run is expected to be.
    pub weight: Weight,
}

/// The requests for a mirror that no run has taken up yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The run that will answer them.
    pub run: RunId,
    /// What asked first.
    pub cause: Cause,
    /// How urgent the most urgent one is.
    pub class: Class,
    /// When the first one came.
    pub asked: Timestamp,
    /// When the run may begin.
    pub begin: Timestamp,
    /// When it may begin whatever else comes.
    pub latest: Timestamp,
    /// Whether one of them is a reason to try again what has failed for good: a hook, a person, another
    /// configuration.
    pub unparks: bool,
}

/// The run of a mirror that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Its id.
    pub run: RunId,
    /// Until when its claim holds.
    pub until: Timestamp,
    /// How urgent its requests were.
    pub class: Class,
    /// How long it was expected to be.
    pub weight: Weight,
}

/// The row of one mirror, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What the configuration says of it; `was` is not kept.
    pub member: Member,
    /// Since when it is configured no more.
    pub removed: Option<Timestamp>,
    /// How often it was asked for.
    pub wanted: u64,
    /// How many of these requests a run has taken up.
    pub taken: u64,
    /// The requests that no run has taken up; `None` if there are none.
    pub waiting: Option<Waiting>,
    /// When it is due although nobody asks.
    pub scheduled: Option<Timestamp>,
    /// Before then it is not due, as a server has told us.
    pub not_before: Option<Timestamp>,
    /// How long the next run is expected to be.
    pub weight: Weight,
    /// The token of the last claim; 0 before the first.
    pub token: u64,
    /// The run that is under way.
    pub running: Option<Running>,
    /// How often in a row it was claimed without a run that came to an end.
    pub attempts: u32,
    /// The runs that have failed in a row.
    pub failing: Option<Failing>,
    /// Why it is parked, and since when.
    pub parked: Option<(Failure, Timestamp)>,
    /// Since when a person has paused it.
    pub paused: Option<Timestamp>,
    /// When a run last ended, however.
    pub last_tried: Option<Timestamp>,
    /// When a run last ended well.
    pub last_good: Option<Timestamp>,
    /// When a run last found something new at the source.
    pub last_change: Option<Timestamp>,
    /// The last run that is over, how it ended, and why it did not end well.
    pub last_run: Option<(RunId, RunState, Option<Failure>)>,
}

impl Row {
    /// When the next run may begin, if nothing else holds it up; `None` if there is no reason for one.
    pub fn due(&self) -> Option<Timestamp> {
        let asked = self.waiting.map(|waiting| waiting.begin);
        let due = asked.into_iter().chain(self.scheduled).min()?;
        Some(self.not_before.map_or(due, |earliest| earliest.max(due)))
    }

    /// How many requests wait.
    pub fn requests(&self) -> u64 {
        self.wanted.saturating_sub(self.taken)
    }

    /// How urgent the next run is.
    pub fn class(&self) -> Class {
        self.waiting.map_or(Class::Schedule, |waiting| waiting.class)
    }
}

/// One run, waiting, under way or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The mirror.
    pub key: String,
    /// What has become of it.
    pub state: RunState,
    /// What asked for it first.
    pub cause: Cause,
    /// How many requests it answers so far.
    pub requests: u64,
    /// When it was first asked for.
    pub asked: Timestamp,
    /// When a worker began it.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// The token of its claim.
    pub token: u64,
    /// Why it did not end well.
    pub failure: Option<Failure>,
    /// What it did, as [`Finish::details`] says; empty until it is over.
    pub details: String,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It asked for a run.
    Accepted,
    /// A delivery with its id had come before; nothing was asked for again.
    Repeated,
    /// It is proven, and not about a push: a ping, or another event.
    Ignored,
    /// It is not proven to come from who knows the secret.
    Unverified,
    /// It cannot be read.
    Malformed,
    /// It is about a repository that no mirror has as its source.
    Unmatched,
}

impl Verdict {
    /// The lower-case name used in logs, JSON and databases.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Repeated => "repeated",
            Self::Ignored => "ignored",
            Self::Unverified => "unverified",
            Self::Malformed => "malformed",
            Self::Unmatched => "unmatched",
        }
    }
}

/// A hook that arrived, for the journal. It holds neither secrets nor bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// When.
    pub at: Timestamp,
    /// The endpoint that it was sent to.
    pub endpoint: String,
    /// The id that the sender gave it, so that a repeated one is known; unique for an endpoint.
    pub sender_id: Option<String>,
    /// The address that it came from, as text.
    pub from: String,
    /// What became of it.
    pub verdict: Verdict,
    /// What it was about, or what is wrong with it, in words and clean.
    pub about: String,
}

/// A delivery in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryEntry {
    /// Its number in the journal; later ones have larger numbers.
    pub number: i64,
    /// What arrived.
    pub record: DeliveryRecord,
    /// The mirrors that it asked for, each with the run that answers it.
    pub asked: Vec<(String, RunId)>,
}
