//! What a repository shows to others: the served changesets.
//!
//! Served is what a stock clone would get, and from a repository that does not publish only what
//! is public. Source: `hg help phases`, and what `hg clone` gets from random repositories
//! (`fixtures/store/views.json`).

use std::path::PathBuf;

use crate::base::{Fault, HasFault, Limits};
use crate::hg::{Dag, Node, Rev, RevSet};

use super::Lookup;
use super::bookmarks::{self, Bookmarks};
use super::dirstate::{DirstateError, parse_parents};
use super::files::{Note, Notes, ReadError, read_bounded};
use super::hgrc::{self, HgrcError};
use super::layout::Layout;
use super::local_tags::tagged_nodes;
use super::obsolete::{Marker, ObsstoreError, hidden_revs, obsolete_revs, parse_markers};
use super::phases::{Phase, PhaseRoots, PhaseRootsError, Phases};

/// What a repository serves could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// A file could not be read.
    #[error("find what is served")]
    Read {
        /// Which, and why.
        #[from]
        source: ReadError,
    },
    /// The phase roots are damaged.
    #[error("find what is served from {}", file.display())]
    PhaseRoots {
        /// The file.
        file: PathBuf,
        /// How.
        #[source]
        source: PhaseRootsError,
    },
    /// The obsolescence markers are damaged.
    #[error("find what is served from {}", file.display())]
    Obsstore {
        /// The file.
        file: PathBuf,
        /// How.
        #[source]
        source: ObsstoreError,
    },
    /// The state of the working directory is damaged.
    #[error("find what is served from {}", file.display())]
    Dirstate {
        /// The file.
        file: PathBuf,
        /// How.
        #[source]
        source: DirstateError,
    },
    /// The configuration of the repository is not understood.
    #[error("find what is served")]
    Hgrc {
        /// Which file, and why.
        #[from]
        source: HgrcError,
    },
}

impl ViewError {
    fn inner(&self) -> &dyn HasFault {
        match self {
            Self::Read { source } => source,
            Self::PhaseRoots { source, .. } => source,
            Self::Obsstore { source, .. } => source,
            Self::Dirstate { source, .. } => source,
            Self::Hgrc { source } => source,
        }
    }
}

impl HasFault for ViewError {
    fn fault(&self) -> Fault {
        self.inner().fault()
    }

    fn hint(&self) -> Option<String> {
        self.inner().hint()
    }
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
    phases: Phases,
    /// Bookmarks on served changesets, in the order of their names.
    bookmarks: Vec<(bstr::BString, Rev)>,
    publishes: bool,
    notes: Vec<Note>,
}

impl ServedView {
    /// Reads what the repository at `layout` with the history `dag` serves.
    pub fn read(
        layout: &Layout,
        limits: &Limits,
        dag: &Dag,
        lookup: &Lookup<'_>,
    ) -> Result<Self, ViewError> {
        Ok(Self::compute(ViewFacts::read(layout, limits)?, dag, lookup))
    }

    /// Computes what is served from what the small files say.
    ///
    /// A publishing repository serves what is neither hidden nor at least secret; another one only
    /// what is public.
    pub fn compute(facts: ViewFacts, dag: &Dag, lookup: &Lookup<'_>) -> Self {
        let ViewFacts { phase_roots, markers, bookmarks, pinned, publishes, mut notes } = facts;
        let (phases, more) = phase_roots.over(dag, lookup);
        notes.extend(more);
        let visible =
            visible_revs(dag, &phases, &markers, bookmarks.values().chain(&pinned), lookup);
        let highest = if publishes { Phase::Draft } else { Phase::Public };
        let mut served = visible;
        for rev in dag.revs().filter(|rev| phases.of(*rev) > highest) {
            served.remove(rev);
        }
        let mut unknown = Notes::default();
        let mut on_served = Vec::new();
        for (name, node) in bookmarks {
            match lookup(node) {
                Some(rev) if served.contains(rev) => on_served.push((name, rev)),
                Some(_) => {}
                None => unknown.unknown("bookmarks", node),
            }
        }
        notes.extend(unknown.finish());
        let heads = topological_heads(dag, &served);
        Self { served, heads, phases, bookmarks: on_served, publishes, notes }
    }

    /// The served revisions; with each its ancestors.
    pub fn served(&self) -> &RevSet {
        &self.served
    }

