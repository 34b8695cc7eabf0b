//! Names of references: those of Git, and what a source's names become.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use synchroniser::convert::names::RefNaming;
use synchroniser::convert::refs::{SourceNames, name_refs};
use synchroniser::git::fuzzing;
use synchroniser::git::reference::is_valid_ref_name;
use synchroniser::hg::Node;
use synchroniser_fuzz::Input;

fn packed(text: &[u8]) {
    let Some(again) = fuzzing::packed_refs(text) else { return };
    assert_eq!(fuzzing::packed_refs(&again).as_ref(), Some(&again));
}

fn valid(name: &[u8]) {
    let Ok(name) = std::str::from_utf8(name) else { return };
    let valid = is_valid_ref_name(name);
    // libgit2 is given C strings, and has rules of its own for what does not lie in `refs`.
    if name.contains('\0') {
        assert!(!valid, "{name:?}");
    } else if name.starts_with("refs/") {
        assert_eq!(valid, git2::Reference::is_valid_name(name), "{name:?}");
    }
}

/// Any names become references that Git takes and that can stand beside one another.
fn named(mut input: Input<'_>) {
    let mut names = SourceNames { main: Some(Node::NULL), ..SourceNames::default() };
    let main = String::from_utf8_lossy(input.part()).into_owned();
    let mut count = 0_u8;
    while !input.is_empty() && count < 100 {
        count += 1;
        let node = Node::from_bytes([count; 20]);
        match input.byte() % 4 {
            0 => names.branches.push((input.part().into(), vec![node])),
            1 => names
                .branches
                .push((input.part().into(), vec![node, Node::from_bytes([!count; 20])])),
            2 => names.bookmarks.push((input.part().into(), node)),
            _ => names.tags.push((input.part().into(), node)),
        }
    }
    let heads: usize = names.branches.iter().map(|(_, heads)| heads.len()).sum();
    let naming = RefNaming { main_branch: main, ..RefNaming::default() };
    let wanted = name_refs(&names, &naming, &[]);
    assert_eq!(wanted.refs.len(), 1 + heads + names.bookmarks.len() + names.tags.len());
    let mut taken = HashSet::new();
    for wanted in &wanted.refs {
        let name = &wanted.name;
        assert!(is_valid_ref_name(name) && git2::Reference::is_valid_name(name), "{name:?}");
        assert!(name.len() <= 255 + "refs/heads/".len(), "{name:?}");
        assert!(taken.insert(name.to_lowercase()), "{name:?} is there twice");
    }
    for name in &taken {
        for (slash, _) in name.match_indices('/') {
            assert!(!taken.contains(&name[..slash]), "{name:?} lies in another");
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.byte() % 3 {
        0 => packed(input.rest()),
        1 => valid(input.rest()),
        _ => named(input),
    }
});
