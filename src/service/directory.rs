//! The mirrors that there are: those of the configuration, also those that its patterns name in full, and those that
//! hooks and persons have made of its patterns.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::nodes::{admits, pin};
use super::resolve::{MirrorIndex, Resolved};
use crate::base::clean::with_causes;
use crate::base::{hex, sha1};
use crate::config::{Config, HookEndpoint, MirrorConfig, Pattern};
use crate::hook::PushEvent;
use crate::mirror::{self, CacheError};
use crate::queue::model::Member;
use crate::queue::{JobStore, StoreError};

/// A configuration and its mirrors, by their names. It does not change; another takes its place.
#[derive(Debug)]
pub(super) struct Directory {
    config: Arc<Config>,
    /// The mirrors of the configuration, by what a hook can say of them.
    index: Arc<MirrorIndex>,
    /// Those that a pattern gives.
    derived: BTreeMap<String, Arc<MirrorConfig>>,
}

impl Directory {
    /// The mirrors of `config`, and those that its patterns give: what they name in full, and what `store` knows. Caches
    /// of mirrors that were renamed get their new names.
    pub(super) fn of(config: Config, store: &dyn JobStore) -> Result<Self, StoreError> {
        let index = Arc::new(MirrorIndex::of(&config));
        let derived = BTreeMap::new();
        let mut keys = store.keys()?;
        keys.extend(config.patterns().flat_map(Pattern::written_out));
        let directory = Self { config: Arc::new(config), index, derived }.with(&keys);
        directory.rename_caches();
        Ok(directory)
    }

    /// The same, with the mirrors that its patterns give for `keys` too.
    pub(super) fn with(&self, keys: &[String]) -> Self {
        let new = keys.iter().filter(|key| self.mirror(key).is_none());
        let new =
            new.filter_map(|key| Some((key.clone(), Arc::new(self.config.derive(key).ok()?))));
        let mut derived = self.derived.clone();
        derived.extend(new);
        Self { config: Arc::clone(&self.config), index: Arc::clone(&self.index), derived }
    }

    /// Which mirrors a push asks for at `endpoint`, with this query behind its address.
    pub(super) fn resolve(
        &self,
        endpoint: &HookEndpoint,
        query: &str,
        push: &PushEvent,
    ) -> Resolved {
        self.index.resolve(&self.config, endpoint, query, push)
    }

    /// The configuration.
    pub(super) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// How many mirrors patterns have given.
    pub(super) fn derived(&self) -> usize {
        self.derived.len()
    }

    /// The mirror called `name`.
    pub(super) fn mirror(&self, name: &str) -> Option<&MirrorConfig> {
        self.config.mirror(name).or_else(|| self.derived.get(name).map(|derived| &**derived))
    }

    /// Gives the caches of mirrors that were renamed their new names. One that is in use is renamed before
    /// the next run of its mirror.
    pub(super) fn rename_caches(&self) {
        for mirror in self.config.mirrors.iter().filter(|mirror| mirror.was.is_some()) {
            if let Err(error) = self.rename_cache(mirror) {
                let name = &*mirror.mirror.name;
                tracing::info!(
                    mirror = name,
                    "its cache is renamed later: {}",
                    with_causes(&error)
                );
            }
        }
    }

    /// Gives the cache of a mirror that was renamed its new name, where the new name has none. A run must not
    /// begin before: it would make all of the cache again.
    pub(super) fn rename_cache(&self, mirror: &MirrorConfig) -> Result<(), CacheError> {
        let Some(was) = mirror.was.as_deref().filter(|was| self.mirror(was).is_none()) else {
            return Ok(());
        };
        let (old, new) = (self.config.cache_of(was), mirror.mirror.cache.path());
        if mirror::rename_cache(&old, new)? {
            tracing::info!(
                mirror = mirror.mirror.name,
                was,
                "the cache was renamed with its mirror"
            );
        }
        Ok(())
    }

    /// All mirrors.
    pub(super) fn mirrors(&self) -> impl Iterator<Item = &MirrorConfig> {
        self.config.mirrors.iter().chain(self.derived.values().map(|derived| &**derived))
    }

    /// The pins of mirrors that the machine called `name` may sync.
    pub(super) fn pins_of(&self, name: &str) -> Vec<String> {
        let pins: BTreeSet<_> = self
            .mirrors()
            .filter(|mirror| !mirror.nodes.is_empty())
            .map(|mirror| pin(&mirror.nodes))
            .collect();
        pins.into_iter().filter(|pin| admits(pin, name)).collect()
    }

    /// What the queue has to know of each mirror.
    pub(super) fn members(&self) -> Vec<Member> {
        self.mirrors().map(|mirror| member(&self.config, mirror)).collect()
    }
}

fn member(config: &Config, configured: &MirrorConfig) -> Member {
    let mirror = &configured.mirror;
    // Nobody counts what is written to a path.
    let target = mirror.target.as_ref().filter(|target| target.url.host().is_some());
    let target_host = target.and_then(|target| target.url.host());
    Member {
        key: mirror.name.clone(),
        was: configured.was.clone(),
        owner: configured.owner().to_owned(),
        source_host: mirror.source.host().to_owned(),
        target_host: target_host.unwrap_or_default().to_owned(),
        target: target.map(|target| target.url.to_string()).unwrap_or_default(),
        pin: pin(&configured.nodes),
        fingerprint: fingerprint(config, configured),
    }
}

/// Changes with everything that decides how a sync of the mirror goes, as far as this machine can tell.
fn fingerprint(config: &Config, configured: &MirrorConfig) -> String {
    let mut text = format!("{configured:?}");
    for file in config.files_of(&configured.mirror.name) {
        let _ = write!(text, "\n{}", stamp(&file));
    }
    hex::encode(&sha1::digest(&[text.as_bytes()]))
}

/// What changes when a file is written to, or who may read it; the file is not read.
fn stamp(file: &Path) -> String {
    let Ok(metadata) = std::fs::metadata(file) else { return "missing".to_owned() };
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let (mode, user, group) = (metadata.mode(), metadata.uid(), metadata.gid());
    format!("{} {since:?} {mode:o} {user}:{group}", metadata.len())
}
