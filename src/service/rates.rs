//! How many requests are let in: a bucket of tokens for each sender, which fills with time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::base::time::Timestamp;

/// So many senders are known at a time. Beyond that those whose buckets are full are forgotten, which
/// changes nothing for them.
const SENDERS: usize = 10_000;

/// Buckets for senders that are told apart by `K`.
#[derive(Debug)]
pub struct Rates<K> {
    buckets: Mutex<HashMap<K, Bucket>>,
}

impl<K> Default for Rates<K> {
    fn default() -> Self {
        Self { buckets: Mutex::default() }
    }
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Thousandths of a request.
    left: u64,
    at: Timestamp,
}

impl Bucket {
    fn filled(self, a_minute: u64, now: Timestamp) -> Self {
        let millis = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        let more = millis.saturating_mul(a_minute) / 60;
        Self { left: self.left.saturating_add(more).min(a_minute.saturating_mul(1000)), at: now }
    }

    /// What is left after one request more; otherwise after how long there is enough for one.
    fn without_one(self, a_minute: u64) -> Result<u64, Duration> {
        let missing = 1000_u64.saturating_sub(self.left);
        self.left
            .checked_sub(1000)
            .ok_or(Duration::from_millis((missing * 60).div_ceil(a_minute.max(1))))
    }
}

impl<K: Eq + Hash + Clone> Rates<K> {
    /// Takes one request of `sender`, who may send `a_minute`, as many at once if there were none for a
    /// minute. Otherwise says after how long the next one is taken.
    pub fn take(&self, sender: &K, a_minute: u64, now: Timestamp) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= SENDERS && !buckets.contains_key(sender) {
            let full = a_minute.saturating_mul(1000);
            buckets.retain(|_, bucket| bucket.filled(a_minute, now).left < full);
            if buckets.len() >= SENDERS {
                return Err(Duration::from_mins(1));
            }
        }
        let full = Bucket { left: a_minute.saturating_mul(1000), at: now };
        let bucket = buckets.entry(sender.clone()).or_insert(full);
        *bucket = bucket.filled(a_minute, now);
        bucket.left = bucket.without_one(a_minute)?;
        Ok(())
    }

    /// Whether [`take`](Self::take) would take one, without taking it.
    pub fn look(&self, sender: &K, a_minute: u64, now: Timestamp) -> Result<(), Duration> {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bucket) = buckets.get(sender) else { return Ok(()) };
        bucket.filled(a_minute, now).without_one(a_minute).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    #[test]
    fn a_sender_gets_what_it_may_and_no_more() {
        let rates = Rates::default();
        for _ in 0..60 {
            assert_eq!(rates.take(&"a", 60, at(0)), Ok(()));
        }
        assert_eq!(rates.take(&"a", 60, at(0)), Err(Duration::from_secs(1)));
        assert_eq!(rates.look(&"a", 60, at(0)), Err(Duration::from_secs(1)));
        assert_eq!((rates.look(&"b", 60, at(0)), rates.look(&"a", 60, at(1000))), (Ok(()), Ok(())));
        assert_eq!(rates.take(&"a", 60, at(600)), Err(Duration::from_millis(400)));
        assert_eq!(rates.take(&"b", 60, at(600)), Ok(()), "nobody pays for others");
        assert_eq!(rates.take(&"a", 60, at(1000)), Ok(()));
        assert!(rates.take(&"a", 60, at(1000)).is_err());
        for _ in 0..60 {
            assert_eq!(rates.take(&"a", 60, at(100_000)), Ok(()), "never more than for a minute");
        }
        assert!(rates.take(&"a", 60, at(100_000)).is_err());
    }

    #[test]
    fn many_senders_take_a_bounded_place() {
        let rates = Rates::default();
        for sender in 0..SENDERS {
            assert_eq!(rates.take(&sender, 60, at(0)), Ok(()));
        }
        assert!(rates.take(&SENDERS, 60, at(0)).is_err());
        assert_eq!(rates.take(&0, 60, at(0)), Ok(()), "those that are known go on");
        assert_eq!(
            rates.take(&SENDERS, 60, at(2000)),
            Ok(()),
            "the others have full buckets again"
        );
        assert!(rates.buckets.lock().unwrap().len() <= 2);
    }
}
