//! Git: objects, packs, references and the places we push to. Knows nothing of Mercurial.
//!
//! Only home of libgit2.

pub mod destination;
pub mod object;

pub use object::{ObjectId, ObjectKind};
