//! How long work tells somebody how far it is.

/// Receives progress. Implementations must be cheap: workers call [`Progress::advance`] often.
pub trait Progress: Sync {
    /// A stage begins. `total` counts its `unit`s, where that is known.
    fn begin(&self, stage: &'static str, total: Option<u64>, unit: &'static str);

    /// `n` more units of the current stage are done.
    fn advance(&self, n: u64);

    /// The current stage has ended.
    fn end(&self);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _stage: &'static str, _total: Option<u64>, _unit: &'static str) {}
    fn advance(&self, _n: u64) {}
    fn end(&self) {}
}
