//! The stages of a conversion in slices: each comes again with each slice, and is told once for all.

use std::time::{Duration, Instant};

use super::{LINE_EVERY, closing_line, left};
use crate::base::Stage;

/// The stages that slices have, so far.
#[derive(Debug)]
pub(super) struct Slices {
    stages: Vec<(Stage, u64, Duration)>,
    began: Instant,
    spoke: Instant,
    /// How many changesets are converted, and how many there are, once a slice is done.
    progress: Option<(u64, u64)>,
}

impl Slices {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { stages: Vec::new(), began: now, spoke: now, progress: None }
    }

    /// Whether a stage may come again with each slice.
    pub(super) fn has(stage: Stage) -> bool {
        matches!(
            stage,
            Stage::ReadingManifests
                | Stage::ConvertingFiles
                | Stage::WritingCommits
                | Stage::VerifyingPack
                | Stage::VerifyingManifests
                | Stage::VerifyingFiles
                | Stage::VerifyingCommits
        )
    }

    /// Adds a stage that is over.
    pub(super) fn add(&mut self, stage: Stage, done: u64, took: Duration) {
        if self.stages.is_empty() {
            self.began = Instant::now().checked_sub(took).unwrap_or_else(Instant::now);
        }
        match self.stages.iter_mut().find(|(known, ..)| *known == stage) {
            Some((_, sum, time)) => (*sum, *time) = (*sum + done, *time + took),
            None => self.stages.push((stage, done, took)),
        }
    }

    /// Notes that a slice is done. A line about it, if there was none for a while.
    pub(super) fn done(&mut self, converted: u64, total: u64) -> Option<String> {
        self.progress = (converted < total).then_some((converted, total));
        let is_due = self.progress.is_some() && self.spoke.elapsed() >= LINE_EVERY;
        is_due.then(|| {
            self.spoke = Instant::now();
            let left = left(self.began.elapsed(), converted, total);
            format!("converted {converted} of {total} changesets{left}")
        })
    }

    /// What is shown before a bar: how much of the history is converted.
    pub(super) fn prefix(&self) -> String {
        self.progress.map_or_else(String::new, |(converted, total)| {
            let left = left(self.began.elapsed(), converted, total);
            format!("{converted} of {total} changesets{left}; ")
        })
    }

    /// A line for each stage; after this there are none.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
        let stages = std::mem::replace(self, Self::new()).stages;
        stages.into_iter().map(|(stage, done, took)| closing_line(stage, done, took)).collect()
    }
}
