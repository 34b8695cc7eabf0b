//! Brings a copy of a repository up to date with its source: a server, a bundle file, or a
//! repository of this machine.
//!
//! The only one that knows the others: what [`crate::hg::peer`] brings and [`crate::hg::wire`] and
//! [`crate::hg::bundle`] understand, [`crate::hg::write`] adds to the copy. A pull that fails leaves
//! the copy as it was, or further than it was, never in between.

mod content;
mod copy;
mod discovery;
mod error;
mod handed;
mod local;
mod local_revisions;
mod look;
mod phases;
mod remote;
mod server;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::base::{Cause, Interrupt, Limits, Progress};
use crate::hg::bundle::BundleError;
use crate::hg::store::bookmarks::Bookmarks;
use crate::hg::store::view::ViewFacts;
use crate::hg::write::{WriteError, Writer, Wrong};
use crate::hg::{Changelog, Node, RevSet, Shown};
use crate::net::{Access, SourceUrl};
use content::{After, unbundle};
use phases::Told;

pub use copy::Copy;
pub use error::PullError;
pub use handed::{HandedCopy, StoreFile};
pub use look::look;

/// Where a history comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A repository of this machine, or a bundle file.
    Path(PathBuf),
    /// A server.
    Server {
        /// Its address.
        url: SourceUrl,
        /// How it is reached.
        access: Box<Access>,
    },
}

impl Source {
    /// Where the repository is, if it is one of this machine that can be read in place.
    pub fn in_place(&self) -> Option<&Path> {
        match self {
            Self::Path(path) if !path.is_file() => Some(path),
            Self::Path(_) | Self::Server { .. } => None,
        }
    }

    /// The host of its server; empty if it is on this machine.
    pub fn host(&self) -> &str {
        match self {
            Self::Path(_) => "",
            Self::Server { url, .. } => &url.host,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Server { url, .. } => url.fmt(f),
        }
    }
}

/// What a pull did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// How many changesets were added to the copy.
    pub changesets: u64,
    /// How many changesets of the copy the source does not have now, or does not show.
    pub gone: u64,
    /// What else is worth knowing.
    pub notes: Vec<PullNote>,
}

/// What is worth knowing of a pull that went well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PullNote {
    /// The files of the source could not be copied as they are, and everything was fetched as
    /// changesets.
    FilesNotCopied {
        /// Why.
        cause: Cause,
    },
    /// A bundle that the source names for clones could not be used, and what it holds was fetched
    /// from the source itself.
    BundleNotUsed {
        /// Where the bundle is.
        url: String,
        /// Why.
        cause: Cause,
    },
}

impl fmt::Display for PullNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FilesNotCopied { cause } => write!(
                f,
                "the files of the source could not be copied as they are, so its changesets were \
                 fetched instead: {cause}"
            ),
            Self::BundleNotUsed { url, cause } => write!(
                f,
                "the clone bundle {url} could not be used, so its changesets were fetched from the \
                 source: {cause}"
            ),
        }
    }
}

/// What all steps of a pull need.
#[derive(Clone, Copy)]
pub(super) struct Run<'r> {
    pub limits: &'r Limits,
    pub progress: &'r dyn Progress,
    pub interrupt: &'r Interrupt,
}

