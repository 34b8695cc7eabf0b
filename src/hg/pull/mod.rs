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
mod local;
mod local_revisions;
mod phases;
mod remote;
mod server;

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::base::{Interrupt, Limits, Progress};
use crate::hg::peer::{PeerOptions, SourceUrl};
use crate::hg::store::bookmarks::Bookmarks;
use crate::hg::store::view::ViewFacts;
use crate::hg::write::Writer;
use crate::hg::{Changelog, Node, RevSet};
use content::{After, unbundle};
use phases::Told;

pub use copy::Copy;
pub use error::PullError;

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
        options: Box<PeerOptions>,
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
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
    pub notes: Vec<String>,
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
        Source::Server { url, options } => remote::pull(url, options, copy, &run),
        Source::Path(path) if path.is_file() => from_bundle(path, copy, &run),
        Source::Path(path) => local::pull(path, copy, &run),
    }
}

fn from_bundle(path: &Path, copy: &Copy, run: &Run<'_>) -> Result<Pulled, PullError> {
    let is_new = !copy.exists();
    let file = File::open(path);
    let file = file.map_err(|source| PullError::File { path: path.to_owned(), source })?;
    let found = unbundle(file, After::Nothing, copy, run)?;
    // What nobody told of is draft.
    let told = found.phases.or(is_new.then(|| Told::Heads(Vec::new())));
    let names = Names {
        bookmarks: found.bookmarks.map(|list| list.into_iter().collect()),
        phases: told,
        publishes: None,
        heads: None,
    };
    names.keep(copy, run)?;
    copy.set_heads(None)?;
    Ok(Pulled { changesets: found.changesets, ..Pulled::default() })
}

/// What a source says of its changesets.
#[derive(Debug, Default)]
struct Names<'n> {
    /// Its bookmarks; `None` to keep those that are there.
    bookmarks: Option<Bookmarks>,
    /// Its phases; `None` to keep those that are there.
    phases: Option<Told>,
    /// Whether it publishes; `None` to keep what is there.
    publishes: Option<bool>,
    /// The heads below which the phases hold; all if there are none.
    heads: Option<&'n [Node]>,
}

impl Names<'_> {
    /// Writes what differs from what the copy says.
    fn keep(self, copy: &Copy, run: &Run<'_>) -> Result<(), PullError> {
        let repository = copy.repository()?;
        let facts = ViewFacts::read(repository.layout(), run.limits)?;
        let roots = self.phases.map(|told| {
            let changelog = repository.changelog();
            let there = below(changelog, self.heads);
            let before = |rev| repository.view().phases().of(rev);
            phases::roots(&told, &there, before, changelog)
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

/// The changesets below `heads`; all if there are no heads to be below of.
fn below(changelog: &Changelog, heads: Option<&[Node]>) -> RevSet {
    let dag = changelog.dag();
    let Some(heads) = heads else { return RevSet::full(dag.len()) };
    let mut below = RevSet::empty(dag.len());
    for rev in heads.iter().filter_map(|head| changelog.rev(*head)) {
        below.insert(rev);
    }
    below.extend_to_ancestors(dag);
    below
}
