//! What a sync gets from whoever runs it, and what no configuration says.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::handover::CacheElsewhere;
use crate::base::{Fence, NoFence};

/// In whose name a sync works.
#[derive(Clone)]
pub struct SyncContext<'c> {
    /// Whether it may go on. It is asked before each push.
    pub fence: &'c dyn Fence,
    /// Where the ledger of the mirror is, if caches on several machines share it. The one in the cache is then a copy
    /// of it.
    pub ledger: Option<Arc<dyn LedgerStore>>,
    /// Where a cache is that it begins with, if there is none here.
    pub elsewhere: Option<&'c dyn CacheElsewhere>,
}

impl SyncContext<'static> {
    /// That of a sync which nobody else can take over.
    pub fn alone() -> Self {
        Self { fence: &NoFence, ledger: None, elsewhere: None }
    }
}

/// Keeps the ledger of one mirror. What was written is durable when it returns.
pub trait LedgerStore: Send + Sync {
    /// What was written last, by whichever machine; `None` if nothing was.
    fn read(&self) -> io::Result<Option<String>>;

    /// Replaces it. An error if the sync has no right to any more.
    fn write(&self, contents: &str) -> io::Result<()>;
}

impl fmt::Debug for dyn LedgerStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LedgerStore")
    }
}
