use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::base::NoProgress;
use crate::base::durable::{Observation, Step, observe};
use crate::git::BareRepository;
use crate::git::pack::PackWriter;
use crate::git::sink::{NewObject, ObjectSink};

/// Writes a pack with these objects into the repository.
fn write(repository: &BareRepository, objects: &[(ObjectKind, Vec<u8>)]) {
    repository.refresh().unwrap();
    let known = repository.known().unwrap();
    let pack = PackWriter::new(&repository.pack_folder(), known).unwrap();
    let mut writer = pack.writer();
    for (kind, contents) in objects {
        let id = ObjectId::of(*kind, contents);
        writer.write(NewObject { id, kind: *kind, contents, delta_hint: None }).unwrap();
    }
    writer.finish().unwrap();
    pack.save().unwrap();
}

/// One history: a file that changes with each commit, in a directory.
fn history(commits: usize, lines: usize) -> Vec<(ObjectKind, Vec<u8>)> {
    let mut objects = Vec::new();
    let mut parent = None;
    for number in 0..commits {
        let line = |line: usize| format!("line {line} of {}\n", number / (line + 1));
        let blob: Vec<u8> = (0..lines).flat_map(|n| line(n).into_bytes()).collect();
        let of_blob = ObjectId::of(ObjectKind::Blob, &blob);
        let inner = [b"100644 file.c\0".as_slice(), of_blob.as_bytes()].concat();
        let of_inner = ObjectId::of(ObjectKind::Tree, &inner);
        let tree = [b"40000 src\0".as_slice(), of_inner.as_bytes()].concat();
        let of_tree = ObjectId::of(ObjectKind::Tree, &tree);
        let before = parent.map_or(String::new(), |parent| format!("parent {parent}\n"));
        let person = format!("A <a@example.com> {number} +0000");
        let commit =
            format!("tree {of_tree}\n{before}author {person}\ncommitter {person}\n\n{number}\n");
        let commit = commit.into_bytes();
        parent = Some(ObjectId::of(ObjectKind::Commit, &commit));
        let kinds = [ObjectKind::Blob, ObjectKind::Tree, ObjectKind::Tree, ObjectKind::Commit];
        objects.extend(kinds.into_iter().zip([blob, inner, tree, commit]));
    }
    objects
}

fn make(folder: &Path, interrupt: &Interrupt) -> Result<Compaction, CompactError> {
    let objects = folder.join("objects");
    let packs = compactable(&objects.join("pack")).unwrap();
    Compaction::make(&objects, packs, folder, &Limits::default(), (&NoProgress, interrupt))
}

fn compact(folder: &Path) -> Result<Compacted, CompactError> {
    make(folder, &Interrupt::default())?.put()
}

/// Every object of a repository with its contents, read by libgit2.
fn contents(folder: &Path) -> BTreeMap<ObjectId, Option<(ObjectKind, Vec<u8>)>> {
    let repository = BareRepository::open(folder).unwrap();
    assert_eq!(repository.damaged_packs().unwrap(), Vec::<PathBuf>::new());
    let ids = repository.object_ids().unwrap();
    ids.into_iter().map(|id| (id, repository.read(id).unwrap())).collect()
}

fn packs(folder: &Path) -> usize {
    super::super::indexes(&folder.join("objects/pack")).unwrap().len()
}

fn repository(folder: &Path) -> BareRepository {
    BareRepository::open_or_create(folder, "master").unwrap()
}

/// Fails at the step with this number.
fn failing_at(folder: &Path, number: usize) -> (Observation, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let fail = move |_: &Step<'_>| match counted.fetch_add(1, Ordering::SeqCst) {
        at if at >= number => Err(io::Error::other("killed")),
        _ => Ok(()),
    };
    (observe(folder, Arc::new(fail)), count)
}

