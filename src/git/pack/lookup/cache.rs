//! Texts that are kept for a while, up to a number of bytes.

use std::collections::HashMap;

use super::{Object, Place};

/// Objects that were asked for, and what they were made of on the way. What is made of a long chain
/// must not take the place of everything else.
pub(super) struct Cache {
    asked: Kept,
    passed: Kept,
}

impl Cache {
    /// One that keeps at most `bytes`.
    pub(super) fn new(bytes: usize) -> Self {
        Self { asked: Kept::new(bytes / 4 * 3), passed: Kept::new(bytes / 4) }
    }

    /// The object at a place, if it is kept.
    pub(super) fn get(&mut self, place: Place) -> Option<Object> {
        let kept = self.asked.get(place);
        kept.or_else(|| {
            let object = self.passed.take(place)?;
            self.asked.insert(place, object.clone());
            Some(object)
        })
    }

    /// Keeps an object that was asked for.
    pub(super) fn insert(&mut self, place: Place, object: Object) {
        self.asked.insert(place, object);
    }

    /// Keeps an object that another one was made of.
    pub(super) fn insert_base(&mut self, place: Place, object: Object) {
        self.passed.insert(place, object);
    }
}

/// Two generations: what was not asked for while one was filled is let go.
struct Kept {
    /// How many bytes one generation may have.
    most: usize,
    held: usize,
    young: HashMap<Place, Object>,
    old: HashMap<Place, Object>,
}

impl Kept {
    fn new(bytes: usize) -> Self {
        Self { most: bytes / 2, held: 0, young: HashMap::new(), old: HashMap::new() }
    }

    fn get(&mut self, place: Place) -> Option<Object> {
        if let Some(object) = self.young.get(&place) {
            return Some(object.clone());
        }
        let object = self.old.remove(&place)?;
        self.insert(place, object.clone());
        Some(object)
    }

    fn take(&mut self, place: Place) -> Option<Object> {
        let Some(object) = self.young.remove(&place) else { return self.old.remove(&place) };
        self.held = self.held.saturating_sub(bytes(&object));
        Some(object)
    }

    /// Keeps an object, unless it alone would take the place of many.
    fn insert(&mut self, place: Place, object: Object) {
        let bytes = bytes(&object);
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

/// How many bytes are held for an object, about.
fn bytes(object: &Object) -> usize {
    /// What an entry of a map takes besides the text.
    const ENTRY: usize = 64;
    object.1.len() + ENTRY
}
