//! A cache that goes from one machine to another, where a mirror moves: what it took long to convert need not be
//! converted again.
//!
//! Handed on is what cannot be made of something else at once: the copy of the source, the packs and refs, the map, and
//! the small files that say how it was made ([`send`]). What comes is checked as if anybody had sent it
//! ([`receive`]): each revision against its node, each object against its id, the map against the objects, and all of it
//! against the ledger of what was published. It is put in place as a whole, the map last, since without it nothing else
//! counts. Whatever is wrong with it, the cache is made from the source instead, as if nobody had been asked.

mod format;
mod receive;
mod send;

use std::io::Read;
use std::time::{Duration, Instant};

use super::cache::LockedCache;
use super::event::Events;
use super::{Mirror, Note, SyncContext, SyncError};
use crate::base::{Cause, Fault, HasFault, Interrupt};

pub use format::{Announced, Decoder, Seal, StreamError};
pub use receive::TakeError;
pub use send::{Outgoing, SendError};

/// The small files that go along: see `src/README.md`. All others are made again, or must not leave the machine.
const SMALL: [&str; 8] =
    ["adopted", "identity", "placeholders", "authors", "told", "format", "packs", "compacted"];
/// The id map.
const MAP: &str = "map";
/// The refs, a line each.
const REFS: &str = "refs";
/// What the store of the copy requires, a line each.
const REQUIRES: &str = "hg/requires";
/// The files of that store.
const STORE: &str = "hg/store/";
/// The small files of the copy.
const COPY: &str = "hg/";
/// Packs and their indexes.
const PACKS: &str = "git/";

/// A cache of the mirror on another machine.
pub trait CacheElsewhere: Send + Sync {
    /// Asks for it; `None` if there is nobody who could be asked. An error that is an interrupt ends the sync.
    fn ask(&self, interrupt: &Interrupt) -> Result<Option<Arriving>, NotSent>;
}

/// Why nothing is sent, and by whom.
pub struct NotSent {
    /// What the other machine is called.
    pub node: String,
    /// Why.
    pub error: Box<dyn HasFault + Send + Sync>,
}

/// A cache that comes from another machine.
pub struct Arriving {
    /// What that is called.
    pub node: String,
    /// The stream. It ends by itself if it is too slow.
    pub stream: Box<dyn Read>,
    /// What it must be sealed with.
    pub seal: Seal,
    /// How many bytes there is room for; `None` if that is not known.
    pub room: Option<u64>,
}

impl Mirror {
    /// Whether it has no cache yet that the next sync could go on with.
    pub fn is_cold(&self) -> bool {
        self.cache.layout().is_cold()
    }
}

/// Takes the cache from another machine if there is none here yet. Says what came of it, if somebody was asked.
pub(super) fn take_if_cold(
    mirror: &Mirror,
    context: &SyncContext<'_>,
    cache: &LockedCache,
    events: &Events<'_>,
    interrupt: &Interrupt,
) -> Result<Vec<Note>, SyncError> {
    let Some(elsewhere) = context.elsewhere.filter(|_| cache.is_cold()) else {
        return Ok(Vec::new());
    };
    receive::clear(cache)?;
    let start = Instant::now();
    let (node, error) = match elsewhere.ask(interrupt) {
        Ok(None) => return Ok(Vec::new()),
        Ok(Some(arriving)) => {
            let node = arriving.node.clone();
            match receive::take(mirror, context, cache, arriving, events, interrupt) {
                Ok(bytes) => return Ok(events.notes(vec![taken(node, bytes, start.elapsed())])),
                Err(error) => (node, Box::new(error) as Box<dyn HasFault + Send + Sync>),
            }
        }
        Err(NotSent { node, error }) => (node, error),
    };
    receive::clear(cache)?;
    // Whoever is to stop does not begin with the source.
    interrupt.check()?;
    if error.fault() == Fault::Interrupted {
        return Err(crate::base::Interrupted.into());
    }
    let cause = Cause::of(&*error);
    Ok(events.notes(vec![Note::CacheNotTaken { node, cause }]))
}

fn taken(node: String, bytes: u64, took: Duration) -> Note {
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    Note::CacheTaken { node, bytes, millis }
}
