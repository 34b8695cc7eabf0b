//! One sync of one mirror: its cache brought up to date, then its target.

use std::time::Instant;

use super::cache::{CacheLocation, LockedCache, ReadCache};
use super::event::{Events, Observer, SyncEvent};
use super::source::{LocalSource, read_source};
use super::target::CheckedTarget;
use super::update::{Sync, UpdatedCache};
use super::{Mirror, RefChange, SyncError, SyncReport};
use crate::base::Interrupt;
use crate::convert::idmap::Record;
use crate::git::Reference;
use crate::git::destination::{self, Target};

/// Syncs a mirror: reads its source, converts what is new into its cache, and publishes to its
/// target, if it has one.
///
/// The cache goes on being up to date when the target cannot be reached, so a failed sync has lost
/// nothing but time.
pub fn sync(
    mirror: &Mirror,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<SyncReport, SyncError> {
    let start = Instant::now();
    let events = &Events::to(observer);
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
    let (source, fetched) = LocalSource::fetched(&mirror.source, copy, limits, events, interrupt)?;
    let mut notes = events.notes(fetched);
    let checked = CheckedTarget::check(mirror, &cache, interrupt)?;
    let mut updated = read_source(&source, options, interrupt, |source| {
        Sync { mirror, cache: &cache, source, events, interrupt }.update_cache()
    })
    .map_err(|error| checked.explained(error))?;
    let mut told = cache.told_notes();
    notes.extend(events.notes(told.new_ones(std::mem::take(&mut updated.notes))));
    let published = match &mirror.target {
        Some(target) => publish(target, &updated.wanted, &cache, events, interrupt),
        None => Ok(updated.moved()),
    };
    // What was asked for is done. This is for the runs to come, which go on without it, too.
    if let Err(error) = cache.merge_small_packs() {
        tracing::warn!(%error, cache = %cache.git().display(), "small packs were not merged");
    }
    let refs = published.map_err(|error| checked.explained(error))?;
    notes.extend(events.notes(told.new_ones(checked.notes(&refs))));
    let UpdatedCache { changesets, converted, .. } = updated;
    let report = SyncReport {
        changesets: changesets as u64,
        converted: converted as u64,
        refs,
        notes,
        elapsed: start.elapsed(),
    };
    told.save();
    events.finished(&report);
    Ok(report)
}

/// Publishes the references `wanted` of the cache at the target.
fn publish(
    target: &Target,
    wanted: &[Reference],
    cache: &LockedCache,
    events: &Events<'_>,
    interrupt: &Interrupt,
) -> Result<Vec<RefChange>, SyncError> {
    let mut destination = destination::open(target, cache.git())?;
    let outcomes =
        destination::publish(destination.as_mut(), wanted, cache.git(), events, interrupt)?;
    let mut changes = Vec::with_capacity(outcomes.len());
    let mut refused = Vec::new();
    for outcome in outcomes {
        let change = RefChange { name: outcome.name.clone(), old: outcome.old, new: outcome.new };
        match outcome.refusal() {
            None => {
                events.tell(&SyncEvent::RefPublished { change: change.clone() });
                changes.push(change);
            }
            Some(refusal) => {
                events.tell(&SyncEvent::RefRefused { refusal: refusal.clone() });
                refused.push(refusal);
            }
        }
    }
    match refused.is_empty() {
        true => Ok(changes),
        false => Err(SyncError::Refused { refused }),
    }
}

/// Every changeset that the source serves and that has a commit, in revision order.
pub fn commits(mirror: &Mirror) -> Result<Vec<Record>, SyncError> {
    let cache = ReadCache::read(&mirror.cache, &mirror.options)?;
    let (copy, limits) = (mirror.cache.layout().copy(), &mirror.options.limits);
    let source = LocalSource::kept(&mirror.source, &copy, limits)?.open(&mirror.options)?;
    let nodes = source.view().served().iter().map(|rev| source.changelog().node(rev));
    Ok(nodes.filter_map(|node| Some((node, cache.commit(node)?))).collect())
}
