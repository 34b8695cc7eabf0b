//! Notes that would be the same in every sync: those about names and small files of the source.
//! They are told once, and again when they change.
//!
//! On disk, in the cache: the SHA-1 of each note as JSON, in hexadecimal digits, a line each. If it
//! is lost, they are told once more.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::Note;
use crate::base::durable::replace_remade_file;
use crate::base::{hex, sha1};
use crate::convert;

/// The notes that the last sync that ended well would tell again.
pub(super) struct ToldNotes {
    file: PathBuf,
    before: BTreeSet<String>,
    now: BTreeSet<String>,
}

impl ToldNotes {
    /// Those that `file` has.
    pub(super) fn read(file: PathBuf) -> Self {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let before = text.lines().map(str::to_owned).collect();
        Self { file, before, now: BTreeSet::new() }
    }

    /// The notes that were not told before.
    pub(super) fn new_ones(&mut self, notes: Vec<Note>) -> Vec<Note> {
        let mut new = Vec::with_capacity(notes.len());
        for note in notes {
            let is_new = !is_standing(&note) || {
                let key = key(&note);
                let is_new = !self.before.contains(&key);
                self.now.insert(key);
                is_new
            };
            if is_new {
                new.push(note);
            }
        }
        new
    }

    /// Keeps for the next sync what this one told, or need not tell.
    pub(super) fn save(&self) {
        if self.now == self.before {
            return;
        }
        let text = self.now.iter().flat_map(|key| [key, "\n"]).collect::<String>();
        if let Err(error) = replace_remade_file(&self.file, text.as_bytes()) {
            tracing::debug!(%error, file = %self.file.display(), "notes will be told again");
        }
    }
}

fn key(note: &Note) -> String {
    // Numbers, strings and ids only: nothing that JSON has no form for.
    hex::encode(&sha1::digest(&[&serde_json::to_vec(note).unwrap_or_default()]))
}

/// Whether a note says how the source is, not what the run did.
fn is_standing(note: &Note) -> bool {
    use convert::report::Note as Of;
    matches!(note, Note::Target(finding) if finding.is_standing())
        || matches!(
            note,
            Note::RefKept { .. }
                | Note::Convert(
                    Of::Renamed(_)
                        | Of::TagNotServed { .. }
                        | Of::TagsUnreadable { .. }
                        | Of::DivergentBookmark { .. }
                        | Of::NoMainBranch { .. }
                        | Of::Store(_)
                )
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_source_is_like_is_told_once_and_again_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("told");
        let bookmark = |name: &str| {
            Note::from(convert::report::Note::DivergentBookmark { bookmark: name.into() })
        };
        let done = Note::RefRemoved { reference: "refs/heads/x".to_owned() };
        let sync = |notes: &[Note]| {
            let mut told = ToldNotes::read(file.clone());
            let new = told.new_ones(notes.to_vec());
            told.save();
            new
        };
        let (a, b) = (bookmark("a@1"), bookmark("b@1"));
        assert_eq!(sync(&[a.clone(), done.clone()]), [a.clone(), done.clone()]);
        assert_eq!(sync(&[a.clone(), b.clone(), done.clone()]), [b.clone(), done.clone()]);
        assert_eq!(sync(std::slice::from_ref(&b)), []);
        assert_eq!(sync(&[a.clone(), b]), [a]);
    }
}
