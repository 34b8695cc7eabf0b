//! Whole transactions: what becomes of them, and of those that end early.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::testing::{Made, add, copy, count, files, hg, history, new_repository, open};
use super::*;
use crate::base::durable::{Step, observe};
use crate::base::{Fault, HasFault, NoProgress, RepoPathBuf};
use crate::hg::bundle::{DeltaRevision, Group};
use crate::hg::revlog::{Delta, Flags};

#[test]
fn all_at_once_is_bit_by_bit() {
    let (_folder, root) = new_repository();
    let added = add(&root, &history(0..30, 30)).unwrap();
    assert_eq!((added.changesets.len(), added.manifests, added.file_revisions), (30, 30, 30));
    assert_eq!(added.known, 0);
    let (_other_folder, other) = new_repository();
    for step in 0..6 {
        // Existing revisions are passed over.
        let begin = (step * 5_usize).saturating_sub(2);
        let added = add(&other, &history(begin..step * 5 + 5, 30)).unwrap();
        assert_eq!(added.known, 3 * (step * 5 - begin) as u64);
        hg(&other, &["verify", "-q"]);
    }
    assert_eq!(count(&root), (30, 30, 30));
    assert_eq!(count(&other), (30, 30, 30));
    assert!(root.join(".hg/store/data/big.d").exists());
    assert!(!root.join(".hg/store/data/a.d").exists());
    let (all, bits) = (files(&root), files(&other));
    let names: Vec<_> = all.keys().collect();
    assert_eq!(names, bits.keys().collect::<Vec<_>>());
    for name in names.iter().filter(|name| !name.ends_with("fncache")) {
        assert!(all[*name] == bits[*name], "{}", name.display());
    }
    hg(&root, &["verify", "-q"]);
    let added = add(&root, &history(0..30, 30)).unwrap();
    assert_eq!((added.changesets.len(), added.known), (0, 90));
    assert_eq!(files(&root), all);
}

/// What is on disk before every step of `work` on a copy of `root`, called by numbers in `to`.
fn moments(root: &Path, to: &Path, work: impl FnOnce(&Path)) -> usize {
    let live = to.join("live");
    copy(root, &live);
    let number = Arc::new(Mutex::new(0));
    let (from, folder, counter) = (live.clone(), to.to_owned(), number.clone());
    let before = move |step: &Step<'_>| {
        // That something is durable changes nothing which a kill leaves.
        if !matches!(step, Step::Flush(_)) {
            let mut count = counter.lock().unwrap();
            *count += 1;
            copy(&from, &folder.join(count.to_string()));
        }
        Ok(())
    };
    let observation = observe(&live, Arc::new(before));
    work(&live);
    drop(observation);
    *number.lock().unwrap()
}

fn set_all(writer: &mut Writer, tip: Node) {
    writer.set_phase_roots(&[(Phase::Draft, tip)]);
    writer.set_bookmarks(&[("mark".into(), tip)].into());
    writer.set_publishing(false);
    let marker = [&[1][..], &[0, 0, 0, 59], &[0x41; 8], &[0, 0, 0, 0, 0, 3, 0], &[1; 20], &[2; 20]];
    let mut marker = marker.concat();
    marker.truncate(1 + 39);
    marker[4] = 39;
    writer.add_markers(&marker).unwrap();
}

