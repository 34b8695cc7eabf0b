//! The processes that share a queue, as they see each other.

use std::collections::HashMap;

use super::model::{Claim, RunId};
use super::store_error::StoreError;
use crate::base::time::Timestamp;

/// What a process says of itself, again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeReport {
    /// What people call it: the name of its machine.
    pub name: String,
    /// What it does: `all`, or a part of that.
    pub role: String,
    /// The version of its program.
    pub version: String,
    /// Whether it ends what runs, and begins nothing more.
    pub draining: bool,
    /// What is free on the disk of its caches, in bytes; `None` if its system does not say.
    pub free: Option<u64>,
    /// Where the others ask it for its caches; empty if it gives none.
    pub url: String,
}

/// The process that has the cache of a mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheHome {
    /// What people call it.
    pub name: String,
    /// Where it is asked for its caches.
    pub url: String,
    /// When it was last heard of.
    pub beat: Timestamp,
}

/// A process, as it was last heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its id: 32 hex digits, new for each process.
    pub id: String,
    /// What it said.
    pub report: NodeReport,
    /// When it began.
    pub started: Timestamp,
    /// When it was last heard of.
    pub beat: Timestamp,
    /// The runs that are under way there, each with its mirror.
    pub runs: Vec<(String, RunId)>,
}

/// What a store knows of the processes that share it.
pub trait Fleet: Send + Sync {
    /// The id of this process.
    fn id(&self) -> &str;

    /// Says that this process is there, and how it is.
    fn beat(&self, report: &NodeReport) -> Result<(), StoreError>;

    /// Says that this process is no more.
    fn leave(&self) -> Result<(), StoreError>;

    /// The processes that were heard of since `since` and have not ended in good order, by name.
    fn nodes(&self, since: Timestamp) -> Result<Vec<Node>, StoreError>;

    /// Which other process has the cache of the claimed mirror, if one does that has not ended in good order.
    fn cache_of(&self, claim: &Claim) -> Result<Option<CacheHome>, StoreError>;

    /// At which process runs were begun: the name of each that is known.
    fn nodes_of(&self, runs: &[RunId]) -> Result<HashMap<RunId, String>, StoreError>;
}
