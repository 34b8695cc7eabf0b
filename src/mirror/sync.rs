//! One sync of one mirror: its cache brought up to date, then its target.

use std::time::Instant;

use super::ahead::{TargetAhead, fetch_and_list};
use super::cache::{CacheLocation, LockedCache, ReadCache};
use super::event::{Events, Observer};
use super::handover::take_if_cold;
use super::ledger::{Found, Ledger};
use super::publish::{PublishedRefs, publish};
use super::source::{LocalSource, read_source};
use super::update::{Sync, UpdatedCache};
use super::{Mirror, Note, SyncContext, SyncError, SyncReport};
use crate::base::{Fault, HasFault as _, Interrupt, Side};
use crate::convert::idmap::Record;
use crate::git::destination::{Destination, PublishError, Target};

/// Syncs a mirror: reads its source, converts what is new into its cache, and publishes to its
/// target, if it has one.
///
/// The cache goes on being up to date when the target cannot be reached, so a failed sync has lost
/// nothing but time. A target that refuses some references has the others: the report says which, and
/// [`SyncReport::failure`] makes an error of it.
pub fn sync(
    mirror: &Mirror,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<SyncReport, SyncError> {
    sync_in(mirror, &SyncContext::alone(), observer, interrupt)
}

/// The same in the name of somebody who may lose the right to it meanwhile: then it stops before it publishes.
pub fn sync_in(
    mirror: &Mirror,
    context: &SyncContext<'_>,
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
    cache.admit(context.fence.token())?;
    let notes = take_if_cold(mirror, context, &cache, events, interrupt)?;
    let mut report = sync_locked((mirror, context), &cache, start, events, interrupt)?;
    report.notes.splice(..0, notes);
    Ok(report)
}

/// Makes the cache of a mirror again, from its source alone, and syncs it. What was published, the ledger knows as
/// before; with `fetch` the copy of a source that is not on this machine is fetched again, too.
///
/// Whenever it ends early, what is left is a cache that the next sync goes on with.
pub fn rebuild(
    mirror: &Mirror,
    fetch: bool,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<SyncReport, SyncError> {
    let start = Instant::now();
    let events = &Events::to(observer);
    let cache = LockedCache::lock(&mirror.cache, &mirror.options.naming.main_name())?;
    cache.discard(fetch)?;
    sync_locked((mirror, &SyncContext::alone()), &cache, start, events, interrupt)
}

/// The whole of a sync, in a cache that is locked.
fn sync_locked(
    (mirror, context): (&Mirror, &SyncContext<'_>),
    cache: &LockedCache,
    start: Instant,
    events: &Events<'_>,
    interrupt: &Interrupt,
) -> Result<SyncReport, SyncError> {
    let options = &mirror.options;
    let (copy, limits) = (&cache.copy(), &options.limits);
    let fetch = || LocalSource::fetched(&mirror.source, copy, limits, events, interrupt);
    let (fetched, ahead) = fetch_and_list(mirror, cache, interrupt, fetch);
    let (mut source, fetched) = fetched?;
    source.saved = cache.saved_history();
    let mut notes = events.notes(fetched);
    let (mut ledger, found) = cache.ledger(mirror.target.as_ref(), context.ledger.clone())?;
    if found == Found::Damaged {
        notes.extend(events.notes(vec![Note::LedgerDamaged { ledger: ledger.file() }]));
    }
    let TargetAhead { checked, listed } = ahead?;
    let run = Run { mirror, context, cache, source: &source, events, interrupt };
    let mut updated = run.update(&mut ledger).map_err(|error| checked.explained(error))?;
    let mut told = cache.told_notes();
    notes.extend(events.notes(told.new_ones(std::mem::take(&mut updated.notes))));
    let target = checked.target();
    let mut published = run.publish(target.as_ref(), listed, &updated, &mut ledger);
    if published.as_ref().is_err_and(is_damage_of_cache) && cache.forget_packs()? {
        updated = run.update(&mut ledger).map_err(|error| checked.explained(error))?;
        notes.extend(events.notes(told.new_ones(std::mem::take(&mut updated.notes))));
        published = run.publish(target.as_ref(), None, &updated, &mut ledger);
    }
    // What was asked for is done. This is for the runs to come, which go on without it, too.
    if let Err(error) = cache.merge_small_packs() {
        tracing::warn!(%error, cache = %cache.git().display(), "small packs were not merged");
    }
    let PublishedRefs { changes, refused, notes: more } = match published {
        Ok(published) => published,
        Err(error) => {
            told.save();
            return Err(checked.explained(error));
        }
    };
    notes.extend(events.notes(told.new_ones(more)));
    notes.extend(events.notes(told.new_ones(checked.notes(&changes, &refused))));
    told.save();
    let UpdatedCache { changesets, converted, .. } = updated;
    let report = SyncReport {
        changesets: changesets as u64,
        converted: converted as u64,
        refs: changes,
        refused,
        notes,
        elapsed: start.elapsed(),
    };
    events.finished(&report);
    Ok(report)
}

/// The two halves of a sync, which are done again where the cache proves to be damaged.
struct Run<'r> {
    mirror: &'r Mirror,
    context: &'r SyncContext<'r>,
    cache: &'r LockedCache,
    source: &'r LocalSource,
    events: &'r Events<'r>,
    interrupt: &'r Interrupt,
}

impl Run<'_> {
    /// Brings the cache up to date. What is damaged in it is converted again.
    fn update(&self, ledger: &mut Ledger) -> Result<UpdatedCache, SyncError> {
        let result = self.update_once(ledger);
        match result {
            Err(error) if is_damage_of_cache(&error) && self.cache.forget_packs()? => {
                self.update_once(ledger)
            }
            result => result,
        }
    }

    fn update_once(&self, ledger: &mut Ledger) -> Result<UpdatedCache, SyncError> {
        let Self { mirror, cache, events, interrupt, .. } = *self;
        read_source(self.source, &mirror.options, interrupt, |source| {
            Sync { mirror, cache, source, events, interrupt }.update_cache(ledger)
        })
    }

    /// Publishes it at the target, if there is one, by what leads to it, if it was asked already.
    fn publish(
        &self,
        target: Option<&Target>,
        listed: Option<Box<dyn Destination>>,
        updated: &UpdatedCache,
        ledger: &mut Ledger,
    ) -> Result<PublishedRefs, SyncError> {
        let Some(target) = target else {
            return Ok(PublishedRefs { changes: updated.moved(), ..PublishedRefs::default() });
        };
        let state = (self.cache, ledger);
        let of = (self.mirror, self.context);
        publish(of, (target, listed), updated, state, (self.events, self.interrupt))
    }
}

/// Whether an error is one of objects in the cache that do not read as they were written.
fn is_damage_of_cache(error: &SyncError) -> bool {
    let is_of_objects = matches!(
        error,
        SyncError::Git(_)
            | SyncError::Convert(_)
            | SyncError::Publish(PublishError::Cache(_) | PublishError::Outgoing(_))
    );
    is_of_objects && error.fault() == Fault::Corrupt && error.side() == Side::Here
}

/// Every changeset that the source serves and that has a commit, in revision order.
pub fn commits(mirror: &Mirror) -> Result<Vec<Record>, SyncError> {
    let cache = ReadCache::read(&mirror.cache, &mirror.options)?;
    let (copy, limits) = (mirror.cache.layout().copy(), &mirror.options.limits);
    let source = LocalSource::kept(&mirror.source, &copy, limits)?.open(&mirror.options)?;
    let nodes = source.view().served().iter().map(|rev| source.changelog().node(rev));
    Ok(nodes.filter_map(|node| Some((node, cache.commit(node)?))).collect())
}
