//! What a repository shows to others: the served changesets.
//!
//! Served is what a stock clone would get, and from a repository that does not publish only what
//! is public. A changeset that is obsolete and yet visible is served as well, but is no head of its
//! branch. Source: `hg help phases`, and what `hg clone` gets from random repositories
//! (`fixtures/store/views.json`).

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::PathBuf;

use bstr::BString;

use crate::base::text::named;
use crate::base::{Limits, faults};
use crate::hg::{Dag, Node, Rev, RevSet, SavedHistory};

use super::Lookup;
use super::bookmarks::{self, Bookmarks};
use super::dirstate::{DirstateError, parse_parents};
use super::files::{Note, ReadError, read_bounded};
use super::hgrc::{self, HgrcError};
use super::layout::Layout;
use super::local_tags::tagged_nodes;
use super::obsolete::{Marker, ObsstoreError, hidden_revs, obsolete_revs, parse_markers};
use super::phases::{Phase, PhaseRoots, PhaseRootsError, Phases};

/// What a repository serves could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// A file could not be read.
    #[error("find the changesets that are served")]
    Read {
        /// Which, and why.
        #[from]
        source: ReadError,
    },
    /// The phase roots are damaged.
    #[error("find the changesets that are served, from {}", file.display())]
    PhaseRoots {
        /// The file.
        file: PathBuf,
        /// How.
        #[source]
        source: PhaseRootsError,
    },
    /// The obsolescence markers are damaged.
    #[error("find the changesets that are served, from {}", file.display())]
    Obsstore {
        /// The file.
        file: PathBuf,
        /// How.
        #[source]
        source: ObsstoreError,
    },
    /// The state of the working directory is damaged.
    #[error("find the changesets that are served, from {}", file.display())]
    Dirstate {
        /// The file.
        file: PathBuf,
        /// How.
        #[source]
        source: DirstateError,
    },
    /// The configuration of the repository is not understood.
    #[error("find the changesets that are served")]
    Hgrc {
        /// Which file, and why.
        #[from]
        source: HgrcError,
    },
}

faults!(ViewError {
    Self::Read { source } => of(source),
    Self::PhaseRoots { source, .. } => of(source),
    Self::Obsstore { source, .. } => of(source),
    Self::Dirstate { source, .. } => of(source),
    Self::Hgrc { source } => of(source),
});

/// Which phases others get to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServedPhases {
    /// Those that the repository shows them: what is public, and what is draft if it publishes.
    #[default]
    Shown,
    /// What is draft too, whether it publishes or not.
    Draft,
}

impl ServedPhases {
    /// Every choice with its name, the default first.
    pub const ALL: [(&str, Self); 2] = [("public", Self::Shown), ("draft", Self::Draft)];

    /// The choice of this name.
    pub fn named(name: &str) -> Option<Self> {
        named(&Self::ALL, name)
    }
}

/// Which of its changesets a repository is taken to serve.
#[derive(Clone, Copy, Debug, Default)]
pub struct Serving<'s> {
    /// Which phases.
    pub phases: ServedPhases,
    /// What the repository shows that this one is a copy of.
    pub shown: Option<&'s Shown>,
    /// What was saved of its history.
    pub saved: Option<&'s SavedHistory>,
}

/// What the source of a copy shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Its heads, the newest first. What is not below them is not served there any more, and so not
    /// by the copy, and all that is below them is, whatever the copy itself would hide; and their
    /// order is that of revisions there.
    pub heads: Vec<Node>,
    /// The heads of its named branches, none of which is obsolete; `None` if it does not say.
    pub branch_heads: Option<Vec<Node>>,
}

/// What the small files of a repository say that decides what it serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewFacts {
    /// Where phases begin.
    pub phase_roots: PhaseRoots,
    /// What was rewritten.
    pub markers: Vec<Marker>,
    /// The bookmarks, which keep their changesets visible.
    pub bookmarks: Bookmarks,
    /// Further changesets that stay visible: the working directory's parents, local tags.
    pub pinned: Vec<Node>,
    /// Whether the repository publishes what it serves.
    pub publishes: bool,
    /// What was odd in the files and passed over.
    pub notes: Vec<Note>,
}

impl ViewFacts {
    /// Reads the small files of the repository at `layout`.
    pub fn read(layout: &Layout, limits: &Limits) -> Result<Self, ViewError> {
        let read = |file: &PathBuf| read_bounded(file, limits.metadata_bytes);
        let (publishes, mut notes) = hgrc::publishes(&layout.config_files(), limits)?;
        let file = layout.phaseroots_file();
        let phase_roots = PhaseRoots::parse(&read(&file)?.unwrap_or_default())
            .map_err(|source| ViewError::PhaseRoots { file, source })?;
        let file = layout.obsstore_file();
        let markers = parse_markers(&read(&file)?.unwrap_or_default())
            .map_err(|source| ViewError::Obsstore { file, source })?;
        let file = layout.dirstate_file();
        let mut pinned = parse_parents(read(&file)?.as_deref())
            .map_err(|source| ViewError::Dirstate { file, source })?;
        let text = read(&layout.local_tags_file())?.unwrap_or_default();
        let (tagged, more) = tagged_nodes(&text);
        pinned.extend(tagged);
        notes.extend(more);
        let text = read(&layout.bookmarks_file())?.unwrap_or_default();
        let (bookmarks, more) = bookmarks::parse(&text);
        notes.extend(more);
        Ok(Self { phase_roots, markers, bookmarks, pinned, publishes, notes })
    }
}

