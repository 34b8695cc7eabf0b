//! Points in time, and the clock that says which one is now.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A point in time: milliseconds since 1970, UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// Says what time it is. Whatever waits or falls due asks one, so that tests can let a day pass.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl Timestamp {
    /// What this machine's clock says.
    pub fn now() -> Self {
        Self::of(SystemTime::now())
    }

    /// What the system calls `time`; the beginning of 1970 if that is earlier.
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// The one that many milliseconds after the beginning of 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The one that many seconds after the beginning of 1970.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Reads `2026-01-31T12:00:00Z`, or what GitHub has in headers, `2026-01-31 12:00:00 UTC` and
    /// `2026-01-31 12:00:00 +0100`.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.trim().split_once(['T', ' '])?;
        let numbers = |text: &str, mark| -> Option<[i64; 3]> {
            let parts: Vec<i64> = text.split(mark).map(number).collect::<Option<_>>()?;
            parts.try_into().ok()
        };
        let [year, month, day] = numbers(date, '-')?;
        let (time, zone) = rest.split_at_checked(8)?;
        let [hour, minute, second] = numbers(time, ':')?;
        let is_date =
            (1970..10_000).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        if !is_date || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let days = days_before(year, month) + day - 1;
        let seconds = days * DAY + hour * HOUR + minute * MINUTE + second;
        Some(Self::from_seconds(seconds - offset(zone.trim())?))
    }

    /// The one that much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The one that much earlier.
    #[must_use]
    pub fn before(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long before this one `earlier` was; nothing if it was later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `2026-01-31T12:00:00.250Z`, as programs read it (RFC 3339).
    pub fn rfc3339(self) -> String {
        let Civil { year, month, day, hour, minute, second } = Civil::of(self);
        let millis = self.0.rem_euclid(1000);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }

    /// Whole days from `now` until then; none if it is over.
    pub fn days_from(self, now: Self) -> i64 {
        (self.seconds().saturating_sub(now.seconds()) / DAY).max(0)
    }
}

/// A point in time as calendars and clocks have it, in UTC.
struct Civil {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Civil {
    fn of(time: Timestamp) -> Self {
        let (days, seconds) = (time.seconds().div_euclid(DAY), time.seconds().rem_euclid(DAY));
        // The civil date of a day (Howard Hinnant, "chrono-compatible low-level date algorithms"):
        // years begin in March, so that the day that is not always there is the last one.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (hour, minute, second) = (seconds / HOUR, seconds % HOUR / MINUTE, seconds % MINUTE);
        Self { year, month, day, hour, minute, second }
    }
}

/// `2026-01-31 12:00 UTC`
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil { year, month, day, hour, minute, .. } = Civil::of(*self);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
    }
}

/// Days from 1970 to the beginning of a month (the same source).
fn days_before(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * from_march + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn number(text: &str) -> Option<i64> {
    let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// How far a zone is ahead of UTC, in seconds.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "" | "Z" | "UTC") {
        return Some(0);
    }
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replace(':', "");
    let (hours, minutes) = digits.split_at_checked(2)?;
    Some(sign * (number(hours)? * HOUR + number(minutes)? * MINUTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2016-07-11T22:14:10Z", Some(1_468_275_250)),
            ("2024-02-29 12:00:00 UTC", Some(1_709_208_000)),
            ("2024-03-01 00:00:00 +0100", Some(1_709_247_600)),
            ("2024-03-01 00:00:00 -05:30", Some(1_709_271_000)),
            ("2024-13-01 00:00:00 UTC", None),
            ("2024-01-01", None),
            ("2024-01-01 00:00 UTC", None),
            ("2024-01-01T00:00:00X", None),
            ("+024-01-01T00:00:00Z", None),
            ("größe", None),
            ("", None),
        ] {
            assert_eq!(Timestamp::parse(text).map(Timestamp::seconds), seconds, "{text}");
        }
    }

    #[test]
    fn every_cut_and_every_flip_is_a_time_or_none() {
        crate::base::testing::every_cut_and_flip(b"2024-03-01 00:00:00 +0100".to_vec(), |bytes| {
            let time = std::str::from_utf8(bytes).ok().and_then(Timestamp::parse);
            assert!(time.is_none_or(|time| !time.to_string().is_empty()));
        });
    }

    #[test]
    fn shown_and_read_again() {
        assert_eq!(Timestamp::from_seconds(1_468_275_250).to_string(), "2016-07-11 22:14 UTC");
        let precise = Timestamp::from_millis(1_468_275_250_007);
        assert_eq!(precise.rfc3339(), "2016-07-11T22:14:10.007Z");
        assert_eq!(Timestamp::parse("2016-07-11T22:14:10Z"), Some(Timestamp(1_468_275_250_000)));
        assert_eq!(precise.since(Timestamp(1_468_275_250_000)), Duration::from_millis(7));
        assert_eq!(Timestamp(0).since(precise), Duration::ZERO);
        for day in (0..60_000).step_by(17) {
            let time = Timestamp::from_seconds(day * DAY);
            let text = time.to_string().replace(" UTC", ":00 UTC");
            assert_eq!(Timestamp::parse(&text), Some(time), "{text}");
        }
        assert_eq!(
            Timestamp::from_seconds(10 * DAY + 5).days_from(Timestamp::from_seconds(3 * DAY)),
            7
        );
        assert_eq!(Timestamp(0).days_from(Timestamp(5)), 0);
    }
}
