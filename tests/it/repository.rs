//! Bare repositories of our own: made, read, and their references moved.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use synchroniser::base::{Fault, HasFault as _};
use synchroniser::git::repository::{RefEdit, RepositoryError, UpdateRefsError};
use synchroniser::git::{BareRepository, ObjectId, ObjectKind};

use super::destination::commit_in;

const MASTER: &str = "refs/heads/master";

struct Fixture {
    folder: tempfile::TempDir,
    repository: BareRepository,
    /// The same repository, through libgit2 alone.
    git: git2::Repository,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("git");
        let repository = BareRepository::open_or_create(&path, "master").unwrap();
        let git = git2::Repository::open_bare(&path).unwrap();
        Self { folder, repository, git }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("git")
    }

    fn commit(&self, text: &str) -> ObjectId {
        commit_in(&self.git, text, &[])
    }

    /// Moves references; `None` deletes.
    fn update(&self, edits: &[(&str, Option<ObjectId>)]) -> Result<(), UpdateRefsError> {
        let edits: Vec<_> =
            edits.iter().map(|&(name, new)| RefEdit { name: name.to_owned(), new }).collect();
        self.repository.update_refs(&edits, None)
    }

    /// The references, through a libgit2 that knows nothing yet.
    fn refs(&self) -> Vec<(String, ObjectId)> {
        let git = git2::Repository::open_bare(self.path()).unwrap();
        let references = git.references().unwrap();
        let mut found: Vec<_> = references
            .map(|reference| reference.unwrap())
            .map(|reference| {
                (reference.name().unwrap().to_owned(), reference.target().unwrap().into())
            })
            .collect();
        found.sort();
        let ours: Vec<_> =
            self.repository.refs().unwrap().into_iter().map(|one| (one.name, one.id)).collect();
        assert_eq!(ours, found, "what we list and what libgit2 lists");
        found
    }
}

fn owned(refs: &[(&str, ObjectId)]) -> Vec<(String, ObjectId)> {
    refs.iter().map(|&(name, id)| (name.to_owned(), id)).collect()
}

#[test]
fn a_new_repository_is_bare_and_plain() {
    let fixture = Fixture::new();
    assert_eq!(fs::read(fixture.path().join("HEAD")).unwrap(), b"ref: refs/heads/master\n");
    assert_eq!(fixture.repository.head().as_deref(), Some(MASTER));
    assert!(fixture.git.is_bare());
    assert!(!fixture.path().join("hooks").exists());
    // Later the branch that is asked for makes no difference.
    let again = BareRepository::open_or_create(&fixture.path(), "other").unwrap();
    assert_eq!(again.head().as_deref(), Some(MASTER));
}

#[test]
fn a_half_made_repository_is_finished() {
    let fixture = Fixture::new();
    let path = fixture.path();
    fs::remove_file(path.join("HEAD")).unwrap();
    fs::write(path.join("HEAD.lock"), "ref: ").unwrap();
    fs::write(path.join("config.lock"), "").unwrap();
    // By this libgit2 tries whether there are symbolic links.
    let tried = path.join("_git2_014c851cd3641691");
    std::os::unix::fs::symlink("testing", &tried).unwrap();
    let repository = BareRepository::open_or_create(&path, "main").unwrap();
    assert_eq!(repository.head().as_deref(), Some("refs/heads/main"));
    assert!(fs::symlink_metadata(&tried).is_err());
}

#[test]
fn what_is_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("precious"), "").unwrap();
    let error = BareRepository::open_or_create(folder.path(), "master").unwrap_err();
    assert!(matches!(error, RepositoryError::NotARepository { .. }), "{error:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let folder = tempfile::tempdir().unwrap();
    git2::Repository::init(folder.path()).unwrap();
    let error = BareRepository::open_or_create(folder.path(), "master").unwrap_err();
    assert!(matches!(error, RepositoryError::NotBare { .. }), "{error:?}");
    assert_eq!(error.fault(), Fault::Config);
}

#[test]
fn references_come_move_and_go() {
    let fixture = Fixture::new();
    let (a, b) = (fixture.commit("a"), fixture.commit("b"));
    fixture.update(&[(MASTER, Some(a)), ("refs/tags/v1", Some(a))]).unwrap();
    assert_eq!(fixture.refs(), owned(&[(MASTER, a), ("refs/tags/v1", a)]));
    fixture.update(&[(MASTER, Some(b)), ("refs/heads/x", Some(a))]).unwrap();
    assert_eq!(fixture.refs(), owned(&[(MASTER, b), ("refs/heads/x", a), ("refs/tags/v1", a)]));
    fixture.update(&[("refs/heads/x", None), ("refs/heads/never", None)]).unwrap();
    assert_eq!(fixture.refs(), owned(&[(MASTER, b), ("refs/tags/v1", a)]));
}

