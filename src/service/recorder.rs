//! What one run says while it runs, kept for those who look, and for its record once it is over.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::view::{ColdStart, LogLine, PhaseView, RefView, StageProgress};
use crate::base::clean::{clean, clean_short};
use crate::base::time::{Clock, Timestamp};
use crate::base::{Severity, Stage};
use crate::mirror::{Note, Observer, RefChange, Refusal, SyncEvent, SyncReport};

/// So many lines of a run's log are kept; of the others, how many there were.
const LINES: usize = 500;
/// So many refs of a run are kept; of the others, how many there were.
const REFS: usize = 2000;
/// The longest line, in characters.
const LINE: usize = 2000;

/// What is kept of a run. It is written as JSON, and read by later versions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct RunRecord {
    /// Changesets of the source.
    pub changesets: u64,
    /// How many of them were converted.
    pub converted: u64,
    /// How many refs were changed.
    pub changed: u64,
    /// How many refs were refused.
    pub refused: u64,
    /// Where its cache came from, if there was none.
    pub cold: Option<ColdStart>,
    /// Its stages, in their order.
    pub phases: Vec<PhaseView>,
    /// The refs of the target, those that were refused first.
    pub refs: Vec<RefView>,
    /// How many refs were left out of `refs`.
    pub more_refs: u64,
    /// What it had to say.
    pub log: Vec<LogLine>,
    /// How many lines were left out of `log`.
    pub more_lines: u64,
    /// Changesets that this run and those before it have converted since one came to its end: the target lacks
    /// them, as far as is known.
    pub unpublished: u64,
    /// The same with those that were still to be converted.
    pub behind: u64,
}

