//! Broken file revisions, what stands for them, and what must not happen on the way.

use std::path::Path;
use std::time::{Duration, Instant};

use git2::{Oid, Repository};
use synchroniser::base::hex;
use synchroniser::cli::exit;

use super::store::{Store, fragment, number, zlib};
use crate::support::{Converted, Fixture, Ran, TestEnv, files_below, for_all, same};

/// Runs `convert` with `options`.
pub(super) fn convert(env: &TestEnv, source: &Path, target: &Path, options: &[&str]) -> Ran {
    let args = [Path::new("convert"), source, target, Path::new("--map"), &env.path("map")];
    env.synchronise(args.into_iter().chain(options.iter().map(Path::new)))
}

pub(super) fn verify(env: &TestEnv, source: &Path, target: &Path, options: &[&str]) -> Ran {
    let args = [Path::new("verify"), source, target];
    env.synchronise(args.into_iter().chain(options.iter().map(Path::new)))
}

/// The contents of a file at the commit that changeset `number` became, as its message says.
fn file_at(target: &Path, number: usize, name: &str) -> Vec<u8> {
    let repository = Repository::open_bare(target).unwrap();
    let mut walk = repository.revwalk().unwrap();
    walk.push_glob("refs/heads/*").unwrap();
    let says = |id: &Oid| {
        repository.find_commit(*id).unwrap().message().unwrap() == format!("changeset {number}\n")
    };
    let id = walk.map(Result::unwrap).find(says).unwrap();
    let tree = repository.find_commit(id).unwrap().tree().unwrap();
    let blob = tree.get_name(name).unwrap().id();
    repository.find_blob(blob).unwrap().content().to_vec()
}

pub(super) fn placeholder(store: &Store, name: &str, rev: usize) -> String {
    let node = hex::encode(&store.files[name].0[rev].node);
    format!(
        "This is a placeholder, written by synchroniser.\n\nRevision {node}\nof the file {name}\n\
         is damaged or missing in the Mercurial repository.\n"
    )
}

/// Four changesets: `f` changes in each, `g` in the second; `h` stays.
fn four() -> Store {
    let mut store = Store::default();
    let h = store.file("h", b"h\n");
    for i in 0..4 {
        let f = store.file("f", format!("f {i}\n").as_bytes());
        let g = if i < 2 {
            store.file("g", format!("g {i}\n").as_bytes())
        } else {
            store.files["g"].0.last().unwrap().node
        };
        store.commit([i - 1, -1], &[("f", f), ("g", g), ("h", h)]);
    }
    store
}

/// `f` is broken in its second revision and `g` in its first; `h` has no history at all.
fn broken() -> Store {
    let mut store = four();
    store.files.get_mut("f").unwrap().0[1].chunk[2] ^= 1;
    store.files.get_mut("g").unwrap().0[0].chunk[1] ^= 1;
    store.files.remove("h");
    store
}

