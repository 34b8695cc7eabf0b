//! The sessions of browsers, which are kept beside the queue so that whoever shares it knows them. The queue does not
//! look inside.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::store_error::StoreError;
use crate::base::time::Timestamp;

/// What is kept of a session: nothing by which one could be used, or made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// A hash of its id.
    pub id: [u8; 32],
    /// What all sessions of one token have in common.
    pub holder: [u8; 32],
    /// What only who knows the token and the id can have made.
    pub proof: [u8; 32],
    /// When it was made.
    pub made: Timestamp,
    /// When it was last used, as far as that was noted.
    pub used: Timestamp,
}

/// Where sessions are kept.
pub trait Sessions: Send + Sync {
    /// Keeps a new one. Of those of its holder only so many stay: the one that was used longest ago ends.
    fn open(&self, session: &Session, most: usize) -> Result<(), StoreError>;

    /// The one with that id.
    fn find(&self, id: &[u8; 32]) -> Result<Option<Session>, StoreError>;

    /// Notes that it was used.
    fn note_use(&self, id: &[u8; 32], now: Timestamp) -> Result<(), StoreError>;

    /// Ends it.
    fn close(&self, id: &[u8; 32]) -> Result<(), StoreError>;

    /// Ends those that were made before.
    fn expire(&self, before: Timestamp) -> Result<(), StoreError>;
}

/// Sessions that end with the process.
#[derive(Debug, Default)]
pub struct MemorySessions(Mutex<Vec<Session>>);

impl MemorySessions {
    /// The sessions: they are whole whatever has panicked.
    fn all(&self) -> MutexGuard<'_, Vec<Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sessions for MemorySessions {
    fn open(&self, session: &Session, most: usize) -> Result<(), StoreError> {
        let mut all = self.all();
        let of_holder = all.iter().filter(|other| other.holder == session.holder);
        let mut of_holder: Vec<_> =
            of_holder.map(|other| (other.used, other.made, other.id)).collect();
        // The new one stays, and of the others those that were used last.
        of_holder.sort_unstable();
        let stay = most.saturating_sub(1);
        of_holder.truncate(of_holder.len().saturating_sub(stay));
        all.retain(|other| of_holder.iter().all(|(_, _, ended)| *ended != other.id));
        all.push(session.clone());
        Ok(())
    }

    fn find(&self, id: &[u8; 32]) -> Result<Option<Session>, StoreError> {
        Ok(self.all().iter().find(|session| session.id == *id).cloned())
    }

    fn note_use(&self, id: &[u8; 32], now: Timestamp) -> Result<(), StoreError> {
        for session in self.all().iter_mut().filter(|session| session.id == *id) {
            session.used = now;
        }
        Ok(())
    }

    fn close(&self, id: &[u8; 32]) -> Result<(), StoreError> {
        self.all().retain(|session| session.id != *id);
        Ok(())
    }

    fn expire(&self, before: Timestamp) -> Result<(), StoreError> {
        self.all().retain(|session| session.made >= before);
        Ok(())
    }
}
