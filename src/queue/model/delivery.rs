//! A hook that arrived.

use serde::{Deserialize, Serialize};

use super::run::RunId;
use crate::base::time::Timestamp;

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
