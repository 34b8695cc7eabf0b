//! What the daemon does that is not HTTP: take deliveries, ask for syncs, run them, tell what became of
//! them.

mod hosts;
mod members;
mod recorder;
mod resolve;
mod schedule;
pub mod view;
