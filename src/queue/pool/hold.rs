//! Whether a run may still do what others would see.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use super::Pool;
use crate::base::FenceError;
use crate::queue::model::Claim;

/// So long an answer of the store is waited for: one that took longer may be true no more.
const ANSWER: Duration = Duration::from_secs(5);

impl Pool {
    /// Whether the run of `claim` may go on. Asks the store; if that does not answer in time, what our own clock says
    /// of the claim counts, with a third of its lease to spare.
    pub fn check(&self, claim: &Claim) -> Result<(), FenceError> {
        let holds = self.ask_store(claim);
        let state = self.0.lock();
        let held = state.held.get(&claim.run).filter(|held| !held.is_lost);
        let held = held.ok_or(FenceError::Lost)?;
        match holds {
            Some(true) => Ok(()),
            Some(false) => Err(FenceError::Lost),
            None if Instant::now() + state.limits.lease / 3 < held.ends => Ok(()),
            None => Err(FenceError::Unknown),
        }
    }

    /// Whether the claim holds, if that can be found out in time.
    fn ask_store(&self, claim: &Claim) -> Option<bool> {
        let asked = Instant::now();
        let (tell, told) = sync_channel(1);
        let (shared, claim) = (Arc::clone(&self.0), claim.clone());
        // A network that loses everything can keep whoever asks for long.
        let ask = move || drop(tell.send(shared.store.holds(&claim, shared.clock.now())));
        thread::Builder::new().name("claim-check".to_owned()).spawn(ask).ok()?;
        let holds = told.recv_timeout(ANSWER).ok()?.ok()?;
        // This process may have been stopped meanwhile.
        (asked.elapsed() < ANSWER).then_some(holds)
    }
}
