//! What one mirror needs to know. Configuration resolves into this.

use std::path::PathBuf;

use crate::base::Limits;
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
    /// The folder that holds this mirror's cache: `git/`, `map`, `lock`.
    pub cache: PathBuf,
    /// How source names become references.
    pub naming: RefNaming,
    /// What outside data may cost.
    pub limits: Limits,
}

/// How source names become references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefNaming {
    /// The Git branch that follows [`RefNaming::main`], without `refs/heads/`.
    pub main_branch: String,
    /// What the main branch follows.
    pub main: MainBranch,
}

impl Default for RefNaming {
    fn default() -> Self {
        Self { main_branch: "master".to_owned(), main: MainBranch::Tip }
    }
}

/// What the main Git branch follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MainBranch {
    /// The source's tip: its newest served changeset, whatever branch that is on.
    Tip,
    /// The tipmost open head of the named branch with this name, usually `default`.
    Branch(String),
}
