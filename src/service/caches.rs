//! What the caches take, which of them are emptied, and whether there is room for a run.

use std::cmp::Ordering as Order;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::view::{CacheView, CachesView};
use super::{Service, Shared};
use crate::base::clean::with_causes;
use crate::base::faults;
use crate::base::sizes::bytes_free;
use crate::base::text::megabytes;
use crate::base::time::Timestamp;
use crate::config::{CacheOptions, Config};
use crate::mirror::{self, CacheError, FoundCache};
use crate::queue::StoreError;
use crate::queue::model::Row;

/// The caches are looked at so often by themselves: all of their folders are walked through.
const EVERY: Duration = Duration::from_hours(1);
/// So long after the last look at the earliest, whoever wants one.
const PAUSE: Duration = Duration::from_mins(1);

/// The caches cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum TendCachesError {
    /// The queue cannot say which mirrors there were.
    #[error(transparent)]
    Queue(#[from] StoreError),
    /// The folder of all caches cannot be read.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

faults!(TendCachesError {
    Self::Queue(error) => of(error),
    Self::Cache(error) => of(error),
});

/// There is too little room on the disk for a run to begin.
#[derive(Debug, thiserror::Error)]
#[error(
    "begin a sync: the disk of {} has {} free, and {} are to stay so",
    cache.display(), megabytes(*free), megabytes(*reserve)
)]
pub struct NoRoomError {
    cache: PathBuf,
    free: u64,
    reserve: u64,
}

faults!(NoRoomError => Unavailable.at(Here).hint(
    "make room on that disk, or set a `cache_quota`; `synchroniser caches` lists what can be removed"
));

/// What was found when the caches were last looked at.
#[derive(Debug, Default)]
pub(super) struct Caches(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    measured: Option<Timestamp>,
    /// When that was last tried.
    tried: Option<Timestamp>,
    /// The configuration has changed since.
    is_outdated: bool,
    /// Somebody lacks room.
    is_wanted: bool,
    /// What the cache of each mirror takes that is configured.
    mirrors: BTreeMap<String, u64>,
    unused: u64,
}

impl Caches {
    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has them looked at soon.
    pub(super) fn want(&self) {
        self.lock().is_wanted = true;
    }

    /// Has them looked at at once.
    pub(super) fn outdate(&self) {
        self.lock().is_outdated = true;
    }

    /// They are looked at now; what changes from here on is looked at once more.
    fn begin(&self, now: Timestamp) {
        let mut found = self.lock();
        (found.tried, found.is_outdated) = (Some(now), false);
    }

    /// Whether it is time to look at them.
    fn is_due(&self, now: Timestamp) -> bool {
        let found = self.lock();
        let pause = if found.is_wanted { PAUSE } else { EVERY };
        found.is_outdated || found.tried.is_none_or(|last| now.since(last) >= pause)
    }

    /// What the cache of a mirror takes.
    pub(super) fn of_mirror(&self, name: &str) -> Option<u64> {
        self.lock().mirrors.get(name).copied()
    }

    /// All of it.
    pub(super) fn view(&self, config: &Config) -> CachesView {
        let found = self.lock();
        let mirrors = found.mirrors.iter();
        let mirrors =
            mirrors.map(|(mirror, bytes)| CacheView { mirror: mirror.clone(), bytes: *bytes });
        CachesView {
            measured: found.measured,
            bytes: found.mirrors.values().sum::<u64>() + found.unused,
            unused: found.unused,
            quota: config.caches.quota,
            free: bytes_free(&config.cache),
            reserve: config.caches.reserve,
            mirrors: mirrors.collect(),
        }
    }
}

/// Whether there is room on the disk of the caches for a sync to begin.
pub fn check_room(config: &Config) -> Result<(), NoRoomError> {
    let (cache, reserve) = (&config.cache, config.caches.reserve);
    match bytes_free(cache) {
        Some(free) if free < reserve => Err(NoRoomError { cache: cache.clone(), free, reserve }),
        _ => Ok(()),
    }
}

impl Shared {
    /// Whether there is room for a run to begin.
    pub(super) fn room(&self) -> Result<(), NoRoomError> {
        // Perhaps there is something that can go.
        check_room(self.directory().config()).inspect_err(|_| self.caches.want())
    }
}

impl Service {
    /// Looks at the caches if it is time for that, which takes as long as walking through all of them.
    pub fn tend_caches_if_due(&self) -> Result<(), TendCachesError> {
        match self.0.caches.is_due(self.now()) {
            true => self.tend_caches(),
            false => Ok(()),
        }
    }

