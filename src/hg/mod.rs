//! Mercurial: its stores, revlogs and names, read natively. Knows nothing of Git.

pub mod dag;
pub mod node;
pub mod store;

pub use dag::{Dag, RevSet};
pub use node::{Node, Rev};
