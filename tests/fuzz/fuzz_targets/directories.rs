//! Manifests of directories, put together into flat ones: revlogs whose hashes fit, and texts in
//! them that are whatever the input says.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use synchroniser::base::{Limits, RepoPath, RepoPathBuf, hex, sha1};
use synchroniser::hg::Node;
use synchroniser::hg::manifest::{DirectoryManifests, Manifests};
use synchroniser::hg::revlog::{Revlog, RevlogError};
use synchroniser_fuzz::{Input, limits, told};

/// The directories, each after those in it; the last one is the top.
const DIRECTORIES: [&str; 5] = ["a/b/", "a/", "c/d/", "c/", ""];
/// A byte that stands, with the one after it, for the node of an earlier revision.
const MARK: u8 = 0xff;

/// The index of each directory's revlog, which holds its data too.
#[derive(Clone, Debug, Default)]
struct Directories(BTreeMap<RepoPathBuf, Vec<u8>>);

impl DirectoryManifests for Directories {
    fn open(&self, path: &RepoPath, limits: &Limits) -> Result<Option<Revlog>, RevlogError> {
        let open = |index: &Vec<u8>| {
            Revlog::from_bytes(&path.to_string(), index.clone(), Vec::new(), limits)
        };
        self.0.get(path).map(open).transpose()
    }
}

/// Adds `text` to a revlog, stored in full, with no parents. Returns its node.
fn push(index: &mut Vec<u8>, rev: u32, text: &[u8]) -> [u8; 20] {
    let node = sha1::digest(&[&[0; 40], text]);
    let length = u32::try_from(text.len()).expect("inputs are short");
    let offset = index.len() as u64 - 64 * u64::from(rev);
    // Version 1, with the data in the index, where the first offset would be.
    let first: u64 = if rev == 0 { 0x0001_0001 << 32 } else { offset << 16 };
    index.extend(first.to_be_bytes());
    for number in [length + 1, length, rev, rev, u32::MAX, u32::MAX] {
        index.extend(number.to_be_bytes());
    }
    index.extend(node);
    index.extend([0; 12]);
    index.push(b'u');
    index.extend(text);
    node
}

/// A text in which marks are replaced by the nodes that they stand for.
fn with_nodes(text: &[u8], nodes: &[[u8; 20]]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        match (byte, bytes.clone().next()) {
            (MARK, Some(&number)) if !nodes.is_empty() => {
                bytes.next();
                let node = nodes[usize::from(number) % nodes.len()];
                out.extend(hex::encode(&node).into_bytes());
            }
            _ => out.push(byte),
        }
    }
    out
}

fn check(directories: &Directories) -> Result<(), RevlogError> {
    let root = directories.open(b"".as_slice().into(), &limits())?.expect("it is there");
    let manifests = Manifests::of_directories(root, Box::new(directories.clone()), &limits());
    let mut reader = manifests.reader();
    for rev in manifests.revlog().revs() {
        let text = reader.text(rev);
        // What was read before saves work, and changes nothing.
        let alone = manifests.reader().text(rev);
        assert_eq!(text.as_ref().ok(), alone.as_ref().ok());
        match text {
            Err(error) => told(&error),
            Ok(text) => {
                assert!(text.len() <= limits().revision_bytes);
                let lines = text.split_inclusive(|byte| *byte == b'\n');
                let paths = lines.map(|line| line.split(|byte| *byte == 0).next());
                assert!(paths.is_sorted_by(|a, b| a < b));
                assert!(manifests.rev(manifests.revlog().node(rev)?).is_some());
            }
        }
    }
    assert_eq!(manifests.rev(Node::NULL), None);
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let mut directories = Directories::default();
    let mut nodes = Vec::new();
    for path in DIRECTORIES {
        let mut index = Vec::new();
        // Up to two of each directory, and all that is left of the top.
        for rev in 0..if path.is_empty() { 4 } else { 2 } {
            let text = with_nodes(input.part(), &nodes);
            nodes.push(push(&mut index, rev, &text));
        }
        directories.0.insert(path.into(), index);
    }
    check(&directories).unwrap_or_else(|error| told(&error));
});