#[test]
fn all_that_is_broken_is_told_with_who_needs_it() {
    let env = TestEnv::new();
    let (source, target) = (broken().write(&env.path("made")), env.path("target.git"));
    let said = convert(&env, &source, &target, &[]).with_code(i32::from(exit::CORRUPT)).unwrap();
    let said = said.stderr;
    let whole = four();
    let node = |number: usize| hex::encode(&whole.changelog.0[number].node)[..12].to_owned();
    let h = hex::encode(&whole.files["h"].0[0].node);
    for words in [
        "revision 1 (",
        "of f: its text hashes to",
        &format!("(needed by 1 changeset: {})", node(1)),
        "of g: its text hashes to",
        &format!("(needed by 1 changeset: {})", node(0)),
        &format!("find revision {h} of the file \"h\": the source has no such revision"),
        &format!("(needed by 4 changesets: {}, {}, {}, …)", node(0), node(1), node(2)),
        "--skip-damaged",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
    assert_eq!(Repository::open_bare(&target).unwrap().references().unwrap().count(), 0);
}

#[test]
fn placeholders_stand_for_what_is_damaged_and_stay() {
    let env = TestEnv::new();
    let store = broken();
    let (source, target) = (store.write(&env.path("made")), env.path("target.git"));
    let said = convert(&env, &source, &target, &["--skip-damaged"]).ok().unwrap();
    assert_eq!(said.matches("warning: made a placeholder for ").count(), 3, "{said}");
    let whole = four();
    for number in 0..4 {
        let f = match number {
            1 => placeholder(&whole, "f", 1),
            n => format!("f {n}\n"),
        };
        assert_eq!(file_at(&target, number, "f"), f.as_bytes());
        let g = if number < 1 { placeholder(&whole, "g", 0) } else { "g 1\n".to_owned() };
        assert_eq!(file_at(&target, number, "g"), g.as_bytes());
        assert_eq!(file_at(&target, number, "h"), placeholder(&whole, "h", 0).as_bytes());
    }
    let map = std::fs::read(env.path("map")).unwrap();
    let verified = verify(&env, &source, &target, &[]).ok().unwrap();
    assert_eq!(verified.matches("a placeholder stands for it").count(), 3, "{verified}");
    assert!(!verified.contains("has it again"), "{verified}");
    // The same elsewhere, and in two steps.
    let elsewhere = env.path("elsewhere.git");
    let mut half = store.clone();
    half.changelog.0.truncate(1);
    half.write(&env.path("made"));
    convert(&env, &source, &elsewhere, &["--skip-damaged"]).ok().unwrap();
    store.write(&env.path("made"));
    convert(&env, &source, &elsewhere, &["--skip-damaged"]).ok().unwrap();
    assert_eq!(std::fs::read(env.path("map")).unwrap(), map);
    // The source is repaired, and goes back to the first `g`.
    let mut repaired = four();
    let f = repaired.file("f", b"f 4\n");
    let (g, h) = (repaired.files["g"].0[0].node, repaired.files["h"].0[0].node);
    repaired.commit([3, -1], &[("f", f), ("g", g), ("h", h)]);
    std::fs::remove_dir_all(env.path("made")).unwrap();
    repaired.write(&env.path("made"));
    let said = convert(&env, &source, &target, &[]).ok().unwrap();
    assert!(said.contains("an earlier run made a placeholder for it"), "{said}");
    assert!(std::fs::read(env.path("map")).unwrap().starts_with(&map));
    assert_eq!(file_at(&target, 4, "f"), b"f 4\n");
    assert_eq!(file_at(&target, 4, "g"), placeholder(&whole, "g", 0).as_bytes());
    let verified = verify(&env, &source, &target, &[]).ok().unwrap();
    assert_eq!(verified.matches("has it again, and commits keep").count(), 3, "{verified}");
}

/// A mirror with placeholders whose list is lost, or that was pushed elsewhere without it.
#[test]
fn verify_knows_placeholders_without_their_list() {
    let env = TestEnv::new();
    let (source, target) = (broken().write(&env.path("made")), env.path("target.git"));
    convert(&env, &source, &target, &["--skip-damaged"]).ok().unwrap();
    std::fs::remove_file(target.join("synchroniser/placeholders")).unwrap();
    verify(&env, &source, &target, &[]).ok().unwrap();
}

/// Revisions 3 and 4 build on the broken 2; 5 is stored in full again.
#[test]
fn a_chain_upon_a_broken_revision_is_broken_to_its_end() {
    let mut store = Store::default();
    store.file("f", b"0\n");
    let log = store.files.get_mut("f").unwrap();
    for i in 1..5 {
        let text = format!("{i}\n");
        let delta = zlib(&fragment(0, 2, text.as_bytes()));
        log.push_stored(text.as_bytes(), [i - 1, -1], delta, i - 1);
    }
    log.push(b"5\n", [4, -1]);
    log.0[2].chunk[0] = b'?';
    for i in 0..6 {
        let node = store.files["f"].0[i].node;
        store.commit([number(i) - 1, -1], &[("f", node)]);
    }
    let env = TestEnv::new();
    let (source, target) = (store.write(&env.path("made")), env.path("target.git"));
    let said = convert(&env, &source, &target, &[]).with_code(i32::from(exit::CORRUPT)).unwrap();
    for words in ["read revision 2 (", "read revision 3 (", "read revision 4 (", "on revision 2,"] {
        assert!(said.stderr.contains(words), "{words} is not in {}", said.stderr);
    }
    assert!(!said.stderr.contains("read revision 5"), "{}", said.stderr);
    convert(&env, &source, &target, &["--skip-damaged"]).ok().unwrap();
    for i in 0..6 {
        let expected = match i {
            2..5 => placeholder(&store, "f", i),
            i => format!("{i}\n"),
        };
        assert_eq!(file_at(&target, i, "f"), expected.as_bytes(), "{i}");
    }
}

/// A hundred are told, and how many more there are.
#[test]
fn of_very_many_broken_revisions_the_first_are_told() {
    let mut store = Store::default();
    let name = |i: u8| [b'a' + i / 26, b'a' + i % 26].map(char::from).iter().collect::<String>();
    let names: Vec<_> = (0..150).map(name).collect();
    let files: Vec<_> = names.iter().map(|name| (&**name, store.file(name, b"text"))).collect();
    store.commit([-1, -1], &files);
    for log in store.files.values_mut() {
        log.0[0].chunk[1] ^= 1;
    }
    let env = TestEnv::new();
    let (source, target) = (store.write(&env.path("made")), env.path("target.git"));
    let ran = convert(&env, &source, &target, &[]).with_code(i32::from(exit::CORRUPT)).unwrap();
    assert_eq!(ran.stderr.matches("its text hashes to").count(), 100, "{}", ran.stderr);
    assert!(ran.stderr.contains("and 50 more"), "{}", ran.stderr);
    let told = |name: &String| ran.stderr.contains(&format!(" of {name}: "));
    assert!(names[..100].iter().all(told) && !names[100..].iter().any(told), "{}", ran.stderr);
    let said = convert(&env, &source, &target, &["--skip-damaged"]).ok().unwrap();
    assert_eq!(said.matches("made a placeholder for ").count(), 100, "{said}");
    assert!(said.contains("and placeholders for 50 more file revisions"), "{said}");
    let said = verify(&env, &source, &target, &[]).ok().unwrap();
    assert_eq!(said.matches("a placeholder stands for it").count(), 100, "{said}");
    assert!(said.contains("placeholders stand for 50 more file revisions"), "{said}");
}

#[test]
fn every_broken_manifest_and_changeset_is_told_and_none_skipped() {
    let mut store = four();
    store.manifest.0[1].chunk[9] ^= 1;
    store.changelog.0[3].chunk[60] ^= 1;
    let env = TestEnv::new();
    let (source, target) = (store.write(&env.path("made")), env.path("target.git"));
    for options in [&[][..], &["--skip-damaged"]] {
        let said = convert(&env, &source, &target, options);
        let said = said.with_code(i32::from(exit::CORRUPT)).unwrap().stderr;
        for words in ["and 2 descendants: read revision 1 (", "of 00manifest", "of 00changelog"] {
            assert!(said.contains(words), "{words:?} is not in {said}");
        }
        assert_eq!(Repository::open_bare(&target).unwrap().references().unwrap().count(), 0);
    }
}

#[test]
fn the_flag_of_a_censored_revision_makes_nothing_of_a_sound_one() {
    let mut store = four();
    store.files.get_mut("f").unwrap().0[1].flags = 1 << 15;
    let env = TestEnv::new();
    let (source, target) = (store.write(&env.path("made")), env.path("target.git"));
    let said = convert(&env, &source, &target, &[]).with_code(i32::from(exit::CORRUPT)).unwrap();
    assert!(said.stderr.contains("marked as censored, and was not"), "{}", said.stderr);
}

#[test]
fn what_is_censored_is_reported() {
    let env = TestEnv::new();
    let source = Fixture::named("censored").unpack(&env);
    let said = convert(&env, &source, &env.path("target.git"), &[]).ok().unwrap();
    assert_eq!(said.matches("its text was censored").count(), 2, "{said}");
}

/// Runs `convert`, which must end by itself, and soon, with an error of the source or, if nothing
/// depends on what is wrong, none.
fn ends(env: &TestEnv, source: &Path) -> Result<Option<i32>, String> {
    let start = Instant::now();
    let mut command = env.command("timeout");
    command.arg("30").arg(env!("CARGO_BIN_EXE_synchroniser")).arg("convert");
    let ran = Ran::from(&command.arg(source).arg(env.path("target.git")).output().unwrap());
    let allowed = [exit::OK, exit::CONFIG, exit::UNAVAILABLE, exit::CORRUPT, exit::UNSUPPORTED];
    match ran.code {
        Some(code) if allowed.map(i32::from).contains(&code) => {}
        _ => return Err(format!("after {:?}: {ran:?}", start.elapsed())),
    }
    Ok(ran.code)
}

#[test]
fn pipes_devices_loops_and_folders_are_not_waited_for() {
    type Case = (&'static str, fn(&Path, &Path));
    fn fifo(_: &Path, path: &Path) {
        let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    }
    let zeros = |_: &Path, path: &Path| std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    let itself = |_: &Path, path: &Path| std::os::unix::fs::symlink(path, path).unwrap();
    let folder = |_: &Path, path: &Path| std::fs::create_dir(path).unwrap();
    let kinds: [Case; 4] =
        [("pipe", fifo), ("device", zeros), ("loop", itself), ("folder", folder)];
    let places = [
        "requires",
        "store/requires",
        "store/00changelog.i",
        "store/00manifest.i",
        "store/data/a.i",
        "store/phaseroots",
        "store/obsstore",
        "bookmarks",
        "hgrc",
        "store/00changelog.d",
        "sharedpath",
        "localtags",
        "dirstate",
        "store/fncache",
    ];
    let cases = kinds.iter().flat_map(|kind| places.iter().map(move |place| (place, kind)));
    for_all(
        cases.map(|(place, (name, make))| (format!("a {name} at {place}"), (*place, *make))),
        |(place, make)| {
            let env = TestEnv::new();
            let source = Fixture::named("formats/default").unpack(&env);
            let path = source.join(".hg").join(place);
            if path.exists() {
                std::fs::remove_file(&path).unwrap();
            }
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            make(&source, &path);
            let code = ends(&env, &source)?;
            let optional =
                !["requires", "log.i", "manifest.i", "/a.i"].iter().any(|end| place.ends_with(end));
            same("whether it fails", &(code == Some(0) && !optional), &false)
        },
    );
}

#[test]
fn shares_of_themselves_end() {
    let env = TestEnv::new();
    let source = Fixture::named("share/relative").unpack(&env);
    std::fs::write(source.join(".hg/sharedpath"), source.join(".hg").to_str().unwrap()).unwrap();
    ends(&env, &source).unwrap();
    let (a, b) = (env.path("a"), env.path("b"));
    for (one, other) in [(&a, &b), (&b, &a)] {
        std::fs::create_dir_all(one.join(".hg")).unwrap();
        std::fs::write(one.join(".hg/requires"), "shared\nstore\nrevlogv1\n").unwrap();
        std::fs::write(one.join(".hg/sharedpath"), other.join(".hg").to_str().unwrap()).unwrap();
    }
    ends(&env, &a).unwrap();
}

#[test]
fn garbage_in_small_files_is_an_error_or_nothing() {
    let garbage: [(&str, Vec<u8>); 5] = [
        ("nothing", Vec::new()),
        ("zeros", vec![0; 300]),
        ("ones", vec![0xff; 300]),
        ("lines", b"\n \n\t\r\n1\n1 1\n1 1 1\n0 zz\n".repeat(9)),
        ("a length", [&[0, 1][..], &[0xff; 40]].concat()),
    ];
    let places = [
        "store/phaseroots",
        "store/obsstore",
        "bookmarks",
        "localtags",
        "dirstate",
        "store/fncache",
        "hgrc",
        "requires",
        "store/requires",
        "cache/tags2-served",
        "cache/branch2-served",
        "store/00changelog.n",
        "store/00changelog.i",
        "sharedpath",
    ];
    let cases = places.iter().flat_map(|place| garbage.iter().map(move |kind| (place, kind)));
    for_all(
        cases.map(|(place, (name, text))| (format!("{name} in {place}"), (*place, text))),
        |(place, text)| {
            let env = TestEnv::new();
            let source = Fixture::named("formats/default").unpack(&env);
            let path = source.join(".hg").join(place);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
            ends(&env, &source).map(drop)
        },
    );
}

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

fn mutate(path: &Path, numbers: &mut Numbers) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = numbers.below(bytes.len());
    match numbers.below(4) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(..at)),
        2 => bytes.extend_from_within(at..),
        _ => {
            for _ in 0..=numbers.below(3) {
                let at = numbers.below(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << numbers.below(8);
                }
            }
        }
    }
    std::fs::write(path, bytes).unwrap();
}

