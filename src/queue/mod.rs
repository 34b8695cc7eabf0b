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
//! `Ledger` is the rules without threads and `Board` the threads without rules.

mod board;
mod job;
mod ledger;

pub use board::{Board, StartError, Work};
pub use job::{Failure, Job, JobId, JobState, ParseJobIdError};
pub use ledger::{Closed, Load, Ticket};
