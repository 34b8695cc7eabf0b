//! What was told and what is still to be told, over a restart: a small file beside the queue. Without it, what is in trouble when the daemon starts
//! counts as told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::expiries::Expiries;
use super::streaks::Streaks;
use super::waiting::Letter;
use crate::base::durable;

/// The name of the file.
const FILE: &str = "told.json";

/// What a receiver was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    pub(super) streaks: Streaks,
    pub(super) expiries: Expiries,
    /// What it is still to be told, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) waiting: Vec<Letter>,
}

/// The file, with what is in it.
#[derive(Debug)]
pub(super) struct Memory {
    path: PathBuf,
    text: String,
}

impl Memory {
    /// The one in the folder `state`, and what each receiver was told by it.
    pub(super) fn read(state: &Path) -> (Self, BTreeMap<String, Told>) {
        let path = state.join(FILE);
        // What cannot be read is as if there were none.
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let told = serde_json::from_str(&text).unwrap_or_default();
        (Self { path, text }, told)
    }

    /// Keeps what each receiver was told, if that has changed.
    pub(super) fn keep(&mut self, told: &BTreeMap<&str, Told>) {
        let text = serde_json::to_string(told).unwrap_or_default();
        if text == self.text || (told.is_empty() && self.text.is_empty()) {
            return;
        }
        match durable::replace_file(&self.path, text.as_bytes()) {
            Ok(()) => self.text = text,
            Err(error) => {
                let file = self.path.display();
                tracing::debug!(%file, "what was told, and what waits, is not known after a restart: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_known_again_and_damage_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (mut memory, told) = Memory::read(folder.path());
        assert!(told.is_empty());
        memory.keep(&BTreeMap::new());
        assert!(!folder.path().join(FILE).exists(), "there is nothing to keep");
        let one = Told::default();
        memory.keep(&BTreeMap::from([("ops", one.clone())]));
        assert_eq!(Memory::read(folder.path()).1, BTreeMap::from([("ops".to_owned(), one)]));
        std::fs::write(folder.path().join(FILE), "{\"ops\":").unwrap();
        assert!(Memory::read(folder.path()).1.is_empty());
    }
}
