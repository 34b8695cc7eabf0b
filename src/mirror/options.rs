//! What one mirror needs to know. Configuration resolves into this.

use std::path::PathBuf;

use crate::convert::ConvertOptions;
use crate::git::destination::Target;

/// One mirror: a Mercurial source joined to a Git target.
#[derive(Clone, Debug)]
pub struct MirrorOptions {
    /// What people call it; also the name of its cache folder.
    pub name: String,
    /// The Mercurial repository, as a local path.
    pub source: PathBuf,
    /// Where commits go.
    pub target: Target,
    /// The folder that holds this mirror's cache: `git/`, `map`, `grafted`, `identity`, `lock`.
    pub cache: PathBuf,
    /// How the one becomes the other.
    pub convert: ConvertOptions,
}
