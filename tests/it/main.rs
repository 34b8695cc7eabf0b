//! Integration tests.

mod config;
mod daemon;
