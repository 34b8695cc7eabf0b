//! What a forge said last, kept beside the cache of a mirror, so that it is asked once a day.
//!
//! On disk: one JSON object. If it is lost, or of another target, the forge is asked again. Only an
//! answer with which a push may go on is kept.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Repository;
use crate::base::durable::{remove_if_there, replace_remade_file};
use crate::base::time::Timestamp;

/// For how long an answer is taken for true.
const FRESH: Duration = Duration::from_hours(24);

/// What the forge said of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The address of the target.
    pub(super) target: String,
    /// When it was asked.
    pub(super) asked: Timestamp,
    /// The tag that asks for the same at no cost.
    pub(super) tag: Option<String>,
    /// What it said.
    pub(super) repository: Repository,
    /// When our credential ends.
    pub(super) credential_ends: Option<Timestamp>,
    /// Whether it may change workflow files.
    #[serde(default)]
    pub(super) may_change_workflows: Option<bool>,
    /// [`stamp`](crate::net::TokenSource::stamp) of the token that it was asked with.
    #[serde(default)]
    pub(super) stamp: Option<String>,
}

impl Record {
    /// Whether it need not be asked for again.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        // A clock that was set back makes no answer last.
        (self.asked..self.asked.after(FRESH)).contains(&now)
    }
}

/// The file with the last answer.
#[derive(Clone, Debug)]
pub(super) struct RecordFile(pub(super) PathBuf);

impl RecordFile {
    /// The answer about `target`, if there is one.
    pub(super) fn read(&self, target: &str) -> Option<Record> {
        let bytes = fs::read(&self.0).ok()?;
        let record: Record = serde_json::from_slice(&bytes).ok()?;
        Some(record).filter(|record| record.target == target)
    }

    /// Keeps an answer.
    pub(super) fn write(&self, record: &Record) {
        let bytes = serde_json::to_vec(record).unwrap_or_default();
        if let Err(error) = replace_remade_file(&self.0, &bytes) {
            tracing::debug!(%error, file = %self.0.display(), "the forge will be asked again");
        }
    }

    /// Forgets it.
    pub(super) fn forget(&self) {
        // What is not there is forgotten already; what cannot be removed is asked for anew after a
        // refusal anyway.
        let _ = remove_if_there(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::Visibility;

    #[test]
    fn an_answer_lasts_a_day_and_for_its_target() {
        let folder = tempfile::tempdir().unwrap();
        let file = RecordFile(folder.path().join("forge"));
        assert_eq!(file.read("https://h/o/r"), None);
        let asked = Timestamp::from_seconds(1_000_000);
        let record = Record {
            target: "https://h/o/r".to_owned(),
            asked,
            tag: Some("\"x\"".to_owned()),
            repository: Repository {
                full_name: "o/r".to_owned(),
                visibility: Visibility::Private,
                archived: false,
                disabled: false,
                may_push: Some(true),
                default_branch: "main".to_owned(),
            },
            credential_ends: None,
            may_change_workflows: None,
            stamp: None,
        };
        file.write(&record);
        assert_eq!(file.read("https://h/o/r"), Some(record.clone()));
        assert_eq!(file.read("https://h/o/other"), None);
        assert!(
            record.is_fresh(asked)
                && record.is_fresh(Timestamp::from_seconds(asked.seconds() + 86_399))
        );
        assert!(!record.is_fresh(Timestamp::from_seconds(asked.seconds() + 86_400)));
        assert!(!record.is_fresh(Timestamp::from_seconds(asked.seconds() - 1)));
        file.forget();
        assert_eq!(file.read("https://h/o/r"), None);
        fs::write(&file.0, "{").unwrap();
        assert_eq!(file.read("https://h/o/r"), None);
    }
}
