//! Names that cannot be read: an error, and never a repository without them.

use synchroniser::base::{Fault, HasFault, Limits, hex};
use synchroniser::cli::exit;
use synchroniser::hg::revlog::RevlogError;
use synchroniser::hg::{BranchTable, Node, Repository};

use super::damage::convert;
use super::store::Store;
use crate::support::TestEnv;

const TAGS: &str = ".hgtags";

/// Two changesets, of which the second one tags the first.
fn tagged() -> Store {
    let mut store = Store::default();
    let f = store.file("f", b"f\n");
    store.commit([-1, -1], &[("f", f)]);
    let line = format!("{} v1\n", hex::encode(&store.changelog.0[0].node));
    let tags = store.file(TAGS, line.as_bytes());
    store.commit([0, -1], &[(TAGS, tags), ("f", f)]);
    store
}

/// How a store comes to be without something that a changeset names.
type Loss = (&'static str, fn(&mut Store));

const LOSSES: [Loss; 5] = [
    ("of 00manifest: the source has no such revision", |store| store.manifest.0.truncate(1)),
    ("of .hgtags: the source has no such revision", |store| {
        store.files.get_mut(TAGS).unwrap().0.clear();
    }),
    ("of .hgtags: the source has no such revision", |store| drop(store.files.remove(TAGS))),
    ("of 00manifest", |store| store.manifest.0[1].chunk[9] ^= 1),
    ("of .hgtags", |store| store.files.get_mut(TAGS).unwrap().0[0].chunk[9] ^= 1),
];

/// The names of the tags of a store.
fn tags(store: &Store, lost: &dyn Fn(Node) -> bool) -> Result<Vec<String>, RevlogError> {
    let folder = tempfile::tempdir().unwrap();
    let path = store.write(&folder.path().join("made"));
    let repository = Repository::open(&path, &Limits::default()).unwrap();
    let names = repository.names(&mut BranchTable::default(), false, lost)?;
    Ok(names.tags.known.into_keys().collect())
}

#[test]
fn tags_that_cannot_be_read_are_damage() {
    assert_eq!(tags(&tagged(), &|_| false).unwrap(), ["v1"]);
    for (words, lose) in LOSSES {
        let mut store = tagged();
        lose(&mut store);
        let error = tags(&store, &|_| false).unwrap_err();
        assert_eq!(error.fault(), Fault::Corrupt, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        // Where it is known that a revision of the file is lost, there are none.
        let lost = tags(&store, &|_| true);
        assert_eq!(lost.ok(), (!words.contains("manifest")).then(Vec::new), "{words}");
    }
}

#[test]
fn what_has_no_manifest_or_no_file_has_no_tags() {
    let mut store = tagged();
    let null = "0".repeat(40);
    let text = format!("{null}\nTest <test@example.org>\n9 0\n\nempty");
    store.changelog.push(text.as_bytes(), [1, -1]);
    assert_eq!(tags(&store, &|_| false).unwrap(), [""; 0]);
    let mut store = tagged();
    let f = store.files["f"].0[0].node;
    store.commit([1, -1], &[(TAGS, [0; 20]), ("f", f)]);
    assert_eq!(tags(&store, &|_| false).unwrap(), [""; 0]);
}

/// A mirror that has everything, and a source that loses its tags: none of them goes.
#[test]
fn a_mirror_keeps_its_tags_when_the_source_cannot_be_read() {
    for (_, lose) in LOSSES {
        let env = TestEnv::new();
        let mut store = tagged();
        let (source, target) = (store.write(&env.path("made")), env.path("target.git"));
        let convert = || convert(&env, &source, &target, &[]);
        convert().ok().unwrap();
        lose(&mut store);
        std::fs::remove_dir_all(&source).unwrap();
        store.write(&source);
        convert().with_code(i32::from(exit::CORRUPT)).unwrap();
        let repository = git2::Repository::open_bare(&target).unwrap();
        assert!(repository.find_reference("refs/tags/v1").is_ok());
    }
}

/// Under fast-export no tree has `.hgtags`, so nothing stands for it.
#[test]
fn tags_that_are_damaged_can_be_skipped() {
    for (identity, said_of) in
        [("native", "made a placeholder for "), ("fast-export", "left out the tags in ")]
    {
        for (_, lose) in LOSSES.into_iter().filter(|(words, _)| words.contains(TAGS)) {
            let env = TestEnv::new();
            let mut store = tagged();
            lose(&mut store);
            let (source, target) = (store.write(&env.path("made")), env.path("target.git"));
            let convert = |options: &[&str]| {
                convert(&env, &source, &target, &[&["--identity", identity], options].concat())
            };
            convert(&[]).with_code(i32::from(exit::CORRUPT)).unwrap();
            let said = convert(&["--skip-damaged"]).ok().unwrap();
            assert!(said.contains(said_of), "{said}");
            let repository = git2::Repository::open_bare(&target).unwrap();
            assert!(repository.find_reference("refs/heads/master").is_ok());
            assert!(repository.find_reference("refs/tags/v1").is_err());
        }
    }
}
