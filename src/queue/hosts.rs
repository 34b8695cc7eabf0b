//! Hosts of sources that do not answer, and targets that have asked to be left alone: while one is so, its mirrors
//! wait but for one run now and then, so that it costs neither workers nor a log full of the same.
//!
//! A host that was left alone for long enough is half-open: one run of all mirrors that have their source there is begun,
//! whoever has claimed it, and the others wait for what it finds. A run that did not come to an end has found nothing,
//! and the next one is begun.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::model::{Class, RunId};
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
    /// Hosts of sources that were left alone for long enough: of each, one run may find out whether it answers.
    pub half_open: Vec<String>,
    /// Hosts of targets, each for the mirrors of one owner.
    pub targets: Vec<(String, String)>,
}

impl Closed {
    /// Whether a run of that class at that host is the one that finds out whether it answers.
    pub(super) fn is_probe(&self, class: Class, host: &str) -> bool {
        class != Class::Interactive && self.half_open.iter().any(|half_open| half_open == host)
    }

    /// The same, but for half-open hosts, of which `now_known` says what they are now.
    pub(super) fn with(&self, now_known: impl Fn(&str) -> HostState) -> Self {
        let mut closed = Self { half_open: Vec::new(), ..self.clone() };
        for host in &self.half_open {
            match now_known(host) {
                HostState::Open => {}
                HostState::HalfOpen => closed.half_open.push(host.clone()),
                HostState::Closed => closed.hosts.push(host.clone()),
            }
        }
        closed
    }
}

/// What may be begun at a host of sources, but for persons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostState {
    Open,
    /// One run.
    HalfOpen,
    /// Nothing.
    Closed,
}

/// A host that has failed since it last answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failing {
    pub(super) failures: u32,
    /// Until when it is left alone.
    pub(super) closed: Option<Timestamp>,
    pub(super) pause: Duration,
    /// The run that finds out whether it answers; it may be over.
    pub(super) probe: Option<RunId>,
}

impl Default for Failing {
    fn default() -> Self {
        Self { failures: 0, closed: None, pause: FIRST_PAUSE, probe: None }
    }
}

impl Failing {
    /// It could not be reached, or not be used. Returns whether it is left alone for that.
    pub(super) fn failed(&mut self, host: &str, now: Timestamp) -> bool {
        self.failures = self.failures.saturating_add(1);
        // Runs that began before it was closed say nothing new.
        if self.failures < FAILURES || self.closed.is_some_and(|until| now < until) {
            return false;
        }
        if self.closed.is_some() {
            self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
        let seconds = self.pause.as_secs();
        tracing::warn!(host, seconds, "the host does not answer, and is left alone for a while");
        self.closed = Some(now.after(self.pause));
        self.probe = None;
        true
    }

    /// It has answered. Returns whether it was left alone, or half-open.
    pub(super) fn answered(self, host: &str) -> bool {
        if self.closed.is_some() {
            tracing::info!(host, "the host answers again");
        }
        self.closed.is_some()
    }

    /// What may be begun there, where `is_running` says of a run whether it is under way.
    pub(super) fn state(&self, is_running: impl Fn(RunId) -> bool, now: Timestamp) -> HostState {
        match self.closed {
            None => HostState::Open,
            Some(until) if now < until || self.probe.is_some_and(is_running) => HostState::Closed,
            Some(_) => HostState::HalfOpen,
        }
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

    /// A host has answered, or could not be reached or used. Returns whether what is left alone is another now.
    pub(super) fn note(&self, host: &str, answered: bool, now: Timestamp) -> bool {
        let mut state = self.lock();
        match answered {
            true => state.failing.remove(host).is_some_and(|failing| failing.answered(host)),
            false => state.failing.entry(host.to_owned()).or_default().failed(host, now),
        }
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
        let in_state = |wanted| {
            let hosts = state.failing.iter();
            // Which run finds out, a claim looks at.
            let hosts = hosts.filter(|(_, failing)| failing.state(|_| false, now) == wanted);
            hosts.map(|(host, _)| host.clone()).collect()
        };
        Closed {
            hosts: in_state(HostState::Closed),
            half_open: in_state(HostState::HalfOpen),
            targets: state.paused.keys().cloned().collect(),
        }
    }

    /// The runs that were begun to find out whether one of these hosts answers.
    pub(super) fn probes(&self, closed: &Closed) -> HashSet<RunId> {
        let state = self.lock();
        let probe = |host| state.failing.get(host)?.probe;
        closed.half_open.iter().filter_map(probe).collect()
    }

    /// What a claim is to leave alone that was told `closed`, where these runs are under way.
    pub(super) fn for_claim(
        &self,
        closed: &Closed,
        running: &HashSet<RunId>,
        now: Timestamp,
    ) -> Closed {
        let state = self.lock();
        let is_running = |run| running.contains(&run);
        closed.with(|host| {
            let failing = state.failing.get(host);
            failing.map_or(HostState::Open, |failing| failing.state(is_running, now))
        })
    }

    /// The run finds out whether a host answers.
    pub(super) fn probe(&self, host: &str, run: RunId) {
        if let Some(failing) = self.lock().failing.get_mut(host) {
            failing.probe = Some(run);
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
            hosts.note("a", false, at(0));
        }
        hosts.note("b", false, at(0));
        assert!(hosts.closed(at(0)).hosts.is_empty());
        hosts.note("a", false, at(0));
        assert_eq!(hosts.closed(at(59)).hosts, ["a"]);
        // One that was under way.
        hosts.note("a", false, at(30));
        assert!(hosts.closed(at(60)).hosts.is_empty(), "time for a look");
        hosts.note("a", false, at(61));
        assert_eq!(hosts.closed(at(61 + 119)).hosts, ["a"]);
        assert!(hosts.closed(at(61 + 120)).hosts.is_empty());
        for round in 0..20 {
            hosts.note("a", false, at(10_000 * (round + 1)));
        }
        assert!(
            hosts.closed(at(200_000 + 1801)).hosts.is_empty(),
            "never longer than half an hour"
        );
        assert!(hosts.note("a", true, at(250_000)));
        hosts.note("a", false, at(300_000));
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