    /// The served revisions without served children, in ascending order.
    pub fn heads(&self) -> &[Rev] {
        &self.heads
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
    pub fn bookmarks(&self) -> &[(bstr::BString, Rev)] {
        &self.bookmarks
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
    markers: &[Marker],
    pinned: impl Iterator<Item = &'a Node>,
    lookup: &Lookup<'_>,
) -> RevSet {
    let mut pins = RevSet::empty(dag.len());
    for rev in pinned.filter_map(|node| lookup(*node)) {
        pins.insert(rev);
    }
    let obsolete = obsolete_revs(markers, dag, phases, lookup);
    let mut visible = RevSet::full(dag.len());
    for rev in hidden_revs(dag, phases, &obsolete, &pins).iter() {
        visible.remove(rev);
    }
    visible
}

/// The members of `revs` without a child among them, in ascending order.
fn topological_heads(dag: &Dag, revs: &RevSet) -> Vec<Rev> {
    let mut heads = revs.clone();
    for parent in revs.iter().flat_map(|rev| dag.parents(rev)) {
        heads.remove(parent);
    }
    heads.iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bstr::ByteSlice;
    use proptest::prelude::*;

    use super::*;
    use crate::hg::store::branches::branches;

    #[derive(serde::Deserialize)]
    struct Case {
        revs: Vec<CaseRev>,
        phaseroots: Option<String>,
        obsstore: Option<String>,
        bookmarks: Option<String>,
        dirstate: Option<String>,
        localtags: Option<String>,
        visible: Vec<u32>,
        served: Vec<u32>,
        heads: Vec<(u32, String, bool)>,
        shown_heads: Vec<u32>,
    }

    #[derive(serde::Deserialize)]
    struct CaseRev {
        parents: Vec<u32>,
        branch: String,
        closes: bool,
        node: String,
    }

    fn unhex(text: Option<&String>) -> Option<Vec<u8>> {
        let digits: Vec<u8> = text?.chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
        Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
    }

    /// Writes the files of `case` as a repository of the default format has them.
    fn write(case: &Case, root: &std::path::Path) -> Layout {
        let dot_hg = root.join(".hg");
        std::fs::create_dir_all(dot_hg.join("store")).unwrap();
        for (name, contents) in [
            ("requires", Some(b"store\nfncache\ndotencode\nrevlogv1\n".to_vec())),
            ("store/phaseroots", unhex(case.phaseroots.as_ref())),
            ("store/obsstore", unhex(case.obsstore.as_ref())),
            ("bookmarks", unhex(case.bookmarks.as_ref())),
            ("dirstate", unhex(case.dirstate.as_ref())),
            ("localtags", unhex(case.localtags.as_ref())),
        ] {
            if let Some(contents) = contents {
                std::fs::write(dot_hg.join(name), contents).unwrap();
            }
        }
        Layout::open(root, &Limits::default()).unwrap()
    }

    fn numbers(revs: &RevSet) -> Vec<u32> {
        revs.iter().map(Rev::number).collect()
    }

    /// The history of `case`, and where its nodes are.
    fn history(case: &Case) -> (Dag, HashMap<Node, Rev>) {
        let (mut dag, mut at) = (Dag::new(), HashMap::new());
        for rev in &case.revs {
            let parent = |i: usize| rev.parents.get(i).copied().map(Rev::new);
            let number = dag.push([parent(0), parent(1)]).unwrap();
            at.insert(Node::from_hex(rev.node.as_bytes()).unwrap(), number);
        }
        (dag, at)
    }

    fn check(case: &Case, name: &str) {
        let folder = tempfile::tempdir().unwrap();
        let layout = write(case, folder.path());
        let (dag, at) = history(case);
        let lookup = |node: Node| at.get(&node).copied();
        let facts = ViewFacts::read(&layout, &Limits::default()).unwrap();
        let (phases, _) = facts.phase_roots.over(&dag, &lookup);
        let pinned = facts.bookmarks.values().chain(&facts.pinned);
        let visible = visible_revs(&dag, &phases, &facts.markers, pinned, &lookup);
        assert_eq!(numbers(&visible), case.visible, "visible, {name}");
        let view = ServedView::read(&layout, &Limits::default(), &dag, &lookup).unwrap();
        assert_eq!(numbers(view.served()), case.served, "served, {name}");
        assert_eq!(view.tip().map(Rev::number), case.served.last().copied(), "tip, {name}");
        let of = |rev: Rev| &case.revs[rev.index()];
        let branches = branches(
            &dag,
            view.served(),
            |rev| of(rev).branch.as_bytes().as_bstr(),
            |rev| of(rev).closes,
        );
        let mut heads: Vec<(u32, String, bool)> = branches
            .into_iter()
            .flat_map(|(name, branch)| {
                branch
                    .heads
                    .into_iter()
                    .map(move |head| (head.rev.number(), name.to_string(), head.closed))
            })
            .collect();
        heads.sort_unstable();
        assert_eq!(heads, case.heads, "heads, {name}");
        let revs: Vec<u32> = heads.iter().map(|head| head.0).collect();
        assert_eq!(revs, case.shown_heads, "heads as shown, {name}");
        std::fs::write(layout.dot_hg().join("hgrc"), "[phases]\npublish = no\n").unwrap();
        let view = ServedView::read(&layout, &Limits::default(), &dag, &lookup).unwrap();
        let public = dag.revs().filter(|rev| phases.of(*rev) == Phase::Public);
        assert!(!view.publishes());
        assert!(view.served().iter().eq(public), "public, {name}");
    }

    #[test]
    fn served_is_what_a_clone_gets() {
        let text = include_str!("../../../fixtures/store/views.json");
        let cases: Vec<Case> = serde_json::from_str(text).unwrap();
        for (i, case) in cases.iter().enumerate() {
            check(case, &format!("case {i}"));
        }
        let hiding = cases.iter().filter(|case| case.visible.len() < case.revs.len()).count();
        assert!(hiding >= 30, "only {hiding} cases hide anything");
    }

    #[test]
    fn bookmarks_are_those_on_served_changesets() {
        let mut dag = Dag::new();
        for rev in 0..3u32 {
            dag.push([rev.checked_sub(1).map(Rev::new), None]).unwrap();
        }
        let node = |i: u8| Node::from_bytes([i; 20]);
        let lookup = |n: Node| (0..3u8).find(|i| node(i + 1) == n).map(|i| Rev::new(i.into()));
        let facts = ViewFacts {
            phase_roots: PhaseRoots::parse(format!("2 {}\n", node(3)).as_bytes()).unwrap(),
            bookmarks: [("secret", 3), ("public", 2), ("gone", 9)]
                .map(|(name, i)| (name.into(), node(i)))
                .into(),
            publishes: true,
            ..ViewFacts::default()
        };
        let view = ServedView::compute(facts, &dag, &lookup);
        assert_eq!(view.bookmarks(), [("public".into(), Rev::new(1))]);
        assert_eq!(view.heads(), [Rev::new(1)]);
        let notes: Vec<String> = view.notes().iter().map(ToString::to_string).collect();
        assert_eq!(
            notes,
            [format!("bookmarks: names changeset {}, which is not in the repository", node(9))]
        );
    }

    #[test]
    fn damage_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let dot_hg = folder.path().join(".hg");
        std::fs::create_dir_all(dot_hg.join("store")).unwrap();
        std::fs::write(dot_hg.join("requires"), "store\n").unwrap();
        let layout = Layout::open(folder.path(), &Limits::default()).unwrap();
        for (name, fault) in [
            ("store/phaseroots", Fault::Corrupt),
            ("store/obsstore", Fault::Corrupt),
            ("dirstate", Fault::Corrupt),
            ("hgrc", Fault::Config),
        ] {
            let file = dot_hg.join(name);
            std::fs::write(&file, b"\x01\x02").unwrap();
            let error = ViewFacts::read(&layout, &Limits::default()).unwrap_err();
            let source = std::error::Error::source(&error).unwrap();
            let text = format!("{error}: {source}");
            assert!(text.contains(file.to_str().unwrap()), "{text}");
            assert_eq!(error.fault(), fault, "{text}");
            std::fs::remove_file(&file).unwrap();
        }
        let small = Limits { metadata_bytes: 3, ..Limits::default() };
        std::fs::write(dot_hg.join("bookmarks"), "1234").unwrap();
        let error = ViewFacts::read(&layout, &small).unwrap_err();
        assert_eq!(error.fault(), Fault::Unsupported);
    }

    proptest! {
        #[test]
        fn ancestors_of_what_is_served_are_served(
            history in prop::collection::vec([0usize..5, 0usize..9], 1..60),
            roots in prop::collection::vec((0usize..60, 0usize..5), 0..6),
            replaced in prop::collection::vec(0usize..60, 0..20),
            pinned in prop::collection::vec(0usize..60, 0..3),
            publishes in any::<bool>(),
        ) {
            let mut dag = Dag::new();
            for (rev, back) in history.iter().enumerate() {
                let parent = |back: usize| {
                    (back > 0).then(|| rev.checked_sub(back)).flatten().map(|p| Rev::new(p as u32))
                };
                dag.push([parent(back[0]), parent(back[1])]).unwrap();
            }
            let node = |i: usize| Node::from_bytes([i as u8 + 1; 20]);
            let lookup = |n: Node| (0..history.len()).find(|i| node(*i) == n).map(|i| Rev::new(i as u32));
            let text: String = roots
                .iter()
                .map(|(at, phase)| format!("{} {}\n", [0, 1, 2, 32, 96][*phase], node(*at)))
                .collect();
            let markers = replaced
                .iter()
                .map(|at| Marker { precursor: node(*at), successors: vec![], flags: 0 })
                .collect();
            let facts = ViewFacts {
                phase_roots: PhaseRoots::parse(text.as_bytes()).unwrap(),
                markers,
                pinned: pinned.into_iter().map(node).collect(),
                publishes,
                ..ViewFacts::default()
            };
            let view = ServedView::compute(facts, &dag, &lookup);
            for rev in view.served().iter() {
                for parent in dag.parents(rev) {
                    prop_assert!(view.served().contains(parent), "{rev} without {parent}");
                }
            }
        }
    }
}
