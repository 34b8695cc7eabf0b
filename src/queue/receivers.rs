//! What receivers of notifications were told, where several processes share it. The queue does not look inside.

use super::store_error::StoreError;

/// What is kept of a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which one of all that were kept of it this is; 0 if nothing was kept yet.
    pub version: i64,
    /// What was kept.
    pub contents: String,
    /// How far the clock of the store is ahead of ours, in milliseconds: what is kept for others has its times by that.
    pub ahead: i64,
}

/// A store that several processes share who tell the same receivers.
pub trait Receivers: Send + Sync {
    /// What is kept of a receiver.
    fn kept(&self, receiver: &str) -> Result<Kept, StoreError>;

    /// Keeps something else in place of the version `before`. Returns whether that was what there was; if not, nothing is
    /// changed.
    fn keep(&self, receiver: &str, before: i64, contents: &str) -> Result<bool, StoreError>;

    /// Whether this process is the one that sends to a receiver, of which something is kept: from now on, if nobody is,
    /// or if the one that was is gone.
    fn take(&self, receiver: &str) -> Result<bool, StoreError>;

    /// Lets another process send to it.
    fn leave(&self, receiver: &str) -> Result<(), StoreError>;
}
