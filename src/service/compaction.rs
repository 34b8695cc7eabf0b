//! Packs of caches made smaller, beside everything else.

use std::io;
use std::thread;

use super::{Service, Shared};
use crate::base::clean::with_causes;
use crate::base::text::megabytes;
use crate::base::{Fault, HasFault as _, Interrupt};
use crate::mirror::{self, Compact, Compacted, Mirror, Observer, SyncEvent};

/// New packs with fewer bytes than this are left until there are more.
const LEAST: u64 = 4 << 20;
/// How many bytes of packs are searched at a time, some minutes' work.
const MOST: u64 = 256 << 20;
/// The lowest priority there is.
const LOWEST: i32 = 19;

impl Service {
    /// Makes packs of caches smaller, up to a number of bytes, at the lowest priority. It takes minutes if there
    /// is something to do. Syncs go on meanwhile.
    pub fn compact_caches(&self) -> io::Result<()> {
        let shared = &*self.0;
        let directory = shared.directory();
        if !directory.config().caches.compact {
            return Ok(());
        }
        let mirrors = directory.mirrors().map(|configured| &configured.mirror);
        let is_there = |mirror: &&Mirror| mirror.cache.path().join("git/objects/pack").is_dir();
        let mirrors: Vec<&Mirror> = mirrors.filter(is_there).collect();
        // A thread of its own, since it and those that it starts stay as low as they are.
        thread::scope(|scope| {
            let low = thread::Builder::new().name("packs".to_owned());
            let done = low.spawn_scoped(scope, || compact_all(shared, &mirrors))?.join();
            done.map_err(|_| io::Error::other("it ended in a panic"))
        })
    }
}

fn compact_all(shared: &Shared, mirrors: &[&Mirror]) {
    if let Err(error) = rustix::process::nice(LOWEST) {
        tracing::debug!("packs are compacted at the usual priority: {error}");
    }
    let mut left = MOST;
    for mirror in mirrors {
        if shared.is_stopping() || left < LEAST {
            break;
        }
        let interrupt = Interrupt::default();
        let watch = Stopping { shared, interrupt: &interrupt };
        let which = Compact::New { least: LEAST, most: left };
        let name = &*mirror.name;
        match mirror::compact(&mirror.cache, which, &mirror.options, &watch, &interrupt) {
            Ok(Some(Compacted { before, after, .. })) => {
                left = left.saturating_sub(before);
                let (before, after) = (megabytes(before), megabytes(after));
                tracing::info!(
                    mirror = name,
                    "packs of the cache made smaller: {before} to {after}"
                );
            }
            Ok(None) => {}
            Err(error) if matches!(error.fault(), Fault::Unavailable | Fault::Interrupted) => {
                tracing::debug!(mirror = name, "packs of the cache are left for later: {error}");
            }
            Err(error) => {
                let causes = with_causes(&error);
                tracing::warn!(mirror = name, "packs of the cache stay as they are: {causes}");
            }
        }
    }
}

/// Has the work stop when the daemon does.
struct Stopping<'s> {
    shared: &'s Shared,
    interrupt: &'s Interrupt,
}

impl Observer for Stopping<'_> {
    fn event(&self, _event: &SyncEvent) {
        if self.shared.is_stopping() {
            self.interrupt.raise();
        }
    }
}
