//! What is shown of the processes that share a queue.

use serde::{Deserialize, Serialize};

use super::Asked;
use crate::base::time::Timestamp;

/// A process that shares the queue with others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeView {
    /// Its id, new for each process.
    pub id: String,
    /// The name of its machine.
    pub name: String,
    /// What it does: `all`, or a part of that.
    pub role: String,
    /// The version of its program.
    pub version: String,
    /// How it is.
    pub state: NodeState,
    /// Whether it is the one that answers.
    pub here: bool,
    /// When it began.
    pub started: Timestamp,
    /// When it was last heard of.
    pub beat: Timestamp,
    /// What is free on the disk of its caches, in bytes; `None` if its system does not say.
    pub free: Option<u64>,
    /// Whether it gives its caches to others.
    pub gives_caches: bool,
    /// The runs that are under way there.
    pub runs: Vec<Asked>,
}

/// How a process is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It is at work.
    Working,
    /// It ends what runs, and begins nothing more.
    Draining,
    /// It was not heard of for a while: it is gone, or cannot reach the database.
    Lost,
}

impl NodeState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Working, Self::Draining, Self::Lost];

    /// The lower-case name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Draining => "draining",
            Self::Lost => "lost",
        }
    }
}
