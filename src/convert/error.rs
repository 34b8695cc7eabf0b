//! Why a conversion stops.

use super::damage::{Broken, BrokenChangeset, BrokenFile};
use crate::base::{Interrupted, RepoPathBuf, faults};
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
    #[error("read the commits that the repository has")]
    Existing {
        /// What is wrong.
        #[source]
        source: TreeError,
    },
    /// The existing notes cannot be continued.
    #[error("add notes")]
    Notes {
        /// What is wrong.
        #[source]
        source: TreeError,
    },
    /// New objects cannot be kept.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A stop was requested.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// A thread of ours died.
    #[error("a worker thread ended early")]
    Worker,
}

faults!(ConvertError {
    Self::History(error) => of(error).at(Source),
    Self::File { source, .. } => of(source).at(Source),
    Self::NoManifest { .. } => {
        Corrupt.at(Source).hint("`hg verify` on the source shows all that is damaged")
    },
    Self::Changesets(broken) => broken.fault().at(Source).hint(broken.hint()),
    Self::Files(broken) => broken.fault().at(Source).hint(broken.hint()),
    Self::Target { source } => of(source).at(Here),
    Self::Tree { source, .. } | Self::Existing { source } | Self::Notes { source } => {
        of(source).at(Here)
    },
    Self::Sink(error) => of(error).at(Here),
    Self::Interrupted(error) => of(error),
    Self::Worker => Internal.at(Here),
});
