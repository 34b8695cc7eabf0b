//! A mirror, what asks for it, and its row.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::run::{RunId, RunState};
use crate::base::time::Timestamp;
use crate::queue::failure::Failure;

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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    /// The nodes that alone may run it, in words that whoever claims knows; empty if any may.
    pub pin: String,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The mirror that is asked for.
    #[serde(rename = "mirror")]
    pub key: String,
    /// The run that does what was asked for.
    pub run: RunId,
    /// Whether an earlier request had asked for the same run.
    pub folded: bool,
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
    /// How often in a row it was claimed without a run that came to an end. If it is parked and this is not 0, it
    /// was parked for that.
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
    /// When the next run begins if there is a worker for it; `None` if there is no reason for one, or one
    /// against it: the mirror is removed, paused or parked.
    pub fn next_run(&self) -> Option<Timestamp> {
        let is_held = self.removed.or(self.paused).is_some();
        // What is parked since it ended its process is tried again by itself.
        let is_parked = self.parked.is_some() && !self.ends_process();
        if is_held || is_parked { None } else { self.due() }
    }

    /// Whether nothing runs, and the last run ended with the process that it was in.
    pub(in crate::queue) fn ends_process(&self) -> bool {
        self.running.is_none() && self.attempts > 0
    }

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
