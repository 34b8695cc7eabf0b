//! How many changesets the targets lack whose last run did not come to its end. It is in the records of those runs;
//! what was read there is kept, because lists and metrics ask for all mirrors.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Shared;
use super::recorder::RunRecord;
use crate::queue::model::{Row, RunId, RunState};

/// What each mirror lacked after which run.
#[derive(Default)]
pub(super) struct Lags(Mutex<HashMap<String, (RunId, u64)>>);

impl Shared {
    /// What the target of a mirror in trouble lacks; `None` if that is not known.
    pub(super) fn lag(&self, row: &Row) -> Option<u64> {
        let under_way = row.running.and_then(|running| self.live.run(running.run));
        let lag = match under_way.map(|recorder| recorder.behind()).filter(|behind| *behind > 0) {
            Some(behind) => behind,
            None => self.lag_after(&row.member.key, unended(row)?),
        };
        (lag > 0).then_some(lag)
    }

    fn lag_after(&self, key: &str, run: RunId) -> u64 {
        let Lags(kept) = &self.lags;
        let lock = || kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, lag)) = lock().get(key)
            && *of == run
        {
            return *lag;
        }
        let lag = self.run_record(run).map_or(0, |record| record.behind);
        lock().insert(key.to_owned(), (run, lag));
        lag
    }

    /// How many changesets the runs before the next one have converted that did not come to their end.
    pub(super) fn unpublished(&self, key: &str) -> u64 {
        let row = self.store.row(key).ok().flatten();
        let last = row.as_ref().and_then(unended).and_then(|run| self.run_record(run));
        last.map_or(0, |record| record.unpublished)
    }

    fn run_record(&self, run: RunId) -> Option<RunRecord> {
        let run = self.store.run(run).ok().flatten()?;
        Some(RunRecord::from_json(&run.details))
    }
}

/// The last run of a mirror, if it did not come to its end.
fn unended(row: &Row) -> Option<RunId> {
    let (run, state, _) = row.last_run.as_ref()?;
    matches!(state, RunState::Failed | RunState::Interrupted).then_some(*run)
}
