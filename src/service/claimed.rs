//! What a run has by its claim: the right to go on, and the ledger of its mirror.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Shared;
use crate::base::{Fence, FenceError};
use crate::mirror::LedgerStore;
use crate::queue::model::Claim;

/// The right of a run to go on: its claim.
pub(super) struct OfClaim {
    pub(super) shared: Arc<Shared>,
    pub(super) claim: Claim,
}

impl Fence for OfClaim {
    fn token(&self) -> u64 {
        self.claim.token
    }

    fn check(&self) -> Result<(), FenceError> {
        self.shared.pool.wait().check(&self.claim).inspect_err(|error| {
            self.shared.fenced.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("nothing is published: failed to {error}");
        })
    }
}

impl LedgerStore for OfClaim {
    fn read(&self) -> io::Result<Option<String>> {
        let ledgers = self.shared.store.ledgers();
        let read = ledgers.map(|ledgers| ledgers.ledger(&self.claim)).transpose();
        read.map(Option::flatten).map_err(io::Error::other)
    }

    fn write(&self, contents: &str) -> io::Result<()> {
        let Some(ledgers) = self.shared.store.ledgers() else { return Ok(()) };
        match ledgers.keep_ledger(&self.claim, contents).map_err(io::Error::other)? {
            true => Ok(()),
            false => Err(io::Error::other(FenceError::Lost)),
        }
    }
}
