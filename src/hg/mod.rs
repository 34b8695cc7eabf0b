//! Mercurial: its stores, revlogs and names, read natively. Knows nothing of Git.

pub mod branch_table;
pub mod bundle;
pub mod changelog;
pub mod dag;
pub mod filelog;
pub mod manifest;
pub mod node;
pub mod peer;
pub mod pull;
pub mod pushkey;
pub mod repository;
pub mod revlog;
mod saved_history;
pub mod store;
pub mod subrepo;
mod topics;
pub mod wire;
pub mod write;

pub use branch_table::BranchTable;
pub use changelog::{Changelog, Changeset, Date};
pub use dag::{Dag, RevSet};
pub use node::{Node, Rev};
pub use repository::Repository;
pub use saved_history::SavedHistory;
pub use store::view::{ServedPhases, Serving, Shown};