impl RunRecord {
    /// As it is kept.
    pub(super) fn to_json(&self) -> String {
        // It has no maps with keys that are no text, which alone could fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What was kept; an empty one if it cannot be read, which loses a look into the past and nothing else.
    pub(super) fn from_json(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

/// Hears one run.
pub(super) struct Recorder {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    record: RunRecord,
    /// When it last said something; at first, when it began.
    moved: Timestamp,
    /// The stage that runs, and since when.
    stage: Option<(StageProgress, Timestamp)>,
    /// Changesets that runs before this one have converted and not published.
    before: u64,
}

impl Recorder {
    /// Of a run after others that have converted `before` changesets and not published them.
    pub(super) fn new(clock: Arc<dyn Clock>, before: u64) -> Self {
        let record = RunRecord { unpublished: before, behind: before, ..RunRecord::default() };
        let state = State { record, moved: clock.now(), stage: None, before };
        Self { clock, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the run last said something; at first, when it began.
    pub(super) fn moved(&self) -> Timestamp {
        self.lock().moved
    }

    /// How far the run is.
    pub(super) fn progress(&self) -> Option<StageProgress> {
        self.lock().stage.map(|(progress, _)| progress)
    }

    /// How many changesets the target lacks, as far as the run knows.
    pub(super) fn behind(&self) -> u64 {
        self.lock().record.behind
    }

    /// What is known of it so far.
    pub(super) fn record(&self) -> RunRecord {
        let state = self.lock();
        // A stage that a failure cut short is over, too.
        if let Some((progress, since)) = state.stage {
            let mut record = state.record.clone();
            record.phases.push(phase(progress, since, self.clock.now()));
            return record;
        }
        state.record.clone()
    }

    /// What it did in all, now that it has come to its end.
    pub(super) fn finished(&self, report: &SyncReport) {
        let mut state = self.lock();
        let record = &mut state.record;
        (record.changesets, record.converted) = (report.changesets, report.converted);
        (record.changed, record.refused, record.more_refs) = (0, 0, 0);
        (record.unpublished, record.behind) = (0, 0);
        record.refs.clear();
        for refusal in &report.refused {
            state.refused(refusal);
        }
        for change in &report.refs {
            state.published(change);
        }
    }

    /// There was no cache when it began.
    pub(super) fn cold(&self) {
        self.lock().record.cold.get_or_insert(ColdStart::Source);
    }

    /// Adds a line to its log.
    pub(super) fn line(&self, severity: Severity, text: &str) {
        let at = self.clock.now();
        let mut state = self.lock();
        if state.record.log.len() < LINES {
            state.record.log.push(LogLine { at, severity, text: clean_short(text, LINE) });
        } else {
            state.record.more_lines += 1;
        }
    }
}

fn phase(progress: StageProgress, since: Timestamp, now: Timestamp) -> PhaseView {
    let StageProgress { stage, done, .. } = progress;
    let millis = u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
    PhaseView { stage: name(stage), title: stage.words().to_owned(), done, millis }
}

/// What a stage is called in JSON.
fn name(stage: Stage) -> String {
    let value = serde_json::to_value(stage).ok();
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

impl State {
    fn end_stage(&mut self, now: Timestamp) {
        if let Some((progress, since)) = self.stage.take() {
            self.record.phases.push(phase(progress, since, now));
        }
    }

    fn add_ref(&mut self, entry: RefView) {
        if self.record.refs.len() < REFS {
            self.record.refs.push(entry);
        } else {
            self.record.more_refs += 1;
        }
    }

    fn refused(&mut self, refusal: &Refusal) {
        self.record.refused += 1;
        self.add_ref(RefView {
            name: clean(&refusal.name),
            old: None,
            new: None,
            refused: Some(clean(&refusal.reason)),
        });
    }

    fn published(&mut self, change: &RefChange) {
        self.record.changed += u64::from(change.is_change());
        self.add_ref(RefView {
            name: clean(&change.name),
            old: change.old.map(|id| id.to_string()),
            new: change.new.map(|id| id.to_string()),
            refused: None,
        });
    }
}

impl Observer for Recorder {
    fn event(&self, event: &SyncEvent) {
        if let SyncEvent::Note { note } = event {
            if matches!(note, Note::CacheTaken { .. }) {
                self.lock().record.cold = Some(ColdStart::Node);
            }
            return self.line(note.severity(), &note.to_string());
        }
        let now = self.clock.now();
        let mut state = self.lock();
        state.moved = now;
        match event {
            SyncEvent::StageBegun { stage, total } => {
                state.end_stage(now);
                let unit = stage.unit();
                let progress = StageProgress { stage: *stage, unit, done: 0, total: *total };
                state.stage = Some((progress, now));
            }
            SyncEvent::Advanced { done, .. } => {
                if let Some((progress, _)) = &mut state.stage {
                    progress.done = *done;
                }
            }
            SyncEvent::StageEnded { done, .. } => {
                if let Some((progress, _)) = &mut state.stage {
                    progress.done = *done;
                }
                state.end_stage(now);
            }
            SyncEvent::SliceDone { converted, total } => {
                let before = state.before;
                state.record.converted = *converted;
                state.record.unpublished = before + converted;
                state.record.behind = before + total;
            }
            SyncEvent::RefPublished { change } => state.published(change),
            SyncEvent::RefRefused { refusal } => state.refused(refusal),
            SyncEvent::Finished { changesets, converted } => {
                state.record.changesets = *changesets;
                state.record.converted = *converted;
            }
            SyncEvent::Note { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::SystemClock;
    use crate::git::ObjectId;
    use crate::git::destination::RefusalKind;

    #[test]
    fn a_run_is_kept_as_it_was() {
        let recorder = Recorder::new(Arc::new(SystemClock), 0);
        let stage = Stage::WritingCommits;
        let refusal = Refusal {
            name: "refs/heads/b\u{1b}".to_owned(),
            kind: RefusalKind::TagDiffers,
            reason: "no\n".to_owned(),
        };
        let id = ObjectId::from_bytes([1; 20]);
        let change = RefChange { name: "refs/heads/a".to_owned(), old: None, new: Some(id) };
        for event in [
            SyncEvent::StageBegun { stage, total: Some(9) },
            SyncEvent::Advanced { stage, done: 4 },
        ] {
            recorder.event(&event);
        }
        let progress = recorder.progress().unwrap();
        assert_eq!((progress.stage, progress.done, progress.total), (stage, 4, Some(9)));
        assert_eq!(recorder.record().phases.len(), 1, "the one that runs");
        for event in [
            SyncEvent::StageEnded { stage, done: 9 },
            SyncEvent::Note { note: Note::ChangesetsGone { count: 2 } },
            SyncEvent::RefPublished { change },
            SyncEvent::RefRefused { refusal },
            SyncEvent::Finished { changesets: 20, converted: 9 },
        ] {
            recorder.event(&event);
        }
        let record = recorder.record();
        assert_eq!(recorder.progress(), None);
        let RunRecord { changesets, converted, changed, refused, .. } = record;
        assert_eq!((changesets, converted, changed, refused), (20, 9, 1, 1));
        assert_eq!((&*record.phases[0].stage, record.phases[0].done), ("writing_commits", 9));
        assert_eq!(record.log[0].text, "the source no longer has 2 changesets that it once had");
        let refs: Vec<_> =
            record.refs.iter().map(|it| (&*it.name, it.refused.as_deref())).collect();
        assert_eq!(refs, [("refs/heads/a", None), ("refs/heads/b", Some("no "))]);
        assert_eq!(RunRecord::from_json(&record.to_json()), record);
        assert_eq!(RunRecord::from_json("{\"changesets\":7,\"new\":1}").changesets, 7);
        assert_eq!(RunRecord::from_json("?"), RunRecord::default());
    }

    #[test]
    fn what_the_target_lacks_is_known_until_a_run_comes_to_its_end() {
        let clock = || Arc::new(SystemClock);
        let recorder = Recorder::new(clock(), 0);
        assert_eq!(recorder.behind(), 0);
        recorder.event(&SyncEvent::SliceDone { converted: 10, total: 25 });
        let RunRecord { unpublished, behind, .. } = recorder.record();
        assert_eq!((unpublished, behind), (10, 25));
        let next = Recorder::new(clock(), unpublished);
        assert_eq!(next.behind(), 10, "it has not read the source yet");
        next.event(&SyncEvent::SliceDone { converted: 15, total: 17 });
        let RunRecord { unpublished, behind, .. } = next.record();
        assert_eq!((unpublished, behind), (25, 27));
        next.finished(&SyncReport::default());
        let RunRecord { unpublished, behind, .. } = next.record();
        assert_eq!((unpublished, behind), (0, 0));
    }

    #[test]
    fn logs_and_refs_are_bounded() {
        let recorder = Recorder::new(Arc::new(SystemClock), 0);
        for _ in 0..LINES + 3 {
            recorder.line(Severity::Note, &"x".repeat(LINE * 2));
        }
        let record = recorder.record();
        assert_eq!((record.log.len(), record.more_lines), (LINES, 3));
        assert_eq!(record.log[0].text.chars().count(), LINE + 1);
    }
}