/// Whole repositories, changed somewhere: an error, or for each changeset that is converted the
/// commit that it always had. With placeholders allowed, never a panic.
#[test]
fn a_mutated_repository_is_an_error_or_the_same_commits() {
    let start = Instant::now();
    let names = ["formats/default", "clashes", "obsolete", "renames", "censored", "share/relative"];
    let all: Vec<_> = names
        .map(|name| {
            let env = TestEnv::new();
            let source = Fixture::named(name).unpack(&env);
            let made = Converted::make(&env, &source, &env.path("target.git")).unwrap();
            (name, made.commits)
        })
        .into();
    let mut numbers = Numbers(1);
    let (mut rounds, mut failed) = (0, 0);
    while start.elapsed() < Duration::from_secs(20) && rounds < 1000 {
        let (name, commits) = &all[rounds % all.len()];
        let seed = numbers.0;
        let env = TestEnv::new();
        let source = Fixture::named(name).unpack(&env);
        let files = files_below(source.parent().unwrap());
        for _ in 0..=numbers.below(2) {
            mutate(&files[numbers.below(files.len())], &mut numbers);
        }
        rounds += 1;
        let skips = numbers.below(4) == 0;
        let options = if skips { &["--skip-damaged"][..] } else { &[] };
        let ran = convert(&env, &source, &env.path("target.git"), options);
        let noticed = [exit::CONFIG, exit::UNAVAILABLE, exit::CORRUPT, exit::UNSUPPORTED];
        match ran.code {
            Some(0) if skips => {}
            Some(0) => {
                let map = std::fs::read_to_string(env.path("map")).unwrap();
                for line in map.lines() {
                    let (commit, node) = line.split_once(' ').unwrap();
                    assert_eq!(
                        commits.get(node).map(String::as_str),
                        Some(commit),
                        "{name} {seed}"
                    );
                }
            }
            Some(code) if noticed.map(i32::from).contains(&code) => failed += 1,
            _ => panic!("{name}, seed {seed}: {ran:?}"),
        }
    }
    // Otherwise nothing was tested.
    assert!(rounds > 20 && failed > rounds / 10 && failed < rounds, "{failed} of {rounds}");
}

