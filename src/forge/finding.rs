//! What a person should know of a target that can be published to.

use std::fmt;

use serde::Serialize;

use crate::base::time::Timestamp;
use crate::base::{Cause, Fault, Severity};

/// Something that a check of a target found, or did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Finding {
    /// The invitation to the target was accepted.
    InvitationAccepted {
        /// The owner and the name.
        project: String,
    },
    /// The target did not exist, and was made.
    ProjectCreated {
        /// The owner and the name.
        project: String,
        /// Whether everybody can see it.
        public: bool,
    },
    /// The target has another name now, and is still reached by the old one.
    TargetRenamed {
        /// The owner and the name.
        to: String,
    },
    /// The token ends soon.
    TokenExpires {
        /// When.
        at: Timestamp,
        /// Within how many days: one of a few numbers, so that it is told again when it is nearer.
        within_days: i64,
    },
    /// The main branch is the one that the forge shows now.
    DefaultBranchSet {
        /// Its short name.
        branch: String,
    },
    /// The forge goes on showing another branch than the main one.
    DefaultBranchNotSet {
        /// Its short name.
        branch: String,
        /// Why.
        cause: Cause,
    },
    /// The forge could not be asked about the target, which was published to all the same.
    TargetNotChecked {
        /// Why.
        cause: Cause,
    },
}

impl Finding {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::InvitationAccepted { .. }
            | Self::ProjectCreated { .. }
            | Self::DefaultBranchSet { .. }
            | Self::TargetNotChecked { .. } => Severity::Note,
            Self::TargetRenamed { .. }
            | Self::TokenExpires { .. }
            | Self::DefaultBranchNotSet { .. } => Severity::Warning,
        }
    }

    /// The class of what is wrong, if something is.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::DefaultBranchNotSet { cause, .. } | Self::TargetNotChecked { cause } => {
                Some(cause.fault)
            }
            _ => None,
        }
    }

    /// Whether it says how the target is, not what was done.
    pub fn is_standing(&self) -> bool {
        matches!(self, Self::TargetRenamed { .. } | Self::TokenExpires { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvitationAccepted { project } => {
                write!(f, "accepted the invitation to {project}")
            }
            Self::ProjectCreated { project, public } => {
                let seen = if *public { "public" } else { "private" };
                write!(f, "made the {seen} project {project}")
            }
            Self::TargetRenamed { to } => {
                write!(f, "the target is called {to} now: use that name in its address")
            }
            Self::TokenExpires { at, within_days } => {
                write!(
                    f,
                    "the token of the target expires at {at}, in less than {within_days} days"
                )
            }
            Self::DefaultBranchSet { branch } => {
                write!(f, "made {branch} the default branch of the target")
            }
            Self::DefaultBranchNotSet { branch, cause } => {
                write!(f, "{branch} could not be made the default branch of the target: {cause}")
            }
            Self::TargetNotChecked { cause } => {
                write!(f, "published without a check of the target before: {cause}")
            }
        }
    }
}
