//! Whether the sources and targets of mirrors can be reached, several at the same time, and few of one host.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use serde::Serialize;

use super::view::FailureView;
use crate::base::{Interrupt, Side};
use crate::config::{MirrorConfig, ScheduleOptions};
use crate::mirror::TargetSeen;
use crate::queue::Failure;

/// So many are tried at the same time.
const AT_ONCE: usize = 16;

/// What was found at one end of a mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndCheck {
    /// The mirror.
    pub mirror: String,
    /// Which end.
    pub side: Side,
    /// Its address, without secrets.
    pub address: String,
    /// How many refs a target has that was reached.
    pub refs: Option<usize>,
    /// Whether it is a target that the first sync makes.
    pub to_be_made: bool,
    /// Why it cannot be used; `None` if it can.
    pub failure: Option<FailureView>,
}

/// Something to try.
struct Task<'m> {
    configured: &'m MirrorConfig,
    side: Side,
    host: String,
}

/// What the threads share.
struct State<'m> {
    /// The last one is next.
    waiting: Vec<Task<'m>>,
    busy: HashMap<(Side, String), usize>,
    done: Vec<EndCheck>,
}

/// Tries both ends of each of `mirrors`: one request each, and nothing is written. Of one host no more are tried at
/// the same time than `schedule` allows syncs.
pub fn check_online(
    mirrors: &[&MirrorConfig],
    schedule: &ScheduleOptions,
    interrupt: &Interrupt,
) -> Vec<EndCheck> {
    let tasks = mirrors.iter().flat_map(|configured| tasks(configured));
    let waiting: Vec<_> = tasks.collect::<Vec<_>>().into_iter().rev().collect();
    let threads = waiting.len().min(AT_ONCE);
    let state = Mutex::new(State { waiting, busy: HashMap::new(), done: Vec::new() });
    let freed = Condvar::new();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(task) = next(&state, &freed, schedule) {
                    let check = task.run(interrupt);
                    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(busy) = state.busy.get_mut(&(task.side, task.host)) {
                        *busy -= 1;
                    }
                    state.done.push(check);
                    freed.notify_all();
                }
            });
        }
    });
    let mut done = state.into_inner().unwrap_or_else(PoisonError::into_inner).done;
    done.sort_by(|one, other| {
        let key = |check: &EndCheck| (check.mirror.clone(), check.side != Side::Source);
        key(one).cmp(&key(other))
    });
    done
}

fn tasks(configured: &MirrorConfig) -> impl Iterator<Item = Task<'_>> {
    let mirror = &configured.mirror;
    let source = (Side::Source, mirror.source.host().to_owned());
    let target = mirror.target.as_ref();
    let target =
        target.map(|it| (Side::Target, it.url.host().map(str::to_owned).unwrap_or_default()));
    let ends = [source].into_iter().chain(target);
    ends.map(move |(side, host)| Task { configured, side, host })
}

/// The next one whose host is not busy; `None` once all have been taken.
fn next<'m>(
    state: &Mutex<State<'m>>,
    freed: &Condvar,
    schedule: &ScheduleOptions,
) -> Option<Task<'m>> {
    let mut locked = state.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let State { waiting, busy, .. } = &mut *locked;
        if waiting.is_empty() {
            return None;
        }
        let may_run = |task: &Task<'_>| {
            let most = match task.side {
                Side::Source => schedule.per_source_host,
                _ => schedule.per_target_host,
            };
            let now = busy.get(&(task.side, task.host.clone())).copied().unwrap_or_default();
            // What is on this machine has no host.
            task.host.is_empty() || now < most.get()
        };
        if let Some(place) = waiting.iter().rposition(may_run) {
            let task = waiting.remove(place);
            *busy.entry((task.side, task.host.clone())).or_default() += 1;
            return Some(task);
        }
        locked = freed.wait(locked).unwrap_or_else(PoisonError::into_inner);
    }
}

impl Task<'_> {
    fn run(&self, interrupt: &Interrupt) -> EndCheck {
        let mirror = &self.configured.mirror;
        let (address, found) = if self.side == Side::Source {
            let probed = mirror.probe_source(interrupt).map(|()| None);
            (mirror.source.to_string(), probed)
        } else {
            let target = mirror.target.as_ref().map(|target| target.url.to_string());
            (target.unwrap_or_default(), mirror.probe_target(interrupt))
        };
        let (seen, failure) = match found {
            Ok(seen) => (seen, None),
            Err(error) => (None, Some(FailureView::from(&Failure::of(&error)))),
        };
        EndCheck {
            mirror: mirror.name.clone(),
            side: self.side,
            address,
            refs: match seen {
                Some(TargetSeen::Refs(refs)) => Some(refs),
                _ => None,
            },
            to_be_made: seen == Some(TargetSeen::ToBeMade),
            failure,
        }
    }
}
