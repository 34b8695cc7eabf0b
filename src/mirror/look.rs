//! A look at a source, which tells whether a sync could find something new.

use super::{Mirror, SyncError};
use crate::base::time::Timestamp;
use crate::base::{Interrupt, durable};
use crate::hg::pull::{self, Copy};

/// What a source looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen(String);

impl Mirror {
    /// Looks at the source. One round trip to a server, and a few files of a path; nothing is changed, and no
    /// lock is taken.
    pub fn look(&self, interrupt: &Interrupt) -> Result<Seen, SyncError> {
        let limits = &self.options.limits;
        let copy = Copy::at(&self.cache.layout().copy(), limits);
        Ok(Seen(pull::look(&self.source, &copy, limits, interrupt)?))
    }

    /// What the source looked like when [`Mirror::remember`] was last told; `None` if it never was.
    pub fn last_seen(&self) -> Option<Seen> {
        std::fs::read_to_string(self.cache.layout().seen()).ok().map(Seen)
    }

    /// When [`Mirror::remember`] was last told.
    pub fn last_seen_at(&self) -> Option<Timestamp> {
        let modified = std::fs::metadata(self.cache.layout().seen()).ok()?.modified().ok()?;
        Some(Timestamp::of(modified))
    }

    /// Remembers what the source looked like *before* a sync that went well: if it looks the same again,
    /// another sync would find nothing.
    pub fn remember(&self, seen: &Seen) {
        let file = self.cache.layout().seen();
        // What is not remembered is looked for once more.
        if let Err(error) = durable::replace_remade_file(&file, seen.0.as_bytes()) {
            tracing::debug!(%error, file = %file.display(), "what the source looked like is not remembered");
        }
    }
}
