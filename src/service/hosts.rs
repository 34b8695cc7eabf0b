//! Hosts of sources that do not answer: while one is dead, its mirrors are left alone but for one look
//! now and then, so that it costs neither workers nor a log full of the same.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::time::Timestamp;

/// So many failures in a row, of whatever mirrors, make a host count as dead.
const FAILURES: u32 = 5;
/// How long a host is left alone at first; twice as long each time that it does not answer then.
const FIRST_PAUSE: Duration = Duration::from_mins(1);
/// The longest time.
const LONGEST_PAUSE: Duration = Duration::from_mins(30);

/// The hosts that have failed since they last answered.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<HashMap<String, Failing>>);

#[derive(Clone, Copy, Debug)]
struct Failing {
    failures: u32,
    /// Until when it is left alone.
    closed: Option<Timestamp>,
    pause: Duration,
}

impl Hosts {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Failing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A host has answered.
    pub(super) fn answered(&self, host: &str) {
        if self.lock().remove(host).is_some_and(|host| host.closed.is_some()) {
            tracing::info!(host, "the host answers again");
        }
    }

    /// A host could not be reached, or not be used.
    pub(super) fn failed(&self, host: &str, now: Timestamp) {
        if host.is_empty() {
            return;
        }
        let mut hosts = self.lock();
        let new = Failing { failures: 0, closed: None, pause: FIRST_PAUSE };
        let failing = hosts.entry(host.to_owned()).or_insert(new);
        failing.failures = failing.failures.saturating_add(1);
        // Runs that began before it was closed say nothing new.
        if failing.failures < FAILURES || failing.closed.is_some_and(|until| now < until) {
            return;
        }
        if failing.closed.is_some() {
            failing.pause = failing.pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
        let seconds = failing.pause.as_secs();
        tracing::warn!(host, seconds, "the host does not answer, and is left alone for a while");
        failing.closed = Some(now.after(failing.pause));
    }

    /// The hosts that are left alone now.
    pub(super) fn closed(&self, now: Timestamp) -> Vec<String> {
        let hosts = self.lock();
        let closed = hosts.iter().filter(|(_, it)| it.closed.is_some_and(|until| now < until));
        closed.map(|(host, _)| host.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn a_dead_host_is_asked_seldom_and_one_that_answers_as_ever() {
        let hosts = Hosts::default();
        for _ in 0..FAILURES - 1 {
            hosts.failed("a", at(0));
        }
        hosts.failed("b", at(0));
        assert!(hosts.closed(at(0)).is_empty());
        hosts.failed("a", at(0));
        assert_eq!(hosts.closed(at(59)), ["a"]);
        // One that was under way.
        hosts.failed("a", at(30));
        assert!(hosts.closed(at(60)).is_empty(), "time for a look");
        hosts.failed("a", at(61));
        assert_eq!(hosts.closed(at(61 + 119)), ["a"]);
        assert!(hosts.closed(at(61 + 120)).is_empty());
        for round in 0..20 {
            hosts.failed("a", at(10_000 * (round + 1)));
        }
        assert!(hosts.closed(at(200_000 + 1801)).is_empty(), "never longer than half an hour");
        hosts.answered("a");
        hosts.failed("a", at(300_000));
        assert!(hosts.closed(at(300_000)).is_empty());
    }

    #[test]
    fn sources_on_this_machine_have_no_host() {
        let hosts = Hosts::default();
        for _ in 0..20 {
            hosts.failed("", at(0));
        }
        assert!(hosts.closed(at(0)).is_empty());
    }
}
