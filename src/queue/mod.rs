//! What is due: at most one run and one pending run for each key, on a few worker threads.
//!
//! Knows nothing of what a run does. A request that arrives while a run is under way becomes a
//! pending run, since the running one may have read the source before the push that is asked for;
//! further requests are folded into the pending one, which has read nothing yet. So memory is
//! bounded by the number of keys however many requests arrive.
//!
//! Everything is in memory. What is lost when the process ends is lost on purpose: a run has no
//! input but its key, so the next request for the key does all that the lost one would have done.
//!
//! `MemoryStore` is the rules without threads and `Queue` the threads without rules.

mod job;
pub mod job_store;
pub mod model;
mod store;
mod store_error;
mod workers;

pub use job::{Failure, Job, JobId, JobState, ParseJobIdError};
pub use store::{Closed, Load, Receipt};
pub use store_error::StoreError;
pub use workers::{Queue, StartError, Worker};