/// Brings `copy` up to date with `source`; makes it if it is not there.
pub fn pull(
    source: &Source,
    copy: &Copy,
    limits: &Limits,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<Pulled, PullError> {
    let run = Run { limits, progress, interrupt };
    match source {
        Source::Server { url, access } => {
            remote::pull(url, access, copy, &run).map_err(|error| match error {
                PullError::Bundle(
                    error @ (BundleError::Damaged { .. } | BundleError::Part { .. }),
                ) => PullError::BrokenOff(error),
                error => error,
            })
        }
        Source::Path(path) if path.is_file() => from_bundle(path, copy, &run),
        Source::Path(path) => local::pull(path, copy, &run),
    }
}

fn from_bundle(path: &Path, copy: &Copy, run: &Run<'_>) -> Result<Pulled, PullError> {
    let is_new = !copy.exists();
    let file = File::open(path);
    let file = file.map_err(|source| PullError::File { path: path.to_owned(), source })?;
    let found = unbundle(file, After::Nothing, copy, run).map_err(|error| match error {
        PullError::Write(WriteError::Revision {
            ref file, problem: Wrong::Parent(parent), ..
        }) if file == "00changelog" => PullError::GoesOn { path: path.to_owned(), parent },
        error => error,
    })?;
    if !copy.exists() {
        return Err(PullError::NoChangesets { path: path.to_owned() });
    }
    // What nobody told of is draft.
    let told = found.phases.or(is_new.then(|| Told::Heads(Vec::new())));
    let changelog = copy.changelog()?;
    let names = Names {
        bookmarks: found.bookmarks.map(|list| list.into_iter().collect()),
        phases: told.map(|told| (told, RevSet::full(changelog.dag().len()))),
        publishes: None,
    };
    names.keep(copy, &changelog, run)?;
    copy.set_shown(None)?;
    Ok(Pulled { changesets: found.changesets, ..Pulled::default() })
}

/// What a repository shows at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    /// Its heads and those of its branches.
    shown: Shown,
    /// Its bookmarks.
    bookmarks: Bookmarks,
    /// Whether all that it serves is public for whoever gets it.
    publishes: bool,
    /// The roots of its drafts.
    draft_roots: Vec<Node>,
}

impl State {
    /// The changesets that it names as shown.
    fn nodes(&self) -> impl Iterator<Item = Node> + '_ {
        let Shown { heads, branch_heads } = &self.shown;
        heads.iter().chain(self.bookmarks.values()).chain(branch_heads.iter().flatten()).copied()
    }

    /// Makes `copy`, which has all that is shown and whose changelog is `changelog`, say the same.
    /// Says how many changesets of the copy are not shown.
    fn keep(self, copy: &Copy, changelog: &Changelog, run: &Run<'_>) -> Result<u64, PullError> {
        let dag = changelog.dag();
        let there =
            RevSet::below(dag, self.shown.heads.iter().filter_map(|head| changelog.rev(*head)));
        let gone = dag.len().saturating_sub(there.count());
        let names = Names {
            bookmarks: Some(self.bookmarks),
            phases: Some((Told::DraftRoots(self.draft_roots), there)),
            publishes: Some(self.publishes),
        };
        names.keep(copy, changelog, run)?;
        copy.set_shown(Some(&self.shown))?;
        Ok(gone as u64)
    }
}

/// What a source says of its changesets.
#[derive(Debug, Default)]
struct Names {
    /// Its bookmarks; `None` to keep those that are there.
    bookmarks: Option<Bookmarks>,
    /// Its phases, and of which changesets; `None` to keep those that are there.
    phases: Option<(Told, RevSet)>,
    /// Whether it publishes; `None` to keep the phases as they are.
    publishes: Option<bool>,
}

impl Names {
    /// Writes what differs from what the copy says.
    fn keep(self, copy: &Copy, changelog: &Changelog, run: &Run<'_>) -> Result<(), PullError> {
        let facts = ViewFacts::read(&copy.layout()?, run.limits)?;
        let roots = self.phases.map(|(told, there)| {
            let lookup = |node| changelog.rev(node);
            let (before, _) = facts.phase_roots.over(changelog.dag(), &lookup);
            phases::roots(&told, &there, |rev| before.of(rev), changelog)
        });
        let roots = roots.filter(|roots| !facts.phase_roots.is(roots));
        let bookmarks = self.bookmarks.filter(|bookmarks| *bookmarks != facts.bookmarks);
        let publishes = self.publishes.filter(|publishes| *publishes != facts.publishes);
        if roots.is_none() && bookmarks.is_none() && publishes.is_none() {
            return Ok(());
        }
        let mut writer = Writer::open(copy.root(), run.limits)?;
        if let Some(roots) = roots {
            writer.set_phase_roots(&roots);
        }
        if let Some(bookmarks) = bookmarks {
            writer.set_bookmarks(&bookmarks);
        }
        if let Some(publishes) = publishes {
            writer.set_publishing(publishes);
        }
        Ok(writer.commit()?)
    }
}
