//! Why a conversion stops.

use super::damage::{Broken, BrokenChangeset, BrokenFile, changesets_hint};
use crate::base::{Fault, HasFault, Interrupted, RepoPathBuf};
use crate::git::repository::RepositoryError;
use crate::git::sink::SinkError;
use crate::git::tree::TreeError;
use crate::hg::Node;
use crate::hg::revlog::RevlogError;

/// Why a conversion stops. Nothing of it is visible anywhere then.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// A changeset or manifest cannot be read.
    #[error("read the history of the source")]
    History(#[from] RevlogError),
    /// A changeset names a manifest that is not there.
    #[error("find manifest {manifest} of changeset {changeset}: the source has no such manifest")]
    NoManifest {
        /// The missing manifest.
        manifest: Node,
        /// The changeset that names it.
        changeset: Node,
    },
    /// Changesets or their manifests cannot be read.
    #[error("{0}")]
    Changesets(Broken<BrokenChangeset>),
    /// File revisions cannot be read.
    #[error("{0}")]
    Files(Broken<BrokenFile>),
    /// The operating system does not give us a file of the source.
    #[error("read the file {path:?} for changeset {changeset}")]
    File {
        /// The file.
        path: RepoPathBuf,
        /// The first changeset that needs it.
        changeset: Node,
        /// What is wrong.
        #[source]
        source: RevlogError,
    },
    /// A tree cannot be built.
    #[error("build the tree of changeset {changeset}")]
    Tree {
        /// The changeset.
        changeset: Node,
        /// What is wrong.
        #[source]
        source: TreeError,
    },
    /// The commits that a target has already cannot be listed.
    #[error(transparent)]
    Target {
        /// What is wrong.
        source: RepositoryError,
    },
    /// The commits that a target has already cannot be read.
    #[error("read the commits that are there")]
    Existing {
        /// What is wrong.
        #[source]
        source: TreeError,
    },
    /// The notes cannot be gone on with.
    #[error("add notes")]
    Notes {
        /// What is wrong.
        #[source]
        source: TreeError,
    },
    /// New objects cannot be kept.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// Somebody asked us to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// A thread of ours died.
    #[error("a worker thread ended early")]
    Worker,
}

impl HasFault for ConvertError {
    fn fault(&self) -> Fault {
        match self {
            Self::History(error) => error.fault(),
            Self::File { source, .. } => source.fault(),
            Self::Target { source } => source.fault(),
            Self::NoManifest { .. } => Fault::Corrupt,
            Self::Changesets(broken) => broken.fault(),
            Self::Files(broken) => broken.fault(),
            Self::Tree { source, .. } | Self::Existing { source } | Self::Notes { source } => {
                source.fault()
            }
            Self::Sink(error) => error.fault(),
            Self::Interrupted(error) => error.fault(),
            Self::Worker => Fault::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::History(error) => error.hint(),
            Self::File { source, .. } => source.hint(),
            Self::Changesets(_) => Some(changesets_hint()),
            Self::Files(broken) => Some(broken.hint()),
            Self::Target { source } => source.hint(),
            Self::NoManifest { .. } => {
                Some("`hg verify` on the source shows all that is damaged".to_owned())
            }
            Self::Tree { source, .. } | Self::Existing { source } | Self::Notes { source } => {
                source.hint()
            }
            Self::Sink(error) => error.hint(),
            Self::Interrupted(error) => error.hint(),
            Self::Worker => None,
        }
    }
}
