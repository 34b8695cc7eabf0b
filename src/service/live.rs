//! The runs that are under way, and who is told of what happens.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::recorder::Recorder;
use super::view::ServiceEvent;
use crate::base::time::Timestamp;
use crate::mirror::{Observer, SyncEvent};
use crate::queue::model::{RunId, Weight};

/// The shortest time between two events about the progress of one run.
const TOLD_EVERY: Duration = Duration::from_millis(500);

/// Whoever is told of what happens, on the thread on which it does: it must be quick.
pub type Listener = Box<dyn Fn(&ServiceEvent) + Send + Sync>;

/// The runs that are under way, by their ids.
#[derive(Default)]
pub(super) struct Live {
    runs: Mutex<HashMap<RunId, (Weight, Arc<Recorder>)>>,
    listeners: RwLock<Vec<Listener>>,
}

impl Live {
    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, (Weight, Arc<Recorder>)>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the run `id` has said so far, if it is under way.
    pub(super) fn run(&self, id: RunId) -> Option<Arc<Recorder>> {
        self.runs().get(&id).map(|(_, recorder)| Arc::clone(recorder))
    }

    pub(super) fn begin(&self, id: RunId, weight: Weight, recorder: Arc<Recorder>) {
        self.runs().insert(id, (weight, recorder));
    }

    /// How many of the runs that were expected to be of `weight` have said nothing since `since`.
    pub(super) fn silent(&self, weight: Weight, since: Timestamp) -> usize {
        let runs = self.runs();
        let silent = runs.values().filter(|(of, run)| *of == weight && run.moved() < since);
        silent.count()
    }

    pub(super) fn end(&self, id: RunId) {
        self.runs().remove(&id);
    }

    /// Tells `listener` of everything from now on.
    pub(super) fn listen(&self, listener: Listener) {
        self.listeners.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Tells everybody.
    pub(super) fn tell(&self, event: &ServiceEvent) {
        for listener in self.listeners.read().unwrap_or_else(PoisonError::into_inner).iter() {
            listener(event);
        }
    }
}

/// Tells everybody how far one run is.
pub(super) struct Watch<'l> {
    live: &'l Live,
    mirror: &'l str,
    run: RunId,
    recorder: &'l Recorder,
    told: Mutex<Option<Instant>>,
}

impl<'l> Watch<'l> {
    pub(super) fn of(live: &'l Live, mirror: &'l str, run: RunId, recorder: &'l Recorder) -> Self {
        Self { live, mirror, run, recorder, told: Mutex::new(None) }
    }

    fn is_due(&self) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = told.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        if is_due {
            *told = Some(Instant::now());
        }
        is_due
    }
}

impl Observer for Watch<'_> {
    fn event(&self, event: &SyncEvent) {
        self.recorder.event(event);
        if matches!(event, SyncEvent::StageBegun { .. } | SyncEvent::Advanced { .. })
            && self.is_due()
            && let Some(progress) = self.recorder.progress()
        {
            let mirror = self.mirror.to_owned();
            self.live.tell(&ServiceEvent::Progress { mirror, run: self.run, progress });
        }
    }
}
