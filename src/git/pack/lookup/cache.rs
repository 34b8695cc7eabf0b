//! Texts that are kept for a while, up to a number of bytes.

use std::collections::HashMap;

use super::{Object, Place};

/// Two generations: what was not asked for while one was filled is let go.
pub(super) struct Cache {
    /// How many bytes one generation may have.
    most: usize,
    held: usize,
    young: HashMap<Place, Object>,
    old: HashMap<Place, Object>,
}

impl Cache {
    /// One that keeps at most `bytes`.
    pub(super) fn new(bytes: usize) -> Self {
        Self { most: bytes / 2, held: 0, young: HashMap::new(), old: HashMap::new() }
    }

    /// The object at a place, if it is kept.
    pub(super) fn get(&mut self, place: Place) -> Option<Object> {
        if let Some(object) = self.young.get(&place) {
            return Some(object.clone());
        }
        let object = self.old.remove(&place)?;
        self.insert(place, object.clone());
        Some(object)
    }

    /// Keeps an object, unless it alone would take the place of many.
    pub(super) fn insert(&mut self, place: Place, object: Object) {
        /// What an entry of a map takes besides the text, about.
        const ENTRY: usize = 64;
        let bytes = object.1.len() + ENTRY;
        if bytes > self.most / 2 {
            return;
        }
        if self.held + bytes > self.most {
            self.old = std::mem::take(&mut self.young);
            self.held = 0;
        }
        if self.young.insert(place, object).is_none() {
            self.held += bytes;
        }
    }
}