#[test]
fn several_packs_become_a_small_one() {
    let folder = tempfile::tempdir().unwrap();
    let git = repository(folder.path());
    let history = history(120, 60);
    // The second has some objects of the first again.
    for part in [&history[..300], &history[300..]] {
        write(&git, part);
    }
    let tag = b"object 4b825dc642cb6eb9a060e54bf8d69288fbee4904\ntype tree\ntag x\n\nx\n";
    let tag_id = {
        let odb = git.repository().odb().unwrap();
        odb.write(git2::ObjectType::Tag, tag).unwrap()
    };
    git.repository().odb().unwrap().refresh().unwrap();
    let before = contents(folder.path());
    let made = compact(folder.path()).unwrap();
    assert_eq!((made.objects, packs(folder.path())), (history.len(), 1));
    assert!(made.after * 5 < made.before * 4, "{made:?}");
    assert_eq!(contents(folder.path()), before);
    assert!(before.contains_key(&ObjectId::from(tag_id)));
    // Once more is the same again.
    let again = compact(folder.path()).unwrap();
    assert_eq!((again.objects, again.after), (made.objects, made.after));
    assert_eq!(contents(folder.path()), before);
}

#[test]
fn a_run_that_ends_anywhere_loses_nothing() {
    for number in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let git = repository(folder.path());
        let history = history(20, 20);
        write(&git, &history[..40]);
        write(&git, &history[40..]);
        let before = contents(folder.path());
        let (observation, count) = failing_at(folder.path(), number);
        let result = compact(folder.path());
        let steps = count.load(Ordering::SeqCst);
        drop(observation);
        let is_done = result.is_ok();
        assert_eq!(contents(folder.path()), before, "step {number}");
        compact(folder.path()).unwrap();
        assert_eq!(contents(folder.path()), before, "after step {number}");
        assert_eq!(packs(folder.path()), 1);
        if is_done {
            assert!(steps > 8, "{steps}");
            break;
        }
    }
}

#[test]
fn what_is_damaged_gets_no_new_checksum() {
    let folder = tempfile::tempdir().unwrap();
    let git = repository(folder.path());
    write(&git, &history(20, 20));
    let before = contents(folder.path());
    let (pack, _) = compactable(&git.pack_folder()).unwrap().remove(0);
    let bytes = fs::read(&pack).unwrap();
    fs::remove_file(&pack).unwrap();
    for at in (12..bytes.len() - 20).step_by(97) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x20;
        fs::write(&pack, &damaged).unwrap();
        match compact(folder.path()) {
            Err(CompactError::Read(_)) => assert_eq!(fs::read(&pack).unwrap(), damaged),
            Err(other) => panic!("{at}: {other:?}"),
            // Not every bit of a zlib header matters.
            Ok(_) => {
                assert_eq!(contents(folder.path()), before);
                return assert!(at > 1000, "{at}");
            }
        }
    }
}

#[test]
fn packs_that_are_kept_and_changes_by_others_are_respected() {
    let folder = tempfile::tempdir().unwrap();
    let git = repository(folder.path());
    let history = history(20, 20);
    write(&git, &history[..40]);
    let (kept, _) = compactable(&git.pack_folder()).unwrap().remove(0);
    fs::write(kept.with_extension("keep"), "").unwrap();
    write(&git, &history[40..]);
    let made = make(folder.path(), &Interrupt::default()).unwrap();
    assert_eq!(made.packs.len(), 1);
    fs::rename(&made.packs[0], folder.path().join("elsewhere")).unwrap();
    assert!(matches!(made.put(), Err(CompactError::Changed { .. })));
    assert!(kept.exists());
}

#[test]
fn a_stop_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    write(&repository(folder.path()), &history(20, 20));
    let interrupt = Interrupt::default();
    interrupt.raise();
    let result = make(folder.path(), &interrupt);
    assert!(matches!(result, Err(CompactError::Interrupted(_))));
    assert_eq!(packs(folder.path()), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_new_pack_has_the_same_objects(
        texts in prop::collection::vec((0..3_u8, prop::collection::vec(0..3_u8, 0..300)), 1..60),
        parts in 1..4_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let git = repository(folder.path());
        // Most trees and commits are malformed.
        let kinds = [ObjectKind::Blob, ObjectKind::Tree, ObjectKind::Commit];
        let objects: Vec<_> = texts.into_iter().map(|(kind, text)| (kinds[usize::from(kind)], text)).collect();
        for part in objects.chunks(objects.len().div_ceil(parts)) {
            write(&git, part);
        }
        let before = contents(folder.path());
        compact(folder.path()).unwrap();
        prop_assert_eq!(contents(folder.path()), before);
        prop_assert_eq!(packs(folder.path()), 1);
    }
}
