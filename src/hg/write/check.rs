//! Checks texts against their nodes, on a thread of its own: it is most of the work.

use std::sync::Arc;

use super::error::{WriteError, Wrong};
use crate::base::Interrupted;
use crate::base::pipeline::{Batches, Stopped, Weight, run_pipeline};
use crate::base::sha1::{self, Digest, Message};
use crate::hg::Node;
use crate::hg::revlog::Text;

/// How many bytes of texts are handed over at a time.
const BATCH_BYTES: usize = 4 << 20;

/// One text that is to be checked.
#[derive(Debug)]
pub(super) struct Check {
    /// The revlog, as errors call it.
    pub(super) file: Arc<str>,
    pub(super) node: Node,
    pub(super) parents: [Node; 2],
    pub(super) text: Text,
}

impl Weight for Check {
    fn bytes(&self) -> usize {
        self.text.len()
    }
}

/// Takes texts to be checked.
pub(super) type Checks = Batches<Check>;

impl From<Stopped> for WriteError {
    fn from(Stopped: Stopped) -> Self {
        Interrupted.into()
    }
}

/// Runs `work`, while what it hands over is checked beside it. The first text that is wrong makes it
/// an error, whatever came of the work.
pub(super) fn checked<T>(
    work: impl FnOnce(&mut Checks) -> Result<T, WriteError>,
) -> Result<T, WriteError> {
    run_pipeline(BATCH_BYTES, |mut batches| batches.try_for_each(|batch| check_batch(&batch)), work)
}

/// An error unless each text hashes to its node.
fn check_batch(batch: &[Check]) -> Result<(), WriteError> {
    let heads: Vec<_> = batch.iter().map(|check| Node::before_text(check.parents)).collect();
    let messages = heads.iter().zip(batch).map(|(head, check)| Message { head, text: &check.text });
    let mut digests = vec![Digest::default(); batch.len()];
    sha1::digests(&messages.collect::<Vec<_>>(), &mut digests);
    for (check, digest) in batch.iter().zip(digests) {
        let (node, actual) = (check.node, Node::from_bytes(digest));
        if actual != node {
            let problem = Wrong::Hash { actual };
            return Err(WriteError::Revision { file: check.file.to_string(), node, problem });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], wrong: bool) -> Check {
        let parents = [Node::from_bytes([9; 20]), Node::NULL];
        let hashed = sha1::digest(&[&[0; 20], &[9; 20], text]);
        let node = if wrong { Node::NULL } else { Node::from_bytes(hashed) };
        Check { file: "a file".into(), node, parents, text: Arc::new(text.to_vec()) }
    }

    #[test]
    fn the_first_wrong_text_is_the_error() {
        let run = |wrong: Option<usize>| {
            checked(|checks| {
                for i in 0..1000 {
                    checks.add(check(&[7; 30], wrong == Some(i)))?;
                }
                Ok(())
            })
        };
        run(None).unwrap();
        for wrong in [0, 1, 500, 999] {
            let error = run(Some(wrong)).unwrap_err();
            assert!(matches!(error, WriteError::Revision { problem: Wrong::Hash { .. }, .. }));
        }
    }

    #[test]
    fn a_wrong_text_explains_what_comes_after_it() {
        let error = checked(|checks| -> Result<(), WriteError> {
            checks.add(check(b"text", true))?;
            checks.hand_over()?;
            Err(WriteError::Interrupted(Interrupted))
        });
        assert!(matches!(error, Err(WriteError::Revision { .. })));
        let error = checked(|_| -> Result<(), WriteError> { Err(Interrupted.into()) });
        assert!(matches!(error, Err(WriteError::Interrupted(_))));
    }
}
