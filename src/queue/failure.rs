//! Why a run did not end well.

use serde::{Deserialize, Serialize};

use crate::base::clean::{clean, with_causes};
use crate::base::{Fault, HasFault, Side, faults};

/// Why a run did not end well: what is left of its error for history, pages and whoever asks later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Whose fault it is.
    pub fault: Fault,
    /// On which side.
    pub side: Side,
    /// What failed, and because of what.
    pub message: String,
    /// What can be done about it.
    pub hint: Option<String>,
}

faults!(Failure {
    Self { fault, side, hint, .. } => {
        Diagnosis { hint: hint.clone(), ..fault.at(*side) }
    },
});

impl Failure {
    /// What is left of an error.
    pub fn of(error: &(dyn HasFault + 'static)) -> Self {
        let hint = error.hint().map(|hint| hint.lines().map(clean).collect::<Vec<_>>().join("; "));
        Self { fault: error.fault(), side: error.side(), message: with_causes(error), hint }
    }

    /// One that is our own mistake.
    pub(super) fn internal(message: String) -> Self {
        Self {
            fault: Fault::Internal,
            side: Side::Here,
            message,
            hint: Some("this is a mistake in synchroniser; please report it".to_owned()),
        }
    }
}
