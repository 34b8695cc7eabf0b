//! What waits to be told to one receiver, the oldest first.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::message::Message;
use crate::queue::model::RunId;

/// So many messages wait for a receiver; further ones are dropped.
pub(super) const ROOM: usize = 256;

/// A message on its way to one receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Letter {
    /// The same for each attempt, also by the next daemon, so that a receiver can tell that it has it already.
    pub(super) id: String,
    pub(super) message: Message,
}

impl Letter {
    pub(super) fn new(message: Message) -> Self {
        Self { id: format!("msg_{}", RunId::random()), message }
    }
}

/// The letters for one receiver. The first stays until it is done with, so that no stop loses it.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    letters: Mutex<Letters>,
    bell: Condvar,
}

#[derive(Debug, Default)]
struct Letters {
    all: VecDeque<Letter>,
    /// Nothing is added any more.
    is_over: bool,
}

impl Waiting {
    pub(super) fn of(letters: Vec<Letter>) -> Self {
        let letters = Letters { all: letters.into(), is_over: false };
        Self { letters: Mutex::new(letters), bell: Condvar::new() }
    }

    fn letters(&self) -> MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one, or gives it back if there is no room.
    pub(super) fn add(&self, letter: Letter) -> Result<(), Box<Letter>> {
        let mut letters = self.letters();
        if letters.all.len() >= ROOM {
            return Err(Box::new(letter));
        }
        letters.all.push_back(letter);
        self.bell.notify_one();
        Ok(())
    }

    /// Waits for the first; `None` once nothing is left and nothing is added any more.
    pub(super) fn first(&self) -> Option<Letter> {
        let empty = |letters: &mut Letters| letters.all.is_empty() && !letters.is_over;
        let letters = self.bell.wait_while(self.letters(), empty);
        letters.unwrap_or_else(PoisonError::into_inner).all.front().cloned()
    }

    /// The first is done with.
    pub(super) fn done(&self) {
        self.letters().all.pop_front();
    }

    /// Nothing is added any more.
    pub(super) fn end(&self) {
        self.letters().is_over = true;
        self.bell.notify_one();
    }

    /// All of them, for the next daemon.
    pub(super) fn all(&self) -> Vec<Letter> {
        self.letters().all.iter().cloned().collect()
    }
}
