//! Revlogs whose files come one after the other: each is checked as soon as the next one begins.

use std::collections::{BTreeMap, HashSet};

use bstr::BString;

use super::checker::{Checker, Job, Newest};
use super::error::WriteError;
use crate::base::{Interrupt, Limits, Progress};

/// What came, and what is found of it.
pub(super) struct Arrivals {
    limits: Limits,
    interrupt: Interrupt,
    checker: Checker,
    /// The revlog that a file came of last.
    coming: Option<Job>,
    /// What was handed over to be checked.
    handed: HashSet<BString>,
    /// What is to be checked at the end: nothing more can come of it then.
    again: BTreeMap<BString, Job>,
}

impl Arrivals {
    pub(super) fn new(limits: &Limits, interrupt: &Interrupt) -> Self {
        Self {
            limits: limits.clone(),
            interrupt: interrupt.clone(),
            checker: Checker::begin(limits, interrupt),
            coming: None,
            handed: HashSet::new(),
            again: BTreeMap::new(),
        }
    }

    /// One of the files of a revlog is there: `file` is that revlog, and its size that of the file.
    pub(super) fn add(&mut self, file: Job) {
        match &mut self.coming {
            Some(coming) if coming.stem == file.stem => {
                coming.size = coming.size.saturating_add(file.size);
            }
            _ => {
                self.hand_over();
                self.coming = Some(file);
            }
        }
    }

    fn hand_over(&mut self) {
        let Some(job) = self.coming.take() else { return };
        match self.handed.insert(job.stem.clone()) {
            true => self.checker.add(job),
            // It was begun too early.
            false => drop(self.again.insert(job.stem.clone(), job)),
        }
    }

    /// Everything is there. Once all of it is found right, the revlog with the revision that belongs to
    /// the latest changeset; `None` if there are no revisions.
    pub(super) fn finish(
        mut self,
        progress: &dyn Progress,
    ) -> Result<Option<(Job, Newest)>, WriteError> {
        self.hand_over();
        let Self { limits, interrupt, checker, mut again, .. } = self;
        let mut latest: Option<(Job, Newest)> = None;
        let mut found = |job, newest: Option<Newest>| {
            progress.advance(1);
            if let Some(newest) = newest
                && latest.as_ref().is_none_or(|(_, latest)| latest.is_before(newest.link))
            {
                latest = Some((job, newest));
            }
        };
        checker.finish(|job, checked| {
            match checked {
                Ok(newest) if !again.contains_key(&job.stem) => found(job, newest),
                // Whether it is wrong is known once it is whole.
                _ => drop(again.insert(job.stem.clone(), job)),
            }
            Ok(())
        })?;
        if !again.is_empty() {
            let checker = Checker::begin(&limits, &interrupt);
            for job in again.into_values() {
                checker.add(job);
            }
            checker.finish(|job, checked| checked.map(|newest| found(job, newest)))?;
        }
        Ok(latest)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::testing::{add, history, new_repository};
    use super::*;
    use crate::base::NoProgress;
    use crate::hg::revlog::RevlogFiles;

    fn job(store: &Path, stem: &str) -> Job {
        let file = |suffix| store.join([stem, suffix].concat());
        let files = RevlogFiles { index: file(".i"), data: file(".d") };
        Job { size: 1, stem: stem.into(), files }
    }

    /// The changeset that the newest revision belongs to.
    fn latest(arrivals: Arrivals) -> Result<Option<i32>, WriteError> {
        Ok(arrivals.finish(&NoProgress)?.map(|(_, newest)| newest.link))
    }

    #[test]
    fn what_was_checked_too_early_is_checked_again() {
        let (_folder, root) = new_repository();
        add(&root, &history(0..30, 30)).unwrap();
        let store = root.join(".hg/store");
        let index = store.join("00changelog.i");
        let whole = fs::read(&index).unwrap();
        for comes in [true, false] {
            let mut arrivals = Arrivals::new(&Limits::default(), &Interrupt::default());
            fs::write(&index, &whole[..whole.len() - 1]).unwrap();
            arrivals.add(job(&store, "00changelog"));
            arrivals.add(job(&store, "00manifest"));
            if comes {
                fs::write(&index, &whole).unwrap();
                arrivals.add(job(&store, "00changelog"));
            }
            match latest(arrivals) {
                Ok(latest) if comes => assert_eq!(latest, Some(29)),
                Err(WriteError::Revlog(_)) if !comes => {}
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn whoever_is_interrupted_has_checked_nothing() {
        let (_folder, root) = new_repository();
        add(&root, &history(0..30, 30)).unwrap();
        let interrupt = Interrupt::default();
        let mut arrivals = Arrivals::new(&Limits::default(), &interrupt);
        interrupt.raise();
        arrivals.add(job(&root.join(".hg/store"), "00changelog"));
        assert!(matches!(latest(arrivals), Err(WriteError::Interrupted(_))));
        // One that nobody waits for ends.
        let mut arrivals = Arrivals::new(&Limits::default(), &Interrupt::default());
        arrivals.add(job(&root.join(".hg/store"), "00changelog"));
        drop(arrivals);
    }
}
