//! Manifests: lines, look-ups, differences, and the trees that are made of them.
#![no_main]

use std::collections::BTreeMap;

use bstr::ByteSlice;
use libfuzzer_sys::fuzz_target;
use synchroniser::base::{RepoPath, RepoPathBuf};
use synchroniser::git::ObjectId;
use synchroniser::git::tree::{Directory, Edit, Mode, TreeEditor, entries};
use synchroniser::git::tree_name::impossible_path;
use synchroniser::hg::manifest::{Change, FileKind, Line, Manifest, diff};
use synchroniser_fuzz::Input;
use synchroniser_fuzz::trees::Trees;

type Files = BTreeMap<RepoPathBuf, (ObjectId, FileKind)>;

fn entry(line: Line<'_>) -> (RepoPathBuf, (ObjectId, FileKind)) {
    (line.path.to_owned(), (ObjectId::from_bytes(*line.node.as_bytes()), line.kind))
}

/// All files of a manifest; `None` if a line is malformed or not in order.
fn files(text: &[u8]) -> Option<Files> {
    let mut files = Files::new();
    for line in Manifest::new(text).lines() {
        let (path, file) = entry(line.ok()?);
        if files.last_key_value().is_some_and(|(last, _)| *last >= path) {
            return None;
        }
        files.insert(path, file);
    }
    Some(files)
}

/// Look-ups in a manifest that is in order, against a map.
fn check_look_ups(text: &[u8], files: &Files) {
    let manifest = Manifest::new(text);
    let is_below = |folder: &RepoPath, path: &RepoPath| {
        path.strip_prefix(folder.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"))
    };
    let mut clashes = Vec::new();
    for path in files.keys().take(64) {
        let path = path.as_bstr();
        assert!(manifest.has_file(path));
        assert_eq!(
            manifest.file(path).map(entry).as_ref().map(|(path, _)| path.as_bstr()),
            Some(path)
        );
        let folder = files.keys().any(|other| is_below(path, other.as_bstr()));
        assert_eq!(manifest.has_directory(path), folder);
        if folder {
            clashes.push(path);
            assert!(manifest.clashes_at(path));
        }
    }
    if files.len() <= 64 {
        assert_eq!(manifest.clashes(|_| true), clashes);
    }
    let after = manifest.after_first();
    assert_eq!(after.lines().count(), files.len().saturating_sub(1));
}

fn check_diff(old: &[u8], new: &[u8]) {
    let (old_files, new_files) = (files(old), files(new));
    let mut applied = old_files.clone().unwrap_or_default();
    let told = diff(old, new, |change| {
        let before = match change {
            Change::Removed(path) => applied.remove(path),
            Change::Added(line) | Change::Modified(line) => {
                let (path, file) = entry(line);
                applied.insert(path, file)
            }
        };
        // A damaged text may say anything; of sound ones the kind of change is true too.
        if old_files.is_some() && new_files.is_some() {
            assert_eq!(before.is_none(), matches!(change, Change::Added(_)));
        }
    });
    if let (Some(_), Some(new_files)) = (&old_files, &new_files) {
        assert_eq!(told, Ok(()));
        assert_eq!(applied, *new_files);
    }
}

/// The files that a tree can have: no path that cannot be, and none that is a directory too.
fn placed(text: &[u8]) -> Files {
    let mut placed = files(text).unwrap_or_default();
    placed.retain(|path, _| impossible_path(path.as_bstr()).is_none());
    let all: Vec<_> = placed.keys().cloned().collect();
    placed.retain(|path, _| {
        !all.iter().any(|other| {
            other.strip_prefix(path.as_slice()).is_some_and(|rest| rest.starts_with(b"/"))
        })
    });
    placed
}

fn edited(
    old: &std::sync::Arc<Directory>,
    edits: &[Edit<'_>],
    trees: &mut Trees,
) -> std::sync::Arc<Directory> {
    let source = trees.clone();
    let mut editor = TreeEditor { source: &source, writer: trees };
    editor.apply(old, edits).expect("every tree is there")
}

fn put<'a>((path, (id, kind)): (&'a RepoPathBuf, &(ObjectId, FileKind))) -> Edit<'a> {
    let mode = match kind {
        FileKind::Regular => Mode::Regular,
        FileKind::Executable => Mode::Executable,
        FileKind::Symlink => Mode::Symlink,
    };
    Edit { path, file: Some((mode, *id)) }
}

/// One tree made from nothing is the one made from another by what differs.
fn check_trees(old: &[u8], new: &[u8]) {
    let (old, new) = (placed(old), placed(new));
    if old.len() + new.len() > 200 || old.keys().chain(new.keys()).any(|path| path.len() > 500) {
        return;
    }
    let mut trees = Trees::default();
    let from_nothing = |files: &Files, trees: &mut Trees| {
        edited(&Directory::empty(), &files.iter().map(put).collect::<Vec<_>>(), trees)
    };
    let before = from_nothing(&old, &mut trees);
    let whole = from_nothing(&new, &mut trees);
    // Read anew, as in a later run.
    let before = Directory::read(before.id(), &trees).unwrap_or_else(|_| Directory::empty());
    let gone = old.keys().filter(|path| !new.contains_key(*path));
    let mut edits: Vec<_> = gone.map(|path| Edit { path, file: None }).collect();
    edits.extend(new.iter().filter(|(path, file)| old.get(*path) != Some(file)).map(put));
    edits.sort_by_key(|edit| edit.path);
    assert_eq!(edited(&before, &edits, &mut trees).id(), whole.id());
    for tree in trees.held.values() {
        let mut last: Option<Vec<u8>> = None;
        for entry in entries(tree) {
            let entry = entry.expect("we made it");
            let mut key = entry.name.to_vec();
            key.extend(entry.is_directory.then_some(b'/'));
            assert!(last.replace(key.clone()).is_none_or(|last| last < key));
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let old = input.part();
    let new = input.rest();
    if let Some(files) = files(old) {
        check_look_ups(old, &files);
    }
    let manifest = Manifest::new(new);
    let (below, after) = manifest.split_directory(b"a/");
    assert_eq!([below.text(), after.text()].concat(), new);
    let _ = (
        manifest.has_file("a/b".into()),
        manifest.clashes(|_| true),
        manifest.clashes_at("a".into()),
    );
    check_diff(old, new);
    check_trees(old, new);
});
