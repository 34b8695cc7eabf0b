//! The service over a queue in memory, a clock that the tests set, and a substitute for what syncs: what is
//! run when, and what is left alone.

// For clippy: helpers outside of `#[test]` functions are tests too.
#![cfg(test)]

mod caches;
mod claimed;
mod compaction;
mod day;
mod gone;
mod hosts;
mod intake;
mod look;
mod parked;
mod reload;
mod rig;
