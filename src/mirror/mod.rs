//! One mirror, one sync: read the source, convert what is new, publish it. Owns the cache.

mod adopt;
mod ahead;
mod cache;
mod caches;
mod check;
mod compact;
mod context;
mod credentials;
mod error;
mod event;
mod handover;
mod keep;
mod ledger;
mod look;
mod plan;
mod probe;
mod publish;
mod rebuild;
mod repair;
mod report;
mod slices;
mod source;
mod source_history;
mod sync;
mod target;
mod told;
mod update;
mod verify;

pub use crate::convert::ConvertOptions;
pub use crate::convert::names::{MainBranch, RefNaming};
pub use crate::git::pack::Compacted;
pub use adopt::{Adopted, adopt};
pub use cache::{CacheLocation, OwnerError};
pub use caches::{CacheError, FoundCache, caches, clear_removed, rename_cache};
pub use compact::{Compact, compact};
pub use context::{LedgerStore, SyncContext};
pub use credentials::CredentialEnd;
pub use error::SyncError;
pub use event::{HeardNotes, NoObserver, Observer, SyncEvent};
pub use handover::{
    Announced, Arriving, CacheElsewhere, Decoder, NotSent, Outgoing, Seal, SendError, StreamError,
    TakeError,
};
pub use look::Seen;
pub use plan::{
    KeptReference, PlannedChangeset, PlannedChangesets, PlannedReference, PlannedReferences,
    SyncPlan, plan,
};
pub use probe::TargetSeen;
pub use report::{Kept, Note, RefChange, SyncReport, SyncStatus};
pub use sync::{commits, rebuild, sync, sync_in};
pub use verify::verify;

pub use crate::forge::ForgeOptions;
use crate::git::destination::Target;
pub use crate::git::destination::{Divergence, Prune, PublishRules, Refusal};
pub use crate::hg::pull::Source;

/// One mirror: a Mercurial source, the cache that it is converted into, and the Git target that the
/// commits are published to, if there is one.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// Its name in the configuration.
    pub name: String,
    /// Where the Mercurial repository is.
    pub source: Source,
    /// The folder or the bare repository with the converted commits.
    pub cache: CacheLocation,
    /// The Git repository to publish to; `None` if only the cache is wanted.
    pub target: Option<Target>,
    /// How the forge of the target is used, if it has one that is known.
    pub forge: Option<ForgeOptions>,
    /// The options of the conversion.
    pub options: ConvertOptions,
    /// What may be done to the references of the target.
    pub publish: PublishRules,
}
