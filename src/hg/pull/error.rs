//! Why a copy cannot be brought up to date.

use std::io;
use std::path::PathBuf;

use crate::base::fault::{io_fault, io_hint};
use crate::base::interrupt::Interrupted;
use crate::base::{Fault, HasFault};
use crate::hg::Node;
use crate::hg::bundle::BundleError;
use crate::hg::peer::PeerError;
use crate::hg::repository::RepositoryError;
use crate::hg::revlog::RevlogError;
use crate::hg::store::{OpenError, ReadError, ViewError};
use crate::hg::wire::AnswerError;
use crate::hg::write::WriteError;

/// Why a copy cannot be brought up to date. Unless said otherwise it is as it was.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The server cannot be reached, or does not do what it is asked for.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The server's answer makes no sense.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// What came makes no sense, or is of a kind that is not read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The bundle file cannot be opened.
    #[error("open the bundle {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// What came cannot be added to the copy.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The copy is not a repository that we can read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The repository that is copied, or the copy, is damaged.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The copy is damaged.
    #[error("read the copy in {}", path.display())]
    Revlog {
        /// Its folder.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: RevlogError,
    },
    /// What the copy serves cannot be found out.
    #[error(transparent)]
    View(#[from] ViewError),
    /// A small file of the copy cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A small file of the copy is damaged.
    #[error("read {}: it is not a list of nodes", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A file beside the copy cannot be written.
    #[error("write {}", path.display())]
    Folder {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Nothing that the source has is in the copy.
    #[error("go on with the copy in {}: it has no changeset in common with {origin}", path.display())]
    Unrelated {
        /// The folder of the copy.
        path: PathBuf,
        /// The source.
        origin: String,
    },
    /// The server has heads that it does not give.
    #[error("fetch from {origin}: it names the changeset {node}, and does not give it")]
    Withheld {
        /// The source.
        origin: String,
        /// One of these heads.
        node: Node,
    },
    /// A bundle with the files of a store, where there is something already.
    #[error("add the bundle to {}: it holds the files of a whole repository", path.display())]
    NotEmpty {
        /// The folder of the copy.
        path: PathBuf,
    },
    /// Somebody asked us to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl HasFault for PullError {
    fn fault(&self) -> Fault {
        match self {
            Self::Peer(error) => error.fault(),
            Self::Answer(error) => error.fault(),
            Self::Bundle(error) => error.fault(),
            Self::Write(error) => error.fault(),
            Self::Open(error) => error.fault(),
            Self::Repository(error) => error.fault(),
            Self::Revlog { source, .. } => source.fault(),
            Self::View(error) => error.fault(),
            Self::Read(error) => error.fault(),
            Self::File { source, .. } | Self::Folder { source, .. } => io_fault(source),
            Self::Damaged { .. } => Fault::Corrupt,
            Self::Unrelated { .. } | Self::NotEmpty { .. } => Fault::Refused,
            Self::Withheld { .. } => Fault::Unavailable,
            Self::Interrupted(error) => error.fault(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Peer(error) => error.hint(),
            Self::Answer(error) => error.hint(),
            Self::Bundle(error) => error.hint(),
            Self::Write(error) => error.hint(),
            Self::Open(error) => error.hint(),
            Self::Repository(error) => error.hint(),
            Self::Revlog { source, .. } => source.hint(),
            Self::View(error) => error.hint(),
            Self::Read(error) => error.hint(),
            Self::File { source, .. } | Self::Folder { source, .. } => io_hint(source),
            Self::Damaged { path } => Some(format!("remove {}: it is made again", path.display())),
            Self::Unrelated { path, .. } => Some(format!(
                "if the source is the right one, remove {}: it is fetched again",
                path.display()
            )),
            Self::NotEmpty { .. } => Some("add it to a folder that is not there yet".to_owned()),
            Self::Withheld { .. } => {
                Some("somebody may be writing to it all the time: try again".to_owned())
            }
            Self::Interrupted(error) => error.hint(),
        }
    }
}
