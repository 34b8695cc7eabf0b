//! What waits to be told to one receiver, and the bell of who tells it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::Message;
use crate::queue::model::RunId;

/// So many messages wait for a receiver; further ones are dropped.
pub(super) const ROOM: usize = 256;

/// A message on its way to one receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Letter {
    /// The same for each attempt, also by another daemon, so that a receiver can tell that it has it already.
    pub(super) id: String,
    pub(super) message: Message,
}

impl Letter {
    pub(super) fn new(message: Message) -> Self {
        Self { id: format!("msg_{}", RunId::random()), message }
    }
}

/// Rung when there may be something to tell.
#[derive(Debug, Default)]
pub(super) struct Bell {
    is_rung: Mutex<bool>,
    rings: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.is_rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.rings.notify_one();
    }

    /// Waits until it has been rung since it was last waited for, or for `longest`.
    pub(super) fn wait(&self, longest: Duration) {
        let is_rung = self.is_rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.rings.wait_timeout_while(is_rung, longest, |is_rung| !*is_rung);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}
