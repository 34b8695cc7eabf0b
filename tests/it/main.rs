//! The one integration binary. A file that is not in this list fails a test in `layers`.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that meets what it does not expect has failed, and says so"
)]

mod adoption;
mod awkward;
mod bundles;
mod cache;
mod cli;
mod commit_texts;
mod compact;
mod config;
mod daemon;
mod destination;
mod documents;
mod error_index;
mod errors;
mod fenced;
mod first_steps;
mod fixtures;
mod generated;
mod github;
mod handover;
mod hostile;
mod identities;
mod inspect;
mod layers;
mod mirror_command;
mod online;
mod options;
mod oracle_adoption;
mod oracle_authors;
mod oracle_bundles;
mod oracle_cache;
mod oracle_convert;
mod oracle_corpus;
mod oracle_destination;
mod oracle_faults;
mod oracle_follow;
mod oracle_hg_hook;
mod oracle_identity;
mod oracle_kill;
mod oracle_live;
mod oracle_names;
mod oracle_packs;
mod oracle_peer;
mod oracle_pull;
mod oracle_random;
mod oracle_remedies;
mod oracle_store;
mod oracle_write;
mod own_faults;
mod peer;
mod queue;
mod rebuild;
mod recorded;
mod repository;
mod service;
mod slices;
mod support;
mod threats;
mod web;
mod words;
