//! What of a source cannot be read: which file revisions and changesets, and who needs them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

pub use super::flaw::{Damage, FileProblem};
use crate::base::fault::one_line;
use crate::base::text::serialize_printable;
use crate::base::{Fault, HasFault, RepoPath, RepoPathBuf};
use crate::hg::Node;
use crate::hg::revlog::RevlogError;

/// How many broken revisions are told; more help nobody.
const MAX_TOLD: usize = 100;
/// What shows more than we do.
const HINT: &str = "`hg verify` on the source shows all that is damaged";
/// What else can be done about files.
const SKIP: &str = "go on with --skip-damaged, which leaves a placeholder for each revision";
/// Why that cannot be done about changesets.
const NO_SKIP: &str = "without a changeset or its manifest nobody knows which files there were, so \
    --skip-damaged does not help here";
/// How many of the changesets that need a broken revision are told by name.
const MAX_NAMED: usize = 3;

/// A file revision that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrokenFile {
    /// The file.
    #[serde(serialize_with = "serialize_printable")]
    pub path: RepoPathBuf,
    /// The revision.
    pub node: Node,
    /// What is wrong.
    #[serde(flatten)]
    pub problem: FileProblem,
    /// Who has it.
    pub needed_by: NeededBy,
}

/// The changesets of a run that need something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NeededBy {
    /// How many there are.
    pub count: usize,
    /// The first of them.
    pub first: Vec<Node>,
}

impl NeededBy {
    pub(super) fn add(&mut self, node: Node) {
        self.count += 1;
        if self.first.len() < MAX_NAMED {
            self.first.push(node);
        }
    }
}

impl fmt::Display for NeededBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.first.iter().map(Node::short).collect();
        let more = if self.count > names.len() { ", …" } else { "" };
        let noun = if self.count == 1 { "changeset" } else { "changesets" };
        write!(f, "{} {noun}: {}{more}", self.count, names.join(", "))
    }
}

impl fmt::Display for BrokenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, node, problem, needed_by } = self;
        match problem {
            FileProblem::Damaged(damage) => damage.cause.fmt(f)?,
            FileProblem::Missing => write!(
                f,
                "find revision {node} of the file {path:?}: the source has no such revision"
            )?,
            FileProblem::Kept => write!(
                f,
                "revision {node} of the file {path:?}: an earlier run made a placeholder for it"
            )?,
        }
        write!(f, " (needed by {needed_by})")
    }
}

/// A changeset whose history or manifest cannot be read.
#[derive(Debug)]
pub struct BrokenChangeset {
    /// The changeset.
    pub node: Node,
    /// What is wrong.
    pub problem: HistoryProblem,
    /// How many changesets of the run descend from it.
    pub descendants: usize,
}

/// What is wrong with a changeset.
#[derive(Debug)]
pub enum HistoryProblem {
    /// It, or its manifest, is damaged.
    Damaged(RevlogError),
    /// It names a manifest that is not there.
    NoManifest(Node),
}

impl fmt::Display for BrokenChangeset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "changeset {}", self.node.short())?;
        match self.descendants {
            0 => {}
            1 => write!(f, " and 1 descendant")?,
            n => write!(f, " and {n} descendants")?,
        }
        match &self.problem {
            HistoryProblem::Damaged(error) => write!(f, ": {}", one_line(error)),
            HistoryProblem::NoManifest(manifest) => {
                write!(f, ": find manifest {manifest}: the source has no such manifest")
            }
        }
    }
}

impl HistoryProblem {
    fn fault(&self) -> Fault {
        match self {
            Self::Damaged(error) => error.fault(),
            Self::NoManifest(_) => Fault::Corrupt,
        }
    }
}

/// Things that are broken: the first ones, and how many there are.
#[derive(Clone, Debug)]
pub struct Broken<T> {
    /// The first of them.
    pub first: Vec<T>,
    /// How many there are.
    pub count: usize,
}

