use std::collections::HashMap;

use bstr::ByteSlice;
use proptest::prelude::*;

use super::super::testing::{dag, node, rev, unhex};
use super::*;
use crate::base::{Fault, HasFault as _};
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

fn hex(text: Option<&String>) -> Option<Vec<u8>> {
    text.map(|text| unhex(text))
}

/// Writes the files of `case` as a repository of the default format has them.
fn write(case: &Case, root: &std::path::Path) -> Layout {
    let dot_hg = root.join(".hg");
    std::fs::create_dir_all(dot_hg.join("store")).unwrap();
    for (name, contents) in [
        ("requires", Some(b"store\nfncache\ndotencode\nrevlogv1\n".to_vec())),
        ("store/phaseroots", hex(case.phaseroots.as_ref())),
        ("store/obsstore", hex(case.obsstore.as_ref())),
        ("bookmarks", hex(case.bookmarks.as_ref())),
        ("dirstate", hex(case.dirstate.as_ref())),
        ("localtags", hex(case.localtags.as_ref())),
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
    let obsolete = obsolete_revs(&facts.markers, &dag, &phases, &lookup);
    let visible = visible_revs(&dag, &phases, &obsolete, pinned, &lookup);
    assert_eq!(numbers(&visible), case.visible, "visible, {name}");
    let view =
        ServedView::read(&layout, &Limits::default(), &dag, &lookup, Serving::default()).unwrap();
    assert_eq!(numbers(view.served()), case.served, "served, {name}");
    assert_eq!(view.tip().map(Rev::number), case.served.last().copied(), "tip, {name}");
    let of = |rev: Rev| &case.revs[rev.index()];
    let branches = branches(
        &dag,
        // The clone has no markers.
        (view.served(), &RevSet::empty(dag.len())),
        |rev| (of(rev).branch.as_bytes().as_bstr(), rev.number() + 1),
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
    let view =
        ServedView::read(&layout, &Limits::default(), &dag, &lookup, Serving::default()).unwrap();
    let public = dag.revs().filter(|rev| phases.of(*rev) == Phase::Public);
    assert!(!view.publishes());
    assert!(view.served().iter().eq(public), "public, {name}");
}

#[test]
fn served_is_what_a_clone_gets() {
    let text = include_str!("../../../../fixtures/store/views.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    for (i, case) in cases.iter().enumerate() {
        check(case, &format!("case {i}"));
    }
    let hiding = cases.iter().filter(|case| case.visible.len() < case.revs.len()).count();
    assert!(hiding >= 30, "only {hiding} cases hide anything");
}

#[test]
fn bookmarks_are_those_on_served_changesets() {
    let dag = dag([[1, 0]; 3]);
    let lookup = |n: Node| (0..3).find(|i| node(*i) == n).map(rev);
    let facts = ViewFacts {
        phase_roots: PhaseRoots::parse(format!("2 {}\n", node(2)).as_bytes()).unwrap(),
        bookmarks: [("secret", 2), ("public", 1), ("gone", 9)]
            .map(|(name, i)| (name.into(), node(i)))
            .into(),
        publishes: true,
        ..ViewFacts::default()
    };
    let view = ServedView::compute(facts, &dag, &lookup, None);
    assert_eq!(view.bookmarks(), [("public".into(), Rev::new(1))]);
    assert_eq!(view.heads(), [Rev::new(1)]);
    assert_eq!(view.dangling_bookmarks(), [("gone".into(), node(9))]);
}

#[test]
fn a_copy_serves_what_is_served_where_it_comes_from() {
    // r0 with the children r1, r2 and r3; r4 on r3.
    let dag = dag([[0, 0], [1, 0], [2, 0], [3, 0], [1, 0]]);
    let lookup = |n: Node| (0..5).find(|i| node(*i) == n).map(rev);
    let facts = || ViewFacts {
        bookmarks: [("gone", 4), ("here", 2)].map(|(name, i)| (name.into(), node(i))).into(),
        publishes: true,
        ..ViewFacts::default()
    };
    // The newest there is r1, r2 is older, r3 and r4 are stripped, and one we have never seen.
    let shown = Shown { heads: vec![node(1), node(2), node(9)], branch_heads: None };
    let view = ServedView::compute(facts(), &dag, &lookup, Some(&shown));
    assert_eq!(view.served().iter().collect::<Vec<_>>(), [rev(0), rev(1), rev(2)]);
    assert_eq!((view.heads(), view.tip()), (&[rev(2), rev(1)][..], Some(rev(1))));
    assert_eq!(view.bookmarks(), [("here".into(), rev(2))]);
    let nothing = ServedView::compute(facts(), &dag, &lookup, Some(&Shown::default()));
    assert_eq!((nothing.served().count(), nothing.tip()), (0, None));
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
        let dag = dag(history.iter().copied());
        let lookup = |n: Node| (0..history.len()).find(|i| node(*i) == n).map(rev);
        let text = roots.iter().fold(String::new(), |text, (at, phase)| {
            format!("{text}{} {}\n", [0, 1, 2, 32, 96][*phase], node(*at))
        });
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
        let view = ServedView::compute(facts, &dag, &lookup, None);
        for rev in view.served().iter() {
            for parent in dag.parents(rev) {
                prop_assert!(view.served().contains(parent), "{rev} without {parent}");
            }
        }
    }
}
