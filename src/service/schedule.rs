//! When a mirror that nobody asks for is looked at again.

use crate::base::time::Timestamp;
use crate::config::ScheduleOptions;

/// When to look again at a mirror whose last run went well at `now`. Its source changed last at `change`,
/// as far as is known.
///
/// Half of the time that nothing has happened, within the bounds that are configured: a busy source is
/// looked at often, and one that sleeps seldom. `random`, from 0 to 1, moves that by up to a tenth, so that
/// mirrors which were added together do not stay together.
pub(super) fn next_look(
    options: &ScheduleOptions,
    now: Timestamp,
    change: Option<Timestamp>,
    random: f64,
) -> Timestamp {
    let quiet = change.map_or(options.longest, |change| now.since(change) / 2);
    let wait = quiet.clamp(options.shortest, options.longest);
    now.after(wait.mul_f64(0.9 + 0.2 * random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_sources_are_looked_at_seldom() {
        let options = ScheduleOptions::default();
        let now = Timestamp::from_seconds(1_000_000);
        let ago = |seconds: i64| Some(Timestamp::from_seconds(1_000_000 - seconds));
        for (change, random, seconds) in [
            (ago(0), 0.5, 300),
            (ago(7200), 0.5, 3600),
            (ago(7200), 0.0, 3240),
            (ago(7200), 1.0, 3960),
            (ago(900_000), 0.5, 21_600),
            (None, 0.5, 21_600),
        ] {
            let next = next_look(&options, now, change, random);
            assert_eq!(next.since(now).as_secs(), seconds, "{change:?} {random}");
        }
    }
}
