//! How fast pushes may follow one another.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::base::{Interrupt, Interrupted, Progress, Stage};

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
    pub(super) fn wait(
        &mut self,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<(), Interrupted> {
        interrupt.check()?;
        let left = self.left(Instant::now());
        if !left.is_zero() {
            wait_aloud(left, progress, interrupt)?;
        }
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

/// Waits, and says each second that it does.
fn wait_aloud(
    left: Duration,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<(), Interrupted> {
    progress.begin(Stage::WaitingToPush, Some(left.as_secs()));
    interrupt.pause(Duration::from_nanos(left.subsec_nanos().into()))?;
    for _ in 0..left.as_secs() {
        interrupt.pause(Duration::from_secs(1))?;
        progress.advance(1);
    }
    progress.end();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::base::NoProgress;

    /// What was said.
    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Progress for Heard {
        fn begin(&self, stage: Stage, total: Option<u64>) {
            self.0.lock().unwrap().push(format!("{stage:?} {total:?}"));
        }

        fn advance(&self, n: u64) {
            self.0.lock().unwrap().push(n.to_string());
        }

        fn end(&self) {
            self.0.lock().unwrap().push("end".to_owned());
        }
    }

    #[test]
    fn who_waits_says_so() {
        let heard = Heard::default();
        let interrupt = Interrupt::default();
        let mut pace = Pace::of(Some(1));
        pace.wait(&heard, &interrupt).unwrap();
        assert!(heard.0.lock().unwrap().is_empty());
        wait_aloud(Duration::from_millis(1050), &heard, &interrupt).unwrap();
        assert_eq!(*heard.0.lock().unwrap(), ["WaitingToPush Some(1)", "1", "end"]);
        interrupt.raise();
        assert!(wait_aloud(Duration::from_mins(1), &heard, &interrupt).is_err());
    }

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
        assert!(pace.wait(&NoProgress, &interrupt).is_err());
        let mut any = Pace::of(None);
        for _ in 0..100 {
            any.wait(&NoProgress, &Interrupt::default()).unwrap();
        }
    }
}