/// The changesets that a repository serves, and what else is known about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedView {
    served: RevSet,
    heads: Vec<Rev>,
    obsolete: RevSet,
    branch_heads: Option<Vec<Rev>>,
    phases: Phases,
    bookmarks: Vec<(BString, Rev)>,
    dangling_bookmarks: Vec<(BString, Node)>,
    publishes: bool,
    notes: Vec<Note>,
}

impl ServedView {
    /// Reads what the repository at `layout` with the history `dag` serves.
    ///
    /// `dag` must have been read before this is called. Mercurial puts new phase roots in place
    /// before the changesets that they are about: read the other way round, a secret changeset
    /// that is being committed would have no root yet and pass for public.
    pub fn read(
        layout: &Layout,
        limits: &Limits,
        dag: &Dag,
        lookup: &Lookup<'_>,
        serving: Serving<'_>,
    ) -> Result<Self, ViewError> {
        let mut facts = ViewFacts::read(layout, limits)?;
        // What a publishing repository serves is all that is neither secret nor hidden.
        facts.publishes |= serving.phases == ServedPhases::Draft;
        Ok(Self::compute(facts, dag, lookup, serving.shown))
    }

    /// Computes what is served from what the small files say.
    ///
    /// A publishing repository serves what is neither hidden nor at least secret; another one only
    /// what is public; a copy what is below the heads that are `shown` where it comes from.
    pub fn compute(
        facts: ViewFacts,
        dag: &Dag,
        lookup: &Lookup<'_>,
        shown: Option<&Shown>,
    ) -> Self {
        let ViewFacts { phase_roots, markers, bookmarks, pinned, publishes, mut notes } = facts;
        let (phases, more) = phase_roots.over(dag, lookup);
        notes.extend(more);
        let obsolete = obsolete_revs(&markers, dag, &phases, lookup);
        let revs = |nodes: &[Node]| nodes.iter().filter_map(|node| lookup(*node)).collect();
        let below: Option<Vec<Rev>> = shown.map(|shown| revs(&shown.heads));
        let branch_heads = shown.and_then(|shown| shown.branch_heads.as_deref()).map(revs);
        let highest = if publishes { Phase::Draft } else { Phase::Public };
        let mut served = if let Some(below) = &below {
            // What the source hides is not below its heads. What keeps a changeset visible there,
            // such as a working copy, is not here.
            RevSet::below(dag, below.iter().copied())
        } else {
            let pinned = bookmarks.values().chain(&pinned);
            visible_revs(dag, &phases, &obsolete, pinned, lookup)
        };
        for rev in phases.above(highest) {
            served.remove(rev);
        }
        let mut on_served = Vec::new();
        let mut dangling_bookmarks = Vec::new();
        for (name, node) in bookmarks {
            match lookup(node) {
                Some(rev) if served.contains(rev) => on_served.push((name, rev)),
                Some(_) => {}
                None => dangling_bookmarks.push((name, node)),
            }
        }
        let mut heads = served.heads(dag);
        if let Some(below) = below {
            let places: HashMap<_, _> = below.into_iter().zip(0_usize..).collect();
            // What is no head there is older than all that are.
            heads.sort_by_key(|rev| Reverse(places.get(rev).copied().unwrap_or(usize::MAX)));
        }
        let bookmarks = on_served;
        Self {
            served,
            heads,
            obsolete,
            branch_heads,
            phases,
            bookmarks,
            dangling_bookmarks,
            publishes,
            notes,
        }
    }

    /// The served revisions; with each its ancestors.
    pub fn served(&self) -> &RevSet {
        &self.served
    }

    /// The served revisions without served children, the newest last: in ascending order, or, of a
    /// copy, in that of the repository that it is a copy of.
    pub fn heads(&self) -> &[Rev] {
        &self.heads
    }

    /// The revisions that a marker of the repository itself says are obsolete, served or not.
    pub fn obsolete(&self) -> &RevSet {
        &self.obsolete
    }

    /// The heads of the named branches, as the repository says that this one is a copy of; `None` if
    /// it does not, or this one is no copy.
    pub fn branch_heads(&self) -> Option<&[Rev]> {
        self.branch_heads.as_deref()
    }

    /// The newest served revision; `None` if nothing is served.
    pub fn tip(&self) -> Option<Rev> {
        self.heads.last().copied()
    }

    /// The phases of all revisions, served or not.
    pub fn phases(&self) -> &Phases {
        &self.phases
    }

    /// The bookmarks on served changesets, in the order of their names.
    pub fn bookmarks(&self) -> &[(BString, Rev)] {
        &self.bookmarks
    }

    /// Bookmarks on changesets that are not in the history, in the order of their names: left
    /// behind by a strip, or moved to a changeset that was added after the history was read.
    pub fn dangling_bookmarks(&self) -> &[(BString, Node)] {
        &self.dangling_bookmarks
    }

    /// Whether the repository publishes.
    pub fn publishes(&self) -> bool {
        self.publishes
    }

    /// What was odd in the repository's small files and passed over.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}

/// The revisions that are not hidden.
fn visible_revs<'a>(
    dag: &Dag,
    phases: &Phases,
    obsolete: &RevSet,
    pinned: impl Iterator<Item = &'a Node>,
    lookup: &Lookup<'_>,
) -> RevSet {
    let mut pins = RevSet::empty(dag.len());
    for rev in pinned.filter_map(|node| lookup(*node)) {
        pins.insert(rev);
    }
    let mut visible = RevSet::full(dag.len());
    for rev in hidden_revs(dag, phases, obsolete, &pins).iter() {
        visible.remove(rev);
    }
    visible
}

#[cfg(test)]
mod tests;
