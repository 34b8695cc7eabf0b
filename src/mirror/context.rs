//! What a sync gets from whoever runs it, and what no configuration says.

use crate::base::{Fence, NoFence};

/// In whose name a sync works.
#[derive(Clone, Copy)]
pub struct SyncContext<'c> {
    /// Whether it may go on. It is asked before each push.
    pub fence: &'c dyn Fence,
}

impl SyncContext<'static> {
    /// That of a sync which nobody else can take over.
    pub fn alone() -> Self {
        Self { fence: &NoFence }
    }
}
