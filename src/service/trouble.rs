//! Whether the queue can be written: on a full disk, or while another program has locked the file, hooks are refused
//! and nothing begins, and whoever looks has to learn why.

use std::sync::{Mutex, PoisonError};

use crate::queue::{Failure, StoreError};

/// Why the queue cannot be written, if it cannot.
#[derive(Debug, Default)]
pub(super) struct Trouble(Mutex<Option<Failure>>);

impl Trouble {
    /// Notes what came of writing.
    pub(super) fn noted<T>(&self, written: Result<T, StoreError>) -> Result<T, StoreError> {
        let mut trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &written {
            // That is no trouble of the queue.
            Err(StoreError::Unknown { .. } | StoreError::Closed) => {}
            Ok(_) => {
                if trouble.take().is_some() {
                    tracing::info!("the queue can be written again");
                }
            }
            Err(error) => {
                let failure = Failure::of(error);
                let (fault, side) = (failure.fault.name(), failure.side.name());
                let hint = failure.hint.clone().unwrap_or_default();
                if trouble.replace(failure).is_none() {
                    tracing::error!(fault, side, hint, "hooks are refused: failed to {error}");
                }
            }
        }
        written
    }

    /// Why it cannot be written, as far as is known.
    pub(super) fn now(&self) -> Option<Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
