//! Checks texts against their nodes, on a thread of its own: it is most of the work.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::error::{WriteError, Wrong};
use crate::base::Interrupted;
use crate::base::sha1::{self, Digest, Message};
use crate::hg::Node;
use crate::hg::revlog::Text;

/// How many texts are handed over at a time, and how many bytes of them.
const BATCH: usize = 64;
const BATCH_BYTES: usize = 4 << 20;
/// How many batches wait.
const BATCHES: usize = 4;

/// One text that is to be checked.
#[derive(Debug)]
pub(super) struct Check {
    /// The revlog, as errors call it.
    pub(super) file: Arc<str>,
    pub(super) node: Node,
    pub(super) parents: [Node; 2],
    pub(super) text: Text,
}

/// Takes texts to be checked.
#[derive(Debug)]
pub(super) struct Checks {
    sender: SyncSender<Vec<Check>>,
    batch: Vec<Check>,
    bytes: usize,
}

/// Runs `work`, while what it hands over is checked beside it. The first text that is wrong makes it
/// an error, whatever came of the work.
pub(super) fn checked<T>(
    work: impl FnOnce(&mut Checks) -> Result<T, WriteError>,
) -> Result<T, WriteError> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(BATCHES);
        let worker = scope.spawn(move || check_all(&receiver));
        let mut checks = Checks { sender, batch: Vec::new(), bytes: 0 };
        let made = work(&mut checks).and_then(|made| checks.hand_over().map(|()| made));
        drop(checks);
        match worker.join() {
            Ok(checked) => checked.and(made),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn check_all(receiver: &Receiver<Vec<Check>>) -> Result<(), WriteError> {
    receiver.iter().try_for_each(|batch| check_batch(&batch))
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

impl Checks {
    /// Has a text checked, some time.
    pub(super) fn add(&mut self, check: Check) -> Result<(), WriteError> {
        self.bytes = self.bytes.saturating_add(check.text.len());
        self.batch.push(check);
        let is_full = self.batch.len() >= BATCH || self.bytes >= BATCH_BYTES;
        if is_full { self.hand_over() } else { Ok(()) }
    }

    /// Nobody takes it if a text was wrong: then that is the error, and not this one.
    fn hand_over(&mut self) -> Result<(), WriteError> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        self.sender.send(batch).map_err(|_| Interrupted.into())
    }
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
