//! The right to go on with work that another process takes over if this one is thought dead.

use std::path::PathBuf;

use super::faults;

/// Whoever works on something that others may take over.
///
/// Who has the right gets a token with it, larger than those of all who had it before. A process that was stopped for
/// long, or that has lost the network, does not know that its right is gone: so it asks before each step that others
/// would see, and what it works in remembers the largest token and refuses smaller ones.
pub trait Fence: Send + Sync {
    /// The token; 0 if nobody else can take over.
    fn token(&self) -> u64;

    /// Whether the right is still ours. It may take a few seconds to find out.
    fn check(&self) -> Result<(), FenceError>;
}

/// There is nobody who could take over.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFence;

impl Fence for NoFence {
    fn token(&self) -> u64 {
        0
    }

    fn check(&self) -> Result<(), FenceError> {
        Ok(())
    }
}

/// Why work does not go on.
#[derive(Debug, thiserror::Error)]
pub enum FenceError {
    /// The claim has run out, or somebody else has the mirror.
    #[error("go on: the claim of this sync is gone, and another one may be under way")]
    Lost,
    /// Nobody could say whether the claim still holds, for so long that it may have run out.
    #[error("go on: the queue does not answer, and the claim of this sync may have run out")]
    Unknown,
    /// Somebody with a larger token was here.
    #[error("work in {}: a later claim than that of this sync was at work there", path.display())]
    Older {
        /// The file with the largest token.
        path: PathBuf,
    },
}

faults!(FenceError {
    // The mirror is not to blame, and is done by whoever has it now, or when the queue answers.
    Self::Lost | Self::Unknown => Interrupted.at(Here),
    Self::Older { path } => Refused.at(Here).hint(format!(
        "if the queue was begun anew while its clock was wrong, remove {}",
        path.display()
    )),
});
