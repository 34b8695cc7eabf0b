//! A run: its id, the claim that began it, and its end.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::row::{Cause, Failing, Weight};
use crate::base::time::Timestamp;
use crate::base::{Fault, faults};
use crate::queue::failure::Failure;

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
    /// How the last run ended that has a place in the history.
    pub last_state: Option<RunState>,
    /// When a run last found something new at the source.
    pub last_change: Option<Timestamp>,
}

impl Claim {
    /// How many runs in a row have failed with this fault, if this one does too: what
    /// [`backoff`](crate::queue::backoff()) asks for.
    pub fn failures(&self, fault: Fault) -> u32 {
        let alike = self.failing.as_ref().filter(|failing| failing.failure.fault == fault);
        alike.map_or(1, |failing| failing.alike.saturating_add(1))
    }
}

/// What a call of [`claim`](crate::queue::JobStore::claim) has got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claimed {
    /// The claims, in the order in which they are to be begun.
    pub claims: Vec<Claim>,
    /// When there may be more to claim, even if nobody asks and no run ends until then; `None` if never.
    pub again: Option<Timestamp>,
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
    /// Whether nothing is kept of the run but that it went well: one that has looked at the source, and found
    /// nothing new, is not worth a place in the history.
    pub unremarkable: bool,
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

impl Finish {
    /// Whether the run has only seen that there is nothing new at the source: its mirror is looked at again when it is
    /// [`due`](Self::due), and nothing else is to become of it.
    pub fn found_nothing(&self) -> bool {
        self.unremarkable
            && self.state == RunState::Done
            && self.failure.is_none()
            && self.not_before.is_none()
            && !self.changed
            && !self.park
    }
}

/// The end of a run that is to be noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The claim that began the run.
    pub claim: Claim,
    /// How it ended.
    pub finish: Finish,
}

/// Whether the end of a run was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndState {
    /// It was.
    Noted,
    /// The claim is not ours any more, and nothing was changed.
    Lost,
    /// Not yet, since somebody else changes the mirror just now.
    NotYet,
}

impl EndState {
    /// What an answer of [`finish`](crate::queue::JobStore::finish) says.
    pub(in crate::queue) fn of(is_noted: bool) -> Self {
        if is_noted { Self::Noted } else { Self::Lost }
    }
}
