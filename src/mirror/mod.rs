//! One mirror, one sync: read the source, convert what is new, publish it. Owns the cache folder.

mod adopt;
mod check;
mod error;
mod options;
mod plan;
mod publish;
mod report;
mod snapshot;
mod source;
mod update;
mod verify;
mod workspace;

pub use crate::convert::ConvertOptions;
pub use crate::convert::names::{MainBranch, RefNaming};
pub use adopt::{Adopted, Place, adopt};
pub use error::SyncError;
pub use options::MirrorOptions;
pub use plan::{
    KeptReference, PlannedChangeset, PlannedChangesets, PlannedReference, PlannedReferences,
    SyncPlan, plan,
};
pub use publish::sync;
pub use report::{ConvertReport, RefChange, SyncReport};
pub use update::convert;
pub use verify::{converted_source, verify};
