//! Git: objects, packs, refs and targets. Knows nothing of Mercurial.
//!
//! Only home of libgit2.

pub mod commit;
pub mod destination;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod init;
pub mod object;
pub mod pack;
pub mod pipeline;
pub mod reference;
pub mod repository;
pub mod sink;
pub mod staging;
pub mod tree;
mod tree_entry;
pub mod tree_name;
pub mod tree_path;
mod workflows;

pub use object::{ObjectId, ObjectKind};
pub use reference::Reference;
pub use repository::BareRepository;
