//! What a sync did, in words.

use serde::Serialize;

use crate::base::{Fault, Interrupt, Severity, Side};
use crate::cli::ui::Ui;
use crate::convert::Difference;
use crate::git::ObjectId;
use crate::mirror::{self, HeardNotes, Mirror, Note, Observer, RefChange, SyncError, SyncReport};

/// Syncs a mirror, and says what came of it. If some refs are refused that is an error, and what was
/// done is said as well.
pub(super) fn sync_and_say(
    ui: &Ui,
    mirror: &Mirror,
    interrupt: &Interrupt,
) -> Result<(), SyncError> {
    said(ui, &mirror.name, |observer| mirror::sync(mirror, observer, interrupt))
}

/// Does what `sync` does, and says what came of it for the mirror called `name`.
pub(super) fn said(
    ui: &Ui,
    name: &str,
    sync: impl FnOnce(&dyn Observer) -> Result<SyncReport, SyncError>,
) -> Result<(), SyncError> {
    let heard = HeardNotes::default();
    let report = sync(&(ui, &heard)).inspect_err(|_| {
        for note in heard.take() {
            ui.say(&note_line(&note));
        }
    })?;
    say(ui, name, &report);
    report.failure().map_or(Ok(()), Err)
}

/// Says what became of `name`: one line, then the refs that changed and what to know.
pub(super) fn say(ui: &Ui, name: &str, report: &SyncReport) {
    for line in lines(name, report) {
        ui.say(&line);
    }
}

fn lines(name: &str, report: &SyncReport) -> Vec<String> {
    let changed: Vec<_> =
        report.refs.iter().filter(|change| RefChange::is_change(change)).collect();
    let mut lines = vec![format!(
        "{name}: {}, {} new; {}, {} changed; {:.1} s",
        count(report.changesets, "changeset", "changesets"),
        report.converted,
        count(report.refs.len() as u64, "ref", "refs"),
        changed.len(),
        report.elapsed.as_secs_f64(),
    )];
    lines.extend(changed.into_iter().map(line));
    lines.extend(report.notes.iter().map(note_line));
    lines
}

/// A note as a person reads it, below the line that it belongs to.
pub(super) fn note_line(note: &Note) -> String {
    format!("  {}: {note}", note.severity().name())
}

/// A note as JSON: what it is as data, and how it reads.
#[derive(Serialize)]
pub(super) struct ShownNote {
    severity: Severity,
    side: Side,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<Fault>,
    #[serde(flatten)]
    note: Note,
    message: String,
}

impl ShownNote {
    pub(super) fn of(note: &Note) -> Self {
        Self {
            severity: note.severity(),
            side: note.side(),
            fault: note.fault(),
            note: note.clone(),
            message: note.to_string(),
        }
    }
}

/// A difference as JSON: what it is as data, and how it reads.
#[derive(Serialize)]
pub(super) struct ShownDifference {
    severity: Severity,
    side: Side,
    fault: Fault,
    #[serde(flatten)]
    difference: Difference,
    message: String,
}

impl ShownDifference {
    pub(super) fn of(difference: &Difference) -> Self {
        Self {
            severity: difference.severity(),
            side: difference.side(),
            fault: difference.fault(),
            difference: difference.clone(),
            message: difference.to_string(),
        }
    }
}

fn line(change: &RefChange) -> String {
    let shown =
        |id: Option<ObjectId>, none: &str| id.map_or_else(|| none.to_owned(), |id| id.short());
    format!("  {} {} -> {}", change.name, shown(change.old, "new"), shown(change.new, "removed"))
}

/// `1 branch`, `2 branches`.
pub(super) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_what_changed_is_listed() {
        let id = |byte| ObjectId::from_bytes([byte; 20]);
        let change = |name: &str, old, new| RefChange { name: name.to_owned(), old, new };
        let report = SyncReport {
            changesets: 300,
            converted: 1,
            refs: vec![
                change("refs/heads/master", Some(id(0x11)), Some(id(0x22))),
                change("refs/heads/same", Some(id(0x11)), Some(id(0x11))),
                change("refs/heads/done", Some(id(0x11)), None),
                change("refs/tags/v1", None, Some(id(0x33))),
            ],
            refused: Vec::new(),
            notes: vec![Note::RefRemoved { reference: "refs/heads/old".to_owned() }],
            elapsed: Duration::from_millis(1230),
        };
        assert_eq!(
            lines("rocket", &report),
            [
                "rocket: 300 changesets, 1 new; 4 refs, 3 changed; 1.2 s",
                "  refs/heads/master 111111111111 -> 222222222222",
                "  refs/heads/done 111111111111 -> removed",
                "  refs/tags/v1 new -> 333333333333",
                "  note: removed refs/heads/old: the source has no such name any more",
            ]
        );
    }
}
