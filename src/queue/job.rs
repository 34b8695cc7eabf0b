//! One job: what was asked for, and what became of it.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime};

use super::failure::Failure;
use crate::base::faults;

/// The id of a job: 128 bits that cannot be guessed, so that its state can be read only by those who
/// were given the id. Written as 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(u128);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A text that is not the id of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read a job id: it has 32 lower-case hex digits")]
pub struct ParseJobIdError;

faults!(ParseJobIdError => Config);

impl FromStr for JobId {
    type Err = ParseJobIdError;

    fn from_str(text: &str) -> Result<Self, ParseJobIdError> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return Err(ParseJobIdError);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| ParseJobIdError)
    }
}

impl JobId {
    /// A new one, of random bits.
    pub(super) fn random() -> Self {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).expect("a system that can encrypt has random bits");
        Self(u128::from_ne_bytes(bits))
    }
}

/// A job as it is at one moment.
#[derive(Clone, Debug)]
pub struct Job<K, T> {
    /// Its id.
    pub id: JobId,
    /// What it is about.
    pub key: K,
    /// What has become of it.
    pub state: JobState<T>,
    /// When it came into this state.
    pub since: SystemTime,
    /// How many requests it answers: one, and those that were folded into it.
    pub requests: u64,
    /// When it came into this state, by the monotonic clock.
    entered: Instant,
    /// How long the run took, once it is over.
    took: Option<Duration>,
}

impl<K, T> Job<K, T> {
    pub(super) fn queued(id: JobId, key: K) -> Self {
        let (since, entered) = (SystemTime::now(), Instant::now());
        Self { id, key, state: JobState::Queued, since, requests: 1, entered, took: None }
    }

    /// Changes the state, now.
    pub(super) fn enter(&mut self, state: JobState<T>) {
        if matches!(self.state, JobState::Running) {
            self.took = Some(self.entered.elapsed());
        }
        self.state = state;
        (self.since, self.entered) = (SystemTime::now(), Instant::now());
    }

    /// How long it has been waiting or running; for one that is over, how long the run took.
    pub fn elapsed(&self) -> Duration {
        match self.state {
            JobState::Queued | JobState::Running => self.entered.elapsed(),
            JobState::Done(_) | JobState::Failed(_) => self.took.unwrap_or_default(),
        }
    }
}

/// What has become of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState<T> {
    /// It waits for a worker, or for the run of its key that is under way.
    Queued,
    /// A worker is at it.
    Running,
    /// It ended well.
    Done(T),
    /// It ended badly, or was dropped without a run because the queue was closed.
    Failed(Failure),
}

impl<T> JobState<T> {
    /// Whether nothing will become of it any more.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(_))
    }

    /// The lower-case name used in logs and JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done(_) => "done",
            Self::Failed(_) => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_and_read() {
        let (one, two) = (JobId::random(), JobId::random());
        assert_ne!(one, two);
        assert_eq!(one.to_string().parse(), Ok(one));
        assert_eq!(JobId(5).to_string(), "00000000000000000000000000000005");
    }

    #[test]
    fn other_texts_are_no_ids() {
        let long = "0".repeat(33);
        let upper = "A".repeat(32);
        let signed = format!("+{}", "0".repeat(31));
        for text in ["", "0", &long, &upper, &signed] {
            assert_eq!(text.parse::<JobId>(), Err(ParseJobIdError), "{text}");
        }
    }
}
