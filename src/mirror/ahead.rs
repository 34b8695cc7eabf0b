//! The target, asked what it has while the source is fetched: two waits in the time of the longer one.
//!
//! What is found so is no more than a list that may be a little old, like any other: a ref is moved only if it still
//! is where it was listed.

use std::panic::resume_unwind;
use std::thread;

use super::cache::LockedCache;
use super::target::CheckedTarget;
use super::{Mirror, SyncError};
use crate::base::Interrupt;
use crate::git::destination::{self, Destination, Target};
use crate::net::url::Location;

/// A target before it is published to.
pub(super) struct TargetAhead<'m> {
    /// What its forge says of it.
    pub checked: CheckedTarget<'m>,
    /// What leads to it; `None` where it was not asked yet.
    pub listed: Option<Box<dyn Destination>>,
}

/// Fetches the source, and asks meanwhile what the target has. Each has its own end.
pub(super) fn fetch_and_list<'m, T: Send>(
    mirror: &'m Mirror,
    cache: &LockedCache,
    interrupt: &'m Interrupt,
    fetch: impl FnOnce() -> T + Send,
) -> (T, Result<TargetAhead<'m>, SyncError>) {
    let check = || CheckedTarget::check(mirror, cache, interrupt);
    if !is_worth_it(mirror, cache) {
        return (fetch(), check().map(|checked| TargetAhead { checked, listed: None }));
    }
    let span = tracing::Span::current();
    thread::scope(|scope| {
        let fetching = scope.spawn(move || span.in_scope(fetch));
        let target = check().map(|checked| {
            let listed = checked.target().and_then(|target| listed(&target, cache, interrupt));
            TargetAhead { checked, listed }
        });
        (fetching.join().unwrap_or_else(|panic| resume_unwind(panic)), target)
    })
}

/// Whether both ends are far away, and it is not the first sync, which takes longer than a list is good for.
fn is_worth_it(mirror: &Mirror, cache: &LockedCache) -> bool {
    let is_near = |target: &Target| matches!(target.url.location(), Location::Path(_));
    let is_target_far = mirror.target.as_ref().is_some_and(|target| !is_near(target));
    is_target_far && mirror.source.in_place().is_none() && cache.has_map()
}

/// What leads to `target`, which was asked. What goes wrong is told by who publishes.
fn listed(
    target: &Target,
    cache: &LockedCache,
    interrupt: &Interrupt,
) -> Option<Box<dyn Destination>> {
    let mut destination = destination::open(target, cache.git()).ok()?;
    destination.list_ahead(interrupt);
    Some(destination)
}
