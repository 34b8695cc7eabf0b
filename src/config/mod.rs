//! The operator's file, resolved into each layer's own options. Only home of the TOML crate.
//!
//! The data goes one way: text, then the sections of `file` (what was written, and on which line),
//! then [`Config`] (what it means). Both steps collect problems and go on, so that one run of
//! `synchroniser config check` shows all of them.

mod error;
mod file;
mod keys;
mod naming;
mod options;
mod resolve;
mod source;
mod target;

use std::path::{Path, PathBuf};

pub use error::{ConfigError, Problem, ProblemKind};
pub use options::{DaemonOptions, MirrorConfig, Selector};

pub(crate) use naming::{is_branch_name, is_prefix};

use error::Problems;

/// Every key with its default and its meaning: the template of a configuration and its reference.
pub const DEFAULT: &str = include_str!("default.toml");

/// A configuration that was checked and resolved.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder of all caches; that of one mirror is in its options.
    pub cache: PathBuf,
    /// What `serve` needs.
    pub daemon: DaemonOptions,
    /// The mirrors in the order of their names. No two have the same name or the same selector.
    pub mirrors: Vec<MirrorConfig>,
}

impl Config {
    /// Reads and resolves the file at `path`.
    ///
    /// `credentials` is the folder that systemd passes as `$CREDENTIALS_DIRECTORY`; the caller
    /// reads the environment, not the library.
    pub fn load(path: &Path, credentials: Option<&Path>) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path, credentials)
    }

    /// Resolves `text` as the contents of the file at `path`, which need not exist: it is named in
    /// errors, and relative paths start at its folder.
    pub fn parse(text: &str, path: &Path, credentials: Option<&Path>) -> Result<Self, ConfigError> {
        let mut problems = Problems::default();
        let file = file::read(text, &mut problems);
        let folder = path.parent().unwrap_or(Path::new(""));
        let config =
            resolve::config(file, &resolve::Folders { folder, credentials }, &mut problems);
        match problems.sorted() {
            problems if problems.is_empty() => Ok(config),
            problems => Err(ConfigError::Invalid { path: path.to_owned(), problems }),
        }
    }

    /// The mirror called `name`.
    pub fn mirror(&self, name: &str) -> Option<&MirrorConfig> {
        self.mirrors.iter().find(|mirror| mirror.mirror.name == name)
    }
}
