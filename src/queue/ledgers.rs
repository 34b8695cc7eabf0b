//! The ledgers of mirrors, where several processes share them. The queue does not look inside.

use super::model::Claim;
use super::store_error::StoreError;

/// A store that keeps ledgers, each with its mirror.
pub trait Ledgers: Send + Sync {
    /// What the runs of the claimed mirror have left; `None` if nothing was left here yet.
    fn ledger(&self, claim: &Claim) -> Result<Option<String>, StoreError>;

    /// Keeps it for the runs to come. Returns whether the claim is still ours; if not, nothing is kept.
    fn keep_ledger(&self, claim: &Claim, contents: &str) -> Result<bool, StoreError>;
}
