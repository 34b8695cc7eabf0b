//! What a sync does while it does it: one stream of events, as data.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Note, RefChange, SyncReport};
use crate::base::{Progress, Stage};
use crate::git::destination::Refusal;

/// Something that happened in a sync, or in another run over a mirror.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SyncEvent {
    /// A stage has begun. Stages follow one another; none is inside another.
    StageBegun {
        /// What is being done.
        stage: Stage,
        /// How many units it has, if that is known.
        total: Option<u64>,
    },
    /// The running stage has made progress. Not every step is reported.
    Advanced {
        /// What is being done.
        stage: Stage,
        /// How many of its units are done.
        done: u64,
    },
    /// The stage that ran is over.
    StageEnded {
        /// What was done.
        stage: Stage,
        /// How many units it had.
        done: u64,
    },
    /// A slice of changesets is converted and durable: a kill does not lose it.
    SliceDone {
        /// How many changesets this run has converted.
        converted: u64,
        /// How many it has to convert.
        total: u64,
    },
    /// Something that a person should know.
    Note {
        /// What it is.
        note: Note,
    },
    /// A ref of the target is as the source wants it.
    RefPublished {
        /// The ref.
        #[serde(flatten)]
        change: RefChange,
    },
    /// The target keeps a ref as it was.
    RefRefused {
        /// The ref, and why.
        #[serde(flatten)]
        refusal: Refusal,
    },
    /// The run ended well.
    Finished {
        /// How many changesets the source serves.
        changesets: u64,
        /// How many of them this run converted.
        converted: u64,
    },
}

/// Receives the events of a sync, on the threads that do the work: it must be quick.
pub trait Observer: Sync {
    /// Something happened.
    fn event(&self, event: &SyncEvent);
}

/// Ignores all events.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn event(&self, _event: &SyncEvent) {}
}

/// Keeps the notes of a run, so that they can be told if it fails and makes no report.
#[derive(Debug, Default)]
pub struct HeardNotes(Mutex<Vec<Note>>);

impl HeardNotes {
    /// What was heard so far; it is forgotten then.
    pub fn take(&self) -> Vec<Note> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for HeardNotes {
    fn event(&self, event: &SyncEvent) {
        if let SyncEvent::Note { note } = event {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(note.clone());
        }
    }
}

impl<A: Observer + ?Sized, B: Observer + ?Sized> Observer for (&A, &B) {
    fn event(&self, event: &SyncEvent) {
        self.0.event(event);
        self.1.event(event);
    }
}

/// The shortest time between two events about the progress of a stage.
const TOLD_EVERY: Duration = Duration::from_millis(50);

/// Sends an observer the progress of the layers below, and the events of the mirror itself.
pub(super) struct Events<'o> {
    observer: &'o dyn Observer,
    began: Instant,
    done: AtomicU64,
    /// When a step was told last, in milliseconds after `began`.
    told: AtomicU64,
    stage: Mutex<Option<Stage>>,
}

impl<'o> Events<'o> {
    pub(super) fn to(observer: &'o dyn Observer) -> Self {
        let (done, told, stage) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::new(None));
        Self { observer, began: Instant::now(), done, told, stage }
    }

    pub(super) fn tell(&self, event: &SyncEvent) {
        self.observer.event(event);
    }

    /// Sends an event for each note, and returns the notes for the report.
    pub(super) fn notes(&self, notes: Vec<Note>) -> Vec<Note> {
        for note in &notes {
            self.tell(&SyncEvent::Note { note: note.clone() });
        }
        notes
    }

    /// Sends the event for a run that ended well.
    pub(super) fn finished(&self, report: &SyncReport) {
        let SyncReport { changesets, converted, .. } = *report;
        self.tell(&SyncEvent::Finished { changesets, converted });
    }

    /// Whether it is time for another event about progress. Of several threads, only one gets `true`.
    fn is_due(&self) -> bool {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let told = self.told.load(Ordering::Relaxed);
        let every = u64::try_from(TOLD_EVERY.as_millis()).unwrap_or(u64::MAX);
        now >= told.saturating_add(every)
            && self.told.compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Ends the stage that runs, if one does; begins `next`, if there is one.
    fn turn(&self, next: Option<(Stage, Option<u64>)>) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.done.swap(0, Ordering::Relaxed);
        if let Some(stage) = stage.take() {
            self.tell(&SyncEvent::StageEnded { stage, done });
        }
        if let Some((next, total)) = next {
            *stage = Some(next);
            self.tell(&SyncEvent::StageBegun { stage: next, total });
        }
    }
}

