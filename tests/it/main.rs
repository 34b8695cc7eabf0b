//! Integration tests.

// `cfg(test)` lets clippy take the helpers of tests for tests.
#[cfg(test)]
mod oracle_store;
