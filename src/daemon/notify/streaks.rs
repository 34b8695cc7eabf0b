//! What is told of a mirror: the first of a row of troubles, and that it is well again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::service::view::{MirrorState, MirrorSummary};

/// The mirrors that were told to be in trouble, and are not known to be well again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Streaks(BTreeMap<String, Streak>);

/// A row of troubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Streak {
    since: Option<Timestamp>,
    /// The last success before it was told: what is later ends it.
    last_good: Option<Timestamp>,
}

/// Something to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A mirror is in trouble.
    Trouble {
        /// Since when.
        since: Option<Timestamp>,
    },
    /// It is well again.
    Recovered {
        /// Since when it was in trouble.
        since: Option<Timestamp>,
    },
}

impl Streaks {
    /// Those that are in trouble among `mirrors`, as if that had been told.
    pub(super) fn known(mirrors: &[MirrorSummary], failures: u32) -> Self {
        let mut streaks = Self::default();
        for mirror in mirrors {
            streaks.look(mirror, failures);
        }
        streaks
    }

    /// What is to be told of a mirror as it is now. `failures` runs in a row make one that is tried again
    /// by itself a trouble.
    pub(super) fn look(&mut self, mirror: &MirrorSummary, failures: u32) -> Option<Change> {
        let is_trouble = is_trouble(mirror, failures);
        match self.0.get(&mirror.name) {
            None if is_trouble => {
                let since = begin(mirror);
                let streak = Streak { since, last_good: mirror.last_good };
                self.0.insert(mirror.name.clone(), streak);
                Some(Change::Trouble { since })
            }
            // A mirror that is tried again is not well before a run has gone well; nor is one that a
            // person has paused.
            Some(&Streak { since, last_good })
                if !is_trouble
                    && mirror.state != MirrorState::Failing
                    && mirror.last_good > last_good =>
            {
                self.0.remove(&mirror.name);
                Some(Change::Recovered { since })
            }
            _ => None,
        }
    }

    /// Whether the mirror called `name` was told to be in trouble.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The mirrors in trouble.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Forgets a mirror.
    pub(super) fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// With all times by a clock that is so far ahead of the one that they are by.
    pub(super) fn ahead(&self, millis: i64) -> Self {
        let ahead = |time: Timestamp| Timestamp::from_millis(time.millis().saturating_add(millis));
        let streak = |Streak { since, last_good }: &Streak| Streak {
            since: since.map(ahead),
            last_good: last_good.map(ahead),
        };
        Self(self.0.iter().map(|(name, it)| (name.clone(), streak(it))).collect())
    }
}

fn is_trouble(mirror: &MirrorSummary, failures: u32) -> bool {
    match mirror.state {
        MirrorState::Parked | MirrorState::Partial | MirrorState::Stale => true,
        MirrorState::Failing => mirror.failures >= failures,
        MirrorState::Paused
        | MirrorState::Running
        | MirrorState::Queued
        | MirrorState::New
        | MirrorState::Good => false,
    }
}

/// Since when a mirror is in the trouble that it is in.
fn begin(mirror: &MirrorSummary) -> Option<Timestamp> {
    match mirror.state {
        MirrorState::Stale => mirror.last_good,
        MirrorState::Partial => mirror.since.or(mirror.last_tried),
        _ => mirror.since,
    }
}
