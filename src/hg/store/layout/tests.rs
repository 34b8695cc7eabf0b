use std::fs;

use super::*;
use crate::base::{Fault, HasFault};

/// Writes files below `root`, making their folders.
fn write(root: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn open(root: &Path) -> Result<Layout, OpenError> {
    Layout::open(root, &Limits::default())
}

#[test]
fn formats_say_where_files_are() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for (requires, store, name) in [
        ("revlogv1\n", ".hg", "data/Foo.d.hg/aux.i"),
        ("revlogv1\nfncache\n", ".hg", "data/Foo.d.hg/aux.i"),
        ("store\n", ".hg/store", "data/_foo.d.hg/aux.i"),
        ("store\nfncache\n", ".hg/store", "data/_foo.d.hg/au~78.i"),
        ("store\nfncache\ndotencode\n", ".hg/store", "data/_foo.d.hg/au~78.i"),
    ] {
        write(root, &[(".hg/requires", requires)]);
        for path in [root.to_owned(), root.join(".hg")] {
            let layout = open(&path).unwrap();
            let store = root.join(store);
            assert_eq!(layout.store_dir(), store);
            assert_eq!(layout.changelog().index, store.join("00changelog.i"));
            assert_eq!(layout.manifest().data, store.join("00manifest.d"));
            assert_eq!(layout.filelog("Foo.d/aux".into()).unwrap().index, store.join(name));
            let listed = requires.starts_with("store\nfncache");
            assert_eq!(layout.fncache_file(), listed.then(|| store.join("fncache")));
        }
    }
}

#[test]
fn long_names_differ_in_more_than_the_last_letter() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[(".hg/requires", "store\nfncache\ndotencode\n")]);
    let layout = open(folder.path()).unwrap();
    let files = layout.filelog("x".repeat(200).as_str().into()).unwrap();
    let [index, data] = [&files.index, &files.data].map(|path| path.to_str().unwrap());
    assert!(index.contains("/dh/") && data.contains("/dh/"), "{index} {data}");
    assert_ne!(index.strip_suffix(".i").unwrap(), data.strip_suffix(".d").unwrap());
}

#[test]
fn forged_names_do_not_leave_the_store() {
    let folder = tempfile::tempdir().unwrap();
    for requires in ["revlogv1", "store", "store\nfncache", "store\nfncache\ndotencode"] {
        write(folder.path(), &[(".hg/requires", requires)]);
        let layout = open(folder.path()).unwrap();
        for path in ["../../../../etc/passwd", "a/../../../x", "..", "/etc/passwd", "a/\0/b"] {
            if let Ok(files) = layout.filelog(path.into()) {
                for file in [files.index, files.data] {
                    assert!(file.starts_with(layout.store_dir()), "{}", file.display());
                    let up = std::path::Component::ParentDir;
                    assert!(file.components().all(|part| part != up), "{}", file.display());
                }
            }
        }
    }
    write(folder.path(), &[(".hg/requires", "store\n")]);
    let error = open(folder.path()).unwrap().filelog("../x".into()).unwrap_err();
    assert_eq!(error.to_string(), "find the history of \"../x\": the name leads out of the store");
}

#[test]
fn what_is_no_repository() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for path in [root.to_owned(), root.join("missing"), root.join(".hg")] {
        let error = open(&path).unwrap_err();
        let is_there = matches!(error, OpenError::NotARepository { .. });
        assert!(is_there || matches!(error, OpenError::NotThere { .. }), "{error}");
        assert_eq!(is_there, path == root, "{error}");
        assert!(error.hint().is_some());
    }
    write(root, &[(".hg/junk", ""), ("file", "")]);
    assert!(matches!(open(root), Err(OpenError::NotARepository { .. })));
    assert!(matches!(open(&root.join("file")), Err(OpenError::NotARepository { .. })));
    // The oldest format has no `requires`.
    write(root, &[(".hg/00changelog.i", "")]);
    assert_eq!(open(root).unwrap().requirements().iter().count(), 0);
}

#[test]
fn unknown_requirements_are_all_named() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(
        root,
        &[
            (".hg/requires", "share-safe\n"),
            (".hg/store/requires", "parentdelta\nmanifestv2\nstore\n"),
        ],
    );
    let error = open(root).unwrap_err();
    assert_eq!(error.fault(), Fault::Unsupported);
    assert!(error.to_string().ends_with("it requires manifestv2, parentdelta"), "{error}");
    fs::remove_file(root.join(".hg/store/requires")).unwrap();
    assert!(matches!(open(root), Err(OpenError::MissingFile { .. })));
    write(root, &[(".hg/requires", "store\n\n")]);
    assert!(matches!(
        open(root),
        Err(OpenError::BadRequirement { source: BadRequirement { line: 2 }, .. })
    ));
    fs::remove_file(root.join(".hg/requires")).unwrap();
    fs::create_dir(root.join(".hg/requires")).unwrap();
    assert!(matches!(open(root), Err(OpenError::Read { .. })));
}

#[test]
fn shares_follow_their_source() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let source = root.join("source/.hg");
    write(
        root,
        &[
            ("source/.hg/requires", "share-safe\n"),
            ("source/.hg/store/requires", "store\nfncache\nrevlogv1\n"),
            ("share/.hg/requires", "share-safe\nshared\n"),
            ("share/.hg/sharedpath", source.to_str().unwrap()),
        ],
    );
    let share = root.join("share");
    let layout = open(&share).unwrap();
    assert_eq!(layout.store_dir(), source.join("store"));
    assert_eq!(layout.path_encoding(), PathEncoding::Fncache);
    assert_eq!(layout.bookmarks_file(), share.join(".hg/bookmarks"));
    assert_eq!(layout.dirstate_file(), share.join(".hg/dirstate"));
    let configs = [source.join("hgrc"), share.join(".hg/hgrc"), share.join(".hg/hgrc-not-shared")];
    assert_eq!(layout.config_files(), configs);

    write(
        root,
        &[
            ("share/.hg/requires", "share-safe\nrelshared\n"),
            ("share/.hg/sharedpath", "../../source/.hg\n"),
            ("share/.hg/shared", "bookmarks\n"),
        ],
    );
    let layout = open(&share).unwrap();
    let bookmarks = layout.bookmarks_file();
    assert_eq!(bookmarks.parent().unwrap().canonicalize().unwrap(), source.canonicalize().unwrap());

    write(root, &[("source/.hg/store/requires", "store\nbookmarksinstore\n")]);
    assert!(open(&share).unwrap().bookmarks_file().ends_with("store/bookmarks"));
}

#[test]
fn shares_that_cannot_be_followed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let share = root.join("share");
    write(root, &[("share/.hg/requires", "share-safe\nshared\n")]);
    assert!(matches!(open(&share), Err(OpenError::MissingFile { .. })));
    for path in ["", "\n", "/nowhere/.hg", "../../source/.hg \n", "\0"] {
        write(root, &[("share/.hg/sharedpath", path)]);
        let error = open(&share).unwrap_err();
        assert!(matches!(error, OpenError::ShareSourceMissing { .. }), "{path:?}: {error}");
        assert!(error.hint().unwrap().contains("share/.hg/sharedpath"));
    }
    write(
        root,
        &[("share/.hg/sharedpath", "../../source/.hg"), ("source/.hg/requires", "store\n")],
    );
    assert!(matches!(open(&share), Err(OpenError::ShareMismatch { .. })));
}