impl Progress for Events<'_> {
    fn begin(&self, stage: Stage, total: Option<u64>) {
        self.turn(Some((stage, total)));
    }

    fn advance(&self, n: u64) {
        let done = self.done.fetch_add(n, Ordering::Relaxed).saturating_add(n);
        if self.is_due() {
            // If the lock is taken, another thread is telling a step right now.
            let Ok(stage) = self.stage.try_lock() else { return };
            if let Some(stage) = *stage {
                self.tell(&SyncEvent::Advanced { stage, done });
            }
        }
    }

    fn end(&self) {
        self.turn(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::ObjectId;
    use crate::git::destination::RefusalKind;

    /// Keeps what it hears.
    #[derive(Default)]
    struct Log(Mutex<Vec<SyncEvent>>);

    impl Observer for Log {
        fn event(&self, event: &SyncEvent) {
            self.0.lock().unwrap().push(event.clone());
        }
    }

    #[test]
    fn stages_follow_on_one_another_and_steps_are_told_now_and_then() {
        let log = Log::default();
        let events = Events::to(&log);
        let (first, second) = (Stage::ReadingManifests, Stage::WritingCommits);
        events.begin(first, Some(1000));
        for _ in 0..1000 {
            events.advance(1);
        }
        events.told.store(0, Ordering::Relaxed);
        std::thread::sleep(TOLD_EVERY);
        events.advance(5);
        // One that begins ends the one before.
        events.begin(second, None);
        events.end();
        events.end();
        let told = log.0.into_inner().unwrap();
        let steps = |event: &&SyncEvent| matches!(event, SyncEvent::Advanced { .. });
        let last = told.iter().rfind(steps).unwrap();
        assert_eq!(*last, SyncEvent::Advanced { stage: first, done: 1005 });
        assert!(told.iter().filter(steps).count() < 100, "{told:?}");
        let others: Vec<_> = told.iter().filter(|event| !steps(event)).cloned().collect();
        assert_eq!(
            others,
            [
                SyncEvent::StageBegun { stage: first, total: Some(1000) },
                SyncEvent::StageEnded { stage: first, done: 1005 },
                SyncEvent::StageBegun { stage: second, total: None },
                SyncEvent::StageEnded { stage: second, done: 0 },
            ]
        );
    }

    #[test]
    fn every_event_has_a_name_for_programs() {
        let stage = Stage::CopyingPacks;
        let id = ObjectId::from_bytes([1; 20]);
        let change = RefChange { name: "refs/heads/x".to_owned(), old: None, new: Some(id) };
        let refusal = Refusal {
            name: "refs/heads/x".to_owned(),
            kind: RefusalKind::TagDiffers,
            reason: "it differs".to_owned(),
        };
        let note = Note::ChangesetsGone { count: 2 };
        let events = [
            SyncEvent::StageBegun { stage, total: Some(9) },
            SyncEvent::Advanced { stage, done: 4 },
            SyncEvent::StageEnded { stage, done: 9 },
            SyncEvent::SliceDone { converted: 10, total: 20 },
            SyncEvent::Note { note },
            SyncEvent::RefPublished { change },
            SyncEvent::RefRefused { refusal },
            SyncEvent::Finished { changesets: 20, converted: 10 },
        ];
        let lines: Vec<_> = events.iter().map(|e| serde_json::to_string(e).unwrap()).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
{"event":"stage_begun","stage":"copying_packs","total":9}
{"event":"advanced","stage":"copying_packs","done":4}
{"event":"stage_ended","stage":"copying_packs","done":9}
{"event":"slice_done","converted":10,"total":20}
{"event":"note","note":{"kind":"changesets_gone","count":2}}
{"event":"ref_published","name":"refs/heads/x","old":null,"new":"0101010101010101010101010101010101010101"}
{"event":"ref_refused","name":"refs/heads/x","kind":"tag_differs","reason":"it differs"}
{"event":"finished","changesets":20,"converted":10}
"#);
    }
}
