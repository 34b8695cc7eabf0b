//! Which mirror is due when, and who runs it. Knows nothing of what a run does.
//!
//! The queue is no list of jobs: it is one row for each mirror, with counters. A request adds one to what
//! is wanted; a run takes up all that is wanted when it begins. So requests that arrive during a run are
//! answered by one later run, since the one under way may have read the source already; further ones fold
//! into that; and however many arrive, the queue does not grow. Each request gets the id of the run that
//! answers it.
//!
//! A run is begun by a claim, which holds for a while and is renewed. If the process ends, the claim runs
//! out, and the next one takes up what was asked for. Each claim has a larger token than those before it,
//! so that whoever had lost a claim without knowing can do no harm.
//!
//! | module | is | knows nothing of |
//! |---|---|---|
//! | `model`, `failure`, `store_error` | what is kept, as plain data | |
//! | `rules` | what becomes of one row: asked for, begun, ended, parked | other rows, stores |
//! | `choose` | which of the rows that are due are run: limits, classes, turns | stores |
//! | `hosts` | which hosts are left alone, since they do not answer or have asked for it | rows, stores |
//! | `job_store` | the trait of what keeps rows, runs and deliveries | |
//! | `fleet` | the processes that share a store | rows |
//! | `ledgers` | what runs leave for those after them, where several processes share it | what that is |
//! | `sessions` | browsers that are logged in | what they may do |
//! | `receivers` | what receivers of notifications were told, where several processes tell them | what that is |
//! | `memory` | a store in memory: the model for the others | |
//! | `portable` | all that a store has, for another one | stores |
//! | `record` | the columns that a row is kept in | stores |
//! | `sqlite` | a store in a file: durable before it answers | |
//! | `postgres` | a store in a database, for several processes | |
//! | `backoff` | when a run that failed is tried again | rows |
//! | `pool` | the threads that claim, run, renew and finish | what a run does |

pub mod backoff;
mod choose;
mod failure;
pub mod fleet;
mod hosts;
pub mod job_store;
mod ledgers;
mod memory;
pub mod model;
pub mod pool;
mod portable;
mod postgres;
mod receivers;
mod record;
mod rules;
mod sessions;
mod sqlite;
mod store_error;

pub use backoff::{Next, backoff, not_before, random};
pub use failure::Failure;
pub use fleet::{CacheHome, Fleet, Node, NodeReport};
pub use hosts::Closed;
pub use job_store::{ClaimLimits, JobStore};
pub use ledgers::Ledgers;
pub use memory::MemoryStore;
pub use pool::{Pool, Runner, StartPoolError};
pub use portable::{Moved, Portable};
pub use postgres::{PostgresOptions, PostgresStore, Problem, ServerFacts};
pub use receivers::{Kept, Receivers};
pub use sessions::{MemorySessions, Session, Sessions};
pub use sqlite::SqliteStore;
pub use store_error::StoreError;
