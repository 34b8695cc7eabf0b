//! Why a copy cannot be brought up to date.

use std::io;
use std::path::PathBuf;

use crate::base::faults;
use crate::base::interrupt::Interrupted;
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
    /// The server's answer is not valid.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The received data is malformed, or of a kind that is not read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The same, in the middle of what a server sends.
    #[error(transparent)]
    BrokenOff(BundleError),
    /// The bundle file cannot be opened.
    #[error("open the bundle {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The bundle file has no changesets, and nothing is there that they could be of.
    #[error("read {}: the bundle has no changesets", path.display())]
    NoChangesets {
        /// The file.
        path: PathBuf,
    },
    /// The bundle file builds on changesets that are missing.
    #[error("read {}: the bundle builds on changeset {parent}, which it does not contain", path.display())]
    GoesOn {
        /// The file.
        path: PathBuf,
        /// The first changeset that is missing.
        parent: Node,
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
    #[error("add to the copy in {}: it has no changeset in common with {origin}", path.display())]
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
    /// A stop was requested.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

faults!(PullError {
    Self::Peer(error) => of(error),
    Self::Answer(error) => of(error).at(Source),
    Self::Bundle(error) => of(error).at(Source),
    Self::BrokenOff(error) => of(error).at(Source).hint(
        "the server broke off its answer: run `hg verify` in the repository there, and look at the error log of the \
         server"
    ),
    Self::File { source, .. } => io(source).at(Source),
    Self::NoChangesets { .. } => Config.at(Source).hint(
        "`hg bundle --all FILE` in the repository makes a bundle of all that it has"
    ),
    Self::GoesOn { .. } => Config.at(Source).hint(
        "convert the history that it builds on into the same target first, or make a bundle of everything: \
         `hg bundle --all FILE`"
    ),
    Self::Write(error) => of(error).at(Here),
    Self::Open(error) => of(error),
    Self::Repository(error) => of(error),
    Self::Revlog { source, .. } => of(source).at(Here),
    Self::View(error) => of(error),
    Self::Read(error) => of(error),
    Self::Damaged { path } => {
        Corrupt.at(Here).hint(format!("remove {}: it is made again", path.display()))
    },
    Self::Folder { source, .. } => io(source).at(Here),
    Self::Unrelated { path, .. } => Refused.at(Source).hint(format!(
        "if the source is the right one, remove {}: it is fetched again", path.display()
    )),
    Self::Withheld { .. } => {
        Unavailable.at(Source).hint("the source is perhaps written to at the moment: try again")
    },
    Self::NotEmpty { .. } => Refused.at(Here).hint("add it to a folder that is not there yet"),
    Self::Interrupted(error) => of(error),
});
