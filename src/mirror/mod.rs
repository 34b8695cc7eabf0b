//! One mirror, one sync: read the source, convert what is new, publish it. Owns the cache folder.

pub mod options;
pub mod report;

pub use options::{MainBranch, MirrorOptions, RefNaming};
pub use report::{RefChange, SyncReport};
