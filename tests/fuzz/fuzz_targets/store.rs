//! The small files of a store, one by one and all together: what a repository serves.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use synchroniser::hg::store::bookmarks::{self, is_divergent};
use synchroniser::hg::store::dirstate::parse_parents;
use synchroniser::hg::store::hgrc::publishes_by;
use synchroniser::hg::store::local_tags::tagged_nodes;
use synchroniser::hg::store::obsolete::parse_markers;
use synchroniser::hg::store::phases::PhaseRoots;
use synchroniser::hg::store::requirements::Requirements;
use synchroniser::hg::store::tags::{self, TagsFile};
use synchroniser::hg::store::view::ViewFacts;
use synchroniser::hg::store::{Phase, ServedView};
use synchroniser::hg::{Dag, Node, Rev};
use synchroniser_fuzz::{Input, told};

/// A history with branches and merges, of so many changesets.
const CHANGESETS: u32 = 16;

fn history() -> Dag {
    let mut dag = Dag::new();
    for rev in 0..CHANGESETS {
        let parent = |distance| rev.checked_sub(distance).map(Rev::new);
        let second = if rev % 5 == 4 { parent(3) } else { None };
        dag.push([parent(1 + rev % 3), second]).expect("parents come first");
    }
    dag
}

/// Every node is somewhere in the history, or nowhere.
fn look_up(node: Node) -> Option<Rev> {
    let first = u32::from(node.as_bytes()[0]) % (CHANGESETS + 2);
    (first < CHANGESETS && !node.is_null()).then(|| Rev::new(first))
}

/// The facts, by way of every decoder; what is wrong is told, and counts as nothing.
fn facts(input: &mut Input<'_>) -> ViewFacts {
    fn ok<T: Default, E: synchroniser::base::HasFault>(result: Result<T, E>) -> T {
        result.unwrap_or_else(|error| {
            told(&error);
            T::default()
        })
    }
    let phase_roots = ok(PhaseRoots::parse(input.part()));
    let markers = ok(parse_markers(input.part()));
    let (bookmarks, mut notes) = bookmarks::parse(input.part());
    let mut pinned = ok(parse_parents(Some(input.part())));
    let (tagged, more) = tagged_nodes(input.part());
    pinned.extend(tagged);
    notes.extend(more);
    let files =
        [(Path::new("first"), input.part().to_vec()), (Path::new("second"), input.part().to_vec())];
    let (publishes, more) = ok(publishes_by(&files));
    notes.extend(more);
    for name in bookmarks.keys() {
        let _ = is_divergent(name);
    }
    ViewFacts { phase_roots, markers, bookmarks, pinned, publishes, notes }
}

fn check_view(view: &ServedView, dag: &Dag) {
    for rev in dag.revs() {
        let phase = view.phases().of(rev);
        for parent in dag.parents(rev) {
            assert!(view.phases().of(parent) <= phase);
            assert!(!view.served().contains(rev) || view.served().contains(parent));
        }
        assert!(!view.served().contains(rev) || phase <= Phase::Draft);
        assert!(view.served().contains(rev) || phase > Phase::Public);
    }
    assert!(view.heads().is_sorted() && view.tip() == view.heads().last().copied());
    assert!(view.heads().iter().all(|head| view.served().contains(*head)));
    assert!(view.bookmarks().iter().all(|(_, rev)| view.served().contains(*rev)));
    for note in view.notes() {
        assert!(!note.to_string().is_empty());
    }
}

fn requirements(text: &[u8]) {
    match Requirements::parse(text) {
        Ok(all) => {
            assert!(all.unreadable().iter().all(|name| all.has(name)));
            assert!(all.iter().all(|name| name.is_ascii() && all.has(name)));
        }
        Err(error) => told(&error),
    }
}

/// Tags of some heads; those that are known are, and no name is there twice.
fn tag_files(input: &mut Input<'_>) {
    let texts: Vec<_> = (1_u8..5).map(|i| (i, input.part())).collect();
    let file = |(i, text)| TagsFile { file_node: Node::from_bytes([i; 20]), text };
    let files = texts.into_iter().map(file);
    let known = |node: Node| look_up(node).is_some();
    let tags = tags::compute(files, &known);
    assert!(tags.known.iter().all(|(name, node)| known(*node) && name != "tip"));
    for (name, node) in &tags.unknown {
        assert!(!tags.known.contains_key(name) && !node.is_null());
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.byte() % 3 {
        0 => requirements(input.rest()),
        1 => tag_files(&mut input),
        _ => {
            let dag = history();
            check_view(&ServedView::compute(facts(&mut input), &dag, &look_up, None), &dag);
        }
    }
});
