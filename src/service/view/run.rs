//! What is shown of runs.

use serde::{Deserialize, Serialize};

use super::{FailureView, StageProgress};
use crate::base::Severity;
use crate::base::time::Timestamp;
use crate::queue::model::{Cause, RunId, RunState};

/// One ref of the target as the last run left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefView {
    /// The full name.
    pub name: String,
    /// What it was, as hex; `None` if it was not there.
    pub old: Option<String>,
    /// What it is, as hex; `None` if it was removed, or refused and is not there.
    pub new: Option<String>,
    /// Why it is not as the source wants it, if it is not.
    pub refused: Option<String>,
}

/// One run in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// The mirror.
    pub mirror: String,
    /// What has become of it.
    pub state: RunState,
    /// The node that began it, where there may be several and it is still known.
    pub node: Option<String>,
    /// What asked for it.
    pub cause: Cause,
    /// How many requests it answers.
    pub requests: u64,
    /// When it was asked for.
    pub asked: Timestamp,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Changesets of the source.
    pub changesets: u64,
    /// How many of them it converted.
    pub converted: u64,
    /// How many refs it changed.
    pub changed: u64,
    /// How many refs were refused.
    pub refused: u64,
    /// Where its cache came from, if there was none and it has one now.
    pub cold: Option<ColdStart>,
    /// Its stages so far, in their order.
    pub phases: Vec<PhaseView>,
    /// Why it did not end well.
    pub failure: Option<FailureView>,
}

/// Where a cache came from that was not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColdStart {
    /// It was made from the source.
    Source,
    /// Another node gave its own.
    Node,
}

impl ColdStart {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Source, Self::Node];

    /// The lower-case name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Node => "node",
        }
    }
}

/// One stage of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseView {
    /// The stage, as `Stage` is called in JSON.
    pub stage: String,
    /// What was done, in words.
    pub title: String,
    /// How many units were done.
    pub done: u64,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// One line of the log of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// How much it matters.
    pub severity: Severity,
    /// The text, clean.
    pub text: String,
}

/// One run, with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunDetail {
    /// What the list has.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// The refs that it changed, and those that were refused.
    pub refs: Vec<RefView>,
    /// How many refs were left out of `refs`.
    pub more_refs: u64,
    /// What it had to say.
    pub log: Vec<LogLine>,
    /// How many lines were left out of `log`.
    pub more_lines: u64,
    /// How far it is, while it runs.
    pub progress: Option<StageProgress>,
}
