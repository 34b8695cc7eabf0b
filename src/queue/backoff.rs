//! When a run that has failed is tried again, and when trying again cannot help.

use std::time::Duration;

use crate::base::Fault;
use crate::base::time::Timestamp;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// What is unavailable is asked again after this long, and then after twice as long each time,
const FIRST: Duration = Duration::from_secs(15);
/// until it is asked this often for as long as it takes.
const SLOWEST: Duration = Duration::from_hours(4);
/// A server that tells us to wait for longer is asked after this long all the same.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);

/// A number from 0 to 1, for what must not happen everywhere at the same time.
pub fn random() -> f64 {
    let mut bits = [0; 4];
    // Without random bits everything happens in the middle of its time.
    match getrandom::fill(&mut bits) {
        Ok(()) => f64::from(u32::from_ne_bytes(bits)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

/// What is to become of a mirror whose run has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is tried again after so long.
    At(Duration),
    /// It is parked until somebody does something about it.
    Park,
}

/// What helps against `fault`, which this many runs in a row have ended with, this one counted.
///
/// `retry_after` is what the server asked us to wait, and `random` a number from 0 to 1, so that what
/// failed together is not tried again together.
///
/// | fault | tried again after | because |
/// |---|---|---|
/// | `Interrupted` | at once | it has not failed |
/// | `Unavailable` | 15 s, then twice as long each time, at most 4 h; never parked | it ends by itself |
/// | `Auth` | 1 min, 10 min, 1 h | forges answer so while they have trouble, and new tokens take a while |
/// | `Config` | 5 min, 1 h | file systems are mounted late, and certificates renewed late |
/// | `Corrupt` | 1 min, 1 h | an answer may have been cut short |
/// | `Internal` | 1 min, 10 min, 1 h | some of our mistakes depend on the moment |
/// | `Refused`, `Unsupported` | never | the answer stays the same until somebody does something |
///
/// Whatever its fault, a run whose server said when to come back is not tried before; see [`not_before`].
pub fn backoff(fault: Fault, failures: u32, retry_after: Option<Duration>, random: f64) -> Next {
    let pauses: &[Duration] = match fault {
        Fault::Interrupted => return Next::At(Duration::ZERO),
        Fault::Unavailable => return Next::At(unavailable(failures, retry_after, random)),
        Fault::Auth | Fault::Internal => &[MINUTE, Duration::from_mins(10), HOUR],
        Fault::Config => &[Duration::from_mins(5), HOUR],
        Fault::Corrupt => &[MINUTE, HOUR],
        Fault::Refused | Fault::Unsupported => &[],
    };
    let before = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    match pauses.get(before) {
        Some(pause) => Next::At(spread(*pause, retry_after, random)),
        None => Next::Park,
    }
}

/// Until when a server that asked us to wait for `retry_after` is left alone, whoever asks but a person.
pub fn not_before(retry_after: Option<Duration>, now: Timestamp) -> Option<Timestamp> {
    retry_after.map(|after| now.after(after.min(LONGEST_RETRY_AFTER)))
}

/// When a mirror whose runs have ended their process is tried again, after this many that nobody may
/// doubt: a minute later, then four times as long each time, at most a day. What ends a process need not
/// be the mirror: memory runs out, and people kill.
pub(super) fn after_deaths(more: u32) -> Duration {
    let pause = MINUTE.saturating_mul(4_u32.saturating_pow(more.min(8)));
    pause.min(Duration::from_hours(24))
}

fn unavailable(failures: u32, retry_after: Option<Duration>, random: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let pause = FIRST.saturating_mul(1 << doublings).min(SLOWEST);
    spread(pause, retry_after, random)
}

/// Between half of `pause` and all of it; but not before the server wants, nor just then.
fn spread(pause: Duration, retry_after: Option<Duration>, random: f64) -> Duration {
    let random = if random.is_finite() { random.clamp(0.0, 1.0) } else { 0.5 };
    let spread = pause.div_f64(2.0).mul_f64(1.0 + random);
    let earliest = retry_after.map(|after| after.min(LONGEST_RETRY_AFTER));
    earliest.map_or(spread, |earliest| {
        let after = earliest.div_f64(10.0).min(MINUTE).mul_f64(random);
        spread.max(earliest + SECOND + after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(fault: Fault, failures: u32) -> Option<u64> {
        match backoff(fault, failures, None, 1.0) {
            Next::At(pause) => Some(pause.as_secs()),
            Next::Park => None,
        }
    }

    #[test]
    fn each_fault_is_tried_again_as_often_as_that_helps() {
        let times = |fault| (1..=20).map_while(|failures| at(fault, failures)).collect::<Vec<_>>();
        assert_eq!(times(Fault::Auth), [60, 600, 3600]);
        assert_eq!(times(Fault::Internal), [60, 600, 3600]);
        assert_eq!(times(Fault::Config), [300, 3600]);
        assert_eq!(times(Fault::Corrupt), [60, 3600]);
        assert_eq!(times(Fault::Refused), [0; 0]);
        assert_eq!(times(Fault::Unsupported), [0; 0]);
        assert_eq!(times(Fault::Interrupted), [0; 20]);
        let unavailable = times(Fault::Unavailable);
        assert_eq!(unavailable[..5], [15, 30, 60, 120, 240]);
        assert_eq!(unavailable[10..], [4 * 3600; 10], "it is never given up");
        assert_eq!(at(Fault::Unavailable, u32::MAX), Some(4 * 3600));
        assert_eq!(at(Fault::Unavailable, 0), Some(15));
    }

    #[test]
    fn what_failed_together_is_not_tried_again_together() {
        for random in [0.0, 0.25, 1.0, 7.0, -1.0, f64::NAN] {
            let Next::At(pause) = backoff(Fault::Unavailable, 3, None, random) else { panic!() };
            assert!((30..=60).contains(&pause.as_secs()), "{random}: {pause:?}");
        }
        let early = backoff(Fault::Unavailable, 3, None, 0.0);
        assert_ne!(early, backoff(Fault::Unavailable, 3, None, 0.5));
    }

    #[test]
    fn what_ends_its_process_is_tried_less_and_less() {
        let minutes = [0, 1, 2, 3, 4, 5, 6, u32::MAX].map(|more| after_deaths(more).as_secs() / 60);
        assert_eq!(minutes, [1, 4, 16, 64, 256, 1024, 1440, 1440]);
    }

    #[test]
    fn a_server_that_says_when_is_believed_within_reason() {
        let after = |seconds, random| {
            let asked = Some(Duration::from_secs(seconds));
            match backoff(Fault::Unavailable, 1, asked, random) {
                Next::At(pause) => pause.as_secs(),
                Next::Park => panic!(),
            }
        };
        assert_eq!(after(1, 1.0), 15, "our own pause is longer");
        assert_eq!((after(900, 0.0), after(900, 1.0)), (901, 961));
        assert_eq!(after(u64::MAX, 0.0), 24 * 3600 + 1);
        let auth = backoff(Fault::Auth, 1, Some(HOUR), 0.0);
        assert_eq!(auth, Next::At(HOUR + SECOND));
        assert_eq!(backoff(Fault::Refused, 1, Some(HOUR), 0.0), Next::Park);
    }
}
