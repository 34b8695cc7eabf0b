//! Ids numbered in the order in which they come, at 24 to 32 bytes each.

use std::hash::{BuildHasher, RandomState};

use crate::git::ObjectId;

/// A set of ids, each with its number.
#[derive(Debug)]
pub(super) struct IdTable {
    ids: Vec<ObjectId>,
    /// The number of an id and one more, where its hash says or behind; 0 is free.
    slots: Vec<u32>,
    /// Nobody can make ids that all want the same slot.
    key: u64,
}

const FIRST_SLOTS: usize = 64;

impl Default for IdTable {
    fn default() -> Self {
        let key = RandomState::new().hash_one(0) | 1;
        Self { ids: Vec::new(), slots: vec![0; FIRST_SLOTS], key }
    }
}

impl IdTable {
    /// How many ids there are.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The number of `id`, if it is there.
    pub(super) fn get(&self, id: &ObjectId) -> Option<u32> {
        let slot = self.slots.get(self.slot(id)).copied()?;
        slot.checked_sub(1)
    }

    /// The id with a number.
    pub(super) fn id(&self, number: u32) -> Option<ObjectId> {
        self.ids.get(number as usize).copied()
    }

    /// The number of `id`, and whether it is new.
    pub(super) fn insert(&mut self, id: ObjectId) -> (u32, bool) {
        let place = self.slot(&id);
        if let Some(number) = self.slots.get(place).and_then(|slot| slot.checked_sub(1)) {
            return (number, false);
        }
        // A repository has no 4,294,967,295 objects: packs number theirs with 32 bits.
        let number = u32::try_from(self.ids.len()).unwrap_or(u32::MAX - 1);
        self.ids.push(id);
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = number + 1;
        }
        if self.ids.len() * 4 > self.slots.len() * 3 {
            self.grow();
        }
        (number, true)
    }

    /// Where an id is, or may be put.
    fn slot(&self, id: &ObjectId) -> usize {
        let mask = self.slots.len() - 1;
        let mut place = self.hash(id) & mask;
        while let Some(number) = self.slots.get(place).and_then(|slot| slot.checked_sub(1)) {
            if self.ids.get(number as usize) == Some(id) {
                break;
            }
            place = (place + 1) & mask;
        }
        place
    }

    fn hash(&self, id: &ObjectId) -> usize {
        let bytes = id.as_bytes();
        let word = |start: usize| {
            let chunk = bytes.get(start..).and_then(|rest| rest.first_chunk());
            chunk.map_or(0, |chunk| u64::from_le_bytes(*chunk))
        };
        let product =
            u128::from(word(0) ^ self.key) * u128::from(word(8) ^ self.key.rotate_left(32));
        usize::try_from(((product >> 64) ^ product) & 0xffff_ffff).unwrap_or_default()
    }

    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 2];
        for number in 0..self.ids.len() {
            let Some(id) = self.ids.get(number).copied() else { continue };
            let place = self.slot(&id);
            if let (Some(slot), Ok(number)) = (self.slots.get_mut(place), u32::try_from(number)) {
                *slot = number + 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::ObjectKind;

    #[test]
    fn every_id_keeps_its_number() {
        let mut table = IdTable::default();
        let ids: Vec<_> =
            (0..5000_u32).map(|n| ObjectId::of(ObjectKind::Blob, &n.to_be_bytes())).collect();
        for (number, id) in (0..).zip(&ids) {
            assert_eq!(table.get(id), None);
            assert_eq!(table.insert(*id), (number, true));
            assert_eq!(table.insert(*id), (number, false));
        }
        for (number, id) in (0..).zip(&ids) {
            assert_eq!((table.get(id), table.id(number)), (Some(number), Some(*id)));
        }
        assert_eq!((table.len(), table.id(5000)), (5000, None));
    }
}
