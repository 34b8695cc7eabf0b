//! The secrets of this suite, and that none of them is printed, logged, answered or kept.
//!
//! Each holds the word [`WORD`], so that it is found whichever test it is of. What programs print is
//! looked through where they are started (`Ran::from`), and so is what the daemon answers.

use std::sync::atomic::{AtomicU32, Ordering};

/// The word that is in every secret, and in nothing else.
const WORD: &str = "geheim";

/// What else nobody may see: the token of the documents, the beginning of a password for a web server in
/// base 64, and that of a key.
const OTHERS: [&str; 3] = ["s3cret", "eC1hY2Nlc3MtdG9rZW46", "PRIVATE KEY-----"];

/// A token like those that a forge gives out, with this beginning; no two are the same.
pub(crate) fn token(prefix: &str) -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}{WORD}{:026}{:04}", std::process::id(), number)
}

/// Fails if `text`, which is `what`, has a secret in it.
pub(crate) fn assert_none(what: &str, text: &str) {
    let lower = text.to_lowercase();
    let found = lower.contains(WORD) || OTHERS.iter().any(|other| text.contains(other));
    // Whoever reads the report of the test may see it: it is a secret of the suite alone.
    assert!(!found, "a secret is in {what}: {text}");
}

#[test]
#[should_panic(expected = "a secret is in it")]
fn a_secret_is_found() {
    assert_none("it", &format!("remote: {}", token("ghp_")));
}
