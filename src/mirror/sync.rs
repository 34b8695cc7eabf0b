//! One sync of one mirror: its cache brought up to date, then its target.

use std::time::Instant;

use super::cache::{CacheLocation, LockedCache, ReadCache};
use super::source::{LocalSource, read_source};
use super::update::{Sync, UpdatedCache};
use super::{Mirror, RefChange, SyncError, SyncReport};
use crate::base::{Interrupt, Progress};
use crate::convert::idmap::Record;
use crate::git::Reference;
use crate::git::destination::{self, RefOutcome, Target};

/// Syncs a mirror: reads its source, converts what is new into its cache, and publishes to its
/// target, if it has one.
///
/// The cache goes on being up to date when the target cannot be reached, so a failed sync has lost
/// nothing but time.
pub fn sync(
    mirror: &Mirror,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<SyncReport, SyncError> {
    let start = Instant::now();
    let options = &mirror.options;
    if let (CacheLocation::Repository(target), Some(path)) =
        (&mirror.cache, mirror.source.in_place())
        && !target.join("HEAD").exists()
    {
        // Only a source that opens makes a repository of its own.
        read_source(&LocalSource::in_place(path), options, interrupt, |_| Ok(()))?;
    }
    // The lock first: what the source has after it was taken is what this run must see.
    let cache = LockedCache::lock(&mirror.cache, &options.naming.main_name())?;
    let (copy, limits) = (&cache.copy(), &options.limits);
    let (source, mut notes) =
        LocalSource::fetched(&mirror.source, copy, limits, progress, interrupt)?;
    let updated = read_source(&source, options, interrupt, |source| {
        Sync { mirror, cache: &cache, source, progress, interrupt }.update_cache()
    })?;
    let refs = match &mirror.target {
        Some(target) => publish(target, &updated.wanted, &cache, progress, interrupt)?,
        None => updated.moved(),
    };
    let UpdatedCache { changesets, converted, notes: more, .. } = updated;
    notes.extend(more);
    Ok(SyncReport {
        changesets: changesets as u64,
        converted: converted as u64,
        refs,
        notes,
        elapsed: start.elapsed(),
    })
}

/// Publishes the references `wanted` of the cache at the target.
fn publish(
    target: &Target,
    wanted: &[Reference],
    cache: &LockedCache,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<Vec<RefChange>, SyncError> {
    let mut destination = destination::open(target, cache.git())?;
    let outcomes =
        destination::publish(destination.as_mut(), wanted, cache.git(), progress, interrupt)?;
    let refused: Vec<_> = outcomes.iter().cloned().filter_map(RefOutcome::refusal).collect();
    if !refused.is_empty() {
        return Err(SyncError::Refused { refused });
    }
    let changes = outcomes.into_iter().map(|o| RefChange { name: o.name, old: o.old, new: o.new });
    Ok(changes.collect())
}

/// Every changeset that the source serves and that has a commit, in revision order.
pub fn commits(mirror: &Mirror) -> Result<Vec<Record>, SyncError> {
    let cache = ReadCache::read(&mirror.cache, &mirror.options)?;
    let (copy, limits) = (mirror.cache.layout().copy(), &mirror.options.limits);
    let source = LocalSource::kept(&mirror.source, &copy, limits)?.open(&mirror.options)?;
    let nodes = source.view().served().iter().map(|rev| source.changelog().node(rev));
    Ok(nodes.filter_map(|node| Some((node, cache.commit(node)?))).collect())
}
