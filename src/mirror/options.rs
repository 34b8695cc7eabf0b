//! What one mirror needs to know. Configuration resolves into this.

use std::path::PathBuf;

use crate::base::Limits;
use crate::convert::graft::GraftPolicy;
use crate::convert::identity::IdentityChoice;
use crate::convert::names::RefNaming;
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
    /// The folder that holds this mirror's cache: `git/`, `map`, `identity`, `lock`.
    pub cache: PathBuf,
    /// The rules that decide what a commit is.
    pub identity: IdentityChoice,
    /// What is done with a target whose history is not that of the source in every commit.
    pub graft: GraftPolicy,
    /// How source names become references.
    pub naming: RefNaming,
    /// What outside data may cost.
    pub limits: Limits,
}

/// How a source is converted into a bare repository on this machine.
#[derive(Clone, Debug, Default)]
pub struct ConvertOptions {
    /// The rules that decide what a commit is.
    pub identity: IdentityChoice,
    /// What is done with a target whose history is not that of the source in every commit.
    pub graft: GraftPolicy,
    /// How source names become references.
    pub naming: RefNaming,
    /// What outside data may cost.
    pub limits: Limits,
}