/// A commit that says it is of a changeset, and is not what the changeset is.
fn forge(target: &Path, changed: impl Fn(&Repository, &git2::Tree<'_>) -> Oid) {
    let map = target.join("synchroniser/map");
    let mut records = std::fs::read(&map).unwrap();
    let repository = Repository::open_bare(target).unwrap();
    // The second record: one with a parent and a child.
    let commit = Oid::from_bytes(&records[60..80]).unwrap();
    let tree = repository.find_commit(commit).unwrap().tree().unwrap();
    let forged = changed(&repository, &tree).to_string();
    let raw = repository.odb().unwrap().read(commit).unwrap().data().to_vec();
    let raw = String::from_utf8(raw).unwrap().replace(&tree.id().to_string(), &forged);
    let id = repository.odb().unwrap().write(git2::ObjectType::Commit, raw.as_bytes()).unwrap();
    records[60..80].copy_from_slice(id.as_bytes());
    std::fs::write(map, records).unwrap();
}

/// What verification says, and the tree that makes it say so.
type Forgery = (&'static str, fn(&Repository, &git2::Tree<'_>) -> Oid);

#[test]
fn a_chosen_changeset_is_verified_by_itself() {
    let env = TestEnv::new();
    let (source, target) = (four().write(&env.path("made")), env.path("target.git"));
    convert(&env, &source, &target, &[]).ok().unwrap();
    let node = hex::encode(&four().changelog.0[1].node);
    for chosen in [&node[..], &node[..7], "1"] {
        let said = verify(&env, &source, &target, &["--changeset", chosen]).ok().unwrap();
        assert!(said.starts_with("1 changeset, "), "{said}");
    }
    let said = verify(&env, &source, &target, &["--since", "0", "--changeset", "0"]).ok().unwrap();
    assert!(said.starts_with("4 changesets, "), "{said}");
    for unknown in ["4", "", "zz", &"1".repeat(40)] {
        let ran = verify(&env, &source, &target, &["--changeset", unknown]);
        ran.with_code(i32::from(exit::CONFIG)).unwrap();
    }
    let forgeries: [Forgery; 4] = [
        ("\"h\" is missing", |repository, tree| {
            let mut builder = repository.treebuilder(Some(tree)).unwrap();
            builder.remove("h").unwrap();
            builder.write().unwrap()
        }),
        ("\"more\" is 100644", |repository, tree| {
            let mut builder = repository.treebuilder(Some(tree)).unwrap();
            builder.insert("more", repository.blob(b"more").unwrap(), 0o100_644).unwrap();
            builder.write().unwrap()
        }),
        ("\"h\" is 100755", |repository, tree| {
            let mut builder = repository.treebuilder(Some(tree)).unwrap();
            let h = tree.get_name("h").unwrap().id();
            builder.insert("h", h, 0o100_755).unwrap();
            builder.write().unwrap()
        }),
        ("\"h\" is 100644", |repository, tree| {
            let mut builder = repository.treebuilder(Some(tree)).unwrap();
            builder.insert("h", repository.blob(b"other").unwrap(), 0o100_644).unwrap();
            builder.write().unwrap()
        }),
    ];
    for (words, forgery) in forgeries {
        let target = env.path(format!("{}.git", words.len()));
        convert(&env, &source, &target, &[]).ok().unwrap();
        forge(&target, forgery);
        let ran = verify(&env, &source, &target, &["--changeset", "1"]);
        let said = ran.with_code(i32::from(exit::DIFFERENCES)).unwrap().stdout;
        assert!(said.contains(words), "{words} is not in {said}");
        // The others are what they were, but for the parent of the next one.
        verify(&env, &source, &target, &["--changeset", "0"]).ok().unwrap();
        let ran = verify(&env, &source, &target, &["--changeset", "2"]);
        let said = ran.with_code(i32::from(exit::DIFFERENCES)).unwrap().stdout;
        assert!(said.contains("parent"), "{said}");
        std::fs::remove_dir_all(target).unwrap();
    }
}

