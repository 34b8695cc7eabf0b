//! Connections that only read, a few at a time.
//!
//! They see what was committed before they begin, and do not wait for the thread that writes. A reader
//! that stays keeps the log from being emptied, so each reads to its end what it wants and is done.

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};

use rusqlite::Connection;

use super::open;
use crate::queue::store_error::StoreError;

/// Readers at the same time.
const MOST: usize = 8;

/// Connections that only read.
pub(super) struct Readers {
    path: PathBuf,
    state: Mutex<State>,
    /// Notified of each connection that comes free.
    free: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    used: usize,
}

impl Readers {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, state: Mutex::default(), free: Condvar::new() }
    }

    /// Reads, all from one moment.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let taken = self.take();
        let result = taken.and_then(|mut connection| {
            let transaction = connection.transaction()?;
            let read = read(&transaction);
            transaction.commit()?;
            Ok((read?, connection))
        });
        let (result, connection) = match result {
            Ok((read, connection)) => (Ok(read), Some(connection)),
            Err(error) => (Err(StoreError::of(&self.path, &error)), None),
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.used -= 1;
        state.idle.extend(connection);
        self.free.notify_one();
        result
    }

    /// Writes all that was committed before this call to the empty file that is called `path`.
    pub(super) fn copy(&self, path: &str) -> Result<(), StoreError> {
        // A connection of its own, since this cannot be done in a transaction. It sees one moment, and
        // what is written meanwhile does not make it begin anew.
        let copied = open::reader(&self.path)
            .and_then(|connection| connection.execute("VACUUM INTO ?1", [path]).map(drop));
        copied.map_err(|error| StoreError::of(&self.path, &error))
    }

    /// A connection, once one is free. Whoever takes it gives it back, also if there is none.
    fn take(&self) -> rusqlite::Result<Connection> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.free.wait_while(state, |state| state.used >= MOST);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.used += 1;
        let idle = state.idle.pop();
        drop(state);
        idle.map_or_else(|| open::reader(&self.path), Ok)
    }
}