#[test]
fn the_same_again_writes_nothing() {
    let fixture = Fixture::new();
    let edits = [(MASTER, Some(fixture.commit("a")))];
    fixture.update(&edits).unwrap();
    let file = || fs::metadata(fixture.path().join("packed-refs")).unwrap().ino();
    let before = file();
    fixture.update(&edits).unwrap();
    assert_eq!(file(), before);
    assert!(!fixture.path().join("packed-refs.lock").exists());
}

#[test]
fn a_file_becomes_a_folder_and_back() {
    let fixture = Fixture::new();
    let a = fixture.commit("a");
    fixture.update(&[("refs/heads/a", Some(a))]).unwrap();
    fixture.update(&[("refs/heads/a/b", Some(a)), ("refs/heads/a", None)]).unwrap();
    assert_eq!(fixture.refs(), owned(&[("refs/heads/a/b", a)]));
    fixture.update(&[("refs/heads/a", Some(a)), ("refs/heads/a/b", None)]).unwrap();
    assert_eq!(fixture.refs(), owned(&[("refs/heads/a", a)]));
}

#[test]
fn loose_references_of_others_are_taken_in() {
    let fixture = Fixture::new();
    let (a, b) = (fixture.commit("a"), fixture.commit("b"));
    for name in [MASTER, "refs/heads/x/y", "refs/heads/keep", "refs/notes/n"] {
        fixture.git.reference(name, a.into(), false, "").unwrap();
    }
    fixture
        .update(&[(MASTER, Some(b)), ("refs/heads/x/y", None), ("refs/heads/x", Some(b))])
        .unwrap();
    let listed = |name: &str| {
        let git = git2::Repository::open_bare(fixture.path()).unwrap();
        git.refname_to_id(name).ok().map(ObjectId::from)
    };
    assert_eq!(listed(MASTER), Some(b));
    assert_eq!(listed("refs/heads/x"), Some(b));
    assert_eq!(listed("refs/heads/x/y"), None);
    assert_eq!(listed("refs/heads/keep"), Some(a));
    assert_eq!(listed("refs/notes/n"), Some(a));
    assert!(!fixture.path().join("refs/heads/x").exists(), "the empty folder is gone");
    assert!(fixture.path().join("refs/heads").exists());
}

#[test]
fn what_cannot_be_moves_nothing() {
    let fixture = Fixture::new();
    let a = fixture.commit("a");
    fixture.update(&[("refs/heads/a", Some(a))]).unwrap();
    fixture.git.reference("refs/heads/loose", a.into(), false, "").unwrap();
    let before = fixture.refs();
    let gone = ObjectId::from_bytes([7; 20]);
    for (edits, expected) in [
        (vec![(MASTER, Some(a)), ("refs/heads/x", Some(gone))], "NoTarget"),
        (vec![(MASTER, Some(a)), ("refs/heads/a/b", Some(a))], "Clash"),
        (vec![(MASTER, Some(a)), ("refs/heads/loose/b", Some(a))], "Clash"),
        (vec![(MASTER, Some(a)), (MASTER, None)], "Twice"),
        (vec![(MASTER, Some(a)), ("refs/heads/a..b", Some(a))], "BadName"),
        (vec![(MASTER, Some(a)), ("HEAD", Some(a))], "BadName"),
        (vec![(MASTER, Some(a)), ("heads/x", Some(a))], "BadName"),
        (vec![(MASTER, Some(a)), ("refs/../../x", Some(a))], "BadName"),
    ] {
        let error = fixture.update(&edits).unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{expected}: {error:?}");
        assert_eq!(fixture.refs(), before, "{expected}");
        assert!(!fixture.path().join("packed-refs.lock").exists(), "{expected}");
    }
}

