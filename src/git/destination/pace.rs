//! How fast pushes may follow one another.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::base::{Interrupt, Interrupted};

/// The pushes of the last minute.
#[derive(Debug)]
pub(super) struct Pace {
    a_minute: Option<usize>,
    pushes: VecDeque<Instant>,
}

impl Pace {
    /// `a_minute` pushes, or as many as there are.
    pub(super) fn of(a_minute: Option<usize>) -> Self {
        Self { a_minute, pushes: VecDeque::new() }
    }

    /// Waits until there may be another push, which is counted.
    pub(super) fn wait(&mut self, interrupt: &Interrupt) -> Result<(), Interrupted> {
        interrupt.check()?;
        interrupt.pause(self.left(Instant::now()))?;
        self.pushes.push_back(Instant::now());
        Ok(())
    }

    /// How long that is at the time `now`.
    fn left(&mut self, now: Instant) -> Duration {
        const MINUTE: Duration = Duration::from_mins(1);
        let Some(a_minute) = self.a_minute else { return Duration::ZERO };
        while self.pushes.len() > a_minute {
            self.pushes.pop_front();
        }
        match self.pushes.front() {
            Some(first) if self.pushes.len() == a_minute => {
                (*first + MINUTE).saturating_duration_since(now)
            }
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seventh_push_waits_until_the_first_is_a_minute_old() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut pace = Pace::of(Some(6));
        for second in 0..6 {
            assert_eq!(pace.left(at(second)), Duration::ZERO);
            pace.pushes.push_back(at(second));
        }
        assert_eq!(pace.left(at(20)), Duration::from_secs(40));
        assert_eq!(pace.left(at(70)), Duration::ZERO);
        pace.pushes.push_back(at(70));
        assert_eq!(pace.left(at(70)), Duration::ZERO, "the second is older than a minute");
        let interrupt = Interrupt::default();
        interrupt.raise();
        assert!(pace.wait(&interrupt).is_err());
        let mut any = Pace::of(None);
        for _ in 0..100 {
            any.wait(&Interrupt::default()).unwrap();
        }
    }
}
