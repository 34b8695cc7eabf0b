//! Finds ids of 20 bytes among many that are kept elsewhere, in an order of their own.

use std::hash::{BuildHasher as _, RandomState};

/// The numbers of ids, found by the id: eight bytes a slot, two to four slots an id. The ids themselves
/// stay where they are.
///
/// Ids are hashes, or claim to be, and whoever made them may have chosen how they begin. So places are
/// chosen with keys that nobody knows beforehand.
#[derive(Clone, Debug)]
pub struct IdTable {
    keys: [u64; 3],
    /// Each empty, or a part of a hash in the upper half and a number, plus one, in the lower one.
    slots: Vec<u64>,
    len: usize,
}

impl IdTable {
    /// A table for about `count` ids, without any.
    pub fn with_capacity(count: usize) -> Self {
        let random = RandomState::new();
        let slots = count.saturating_mul(2).next_power_of_two().max(16);
        Self { keys: [0_u8, 1, 2].map(|key| random.hash_one(key)), slots: vec![0; slots], len: 0 }
    }

    /// Adds an id under `number`, unless it is there already, and says whether it was added. `is` says
    /// whether the id under a number is this one.
    pub fn insert(&mut self, id: &[u8; 20], number: u32, is: impl Fn(u32) -> bool) -> bool {
        if (self.len + 1).saturating_mul(2) > self.slots.len() {
            self.grow();
        }
        // The last number has no place here; there are no repositories so large.
        let Some(stored) = number.checked_add(1) else { return false };
        let hash = self.hash(id);
        let is = |slot: u64| {
            let [high, low] = halves(slot);
            high == hash && is(low - 1)
        };
        let is_new = place(&mut self.slots, u64::from(hash) << 32 | u64::from(stored), is);
        self.len += usize::from(is_new);
        is_new
    }

    /// The number of `id`. `is` says whether the id under a number is this one.
    pub fn find(&self, id: &[u8; 20], is: impl Fn(u32) -> bool) -> Option<u32> {
        let (hash, mask) = (self.hash(id), self.slots.len().checked_sub(1)?);
        let mut at = hash as usize & mask;
        loop {
            // At least half of them are empty, so this ends.
            let slot = self.slots.get(at).copied().filter(|slot| *slot != 0)?;
            let [high, low] = halves(slot);
            if high == hash && is(low - 1) {
                return Some(low - 1);
            }
            at = (at + 1) & mask;
        }
    }

    /// Twice the slots.
    fn grow(&mut self) {
        let mut slots = vec![0; self.slots.len() * 2];
        for slot in self.slots.iter().filter(|slot| **slot != 0) {
            place(&mut slots, *slot, |_| false);
        }
        self.slots = slots;
    }

    fn hash(&self, id: &[u8; 20]) -> u32 {
        let [first, second, last] = [0, 8, 12].map(|at| {
            let bytes = id.get(at..).and_then(|rest| rest.first_chunk());
            u64::from_le_bytes(bytes.copied().unwrap_or_default())
        });
        let keys = &self.keys;
        let both = folded(first ^ keys[0], second ^ keys[1]);
        let [high, low] = halves(folded(both ^ last, keys[2] | 1));
        high ^ low
    }
}

/// Both halves of a product, one upon the other.
fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    let [high, low] = [product >> 64, product & u128::from(u64::MAX)];
    u64::try_from(high ^ low).unwrap_or_default()
}

/// The upper and the lower half of a number.
fn halves(number: u64) -> [u32; 2] {
    [number >> 32, number & u64::from(u32::MAX)].map(|half| u32::try_from(half).unwrap_or_default())
}

/// Puts a slot into the first empty place from the one on that its hash says, and says whether it did:
/// not if there is one before that which `is` the same.
fn place(slots: &mut [u64], slot: u64, is: impl Fn(u64) -> bool) -> bool {
    let mask = slots.len() - 1;
    let mut at = halves(slot)[0] as usize & mask;
    while let Some(taken) = slots.get(at).copied().filter(|taken| *taken != 0) {
        if is(taken) {
            return false;
        }
        at = (at + 1) & mask;
    }
    if let Some(free) = slots.get_mut(at) {
        *free = slot;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> [u8; 20] {
        let mut id = [7; 20];
        id[2..6].copy_from_slice(&number.to_be_bytes());
        id
    }

    #[test]
    fn everything_is_found_and_nothing_else() {
        for capacity in [0, 1, 5000] {
            let mut table = IdTable::with_capacity(capacity);
            let find = |table: &IdTable, wanted| table.find(&id(wanted), |at| id(at) == id(wanted));
            assert_eq!(find(&table, 0), None);
            for number in 0..3000 {
                table.insert(&id(number), number, |at| at == number);
            }
            for number in 0..3000 {
                assert_eq!(find(&table, number), Some(number));
            }
            for number in 3000..6000 {
                assert_eq!(find(&table, number), None);
            }
        }
    }

    #[test]
    fn of_equal_ids_the_first_is_found() {
        let mut table = IdTable::with_capacity(0);
        for number in 0..200 {
            table.insert(&id(number % 10), number, |at| at % 10 == number % 10);
        }
        for number in 0..10 {
            assert_eq!(table.find(&id(number), |at| at % 10 == number), Some(number));
        }
    }
}
