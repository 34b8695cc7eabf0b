//! What happens, for those who follow.

use serde::{Deserialize, Serialize};

use super::{RunSummary, StageProgress};
use crate::queue::model::{RunId, Verdict};

/// Something that happened, for those who follow: pages, logs, metrics, notifications, whoever waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ServiceEvent {
    /// A mirror was asked for.
    Asked {
        /// The mirror.
        mirror: String,
        /// The run that answers.
        run: RunId,
    },
    /// A run has begun.
    Begun {
        /// The mirror.
        mirror: String,
        /// The run.
        run: RunId,
    },
    /// A run has made progress; not every step is told.
    Progress {
        /// The mirror.
        mirror: String,
        /// The run.
        run: RunId,
        /// How far it is.
        progress: StageProgress,
    },
    /// A run is over.
    Ended {
        /// The run.
        run: RunSummary,
    },
    /// A mirror was paused, resumed, parked, added, changed or removed.
    Changed {
        /// The mirror.
        mirror: String,
    },
    /// A hook arrived.
    Delivered {
        /// What became of it.
        verdict: Verdict,
        /// The endpoint.
        endpoint: String,
    },
}

impl ServiceEvent {
    /// Its name, as in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Asked { .. } => "asked",
            Self::Begun { .. } => "begun",
            Self::Progress { .. } => "progress",
            Self::Ended { .. } => "ended",
            Self::Changed { .. } => "changed",
            Self::Delivered { .. } => "delivered",
        }
    }

    /// The mirror that it is about.
    pub fn mirror(&self) -> Option<&str> {
        match self {
            Self::Asked { mirror, .. }
            | Self::Begun { mirror, .. }
            | Self::Progress { mirror, .. }
            | Self::Changed { mirror }
            | Self::Ended { run: RunSummary { mirror, .. } } => Some(mirror),
            Self::Delivered { .. } => None,
        }
    }

    /// The run that it is about.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Asked { run, .. }
            | Self::Begun { run, .. }
            | Self::Progress { run, .. }
            | Self::Ended { run: RunSummary { id: run, .. } } => Some(*run),
            Self::Changed { .. } | Self::Delivered { .. } => None,
        }
    }
}
