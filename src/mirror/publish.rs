//! One sync of one mirror: its cache brought up to date, then its target.

use std::time::Instant;

use super::source::{Readable, read_source};
use super::update::Run;
use super::workspace::Workspace;
use super::{MirrorOptions, RefChange, SyncError, SyncReport};
use crate::base::{Interrupt, Progress};
use crate::git::destination::{self, RefOutcome, RefResult};

/// Syncs a mirror: reads its source, converts what is new into its cache, publishes to its target.
///
/// The cache goes on being up to date when the target cannot be reached, so a failed sync has lost
/// nothing but time.
pub fn sync(
    options: &MirrorOptions,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<SyncReport, SyncError> {
    let start = Instant::now();
    // The lock first: what the source has after it was taken is what this run must see.
    let workspace = Workspace::cache(&options.cache)?;
    let (convert, target) = (&options.convert, Some(&options.target));
    let (source, mut notes) = Readable::fetched(
        &options.source,
        &workspace.copy(),
        &convert.limits,
        progress,
        interrupt,
    )?;
    let updated = read_source(&source, convert, interrupt, |attempt| {
        Run { attempt, options: convert, target, progress, interrupt }.update(&workspace)
    })?;
    let mut destination = destination::open(&options.target, workspace.git())?;
    let outcomes = destination::publish(
        destination.as_mut(),
        &updated.wanted,
        workspace.git(),
        progress,
        interrupt,
    )?;
    let refused: Vec<_> = outcomes.iter().filter_map(refusal).collect();
    if !refused.is_empty() {
        return Err(SyncError::Refused { refused });
    }
    notes.extend(updated.notes);
    let changes = outcomes.into_iter().map(|o| RefChange { name: o.name, old: o.old, new: o.new });
    Ok(SyncReport {
        changesets: updated.changesets as u64,
        converted: updated.converted as u64,
        refs: changes.collect(),
        notes,
        elapsed: start.elapsed(),
    })
}

/// The reference and the reason, if it was refused.
fn refusal(outcome: &RefOutcome) -> Option<String> {
    match &outcome.result {
        RefResult::Refused { reason } => Some(format!("{}: {reason}", outcome.name)),
        RefResult::UpToDate | RefResult::Created | RefResult::FastForwarded => None,
    }
}
