//! Changesets into commits: what a source and an identity make, bit by bit the same everywhere.

pub mod adoption;
pub mod authors;
mod blobs;
mod clashes;
mod commits;
pub mod damage;
pub mod engine;
mod error;
mod flaw;
pub mod identity;
pub mod idmap;
mod input;
mod left_out;
pub mod mapfiles;
pub mod names;
mod naming;
pub mod notes;
mod options;
pub mod placeholder;
mod places;
mod plan;
mod planner;
pub mod recorded_authors;
pub mod refs;
pub mod report;
pub mod selection;
mod submodules;
mod survey;
mod verify;

pub use authors::{AuthorMap, AuthorMapError};
pub use engine::{Conversion, convert};
pub use error::ConvertError;
pub use idmap::IdMap;
pub use input::Input;
pub use left_out::{LeftOut, LeftOutReason};
pub use options::{ConvertOptions, Rules, SliceLimits, Verify};
pub use verify::{
    Chosen, Difference, Findings, Subject, TreeFile, TreeProblem, VerifyError, VerifyReport,
    VerifySelection, verify, verify_changesets, verify_objects,
};
