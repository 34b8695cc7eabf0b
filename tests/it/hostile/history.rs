//! Whole repositories, through the program.

use std::path::{Path, PathBuf};

use git2::{Oid, Repository};
use synchroniser::cli::exit;

use super::store::{NO_PARENTS, Revlog, Store, fragment, number, zlib};
use crate::support::env::cases;
use crate::support::{Converted, Fixture, Ran, TestEnv, for_all, same};

/// Leaves only the first `revisions` changesets, as a clone of the past would have them.
fn cut_changelog(repository: &Path, revisions: usize) {
    let path = repository.join(".hg/store/00changelog.i");
    let bytes = std::fs::read(&path).unwrap();
    let inline = bytes[1] & 1 == 1;
    let mut end = 0;
    for _ in 0..revisions {
        let length = u32::from_be_bytes(bytes[end + 8..end + 12].try_into().unwrap());
        end += 64 + if inline { usize::try_from(length).unwrap() } else { 0 };
    }
    std::fs::write(&path, &bytes[..end]).unwrap();
}

/// Trees that cannot be what the manifest says, and those after them: the same commits wherever a
/// run ends and the next begins.
#[test]
fn no_boundary_between_two_runs_changes_a_commit() {
    let names = ["clashes", "flips", "special-names", "deep-paths"];
    for_all(names.map(|name| (name.to_owned(), name)), |name| {
        let env = TestEnv::new();
        let fixture = Fixture::named(name);
        let source = fixture.unpack(&env);
        let once = Converted::make(&env, &source, &env.path("once.git"))?;
        once.check(&fixture.truth)?;
        for cut in 1..fixture.truth.changesets.len() {
            let target = env.path(format!("{cut}.git"));
            cut_changelog(&source, cut);
            let half = Converted::make(&env, &source, &target)?;
            same("changesets of the first run", &half.commits.len(), &cut)?;
            fixture.unpack(&env);
            let both = Converted::make(&env, &source, &target)?;
            same(&format!("commits after {cut}"), &both.commits, &once.commits)?;
            same(&format!("references after {cut}"), &both.refs(), &once.refs())?;
        }
        Ok(())
    });
}

/// What has no place in Git is said, once for each path and reason.
#[test]
fn what_is_left_out_is_reported() {
    let cases: [(&str, &[&str]); 3] = [
        (
            "clashes",
            &["\"a\", since", "\"a/b\", since", "\"keep/k\", since", "is also a directory"],
        ),
        (
            "special-names",
            &[
                "\".gitmodules\", since",
                "\"sub/.gitmodules/x\", since",
                "\".gitattributes/x\", since",
                "is a spelling of `.gitattributes` and a directory",
            ],
        ),
        ("deep-paths", &["more than 2048 directories"]),
    ];
    for_all(cases.map(|(name, words)| (name.to_owned(), (name, words))), |(name, words)| {
        let env = TestEnv::new();
        let source = Fixture::named(name).unpack(&env);
        let said = env.synchronise([Path::new("convert"), &source, &env.path("target.git")]);
        let said = said.with_code(0)?.stdout;
        let missing = words.iter().find(|word| !said.contains(**word));
        missing.map_or(Ok(()), |word| {
            Err(format!("{word:?} is not in {}", &said[..said.len().min(3000)]))
        })
    });
}

fn flip(path: &Path, from_end: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    let at = bytes.len() - from_end;
    bytes[at] ^= 0x10;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn damage_in_new_revisions_moves_no_reference() {
    let damages: [(&str, usize); 4] =
        [("00changelog.d", 10), ("00manifest.i", 10), ("data/f.i", 3), ("data/dir/g.i", 2)];
    for_all(damages.map(|damage| (damage.0.to_owned(), damage)), |(file, from_end)| {
        let env = TestEnv::new();
        let target = env.path("target.git");
        let half = Fixture::named("halves-first").unpack(&env);
        let before = Converted::make(&env, &half, &target)?.refs();
        let source = Fixture::named("halves-whole").unpack(&env);
        let path = source.join(".hg/store").join(file);
        let path = if path.exists() { path } else { path.with_extension("i") };
        flip(&path, from_end);
        let ran = env.synchronise([Path::new("convert"), &source, &target]);
        let ran = ran.with_code(i32::from(exit::CORRUPT))?;
        let name = file
            .trim_start_matches("data/")
            .trim_end_matches([".i", ".d"][usize::from(file.ends_with('d'))]);
        same(&ran.stderr, &(ran.stderr.contains(name) && ran.stderr.contains("revision")), &true)?;
        let after = Repository::open_bare(&target).unwrap();
        let after: Vec<_> = after.references().unwrap().map(Result::unwrap).collect();
        same("number of references", &after.len(), &before.len())?;
        let moved = |reference: &&git2::Reference<'_>| {
            before.get(&String::from_utf8_lossy(reference.name_bytes()).into_owned())
                != reference.target().map(|id| id.to_string()).as_ref()
        };
        same("moved references", &after.iter().filter(moved).count(), &0)
    });
}

