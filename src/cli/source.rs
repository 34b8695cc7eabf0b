//! Where changesets come from, as typed: the keys of a source as flags.

use std::ops::Deref;
use std::path::Path;

use tempfile::TempDir;

use super::flags::{Flags, OfSource};
use crate::base::{Interrupt, Progress, faults};
use crate::config::{self, TypedError};
use crate::convert::ConvertOptions;
use crate::hg::Repository;
use crate::hg::pull::{self, Copy, PullError, Source};
use crate::hg::repository::RepositoryError;

/// How the source is reached, if it is an address.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct SourceArgs {
    #[command(flatten)]
    keys: Flags<OfSource>,
}

/// A source that was opened to be looked at.
pub(super) struct Opened {
    repository: Repository,
    /// What was fetched of it, if it is not a repository of this machine. Gone with this.
    _fetched: Option<TempDir>,
}

/// Why a source cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    /// It cannot be named so.
    #[error(transparent)]
    Typed(#[from] TypedError),
    /// There is no place for what is fetched.
    #[error("make a folder for what is fetched in {}", std::env::temp_dir().display())]
    Folder(#[source] std::io::Error),
    /// It cannot be fetched.
    #[error("fetch {from}")]
    Fetch {
        /// The source.
        from: String,
        #[source]
        source: PullError,
    },
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] RepositoryError),
}

impl Deref for Opened {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.repository
    }
}

faults!(OpenError {
    Self::Typed(error) => of(error),
    Self::Folder(error) => io(error).at(Here),
    Self::Fetch { source, .. } => of(source).at(Source),
    Self::Open(error) => of(error).at(Source),
});

impl SourceArgs {
    /// The source that is `written`: an address if it looks like one, a path otherwise.
    pub(super) fn source(&self, written: &Path) -> Result<Source, TypedError> {
        config::source(written, &self.keys.keys, self.keys.typed.iter().copied())
    }

    /// Opens the source that is `written`, to look at it: in place, or fetched into a folder that is
    /// gone afterwards.
    pub(super) fn open(
        &self,
        written: &Path,
        options: &ConvertOptions,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Opened, OpenError> {
        let source = self.source(written)?;
        if let Some(path) = source.in_place() {
            return Ok(Opened { repository: options.open(path, None, None)?, _fetched: None });
        }
        let folder = tempfile::Builder::new().prefix("synchroniser-").tempdir();
        let folder = folder.map_err(OpenError::Folder)?;
        let copy = Copy::at(folder.path(), &options.limits);
        let from = source.to_string();
        let fetch = |source| OpenError::Fetch { from: from.clone(), source };
        pull::pull(&source, &copy, &options.limits, progress, interrupt).map_err(fetch)?;
        let shown = copy.shown().map_err(fetch)?;
        let repository = options.open(copy.root(), shown.as_ref(), None)?;
        Ok(Opened { repository, _fetched: Some(folder) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths() {
        let source = |text: &str| SourceArgs::default().source(Path::new(text));
        for path in ["repository", "/srv/hg/rocket", "a:b", "../x.hg"] {
            assert!(matches!(source(path), Ok(Source::Path(_))), "{path}");
        }
        let server = source("https://hg.example.org/acme/rocket").unwrap();
        assert_eq!(server.to_string(), "https://hg.example.org/acme/rocket");
        assert!(matches!(source("hg@example.org:x"), Err(TypedError::Address(_))));
        assert!(matches!(source("ftp://example.org/x"), Err(TypedError::Address(_))));
    }

    #[test]
    fn a_flag_that_is_of_no_use_is_refused() {
        let mut args = SourceArgs::default();
        args.keys.keys.key_file = Some("key".into());
        args.keys.typed.push("key_file");
        let refused = args.source(Path::new("https://hg.example.org/x")).unwrap_err();
        assert_eq!(refused.to_string(), "use --source-key-file: of no use for a web server");
        assert!(args.source(Path::new("ssh://hg.example.org/x")).is_ok());
    }
}
