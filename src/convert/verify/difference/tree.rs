//! What is said of trees and what is in them.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::base::Cause;
use crate::git::ObjectId;
use crate::git::tree::Mode;

/// A file in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TreeFile {
    /// What it is.
    #[serde(serialize_with = "serialize_mode")]
    pub mode: Mode,
    /// Its blob.
    pub id: ObjectId,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
fn serialize_mode<S: Serializer>(mode: &Mode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(mode.digits())
}

/// Why a tree cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
pub enum TreeProblem {
    /// The repository has no such tree.
    NotThere,
    /// It is damaged.
    Damaged {
        /// What was said when it was read.
        cause: Cause,
    },
    /// Its bytes are not entries.
    Malformed,
    /// An entry has a mode that Git does not know.
    UnknownMode,
    /// Its entries are not in Git's order.
    NotInOrder,
}

/// The end of a sentence that begins with the tree.
impl fmt::Display for TreeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere => f.write_str("is missing"),
            Self::Damaged { cause } => write!(f, "cannot be read: {cause}"),
            Self::Malformed => f.write_str("is malformed"),
            Self::UnknownMode => f.write_str("has an entry of no known mode"),
            Self::NotInOrder => f.write_str("is not in Git's order"),
        }
    }
}