fn convert(env: &TestEnv, store: &Store) -> Result<(PathBuf, Converted), String> {
    let source = store.write(&env.path("made"));
    let made = Converted::make(env, &source, &env.path("target.git"))?;
    Ok((source, made))
}

/// The commit that changeset `number` became, by what its message says.
fn commits_by_number(made: &Converted) -> Vec<Oid> {
    let repository = Repository::open_bare(&made.path).unwrap();
    let number = |id: Oid| {
        let message = repository.find_commit(id).unwrap().message().unwrap().to_owned();
        message.trim().strip_prefix("changeset ").unwrap().parse::<usize>().unwrap()
    };
    let ids = made.commits.values().map(|id| Oid::from_str(id).unwrap());
    let mut numbered: Vec<_> = ids.map(|id| (number(id), id)).collect();
    numbered.sort_unstable();
    numbered.into_iter().map(|(_, id)| id).collect()
}

fn blob(repository: &Repository, commit: Oid, name: &str) -> Vec<u8> {
    let tree = repository.find_commit(commit).unwrap().tree().unwrap();
    let entry = tree.get_name(name).unwrap();
    repository.find_blob(entry.id()).unwrap().content().to_vec()
}

#[test]
fn thousands_of_tiny_revisions() {
    const COUNT: usize = 5000;
    let mut store = Store::default();
    for i in 0..COUNT {
        let node = store.file("f", format!("{i}\n").as_bytes());
        store.commit([number(i) - 1, -1], &[("f", node)]);
    }
    let env = TestEnv::new();
    let (source, made) = convert(&env, &store).unwrap();
    let repository = Repository::open_bare(&made.path).unwrap();
    let commits = commits_by_number(&made);
    assert_eq!(commits.len(), COUNT);
    for (i, commit) in commits.iter().enumerate() {
        assert_eq!(blob(&repository, *commit, "f"), format!("{i}\n").as_bytes());
    }
    env.synchronise([Path::new("verify"), &source, &made.path]).ok().unwrap();
}

#[test]
fn a_large_file_of_zeros_and_an_empty_one() {
    let zeros = vec![0; 64 << 20];
    let mut store = Store::default();
    let (large, empty) = (store.file("f", &zeros), store.file("g", b""));
    store.commit(NO_PARENTS, &[("f", large), ("g", empty)]);
    let longer = store.file("f", &zeros[1..]);
    store.commit([0, -1], &[("f", longer), ("g", empty)]);
    let env = TestEnv::new();
    let (_, made) = convert(&env, &store).unwrap();
    let repository = Repository::open_bare(&made.path).unwrap();
    let commits = commits_by_number(&made);
    assert_eq!(blob(&repository, commits[0], "f"), zeros);
    assert_eq!(blob(&repository, commits[1], "f"), zeros[1..]);
    assert_eq!(blob(&repository, commits[1], "g"), b"");
    let packed = std::fs::read_dir(made.path.join("objects/pack")).unwrap();
    let size: u64 = packed.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(size < 1 << 20, "{size}");
}

#[test]
fn hundreds_of_heads() {
    const HEADS: usize = 300;
    let mut store = Store::default();
    let root = store.file("f", b"root\n");
    store.commit(NO_PARENTS, &[("f", root)]);
    for i in 0..HEADS {
        let node = store.file("f", format!("{i}\n").as_bytes());
        store.commit([0, -1], &[("f", node)]);
    }
    let env = TestEnv::new();
    let (_, made) = convert(&env, &store).unwrap();
    let refs = made.refs();
    let commits = commits_by_number(&made);
    assert_eq!(refs["refs/heads/default"], commits[HEADS].to_string());
    assert_eq!(refs["refs/heads/master"], commits[HEADS].to_string());
    let further = refs.keys().filter(|name| name.starts_with("refs/heads/default-")).count();
    assert_eq!(further, HEADS - 1);
}

/// Runs a conversion that must fail, and leave no reference.
fn refused(env: &TestEnv, store: &Store) -> Result<Ran, String> {
    let source = store.write(&env.path("made"));
    let target = env.path("target.git");
    let ran = env.synchronise([Path::new("convert"), &source, &target]);
    let ran = ran.with_code(i32::from(exit::CORRUPT))?;
    if let Ok(made) = Repository::open_bare(&target) {
        same("references", &made.references().unwrap().count(), &0)?;
    }
    Ok(ran)
}

