//! How long a server may take for its answer.

use std::time::Duration;

/// Fewer bytes than this within the patience that there is are no progress.
const PROGRESS: usize = 1 << 10;

/// The time that a server may take for each piece of its answer. What we ourselves need for a piece
/// is not counted.
#[derive(Debug)]
pub struct Patience {
    whole: Duration,
    waited: Duration,
    bytes: usize,
}

impl Patience {
    /// So much of it.
    pub fn new(whole: Duration) -> Self {
        Self { whole, waited: Duration::ZERO, bytes: 0 }
    }

    /// How much is left; nothing if the server has had its time.
    pub fn left(&self) -> Duration {
        self.whole.saturating_sub(self.waited)
    }

    /// So many bytes have come, after so long.
    pub fn note(&mut self, waited: Duration, bytes: usize) {
        self.waited = self.waited.saturating_add(waited);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes >= PROGRESS {
            *self = Self::new(self.whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_no_progress() {
        let second = Duration::from_secs(1);
        let mut patience = Patience::new(10 * second);
        for left in (0..10).rev() {
            patience.note(second, 1);
            assert_eq!(patience.left(), left * second);
        }
        patience.note(second, PROGRESS);
        assert_eq!(patience.left(), 10 * second);
    }
}
