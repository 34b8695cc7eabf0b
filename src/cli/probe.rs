//! A look at both ends of a mirror with its own credentials, which changes nothing at either.

use crate::base::{Interrupt, faults};
use crate::git::BareRepository;
use crate::git::destination::{self, PublishError, Target};
use crate::hg::pull::Source;
use crate::hg::repository::RepositoryError;
use crate::mirror::{Mirror, SyncError};

/// Why an end cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    /// The source is no repository that can be read.
    #[error("read the source {written}")]
    Path { written: String, source: RepositoryError },
    /// The source is not there.
    #[error("read the source {written}")]
    NotThere { written: String, source: std::io::Error },
    /// The server of the source does not answer as it should.
    #[error("reach the source {written}")]
    Server { written: String, source: SyncError },
    /// The target does not answer as it should.
    #[error("reach the target {written}")]
    Target { written: String, source: PublishError },
    /// There is no place for an empty repository to push from.
    #[error("make a folder in {}", std::env::temp_dir().display())]
    Folder(#[source] std::io::Error),
    /// There cannot be an empty repository to push from.
    #[error("make an empty repository to push from")]
    Empty(#[source] crate::git::repository::RepositoryError),
}

faults!(ProbeError {
    Self::Path { source, .. } => of(source).at(Source),
    Self::NotThere { source, .. } => io(source).at(Source),
    Self::Server { source, .. } => of(source).at(Source),
    Self::Target { source, .. } => of(source).at(Target),
    Self::Folder(source) => io(source).at(Here),
    Self::Empty(source) => of(source).at(Here),
});

/// Looks at the source; what it is, in a few words.
pub(super) fn source(mirror: &Mirror, interrupt: &Interrupt) -> Result<String, ProbeError> {
    let written = mirror.source.to_string();
    match &mirror.source {
        Source::Path(path) if path.is_file() => Ok("a bundle file".to_owned()),
        Source::Path(path) => {
            // What it says of a path that is not there, no reader says as well.
            if let Err(source) = path.metadata() {
                return Err(ProbeError::NotThere { written, source });
            }
            let opened = mirror.options.open(path, None);
            let opened = opened.map_err(|source| ProbeError::Path { written, source })?;
            Ok(format!("{} changesets", opened.view().served().count()))
        }
        Source::Server { .. } => {
            let seen = mirror.look(interrupt);
            seen.map_err(|source| ProbeError::Server { written, source })?;
            Ok("the server answers, and lists its heads".to_owned())
        }
    }
}

/// Looks at the target; what it is, in a few words.
pub(super) fn target(target: &Target, interrupt: &Interrupt) -> Result<String, ProbeError> {
    let folder = tempfile::Builder::new().prefix("synchroniser-").tempdir();
    let folder = folder.map_err(ProbeError::Folder)?;
    let empty = folder.path().join("empty.git");
    BareRepository::open_or_create(&empty, "master").map_err(ProbeError::Empty)?;
    let failed = |source| ProbeError::Target { written: target.url.to_string(), source };
    let mut there = destination::open(target, &empty).map_err(failed)?;
    let refs = there.references(interrupt).map_err(failed)?;
    Ok(match refs.len() {
        0 => "an empty repository".to_owned(),
        1 => "a repository with one ref".to_owned(),
        many => format!("a repository with {many} refs"),
    })
}