impl<T> Default for Broken<T> {
    fn default() -> Self {
        Self { first: Vec::new(), count: 0 }
    }
}

impl<T> Broken<T> {
    /// Adds one that comes after all those that are there.
    pub(super) fn push(&mut self, broken: T) {
        self.count += 1;
        if self.first.len() < MAX_TOLD {
            self.first.push(broken);
        }
    }
}

impl<T> Broken<T> {
    /// Adds those of a later slice.
    pub fn append(&mut self, later: Self) {
        self.count += later.count;
        let room = MAX_TOLD.saturating_sub(self.first.len());
        self.first.extend(later.first.into_iter().take(room));
    }
}

impl<T: fmt::Display> fmt::Display for Broken<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, broken) in self.first.iter().enumerate() {
            write!(f, "{}{broken}", if number == 0 { "" } else { "\n     " })?;
        }
        match self.count - self.first.len() {
            0 => Ok(()),
            more => write!(f, "\n     and {more} more"),
        }
    }
}

impl Broken<BrokenFile> {
    /// What a person can do about it.
    pub(super) fn hint(&self) -> String {
        let hint = self.first.iter().find_map(|file| match &file.problem {
            FileProblem::Damaged(damage) => damage.hint.clone(),
            FileProblem::Missing | FileProblem::Kept => None,
        });
        match (hint, self.fault()) {
            // Nothing is lost: there is nothing to put back.
            (Some(hint), Fault::Unsupported) => format!("{hint}; or {SKIP}"),
            (hint, _) => format!(
                "{}. Put the files back from a clone or a backup, or {SKIP}",
                hint.as_deref().unwrap_or(HINT)
            ),
        }
    }

    /// Damage counts more than what we only do not read.
    pub(super) fn fault(&self) -> Fault {
        worst(self.first.iter().map(|file| file.problem.fault()))
    }
}

fn worst(faults: impl Iterator<Item = Fault>) -> Fault {
    faults.reduce(|a, b| if b == Fault::Corrupt { b } else { a }).unwrap_or(Fault::Corrupt)
}

/// The broken files of a run while it goes on: the first ones by path, and how many there are. A
/// repository may have millions.
#[derive(Debug, Default)]
pub(super) struct BrokenNumbers {
    /// What is wrong with each, by its path and its number in the plan.
    pub(super) first: BTreeMap<(RepoPathBuf, u32), FileProblem>,
    pub(super) count: usize,
}

impl BrokenNumbers {
    /// Adds the file with this number in the plan.
    pub(super) fn add(&mut self, path: &RepoPath, number: u32, problem: FileProblem) {
        self.count += 1;
        self.keep((path.to_owned(), number), problem);
    }

    /// Adds all that are in another one.
    pub(super) fn extend(&mut self, other: Self) {
        self.count += other.count;
        for (key, problem) in other.first {
            self.keep(key, problem);
        }
    }

    fn keep(&mut self, key: (RepoPathBuf, u32), problem: FileProblem) {
        self.first.insert(key, problem);
        if self.first.len() > MAX_TOLD {
            self.first.pop_last();
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Broken<BrokenChangeset> {
    /// What a person can do about them.
    pub(super) fn hint(&self) -> String {
        let hint = self.first.iter().find_map(|changeset| match &changeset.problem {
            HistoryProblem::Damaged(error) if error.fault() == Fault::Unsupported => error.hint(),
            HistoryProblem::Damaged(_) | HistoryProblem::NoManifest(_) => None,
        });
        match (hint, self.fault()) {
            (Some(hint), Fault::Unsupported) => format!("{hint}; {NO_SKIP}"),
            _ => format!("{HINT}. Put the store back from a clone or a backup: {NO_SKIP}"),
        }
    }

    /// Damage counts more than what we only do not read.
    pub(super) fn fault(&self) -> Fault {
        worst(self.first.iter().map(|broken| broken.problem.fault()))
    }
}