    /// Looks at all caches, and empties some if the configuration wants it: those of mirrors that are
    /// configured no more for long, and while there is too much, further ones.
    ///
    /// The cache of a mirror that the queue has never known stays: it is that of another configuration.
    pub fn tend_caches(&self) -> Result<(), TendCachesError> {
        let shared = &self.0;
        let now = shared.clock.now();
        shared.caches.begin(now);
        let directory = shared.directory();
        let config = directory.config();
        mirror::clear_removed(&config.cache);
        let removed: HashMap<String, Timestamp> = shared.store.removed()?.into_iter().collect();
        let rows = shared.store.rows()?;
        let is_busy = |row: &&Row| row.running.is_some() || row.waiting.is_some();
        let busy = rows.iter().filter(is_busy).map(|row| row.member.key.as_str()).collect();
        let (used, unused) = mirror::caches(&config.cache)?
            .into_iter()
            .partition(|cache| config.uses_cache(&cache.name));
        let mut tended = Tended { options: &config.caches, used, unused, removed, busy };
        tended.empty_unused(now);
        tended.empty_above_quota();
        tended.empty_for_room(bytes_free(&config.cache));
        let of_mirror = |cache: &FoundCache| (Config::mirror_of_cache(&cache.name), cache.bytes);
        let mut found = shared.caches.lock();
        (found.measured, found.is_wanted) = (Some(now), false);
        found.mirrors = tended.used.iter().map(of_mirror).collect();
        found.unused = tended.unused.iter().map(|cache| cache.bytes).sum();
        Ok(())
    }
}

/// The caches while they are tended.
struct Tended<'c> {
    options: &'c CacheOptions,
    used: Vec<FoundCache>,
    unused: Vec<FoundCache>,
    /// The mirrors that are configured no more, and since when.
    removed: HashMap<String, Timestamp>,
    /// The mirrors that run or are asked for.
    busy: HashSet<&'c str>,
}

impl Tended<'_> {
    fn bytes(&self) -> u64 {
        self.used.iter().chain(&self.unused).map(|cache| cache.bytes).sum()
    }

    /// Since when the mirror of a cache is configured no more, if it ever was.
    fn removed(removed: &HashMap<String, Timestamp>, cache: &FoundCache) -> Option<Timestamp> {
        removed.get(&Config::mirror_of_cache(&cache.name)).copied()
    }

    fn empty_unused(&mut self, now: Timestamp) {
        let Some(keep) = self.options.unused else { return };
        let Self { unused, removed, .. } = self;
        for cache in unused.iter_mut() {
            let since = Self::removed(removed, cache);
            if since.is_some_and(|since| now.since(since) >= keep) {
                empty(cache, "no mirror has been configured for it for long");
            }
        }
    }

    fn empty_above_quota(&mut self) {
        let Some(quota) = self.options.quota else { return };
        let above = |bytes: u64| bytes.saturating_sub(quota);
        let freed =
            self.empty_known_unused(above(self.bytes()), "the caches take more than `cache_quota`");
        let mut missing = above(self.bytes());
        if missing == 0 {
            return;
        }
        tracing::warn!(
            "the caches of the mirrors take {} more than `cache_quota`{}: some are emptied, and made again by the \
             next sync of their mirrors",
            megabytes(missing),
            if freed > 0 { ", although others were emptied" } else { "" }
        );
        let Self { used, busy, .. } = self;
        used.sort_by(cheapest_first);
        for cache in used.iter_mut() {
            if missing == 0 {
                break;
            }
            if !busy.contains(&*Config::mirror_of_cache(&cache.name)) {
                missing =
                    missing.saturating_sub(empty(cache, "the caches take more than `cache_quota`"));
            }
        }
        if missing > 0 {
            tracing::warn!("the caches still take {} more than `cache_quota`", megabytes(missing));
        }
    }

    fn empty_for_room(&mut self, free: Option<u64>) {
        let missing = free.map_or(0, |free| self.options.reserve.saturating_sub(free));
        if missing > 0 {
            self.empty_known_unused(missing, "the disk is nearly full");
        }
    }

    /// Empties caches of mirrors that are configured no more, until so many bytes are free. Returns how many
    /// are.
    fn empty_known_unused(&mut self, wanted: u64, why: &str) -> u64 {
        let Self { unused, removed, .. } = self;
        unused.sort_by(cheapest_first);
        let mut freed = 0;
        for cache in unused.iter_mut().filter(|cache| Self::removed(removed, cache).is_some()) {
            if freed >= wanted {
                break;
            }
            freed += empty(cache, why);
        }
        freed
    }
}

/// That which is made again in the shortest time for what it frees comes first.
fn cheapest_first(one: &FoundCache, other: &FoundCache) -> Order {
    let cost = |one: &FoundCache, other: &FoundCache| {
        u128::from(one.seconds + 1) * u128::from(other.spare.max(1))
    };
    cost(one, other).cmp(&cost(other, one)).then_with(|| one.name.cmp(&other.name))
}

/// Empties a cache, unless it is in use. Returns how many bytes that frees.
fn empty(cache: &mut FoundCache, why: &str) -> u64 {
    if cache.spare == 0 || cache.is_empty() {
        return 0;
    }
    let folder = cache.path.display();
    match cache.empty() {
        Ok(()) => {
            let freed = cache.spare;
            tracing::info!(cache = %folder, "the cache was emptied, {}: {why}", megabytes(freed));
            cache.bytes -= freed;
            cache.spare = 0;
            freed
        }
        Err(error @ CacheError::InUse { .. }) => {
            tracing::debug!(cache = %folder, "the cache stays: {error}");
            0
        }
        Err(error) => {
            tracing::warn!(cache = %folder, "the cache was not emptied: {}", with_causes(&error));
            0
        }
    }
}
