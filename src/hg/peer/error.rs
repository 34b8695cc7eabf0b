//! Why a Mercurial server cannot be talked to.

use std::io;

use crate::base::{Carried, Interrupted, faults};
use crate::hg::wire::CapabilitiesError;
use crate::net::{NetError, SecretError};

/// Why a Mercurial server cannot be talked to. Addresses in it have no secrets.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// It cannot be reached, or does not answer what was asked.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The capabilities of the server are malformed.
    #[error("talk to {url}")]
    Capabilities {
        /// The address.
        url: String,
        /// What is wrong.
        #[source]
        source: CapabilitiesError,
    },
    /// Something was asked before the answer to what was asked before had been read.
    #[error("ask {url} for {command}: the answer to what was asked before is not read")]
    OutOfStep {
        /// The address.
        url: String,
        /// What was asked.
        command: String,
    },
}

impl PeerError {
    /// This error as one of reading, from which [`Carried`] gets it back.
    pub fn into_io(self) -> io::Error {
        match self {
            Self::Net(error) => error.into_io(),
            other => Carried::wrap(other),
        }
    }

    /// The error that came while an answer was read, if it is one of ours.
    pub(super) fn take(error: io::Error) -> Result<Self, io::Error> {
        match Carried::take::<NetError>(error) {
            Ok(error) => Ok(error.into()),
            Err(error) => Carried::take(error),
        }
    }
}

impl From<Interrupted> for PeerError {
    fn from(error: Interrupted) -> Self {
        NetError::from(error).into()
    }
}

impl From<SecretError> for PeerError {
    fn from(error: SecretError) -> Self {
        NetError::from(error).into()
    }
}

faults!(PeerError {
    Self::Net(error) => of(error).at(Source),
    Self::Capabilities { source, .. } => of(source).at(Source),
    Self::OutOfStep { .. } => Internal.at(Here),
});
