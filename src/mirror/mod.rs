//! One mirror, one sync: read the source, convert what is new, publish it. Owns the cache folder.

mod adopt;
mod check;
mod error;
mod options;
mod publish;
mod report;
mod source;
mod update;
mod verify;
mod workspace;

pub use crate::convert::ConvertOptions;
pub use crate::convert::names::{MainBranch, RefNaming};
pub use adopt::{Adopted, Place, adopt};
pub use error::SyncError;
pub use options::MirrorOptions;
pub use publish::sync;
pub use report::{ConvertReport, RefChange, SyncReport};
pub use update::convert;
pub use verify::verify;
