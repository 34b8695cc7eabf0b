//! What several tests of the writer need: a history that is made up, and what is on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::base::{NoProgress, sha1};
use crate::hg::Repository;
use crate::hg::bundle::{DeltaRevision, Group};
use crate::hg::revlog::{Delta, Flags};

/// What there is to add, made up: a history of so many changesets.
#[derive(Clone)]
pub(in crate::hg) struct Made(pub(in crate::hg) Vec<Item>);

impl Revisions for Made {
    fn next_item(&mut self) -> Result<Option<Item>, RevisionsError> {
        Ok((!self.0.is_empty()).then(|| self.0.remove(0)))
    }
}

fn node_of(parents: [Node; 2], text: &[u8]) -> Node {
    let mut sorted = parents;
    sorted.sort_unstable();
    let parts = [sorted[0].as_bytes(), sorted[1].as_bytes(), text];
    Node::from_bytes(sha1::digest(&parts))
}

/// The revision with this text, as a delta of nothing.
fn whole(parents: [Node; 2], text: &[u8], link: Node) -> DeltaRevision {
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    let delta = Delta::parse([&[0; 8][..], &length, text].concat()).unwrap();
    let node = node_of(parents, text);
    DeltaRevision { node, parents, link, base: Node::NULL, flags: Flags::default(), delta }
}

/// The same as a delta of `base`, whose text has the beginning in common.
fn delta_of(base: (Node, &[u8]), parents: [Node; 2], text: &[u8], link: Node) -> DeltaRevision {
    let same = base.1.iter().zip(text).take_while(|(a, b)| a == b).count();
    // Mercurial takes the deltas of manifests to be ones of whole lines.
    let same = text[..same].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let number = |number: usize| u32::try_from(number).unwrap().to_be_bytes();
    let header = [number(same), number(base.1.len()), number(text.len() - same)].concat();
    let delta = Delta::parse([&header[..], &text[same..]].concat()).unwrap();
    DeltaRevision { base: base.0, delta, ..whole(parents, text, link) }
}

/// Bytes that do not compress.
fn noise(seed: usize, length: usize) -> Vec<u8> {
    let mut state = seed as u64 + 1;
    let next = |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0] % 64 + b' '
    };
    (1..length).map(next).chain([b'\n']).collect()
}

/// Three files: `a` grows by a line at a time, `big` becomes too large to be inline, and `dir.i/B`
/// has a name that must be encoded.
pub(in crate::hg) fn history(changesets: std::ops::Range<usize>, steps: usize) -> Made {
    let names = ["a", "big", "dir.i/B"];
    let mut texts: [Vec<u8>; 3] = Default::default();
    let mut nodes = [Node::NULL; 3];
    let mut files: [Vec<DeltaRevision>; 3] = Default::default();
    let (mut manifests, mut changelog) = (Vec::new(), Vec::new());
    let (mut manifest, mut changeset) = ((Node::NULL, Vec::new()), Node::NULL);
    for i in 0..steps {
        let touched = i % 3;
        let old = (nodes[touched], texts[touched].clone());
        let more = if touched == 1 { noise(i, 20_000) } else { format!("line {i}\n").into_bytes() };
        texts[touched].extend_from_slice(&more);
        let parents = [old.0, Node::NULL];
        nodes[touched] = node_of(parents, &texts[touched]);
        let line = |(name, node): (&&str, &Node)| format!("{name}\0{node}\n");
        let there = names.iter().zip(&nodes).filter(|(_, node)| !node.is_null());
        let lines: String = there.map(line).collect();
        let manifest_node = node_of([manifest.0, Node::NULL], lines.as_bytes());
        let name = names[touched];
        let text = format!("{manifest_node}\nme\n{i} 0\n{name}\n\nnumber {i}");
        let changed = whole([changeset, Node::NULL], text.as_bytes(), Node::NULL);
        let changeset_node = changed.node;
        if changesets.contains(&i) {
            let revision = delta_of((old.0, &old.1), parents, &texts[touched], changeset_node);
            files[touched].push(revision);
            let parents = [manifest.0, Node::NULL];
            let base = (manifest.0, manifest.1.as_slice());
            manifests.push(delta_of(base, parents, lines.as_bytes(), changeset_node));
            changelog.push(DeltaRevision { link: changeset_node, ..changed });
        }
        manifest = (manifest_node, lines.into_bytes());
        changeset = changeset_node;
    }
    let mut items = vec![Item::Group(Group::Changelog)];
    items.extend(changelog.into_iter().map(Item::Revision));
    items.push(Item::Group(Group::Manifests));
    items.extend(manifests.into_iter().map(Item::Revision));
    for (name, revisions) in names.into_iter().zip(files) {
        items.push(Item::Group(Group::File(name.into())));
        items.extend(revisions.into_iter().map(Item::Revision));
    }
    Made(items)
}

pub(in crate::hg) fn new_repository() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("repository");
    Writer::create(&root, &NewStore::default()).unwrap();
    (folder, root)
}

pub(in crate::hg) fn open(root: &Path) -> Writer {
    Writer::open(root, &Limits::default()).unwrap()
}

pub(in crate::hg) fn add(root: &Path, made: &Made) -> Result<Added, WriteError> {
    let mut writer = Writer::open(root, &Limits::default())?;
    let added = writer.add(&mut made.clone(), &NoProgress, &Interrupt::default())?;
    writer.commit()?;
    Ok(added)
}

/// Every file below `root`, but for folders.
pub(in crate::hg) fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_symlink() {
                let target = std::fs::read_link(&path).unwrap();
                found.insert(path.clone(), target.as_os_str().as_encoded_bytes().to_vec());
            } else if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.clone(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
        .into_iter()
        .map(|(path, text)| (path.strip_prefix(root).unwrap().to_owned(), text))
        .collect()
}

/// Copies a folder as it is, locks too.
pub(in crate::hg) fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// How many changesets, manifests and file revisions can be read, each of them checked.
pub(in crate::hg) fn count(root: &Path) -> (usize, usize, usize) {
    let repository = Repository::open(root, &Limits::default()).unwrap();
    let mut texts = repository.changelog().revlog().reader();
    let changesets = repository.changelog().revlog().revs().map(|rev| texts.text(rev).unwrap());
    let changesets = changesets.count();
    let manifests = repository.manifests().revlog();
    let mut texts = manifests.reader();
    let count = manifests.revs().map(|rev| texts.text(rev).unwrap()).count();
    let mut revisions = 0;
    for name in ["a", "big", "dir.i/B"] {
        let Some(filelog) = repository.filelog(name.into()).unwrap() else { continue };
        let mut texts = filelog.reader();
        revisions += filelog.revs().map(|rev| texts.text(rev).unwrap()).count();
    }
    (changesets, count, revisions)
}

/// Runs `hg`, if the machine has one and says so; an error if it finds something wrong.
pub(in crate::hg) fn hg(root: &Path, args: &[&str]) {
    let Some(program) = std::env::var_os("SYNCHRONISER_HG") else {
        let is_strict = std::env::var_os("SYNCHRONISER_STRICT").is_some_and(|value| value == "1");
        assert!(!is_strict, "this must not be skipped: SYNCHRONISER_HG names no hg");
        return;
    };
    let mut command = Command::new(program);
    command.env("HGRCPATH", "/dev/null").env("HGPLAIN", "1").arg("-R").arg(root).args(args);
    let ran = command.output().unwrap();
    let (out, error) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{args:?}: {out}{error}");
    assert!(!error.contains("warning"), "{args:?}: {out}{error}");
}