/// Killed at any moment, and killed again while that is undone, nothing of it is left, or all of it.
#[test]
fn a_killed_transaction_never_was() {
    let (_folder, root) = new_repository();
    // One that is inline is split, one is new, and there is no list of files yet that has both.
    add(&root, &history(0..17, 30)).unwrap();
    std::fs::write(root.join(".hg/hgrc"), "[ui]\nusername = me\n").unwrap();
    let before = files(&root);
    let scratch = tempfile::tempdir().unwrap();
    let whole = |root: &Path| {
        let mut writer = open(root);
        let mut made = history(17..30, 30);
        let first = revision(&mut made, 0, 0).node;
        writer.add(&mut made, &NoProgress, &Interrupt::default()).unwrap();
        set_all(&mut writer, first);
        writer.commit().unwrap();
    };
    let killed = moments(&root, scratch.path(), whole);
    assert!(killed > 30, "only {killed} moments");
    let after = files(&scratch.path().join("live"));
    assert_ne!(before, after);
    let mut undone = 0;
    for moment in 1..=killed {
        let at = scratch.path().join(moment.to_string());
        // Whoever comes next first breaks the lock, which names this process.
        let mut state = at.clone();
        if moment % 5 == 0 {
            let again = scratch.path().join(format!("{moment}-again"));
            std::fs::create_dir(&again).unwrap();
            let count = moments(&at, &again, |root| drop(open(root)));
            if count > 0 {
                state = again.join((1 + moment % count).to_string());
            }
        }
        let recovered = scratch.path().join(format!("{moment}-hg"));
        if moment % 7 == 0 && at.join(".hg/store/journal").exists() {
            copy(&at, &recovered);
            std::fs::remove_file(recovered.join(".hg/store/lock")).unwrap();
            hg(&recovered, &["--config", "experimental.evolution=all", "recover", "--verify"]);
        }
        drop(open(&state));
        let left = files(&state);
        let is_undone = left == before;
        undone += usize::from(is_undone);
        assert!(is_undone || left == after, "moment {moment}: {:?}", differences(&left, &before));
        whole(&state);
        assert!(
            files(&state) == after,
            "moment {moment}: {:?}",
            differences(&files(&state), &after)
        );
    }
    assert!(undone > 20 && undone < killed, "{undone} of {killed}");
    hg(&scratch.path().join("live"), &["verify", "-q"]);
}

fn differences(
    left: &BTreeMap<PathBuf, Vec<u8>>,
    right: &BTreeMap<PathBuf, Vec<u8>>,
) -> Vec<PathBuf> {
    let all = left.keys().chain(right.keys());
    all.filter(|path| left.get(*path) != right.get(*path)).cloned().collect()
}

#[test]
fn what_is_dropped_is_undone() {
    let (_folder, root) = new_repository();
    add(&root, &history(0..5, 30)).unwrap();
    let before = files(&root);
    let mut writer = open(&root);
    writer.add(&mut history(5..30, 30), &NoProgress, &Interrupt::default()).unwrap();
    assert!(writer.has_changeset(history_tip(30)));
    drop(writer);
    assert_eq!(files(&root), before);
    // Not even a journal is begun if nothing is to be written.
    let writer = open(&root);
    assert!(!writer.has_changeset(history_tip(30)));
    writer.commit().unwrap();
    assert_eq!(files(&root), before);
}

fn history_tip(steps: usize) -> Node {
    let Made(items) = history(0..steps, steps);
    let of_changelog = items.iter().skip(1).map_while(|item| match item {
        Item::Revision(revision) => Some(revision.node),
        Item::Group(_) => None,
    });
    of_changelog.last().unwrap()
}

/// The `n`th revision of the group, to be damaged.
fn revision(made: &mut Made, group: usize, n: usize) -> &mut DeltaRevision {
    let groups = made.0.iter_mut().enumerate();
    let starts: Vec<_> =
        groups.filter(|(_, item)| matches!(item, Item::Group(_))).map(|(i, _)| i).collect();
    match &mut made.0[starts[group] + 1 + n] {
        Item::Revision(revision) => revision,
        Item::Group(_) => panic!("there is no such revision"),
    }
}

