//! Hosts of sources that do not answer, and targets that have asked to be left alone: while one is so, its mirrors
//! wait but for one look now and then, so that it costs neither workers nor a log full of the same.

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

/// What is left alone now, but by persons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closed {
    /// Hosts of sources.
    pub hosts: Vec<String>,
    /// Hosts of targets, each for the mirrors of one owner.
    pub targets: Vec<(String, String)>,
}

/// A host that has failed since it last answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failing {
    pub(super) failures: u32,
    /// Until when it is left alone.
    pub(super) closed: Option<Timestamp>,
    pub(super) pause: Duration,
}

impl Default for Failing {
    fn default() -> Self {
        Self { failures: 0, closed: None, pause: FIRST_PAUSE }
    }
}

impl Failing {
    /// It could not be reached, or not be used.
    pub(super) fn failed(&mut self, host: &str, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        // Runs that began before it was closed say nothing new.
        if self.failures < FAILURES || self.closed.is_some_and(|until| now < until) {
            return;
        }
        if self.closed.is_some() {
            self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
        let seconds = self.pause.as_secs();
        tracing::warn!(host, seconds, "the host does not answer, and is left alone for a while");
        self.closed = Some(now.after(self.pause));
    }

    /// It has answered.
    pub(super) fn answered(self, host: &str) {
        if self.closed.is_some() {
            tracing::info!(host, "the host answers again");
        }
    }

    fn is_closed(&self, now: Timestamp) -> bool {
        self.closed.is_some_and(|until| now < until)
    }
}

/// All of them, for a store that one process has alone: they are forgotten when it ends.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failing: HashMap<String, Failing>,
    /// By host and owner, until when.
    paused: HashMap<(String, String), Timestamp>,
}

impl Hosts {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A host has answered.
    pub(super) fn answered(&self, host: &str) {
        if let Some(failing) = self.lock().failing.remove(host) {
            failing.answered(host);
        }
    }

    /// A host could not be reached, or not be used.
    pub(super) fn failed(&self, host: &str, now: Timestamp) {
        self.lock().failing.entry(host.to_owned()).or_default().failed(host, now);
    }

    /// A target wants to be left alone until then.
    pub(super) fn pause(&self, host: &str, owner: &str, until: Timestamp) {
        let mut state = self.lock();
        let paused = state.paused.entry((host.to_owned(), owner.to_owned())).or_default();
        *paused = until.max(*paused);
    }

    /// What is left alone now.
    pub(super) fn closed(&self, now: Timestamp) -> Closed {
        let mut state = self.lock();
        state.paused.retain(|_, until| now < *until);
        let closed = state.failing.iter().filter(|(_, failing)| failing.is_closed(now));
        Closed {
            hosts: closed.map(|(host, _)| host.clone()).collect(),
            targets: state.paused.keys().cloned().collect(),
        }
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
        assert!(hosts.closed(at(0)).hosts.is_empty());
        hosts.failed("a", at(0));
        assert_eq!(hosts.closed(at(59)).hosts, ["a"]);
        // One that was under way.
        hosts.failed("a", at(30));
        assert!(hosts.closed(at(60)).hosts.is_empty(), "time for a look");
        hosts.failed("a", at(61));
        assert_eq!(hosts.closed(at(61 + 119)).hosts, ["a"]);
        assert!(hosts.closed(at(61 + 120)).hosts.is_empty());
        for round in 0..20 {
            hosts.failed("a", at(10_000 * (round + 1)));
        }
        assert!(
            hosts.closed(at(200_000 + 1801)).hosts.is_empty(),
            "never longer than half an hour"
        );
        hosts.answered("a");
        hosts.failed("a", at(300_000));
        assert!(hosts.closed(at(300_000)).hosts.is_empty());
    }

    #[test]
    fn a_target_is_left_alone_for_as_long_as_it_wants() {
        let hosts = Hosts::default();
        hosts.pause("git.example", "one", at(60));
        hosts.pause("git.example", "one", at(30));
        let paused = [("git.example".to_owned(), "one".to_owned())];
        assert_eq!(hosts.closed(at(59)).targets, paused);
        assert!(hosts.closed(at(60)).targets.is_empty());
    }
}
