//! Points in time, as forges write them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A point in time: seconds since 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// What this machine's clock says.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
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
        Some(Self(seconds - offset(zone.trim())?))
    }

    /// The one that much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)))
    }

    /// Whole days from `now` until then; none if it is over.
    pub fn days_from(self, now: Self) -> i64 {
        (self.0.saturating_sub(now.0) / DAY).max(0)
    }
}

/// `2026-01-31 12:00 UTC`
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, seconds) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
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
        let (hour, minute) = (seconds / HOUR, seconds % HOUR / MINUTE);
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
            assert_eq!(Timestamp::parse(text).map(|it| it.0), seconds, "{text}");
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
        assert_eq!(Timestamp(1_468_275_250).to_string(), "2016-07-11 22:14 UTC");
        for day in (0..60_000).step_by(17) {
            let time = Timestamp(day * DAY);
            let text = time.to_string().replace(" UTC", ":00 UTC");
            assert_eq!(Timestamp::parse(&text), Some(time), "{text}");
        }
        assert_eq!(Timestamp(10 * DAY + 5).days_from(Timestamp(3 * DAY)), 7);
        assert_eq!(Timestamp(0).days_from(Timestamp(5)), 0);
    }
}
