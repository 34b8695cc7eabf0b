//! Connections that only read, a few at a time. They do not wait for the thread that writes.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use postgres::Client;

use super::connection::Connector;
use super::trouble::Trouble;
use crate::queue::store_error::StoreError;

/// Readers at the same time, of one process.
const MOST: usize = 4;

/// Connections that only read.
pub(super) struct Readers {
    connector: Arc<Connector>,
    state: Mutex<State>,
    /// Notified of each connection that comes free.
    free: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Client>,
    used: usize,
}

impl Readers {
    pub(super) fn new(connector: Arc<Connector>) -> Self {
        Self { connector, state: Mutex::default(), free: Condvar::new() }
    }

    /// Reads, all from one moment. `read` also gets how far the clock of the database is ahead of ours.
    pub(super) fn read<T>(
        &self,
        mut read: impl FnMut(&mut Client, i64) -> Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        let idle = self.take();
        let result = match idle.map(|client| self.transact(client, &mut read)) {
            // It was of use to nobody for a while, and may have ended long ago.
            Some(Err(trouble)) if trouble.ends_connection() => None,
            result => result,
        };
        let result = result.unwrap_or_else(|| {
            self.connector.connect().and_then(|client| self.transact(client, &mut read))
        });
        let (result, client) = match result {
            Ok((read, client)) => (Ok(read), Some(client)),
            Err(trouble) => (Err(self.connector.error(&trouble)), None),
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.used -= 1;
        state.idle.extend(client);
        drop(state);
        self.free.notify_one();
        result
    }

    fn transact<T>(
        &self,
        mut client: Client,
        read: &mut impl FnMut(&mut Client, i64) -> Result<T, Trouble>,
    ) -> Result<(T, Client), Trouble> {
        let how = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let ahead = self.connector.begin(&mut client, how)?;
        let found = read(&mut client, ahead)?;
        client.batch_execute("COMMIT")?;
        Ok((found, client))
    }

    /// An idle connection, once so few are used that another may be. Whoever takes one gives it back, also if there
    /// is none.
    fn take(&self) -> Option<Client> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.free.wait_while(state, |state| state.used >= MOST);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.used += 1;
        state.idle.pop().filter(|client| !client.is_closed())
    }
}