/// What may be wrong with a changegroup: what the error says, whose fault it is, and how it is made.
type Damage = (&'static str, Fault, fn(&mut Made));

const MISSING: Node = Node::from_bytes([0x77; 20]);

const DAMAGE: [Damage; 12] = [
    ("its text hashes to", Fault::Corrupt, |made| {
        revision(made, 0, 2).delta = Delta::default();
    }),
    ("its text hashes to", Fault::Corrupt, |made| {
        revision(made, 4, 1).parents[1] = revision(made, 4, 0).node;
    }),
    ("its parent 7777", Fault::Corrupt, |made| {
        revision(made, 1, 2).parents[0] = MISSING;
    }),
    ("its delta is one of 7777", Fault::Corrupt, |made| {
        revision(made, 2, 1).base = MISSING;
    }),
    ("the changeset 7777", Fault::Corrupt, |made| {
        revision(made, 3, 1).link = MISSING;
    }),
    ("its delta is damaged", Fault::Corrupt, |made| {
        let delta = [[0, 9, 9, 9], [0, 9, 9, 9], [0; 4]].concat();
        revision(made, 2, 0).delta = Delta::parse(delta).unwrap();
    }),
    ("were left out", Fault::Unsupported, |made| {
        revision(made, 0, 0).flags = Flags(Flags::ELLIPSIS);
    }),
    ("flags 0x0001", Fault::Unsupported, |made| {
        revision(made, 2, 0).flags = Flags(1);
    }),
    ("flags 0x2000", Fault::Unsupported, |made| {
        revision(made, 1, 0).flags = Flags(Flags::EXTERNAL);
    }),
    ("does not say so", Fault::Corrupt, |made| {
        revision(made, 2, 0).flags = Flags(Flags::CENSORED);
    }),
    ("no file can have this name", Fault::Corrupt, |made| {
        for item in &mut made.0 {
            if let Item::Group(Group::File(path)) = item {
                *path = RepoPathBuf::from("a\nb");
            }
        }
    }),
    ("no manifests of directories", Fault::Unsupported, |made| {
        for item in &mut made.0 {
            if matches!(item, Item::Group(Group::File(_))) {
                *item = Item::Group(Group::Directory("dir/".into()));
            }
        }
    }),
];

#[test]
fn what_is_wrong_is_named_and_nothing_is_left_of_it() {
    let (_folder, root) = new_repository();
    add(&root, &history(0..6, 30)).unwrap();
    let before = files(&root);
    for (expected, fault, damage) in DAMAGE {
        let mut made = history(6..30, 30);
        damage(&mut made);
        let error = add(&root, &made).unwrap_err();
        let line = crate::base::fault::one_line(&error);
        assert!(line.contains(expected), "{expected}: {line}");
        assert_eq!(error.fault(), fault, "{line}");
        let left = files(&root);
        assert!(left == before, "{expected}: {:?}", differences(&left, &before));
    }
    let mut writer = open(&root);
    let mut made = history(6..30, 30);
    revision(&mut made, 0, 2).delta = Delta::default();
    writer.add(&mut made, &NoProgress, &Interrupt::default()).unwrap_err();
    assert!(matches!(writer.commit(), Err(WriteError::Undone { .. })));
    let interrupt = Interrupt::default();
    interrupt.raise();
    let mut writer = open(&root);
    let error = writer.add(&mut history(6..30, 30), &NoProgress, &interrupt).unwrap_err();
    assert_eq!(error.fault(), Fault::Interrupted);
    drop(writer);
    assert_eq!(files(&root), before);
    assert_eq!(add(&root, &history(6..30, 30)).unwrap().changesets.len(), 24);
}

/// Two changegroups in one transaction, of which the second splits what the first has appended to.
#[test]
fn several_changegroups_are_one_transaction() {
    let (_folder, root) = new_repository();
    add(&root, &history(0..5, 40)).unwrap();
    let before = files(&root);
    let both = |root: &Path| {
        let mut writer = open(root);
        for range in [5..12, 12..40] {
            writer.add(&mut history(range, 40), &NoProgress, &Interrupt::default()).unwrap();
        }
        writer
    };
    drop(both(&root));
    assert_eq!(files(&root), before);
    both(&root).commit().unwrap();
    assert_eq!(count(&root), (40, 40, 40));
    hg(&root, &["verify", "-q"]);
}

#[test]
fn small_files_say_what_they_are_told() {
    let (_folder, root) = new_repository();
    let hgrc = root.join(".hg/hgrc");
    std::fs::write(&hgrc, "[ui]\nusername = me").unwrap();
    let mut writer = open(&root);
    let added = writer.add(&mut history(0..4, 30), &NoProgress, &Interrupt::default()).unwrap();
    set_all(&mut writer, added.changesets[2]);
    writer.commit().unwrap();
    let read = |name: &str| std::fs::read_to_string(root.join(".hg").join(name)).unwrap();
    let tip = added.changesets[2];
    assert_eq!(read("store/phaseroots"), format!("1 {tip}\n"));
    assert_eq!(read("bookmarks"), format!("{tip} mark\n"));
    assert_eq!(read("hgrc"), "[ui]\nusername = me\n[phases]\npublish = False\n");
    assert_eq!(read("store/fncache"), "data/a.i\ndata/big.i\ndata/dir.i.hg/B.i\n");
    assert_eq!(std::fs::read(root.join(".hg/store/obsstore")).unwrap().len(), 40);
    hg(&root, &["--config", "experimental.evolution=all", "verify", "-q"]);
    let before = files(&root);
    let mut writer = open(&root);
    set_all(&mut writer, tip);
    writer.commit().unwrap();
    assert_eq!(files(&root), before);
    let mut writer = open(&root);
    writer.set_publishing(true);
    writer.set_bookmarks(&Bookmarks::new());
    writer.set_phase_roots(&[]);
    writer.commit().unwrap();
    assert_eq!(read("hgrc"), "[ui]\nusername = me\n");
    assert_eq!((read("bookmarks").as_str(), read("store/phaseroots").as_str()), ("", ""));
    // Lines of other programs are kept, but later lines win.
    std::fs::write(&hgrc, "[phases]\npublish = no\n[ui]\na = b\n").unwrap();
    let mut writer = open(&root);
    writer.set_publishing(true);
    writer.commit().unwrap();
    assert_eq!(read("hgrc"), "[phases]\npublish = no\n[ui]\na = b\n[phases]\npublish = True\n");
    let damaged = open(&root).add_markers(b"\x01damaged").unwrap_err();
    assert_eq!(damaged.fault(), Fault::Corrupt);
}

#[test]
fn repositories_that_are_not_written_are_refused_by_name() {
    let (folder, root) = new_repository();
    assert!(matches!(Writer::create(&root, &NewStore::default()), Err(WriteError::Exists { .. })));
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    Writer::create(&empty, &NewStore { tree_manifests: true }).unwrap();
    assert!(
        std::fs::read_to_string(empty.join(".hg/store/requires"))
            .unwrap()
            .contains("\ntreemanifest\n")
    );
    let requires = root.join(".hg/store/requires");
    let text = std::fs::read_to_string(&requires).unwrap();
    for (changed, expected) in [
        (text.replace("dotencode\nfncache", "fileindex-v1"), "fileindex-v1"),
        (text.replace("revlogv1\n", ""), "revlogv0"),
        (format!("{text}lfs\n"), "lfs"),
    ] {
        std::fs::write(&requires, changed).unwrap();
        let error = Writer::open(&root, &Limits::default()).map(drop).unwrap_err();
        assert_eq!(error.fault(), Fault::Unsupported);
        assert!(error.to_string().contains(expected), "{error}");
    }
    std::fs::write(&requires, text).unwrap();
    let writer = open(&root);
    let error = Writer::open(&root, &Limits::default()).map(drop).unwrap_err();
    assert!(matches!(error, WriteError::Locked { .. }));
    drop(writer);
}

/// Whatever is in the files that say what to undo: an error, or something outside of them is as it
/// was.
#[test]
fn a_damaged_journal_does_no_harm_elsewhere() {
    let (folder, root) = new_repository();
    add(&root, &history(0..5, 30)).unwrap();
    let outside = folder.path().join("outside");
    std::fs::write(&outside, "outside").unwrap();
    let store = root.join(".hg/store");
    let lists = [&b"data/a.i\x00120\n00changelog.d\x0010\n"[..], b"2\n\0fncache\0copy\x000\n"];
    std::fs::write(store.join("copy"), "data/a.i\n").unwrap();
    let before = files(&root);
    let mut undone = 0;
    let mut check = |journal: &[u8], backups: &[u8]| {
        for (path, text) in &before {
            std::fs::write(root.join(path), text).unwrap();
        }
        std::fs::write(store.join("journal"), journal).unwrap();
        std::fs::write(store.join("journal.backupfiles"), backups).unwrap();
        match Writer::open(&root, &Limits::default()) {
            Ok(_) => undone += 1,
            Err(error) => assert_ne!(error.fault(), Fault::Internal, "{error}"),
        }
        assert_eq!(std::fs::read(&outside).unwrap(), b"outside");
    };
    for (which, list) in lists.iter().enumerate() {
        for at in 0..list.len() {
            for damage in 0..3 {
                let mut both = lists.map(<[u8]>::to_vec);
                match damage {
                    0 => both[which].truncate(at),
                    1 => both[which][at] ^= 1,
                    _ => both[which][at] ^= 0x80,
                }
                check(&both[0], &both[1]);
            }
        }
    }
    for journal in ["../../../outside\x000\n", "data/a.i\n", "data/a.i\0-1\n", "/etc/a\x000\n"] {
        check(journal.as_bytes(), b"");
    }
    check(lists[0], b"2\nplain\0../../outside\0\x000\n");
    check(lists[0], b"3\n");
    assert!(undone > 10, "{undone}");
}
