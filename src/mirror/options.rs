//! What one mirror needs to know. Configuration resolves into this.

use std::path::PathBuf;

use crate::convert::ConvertOptions;
use crate::git::destination::Target;
use crate::hg::pull::Source;

/// One mirror: a Mercurial source joined to a Git target.
#[derive(Clone, Debug)]
pub struct MirrorOptions {
    /// What people call it; also the name of its cache folder.
    pub name: String,
    /// Where the Mercurial repository is.
    pub source: Source,
    /// Where commits go.
    pub target: Target,
    /// The folder that holds this mirror's cache: `hg/`, `git/`, `map`, `adopted`, `identity`, `lock`.
    pub cache: PathBuf,
    /// How the one becomes the other.
    pub convert: ConvertOptions,
}
