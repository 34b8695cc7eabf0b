//! Git: objects, packs, references and the places we push to. Knows nothing of Mercurial.
//!
//! Only home of libgit2.

pub mod commit;
pub mod destination;
pub mod object;
pub mod pack;
pub mod sink;
pub mod tree;
pub mod tree_name;

pub use object::{ObjectId, ObjectKind};
