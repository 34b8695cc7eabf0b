//! Keeps Git mirrors of Mercurial repositories: reads Mercurial natively, converts changesets
//! into commits, and pushes them with libgit2, incrementally and from a cache.
//!
//! The layers, from the bottom up; `src/README.md` is the map and `tests/it/layers.rs` enforces it.

pub mod base;
pub mod cli;
pub mod config;
pub mod convert;
pub mod daemon;
pub mod forge;
pub mod git;
pub mod hg;
pub mod hook;
pub mod mirror;
pub mod net;
pub mod queue;
pub mod service;