#[test]
fn an_annotated_tag_keeps_what_it_names() {
    let fixture = Fixture::new();
    let a = fixture.commit("a");
    let who = git2::Signature::new("A", "a@b", &git2::Time::new(0, 0)).unwrap();
    let object = fixture.git.find_object(a.into(), None).unwrap();
    let tag = fixture.git.tag("annotated", &object, &who, "text", false).unwrap();
    fixture.update(&[("refs/tags/annotated", Some(tag.into())), (MASTER, Some(a))]).unwrap();
    let text = fs::read_to_string(fixture.path().join("packed-refs")).unwrap();
    assert!(text.contains(&format!("{tag} refs/tags/annotated\n^{a}\n")), "{text}");
    // A file without the mark that says so is completed.
    let bare = format!("{a} refs/heads/master\n{tag} refs/tags/annotated\n");
    fs::write(fixture.path().join("packed-refs"), bare).unwrap();
    fixture.update(&[("refs/heads/x", Some(a))]).unwrap();
    let text = fs::read_to_string(fixture.path().join("packed-refs")).unwrap();
    assert!(text.contains(&format!("{tag} refs/tags/annotated\n^{a}\n")), "{text}");
}

#[test]
fn damage_and_locks_are_named() {
    let fixture = Fixture::new();
    let a = fixture.commit("a");
    let path = fixture.path().join("packed-refs");
    fs::write(&path, "not a reference\n").unwrap();
    let error = fixture.update(&[(MASTER, Some(a))]).unwrap_err();
    assert_eq!(error.fault(), Fault::Corrupt);
    assert_eq!(error.to_string(), format!("read {}: line 1 is not a ref", path.display()));
    fs::remove_file(&path).unwrap();

    let lock = fixture.path().join("packed-refs.lock");
    fs::write(&lock, "").unwrap();
    let error = fixture.update(&[(MASTER, Some(a))]).unwrap_err();
    assert_eq!(error.fault(), Fault::Unavailable);
    assert!(error.hint().unwrap().contains(&lock.display().to_string()));
    assert!(lock.exists(), "the lock of another process stays");
}

#[test]
fn stale_locks_go_and_nothing_else() {
    let fixture = Fixture::new();
    let a = fixture.commit("a");
    fixture.update(&[(MASTER, Some(a))]).unwrap();
    let stale = [
        "packed-refs.lock",
        "HEAD.lock",
        "refs/heads/master.lock",
        "refs/heads/a/b.lock",
        "objects/pack/tmp_pack_x",
        "objects/pack/pack_git2_x",
        ".tmp-head",
    ];
    fs::create_dir(fixture.path().join("refs/heads/a")).unwrap();
    for name in stale {
        fs::write(fixture.path().join(name), "").unwrap();
    }
    // A pack that never got an index is one that a killed run has left, unless it is being written.
    let packs = fixture.path().join("objects/pack");
    let age = |name: &str, hours: u64| {
        let file = fs::File::create(packs.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(hours)).unwrap();
    };
    for (name, hours) in [("pack-a.pack", 25), ("pack-b.pack", 23), ("pack-c.pack", 25)] {
        age(name, hours);
    }
    age("pack-c.idx", 25);
    fs::write(packs.join("pack-x.keep"), "").unwrap();
    assert_eq!(fixture.repository.clear_stale_locks().unwrap(), stale.len() + 1);
    assert!(!packs.join("pack-a.pack").exists());
    assert!(packs.join("pack-b.pack").exists() && packs.join("pack-c.pack").exists());
    for name in ["pack-b.pack", "pack-c.pack", "pack-c.idx"] {
        fs::remove_file(packs.join(name)).unwrap();
    }
    assert_eq!(fixture.repository.clear_stale_locks().unwrap(), 0);
    assert!(fixture.path().join("objects/pack/pack-x.keep").exists());
    assert_eq!(fixture.refs(), owned(&[(MASTER, a)]));
}

#[test]
fn head_follows() {
    let fixture = Fixture::new();
    let edit = RefEdit { name: "refs/heads/main".to_owned(), new: Some(fixture.commit("a")) };
    fixture.repository.update_refs(&[edit], Some("refs/heads/main")).unwrap();
    assert_eq!(fs::read(fixture.path().join("HEAD")).unwrap(), b"ref: refs/heads/main\n");
    let error = fixture.repository.update_refs(&[], Some("../x")).unwrap_err();
    assert!(matches!(error, UpdateRefsError::BadName { .. }));
}

