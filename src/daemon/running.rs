//! How far the syncs are that run.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::base::{Stage, Unit};
use crate::mirror::{HeardNotes, Observer, SyncEvent};
use crate::queue::JobId;

/// How far a sync is in its stage. The names of the fields are an interface, as those of the state
/// that it is shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct StageProgress {
    stage: Stage,
    unit: Unit,
    done: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
}

/// How far each job is whose sync runs and has said so.
#[derive(Debug, Default)]
pub(super) struct Running(Mutex<HashMap<JobId, StageProgress>>);

impl Running {
    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, StageProgress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the job `id` is.
    pub(super) fn of(&self, id: JobId) -> Option<StageProgress> {
        self.lock().get(&id).copied()
    }

    /// Forgets a job that is over.
    pub(super) fn forget(&self, id: JobId) {
        self.lock().remove(&id);
    }
}

/// Keeps what the sync of one job says of its progress.
pub(super) struct Watch<'w> {
    pub(super) running: &'w Running,
    pub(super) id: JobId,
    /// The notes: a sync that fails has no report with them.
    pub(super) notes: HeardNotes,
}

impl Observer for Watch<'_> {
    fn event(&self, event: &SyncEvent) {
        self.notes.event(event);
        match *event {
            SyncEvent::StageBegun { stage, total } => {
                let progress = StageProgress { stage, unit: stage.unit(), done: 0, total };
                self.running.lock().insert(self.id, progress);
            }
            SyncEvent::Advanced { done, .. } | SyncEvent::StageEnded { done, .. } => {
                if let Some(progress) = self.running.lock().get_mut(&self.id) {
                    progress.done = done;
                }
            }
            // The report has these once the sync is over.
            SyncEvent::SliceDone { .. }
            | SyncEvent::Note { .. }
            | SyncEvent::RefPublished { .. }
            | SyncEvent::RefRefused { .. }
            | SyncEvent::Finished { .. } => {}
        }
    }
}
