//! What receivers were told and what they are still to be told, over a restart: in a small file beside the queue; or
//! beside the queue in its database, where several daemons tell them. Without it, what is in trouble when the daemon
//! starts counts as told.
//!
//! Of several daemons whoever notices something first notes it with the message that is to be sent, or finds that it
//! is noted. What waits is sent by one of them; if that one is gone, by another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::expiries::Expiries;
use super::streaks::Streaks;
use super::waiting::{Letter, ROOM};
use crate::base::durable;
use crate::queue::{Kept, Receivers, StoreError};
use crate::service::Service;

/// The name of the file.
const FILE: &str = "told.json";
/// How often is looked what other daemons have left to be told.
const LOOK: Duration = Duration::from_secs(5);

/// What a receiver was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) streaks: Streaks,
    pub(super) expiries: Expiries,
    /// What it is still to be told, the oldest first. The first stays until it is done with, so that no stop loses it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) waiting: Vec<Letter>,
}

impl Told {
    /// Has something told, or gives it back if there is no room.
    pub(super) fn add(&mut self, letter: Letter) -> Option<Letter> {
        if self.waiting.len() >= ROOM {
            return Some(letter);
        }
        self.waiting.push(letter);
        None
    }
}

/// What all receivers were told.
pub(super) struct Memory {
    place: Place,
    /// As far as is known here; in a file, that is all there is.
    known: Mutex<BTreeMap<String, Told>>,
}

enum Place {
    File(PathBuf),
    Shared(Service),
}

impl Memory {
    /// The one that the daemon has.
    pub(super) fn of(service: &Service) -> Self {
        match service.receivers() {
            None => Self::read(&service.config().daemon.state),
            Some(_) => Self { place: Place::Shared(service.clone()), known: Mutex::default() },
        }
    }

