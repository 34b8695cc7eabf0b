//! How the names of a source become references, as data.

use std::collections::BTreeMap;

use super::selection::Selection;

/// How source names become references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefNaming {
    /// The Git branch that follows [`RefNaming::main`], without `refs/heads/` and the prefix.
    pub main_branch: String,
    /// What the main branch follows.
    pub main: MainBranch,
    /// What every branch and every tag begins with, the main branch too.
    pub prefix: String,
    /// What is to become of the names of named branches and bookmarks.
    pub branches: BTreeMap<String, String>,
    /// What is to become of the names of tags.
    pub tags: BTreeMap<String, String>,
    /// Which names become references at all. The main branch always does.
    pub selection: Selection,
    /// What the tags begin with that stand for named branches whose heads are all closed; `None`
    /// for no such tags.
    pub closed_branches: Option<String>,
    /// What the branches begin with that stand for topics. `None` to pay no heed to topics: a
    /// changeset with one is on its named branch then, like any other.
    pub topics: Option<String>,
}

impl Default for RefNaming {
    fn default() -> Self {
        Self {
            main_branch: "master".to_owned(),
            main: MainBranch::Tip,
            prefix: String::new(),
            branches: BTreeMap::new(),
            tags: BTreeMap::new(),
            selection: Selection::default(),
            closed_branches: None,
            topics: None,
        }
    }
}

impl RefNaming {
    /// The name of the main branch as Git has it, without `refs/heads/`.
    pub fn main_name(&self) -> String {
        format!("{}{}", self.prefix, self.main_branch)
    }
}

/// What the main Git branch follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MainBranch {
    /// The source's tip: its newest served changeset that is not obsolete, whatever branch that is on.
    Tip,
    /// The named branch with this name, usually `default`, as Mercurial finds it: its tipmost open
    /// head, or, if all are closed, its tipmost one.
    Branch(String),
}

impl From<&str> for MainBranch {
    /// What is written so. Mercurial reserves the word `tip`: no branch can have it as its name.
    fn from(text: &str) -> Self {
        match text {
            "tip" => Self::Tip,
            branch => Self::Branch(branch.to_owned()),
        }
    }
}