#[test]
fn objects_and_history() {
    let fixture = Fixture::new();
    let root = fixture.commit("root");
    let child = commit_in(&fixture.git, "child", &[root]);
    let other = fixture.commit("other");
    let repository = &fixture.repository;
    assert!(repository.is_ancestor(root, child).unwrap());
    assert!(repository.is_ancestor(root, root).unwrap());
    assert!(!repository.is_ancestor(child, root).unwrap());
    assert!(!repository.is_ancestor(other, child).unwrap());
    let tree = repository.tree_of(child).unwrap();
    let (kind, bytes) = repository.read(tree).unwrap().unwrap();
    assert_eq!((kind, ObjectId::of(kind, &bytes)), (ObjectKind::Tree, tree));
    let gone = ObjectId::from_bytes([7; 20]);
    assert_eq!(repository.read(gone).unwrap(), None);
    assert!(matches!(repository.tree_of(gone), Err(RepositoryError::MissingObject { .. })));
    assert!(repository.is_ancestor(gone, child).is_err());

    let blob = ObjectId::of(ObjectKind::Blob, b"root");
    let edits = [(MASTER, Some(child)), ("refs/tags/file", Some(blob))];
    fixture.update(&edits).unwrap();
    let mut commits: Vec<_> = repository.commits().unwrap().map(Result::unwrap).collect();
    commits.sort();
    let mut expected = vec![root, child];
    expected.sort();
    assert_eq!(commits.iter().map(|(id, _)| *id).collect::<Vec<_>>(), expected);
    for (id, bytes) in commits {
        assert_eq!(ObjectId::of(ObjectKind::Commit, &bytes), id);
    }
}

#[test]
fn a_miss_looks_at_nothing_and_a_refresh_does() {
    let fixture = Fixture::new();
    let a = fixture.commit("a");
    assert!(fixture.repository.contains(a));
    let elsewhere = Fixture::new();
    let b = elsewhere.commit("b");
    let mut builder = elsewhere.git.packbuilder().unwrap();
    builder.insert_commit(b.into()).unwrap();
    assert!(!fixture.repository.contains(b));
    builder.write(&fixture.repository.pack_folder(), 0).unwrap();
    assert!(!fixture.repository.contains(b));
    fixture.repository.refresh().unwrap();
    assert!(fixture.repository.contains(b));
}

/// What stock Git makes of it.
mod oracle_git {
    use std::process::Command;

    use super::*;

    /// Runs `git` in `path`; `None` if there is no such program.
    fn git(path: &Path, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new("git");
        command.arg("-C").arg(path).args(arguments).env("HOME", path).env_remove("GIT_DIR");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        let Ok(output) = command.output() else {
            crate::support::skip("there is no git to ask");
            return None;
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "git {arguments:?}: {}", text(&output.stderr));
        Some(text(&output.stdout) + &text(&output.stderr))
    }

    #[test]
    fn git_reads_what_we_write_and_the_other_way_round() {
        let fixture = Fixture::new();
        let a = fixture.commit("a");
        let names: Vec<_> = (0..5000).map(|number| format!("refs/tags/{number:04}")).collect();
        let mut edits: Vec<_> = names.iter().map(|name| (name.as_str(), Some(a))).collect();
        edits.push((MASTER, Some(a)));
        fixture.update(&edits).unwrap();
        let Some(listed) = git(&fixture.path(), &["for-each-ref"]) else { return };
        assert_eq!(listed.lines().count(), 5001);
        let checked = git(&fixture.path(), &["fsck", "--strict"]).unwrap();
        assert_eq!(checked, "");
        // And back: Git moves one, packs all its own way, and we go on from there.
        let b = fixture.commit("b");
        git(&fixture.path(), &["update-ref", "refs/tags/0000", &b.to_string()]).unwrap();
        git(&fixture.path(), &["pack-refs", "--all"]).unwrap();
        fixture.update(&[("refs/tags/0001", Some(b)), ("refs/tags/0002", None)]).unwrap();
        let listed = git(&fixture.path(), &["for-each-ref", "--format=%(objectname)"]).unwrap();
        assert_eq!(listed.lines().count(), 5000);
        assert_eq!(listed.lines().filter(|id| *id == b.to_string()).count(), 2);
    }

    #[test]
    fn git_agrees_about_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "refs/heads/a",
            "refs/heads/a.lock",
            "refs/heads/.a",
            "refs/heads/a..b",
            "refs/heads/@",
            "refs/heads/a@{b",
            "refs/heads/a b",
            "refs/heads/a\u{7f}",
            "refs/heads/ä",
            "refs/heads/",
            "refs//a",
            "refs/heads/-a",
            "refs/heads/a.",
            "refs/a.lock/b",
            "@",
            "refs/heads/a*",
        ] {
            let mut command = Command::new("git");
            command.current_dir(folder.path()).args(["check-ref-format", name]);
            let Ok(status) = command.status() else {
                crate::support::skip("there is no git to ask");
                return;
            };
            let ours = synchroniser::git::reference::is_valid_ref_name(name);
            assert_eq!(ours, status.success(), "{name:?}");
        }
    }
}
