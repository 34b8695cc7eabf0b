//! Numbers, times and names as a person reads them.

use crate::base::Side;
use crate::base::time::Timestamp;
use crate::queue::model::{Cause, RunState, Verdict};
use crate::service::view::RefView;

/// `12,345`
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 run`, `2,000 runs`
pub(super) fn count(many: u64, one: &str, more: &str) -> String {
    let word = if many == 1 { one } else { more };
    format!("{} {word}", number(many))
}

/// `850 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`
pub(super) fn duration(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{seconds}.{} s", millis % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", number(seconds / 3600), seconds % 3600 / 60),
    }
}

/// `just now`, `20 seconds ago`, `in 3 minutes`
pub(super) fn relative(now: Timestamp, then: Timestamp) -> String {
    let millis = now.millis().saturating_sub(then.millis());
    let seconds = millis.unsigned_abs() / 1000;
    match millis < 0 {
        _ if seconds < 5 => "just now".to_owned(),
        true => format!("in {}", amount(seconds)),
        false => format!("{} ago", amount(seconds)),
    }
}

/// `20 seconds`, `3 minutes`, `25 hours`, `2 days`
pub(super) fn amount(seconds: u64) -> String {
    match seconds {
        0..60 => count(seconds, "second", "seconds"),
        60..3600 => count(seconds / 60, "minute", "minutes"),
        3600..172_800 => count(seconds / 3600, "hour", "hours"),
        _ => count(seconds / 86_400, "day", "days"),
    }
}

/// A part of a sentence, as it begins one.
pub(super) fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next();
    first.into_iter().flat_map(char::to_uppercase).chain(characters).collect()
}

/// What asked for a run.
pub(super) fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Hook => "a hook",
        Cause::Schedule => "the schedule",
        Cause::Person => "a person",
        Cause::Retry => "a retry",
        Cause::Configuration => "the configuration",
    }
}

/// What has become of a run.
pub(super) fn run_state(state: RunState) -> &'static str {
    match state {
        RunState::Queued => "Queued",
        RunState::Running => "Running",
        RunState::Done => "Done",
        RunState::Partial => "Partial",
        RunState::Failed => "Failed",
        RunState::Interrupted => "Interrupted",
    }
}

/// What that means.
pub(super) fn run_meaning(state: RunState) -> &'static str {
    match state {
        RunState::Queued => "It waits for its turn.",
        RunState::Running => "It is under way.",
        RunState::Done => "It ended well.",
        RunState::Partial => {
            "The target refused refs, which are named with the reason. All others are up to date."
        }
        RunState::Failed => "The reason is below.",
        RunState::Interrupted => "It was stopped. A later run does what it was asked for.",
    }
}

/// What became of a delivery.
pub(super) fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted => "Accepted",
        Verdict::Repeated => "Repeated: it had come before",
        Verdict::Ignored => "Ignored: verified, but not about a push",
        Verdict::Unverified => "Refused: not verified",
        Verdict::Malformed => "Refused: it cannot be read",
        Verdict::Unmatched => "No mirror has this source",
    }
}

/// On which side something failed.
pub(super) fn side(side: Side) -> &'static str {
    match side {
        Side::Source => "at the source",
        Side::Target => "at the target",
        Side::Here => "on this machine",
    }
}

/// What a run did to a ref.
pub(super) fn ref_result(entry: &RefView) -> &'static str {
    match (&entry.refused, &entry.old, &entry.new) {
        (Some(_), ..) => "Refused",
        (None, None, Some(_)) => "Added",
        (None, Some(_), None) => "Removed",
        (None, old, new) if old == new => "Unchanged",
        (None, ..) => "Changed",
    }
}

/// The beginning of an id, which is enough for people.
pub(super) fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_read_well() {
        for (value, expected) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(number(value), expected);
        }
        assert_eq!(count(1, "run", "runs"), "1 run");
        for (millis, expected) in [
            (7, "7 ms"),
            (4250, "4.2 s"),
            (59_999, "59.9 s"),
            (200_000, "3 min 20 s"),
            (7_500_000, "2 h 5 min"),
        ] {
            assert_eq!(duration(millis), expected);
        }
        let now = Timestamp::from_seconds(1_000_000);
        for (seconds, expected) in [
            (0, "just now"),
            (-4, "just now"),
            (30, "30 seconds ago"),
            (60, "1 minute ago"),
            (-180, "in 3 minutes"),
            (7200, "2 hours ago"),
            (200_000, "2 days ago"),
        ] {
            let then = Timestamp::from_seconds(1_000_000 - seconds);
            assert_eq!(relative(now, then), expected);
        }
    }
}