#[test]
fn a_mirror_is_verified_to_its_target() {
    let env = TestEnv::new();
    let mut store = four();
    let source = store.write(&env.path("made"));
    let config = format!(
        "cache = \"cache\"\n[mirrors.m]\nsource = {source:?}\ntarget = {:?}\n",
        env.path("target.git")
    );
    std::fs::write(env.path("c.toml"), config).unwrap();
    let run = |command: &str, more: &[&str]| {
        let args = [command, "m", "--config", "c.toml"];
        env.synchronise(args.iter().chain(more))
    };
    run("verify", &[]).with_code(i32::from(exit::CONFIG)).unwrap();
    Repository::init_bare(env.path("target.git")).unwrap();
    run("sync", &[]).ok().unwrap();
    run("verify", &[]).ok().unwrap();
    run("verify", &["--since", "1"]).ok().unwrap();
    let target = Repository::open_bare(env.path("target.git")).unwrap();
    let tip = target.refname_to_id("refs/heads/master").unwrap();
    let parent = target.find_commit(tip).unwrap().parent_id(0).unwrap();
    target.reference("refs/heads/master", parent, true, "").unwrap();
    let said = run("verify", &[]).with_code(i32::from(exit::DIFFERENCES)).unwrap().stdout;
    assert!(said.contains("at the target: refs/heads/master is at"), "{said}");
    target.reference("refs/heads/master", tip, true, "").unwrap();
    run("verify", &[]).ok().unwrap();
    // Damage in the source that is new: nothing moves.
    let f = store.file("f", b"f 4\n");
    store.files.get_mut("f").unwrap().0[4].chunk[1] ^= 1;
    let [g, h] = ["g", "h"].map(|name| store.files[name].0.last().unwrap().node);
    store.commit([3, -1], &[("f", f), ("g", g), ("h", h)]);
    store.write(&env.path("made"));
    run("sync", &[]).with_code(i32::from(exit::CORRUPT)).unwrap();
    assert_eq!(target.refname_to_id("refs/heads/master").unwrap(), tip);
    run("sync", &["--skip-damaged"]).ok().unwrap();
    assert_ne!(target.refname_to_id("refs/heads/master").unwrap(), tip);
    let said = run("verify", &[]).ok().unwrap();
    assert_eq!(said.matches("a placeholder stands for it").count(), 1, "{said}");
}