    /// The one in the folder `state`.
    pub(super) fn read(state: &Path) -> Self {
        let path = state.join(FILE);
        // What cannot be read is as if there were none.
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let known = Mutex::new(serde_json::from_str(&text).unwrap_or_default());
        Self { place: Place::File(path), known }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Told>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it is, if other daemons tell the same receivers.
    fn shared(&self) -> Option<&dyn Receivers> {
        match &self.place {
            Place::File(_) => None,
            Place::Shared(service) => service.receivers(),
        }
    }

    /// How long may be waited before a look at what waits.
    pub(super) fn look_every(&self) -> Duration {
        if self.shared().is_some() { LOOK } else { Duration::MAX }
    }

    /// From now on these are the receivers, each with what it was told; one that is new, what `first` says.
    pub(super) fn begin(
        &self,
        names: &[&str],
        first: impl Fn(&str) -> Told,
    ) -> Result<(), StoreError> {
        let Some(shared) = self.shared() else {
            let mut known = self.known();
            known.retain(|name, _| names.contains(&name.as_str()));
            for name in names {
                known.entry((*name).to_owned()).or_insert_with(|| first(name));
            }
            self.write(&known);
            return Ok(());
        };
        for name in names {
            // Whoever is first says what is known.
            let kept = shared.kept(name)?;
            if kept.version == 0 {
                shared.keep(name, 0, &as_text(&first(name), kept.ahead))?;
            }
            self.look(name)?;
        }
        Ok(())
    }

    /// Changes what a receiver was told, and keeps that. If another daemon does so too, it is done again with what that
    /// has made of it.
    pub(super) fn change<T>(
        &self,
        name: &str,
        mut change: impl FnMut(&mut Told) -> T,
    ) -> Result<T, StoreError> {
        let Some(shared) = self.shared() else {
            let mut known = self.known();
            let told = known.entry(name.to_owned()).or_default();
            let before = told.clone();
            let changed = change(told);
            if *told != before {
                self.write(&known);
            }
            return Ok(changed);
        };
        loop {
            let kept = shared.kept(name)?;
            let before = of_kept(&kept);
            let mut told = before.clone();
            let changed = change(&mut told);
            if told == before || shared.keep(name, kept.version, &as_text(&told, kept.ahead))? {
                self.known().insert(name.to_owned(), told);
                return Ok(changed);
            }
        }
    }

    /// What a receiver was told.
    fn look(&self, name: &str) -> Result<Told, StoreError> {
        let Some(shared) = self.shared() else {
            return Ok(self.known_of(name, Clone::clone));
        };
        let told = of_kept(&shared.kept(name)?);
        self.known().insert(name.to_owned(), told.clone());
        Ok(told)
    }

    /// The first that a receiver is to be told, if this daemon is the one to tell it.
    pub(super) fn next(&self, name: &str) -> Result<Option<Letter>, StoreError> {
        let first = |told: Told| told.waiting.into_iter().next();
        if first(self.look(name)?).is_none() || !self.may_send(name)? {
            return Ok(None);
        }
        // Whoever told it before may have done so meanwhile.
        Ok(first(self.look(name)?))
    }

    /// Whether this daemon is the one that sends to a receiver. If nobody does, it is from now on.
    pub(super) fn may_send(&self, name: &str) -> Result<bool, StoreError> {
        self.shared().map_or(Ok(true), |shared| shared.take(name))
    }

    /// A letter is done with. Once none is left, others may send.
    pub(super) fn done(&self, name: &str, letter: &str) -> Result<(), StoreError> {
        let is_last = self.change(name, |told| {
            told.waiting.retain(|waiting| waiting.id != letter);
            told.waiting.is_empty()
        })?;
        match self.shared().filter(|_| is_last) {
            None => Ok(()),
            Some(shared) => shared.leave(name),
        }
    }

    /// What `look` finds in what a receiver was told, as far as is known here.
    pub(super) fn known_of<T>(&self, name: &str, look: impl FnOnce(&Told) -> T) -> T {
        look(self.known().entry(name.to_owned()).or_default())
    }

    /// The mirrors with which any receiver was told of trouble, as far as is known here.
    pub(super) fn in_trouble(&self) -> Vec<String> {
        let known = self.known();
        known.values().flat_map(|told| told.streaks.names().map(str::to_owned)).collect()
    }

    fn write(&self, known: &BTreeMap<String, Told>) {
        let Place::File(path) = &self.place else { return };
        if known.is_empty() && !path.exists() {
            return;
        }
        let text = serde_json::to_string(known).unwrap_or_default();
        if let Err(error) = durable::replace_file(path, text.as_bytes()) {
            let file = path.display();
            tracing::debug!(%file, "what was told, and what waits, is not known after a restart: {error}");
        }
    }
}

/// What is kept, by our clock. What cannot be read is as if there were none.
fn of_kept(kept: &Kept) -> Told {
    let told: Told = serde_json::from_str(&kept.contents).unwrap_or_default();
    Told { streaks: told.streaks.ahead(kept.ahead.saturating_neg()), ..told }
}

/// What is to be kept, by a clock that is so far ahead of ours.
fn as_text(told: &Told, ahead: i64) -> String {
    let told = Told { streaks: told.streaks.ahead(ahead), ..told.clone() };
    serde_json::to_string(&told).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;

    #[test]
    fn what_was_told_is_known_again_and_damage_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::read(folder.path());
        memory.begin(&[], |_| unreachable!()).unwrap();
        assert!(!folder.path().join(FILE).exists(), "there is nothing to keep");
        let credential = |ends| crate::service::view::CredentialView {
            name: "token".to_owned(),
            ends: Timestamp::from_seconds(ends),
            mirrors: Vec::new(),
        };
        let now = Timestamp::from_seconds(10);
        let first = |name: &str| {
            let expiries = Expiries::known(&[credential(20)], now);
            assert_eq!(name, "ops");
            Told { expiries, ..Told::default() }
        };
        memory.begin(&["ops"], first).unwrap();
        let memory = Memory::read(folder.path());
        memory.begin(&["ops"], |_| unreachable!("it is known")).unwrap();
        let look = |ends| memory.change("ops", |told| told.expiries.look(&credential(ends), now));
        assert_eq!((look(20).unwrap(), look(30).unwrap()), (false, true));
        let memory = Memory::read(folder.path());
        let look = |ends| memory.change("ops", |told| told.expiries.look(&credential(ends), now));
        assert!(!look(30).unwrap());
        // One that is configured no more is forgotten.
        memory.begin(&[], |_| unreachable!()).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join(FILE)).unwrap(), "{}");
        std::fs::write(folder.path().join(FILE), "{\"ops\":").unwrap();
        assert!(Memory::read(folder.path()).known().is_empty());
    }
}
