//! Everything in a Mercurial repository that is not a revlog: where its files are, and what the
//! small ones say.
//!
//! Each file here knows one file of the store, but for [`layout`], which knows where they are, and
//! [`view`], which puts together what they say: the changesets that the repository shows to others.

use super::{Node, Rev};

pub mod bookmarks;
pub mod branches;
pub(in crate::hg) mod config_text;
pub mod dirstate;
pub mod files;
pub mod fncache;
pub mod hgrc;
pub mod layout;
pub mod local_tags;
pub mod obsolete;
pub mod path_encode;
pub mod phases;
pub mod requirements;
pub mod tags;
#[cfg(test)]
mod testing;
pub mod view;

pub use files::{Note, ReadError, read_bounded};
pub use layout::{Layout, OpenError, UnsafePath};
pub use phases::Phase;
pub use view::{ServedView, ViewError};

/// Finds the changeset with a node; `None` if the repository does not have it.
pub type Lookup<'a> = dyn Fn(Node) -> Option<Rev> + 'a;