/// Three sound changesets to damage.
fn three() -> Store {
    let mut store = Store::default();
    for i in 0..3 {
        let node = store.file("f", format!("{i}\n").as_bytes());
        store.commit([i - 1, -1], &[("f", node)]);
    }
    store
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    type Case = (&'static [&'static str], fn(&mut Store));
    fn text(store: &mut Store, text: &str) {
        store.changelog.push(text.as_bytes(), [2, -1]);
    }
    let cases: [Case; 11] = [
        (&["00changelog", "revision 3", "no empty line"], |store| {
            text(store, &format!("{}\nuser\n0 0\nfile", "1".repeat(40)));
        }),
        (&["00changelog", "revision 3", "not a node"], |store| text(store, "x\nuser\n0 0\n\nm")),
        (&["00changelog", "revision 3", "no line for the user"], |store| {
            text(store, &("1".repeat(40) + "\n"));
        }),
        (&["00changelog", "revision 3", "no line for the manifest"], |store| text(store, "")),
        (&["1111111111111111", "no such manifest"], |store| {
            text(store, &format!("{}\nuser\n0 0\n\nm", "1".repeat(40)));
        }),
        (&["00changelog", "revision 1", "first parent"], |store| {
            store.changelog.0[1].parents = [2, -1];
        }),
        (&["00changelog", "revision 2", "delta base"], |store| store.changelog.0[2].base = 3),
        (&["00manifest", "revision 1", "hashes to"], |store| store.manifest.0[1].chunk[9] ^= 1),
        (&["revision 1", "of f", "limit"], |store| {
            store.files.get_mut("f").unwrap().0[1].text_length = i32::MAX;
        }),
        (&["revision 3", "of f", "metadata"], |store| {
            let node = store.file("f", b"\x01\ncopy: a\n");
            store.commit([2, -1], &[("f", node)]);
        }),
        (&["file \"f\"", "no such revision"], |store| {
            store.files.get_mut("f").unwrap().0.truncate(2);
        }),
    ];
    for_all(cases.map(|(words, change)| (words.join(", "), (words, change))), |(words, change)| {
        let env = TestEnv::new();
        let mut store = three();
        change(&mut store);
        let said = refused(&env, &store)?.stderr;
        let missing = words.iter().find(|word| !said.contains(**word));
        missing.map_or(Ok(()), |word| Err(format!("{word:?} is not in {said}")))
    });
}

/// Runs `convert` with an address space of `megabytes`: whoever asks for more gets nothing.
fn convert_in(env: &TestEnv, megabytes: usize, source: &Path, target: &Path) -> Ran {
    let limit = format!("ulimit -v {}; exec \"$@\"", megabytes << 10);
    let program = Path::new(env!("CARGO_BIN_EXE_synchroniser"));
    let args = [Path::new("-c"), Path::new(&limit), Path::new("sh"), program];
    env.run("sh", args.into_iter().chain([Path::new("convert"), source, target]))
}

/// A chain of small deltas, each of which expands to megabytes that change nothing: all of it at
/// once would be gigabytes.
#[test]
fn a_chain_of_delta_bombs_is_read_in_little_memory() {
    let (length, memory) = cases((90, 450), (200, 700));
    let nothing = zlib(&vec![0; 12 * 175_000]);
    let mut store = Store::default();
    store.file("f", b"text");
    let log: &mut Revlog = store.files.get_mut("f").unwrap();
    for rev in 1..=length {
        log.push_stored(b"text", [rev - 1, -1], nothing.clone(), rev - 1);
    }
    let node = log.0.last().unwrap().node;
    store.commit(NO_PARENTS, &[("f", node)]);
    let env = TestEnv::new();
    let (source, target) = (store.write(&env.path("made")), env.path("target.git"));
    convert_in(&env, memory, &source, &target).ok().unwrap();
    let repository = Repository::open_bare(&target).unwrap();
    let tip = repository.refname_to_id("refs/heads/master").unwrap();
    assert_eq!(blob(&repository, tip, "f"), b"text");
}

/// The fragments of one delta, each a copy for Git: as a list they would be twenty times as much.
#[test]
fn a_delta_of_very_many_ranges_is_converted_in_little_memory() {
    const LENGTH: u32 = 6 << 20;
    let base = vec![b'a'; LENGTH as usize];
    let changes: Vec<u8> = (0..LENGTH / 2).flat_map(|i| fragment(2 * i, 2 * i + 1, b"b")).collect();
    let text = b"ba".repeat(base.len() / 2);
    let mut store = Store::default();
    let first = store.file("f", &base);
    let log = store.files.get_mut("f").unwrap();
    log.push_stored(&text, [0, -1], zlib(&changes), 0);
    let second = log.0[1].node;
    store.commit(NO_PARENTS, &[("f", first)]);
    store.commit([0, -1], &[("f", second)]);
    let env = TestEnv::new();
    let (source, target) = (store.write(&env.path("made")), env.path("target.git"));
    convert_in(&env, 400, &source, &target).ok().unwrap();
    let repository = Repository::open_bare(&target).unwrap();
    let tip = repository.refname_to_id("refs/heads/master").unwrap();
    assert!(blob(&repository, tip, "f") == text);
}
