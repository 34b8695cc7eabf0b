//! What people and Git do to a cache, or to a repository that was converted into, between two runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use synchroniser::cli::exit;

use crate::adoption::sync;
use crate::support::{Converted, Fixture, Ran, TestEnv, env, for_all, git, same, skip};

const IDENTITIES: [&str; 3] = ["native", "hg-git", "fast-export"];

/// Converts `source`, verifying what is new.
fn convert(env: &TestEnv, source: &Path, target: &Path, identity: &str) -> Ran {
    let (command, verify) = (Path::new("convert"), Path::new("--verify"));
    let identity = ["--identity", identity].map(Path::new);
    env.synchronise([command, source, target, verify].into_iter().chain(identity))
}

/// What `verify` says.
fn verify(env: &TestEnv, source: &Path, target: &Path, identity: &str) -> Ran {
    let identity = ["--identity", identity].map(Path::new);
    env.synchronise([Path::new("verify"), source, target].into_iter().chain(identity))
}

/// The references that only keep commits.
fn kept(env: &TestEnv, target: &Path) -> Vec<String> {
    let refs =
        env.git(target, &["for-each-ref", "--format=%(objectname)", "refs/synchroniser/keep"]);
    refs.ok().unwrap().lines().map(str::to_owned).collect()
}

/// The files in the folder of packs.
fn packs(target: &Path, ending: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(target.join("objects/pack")).unwrap();
    let files = files.map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|found| found == ending)).collect()
}

#[test]
fn git_gc_eats_nothing_that_the_map_names() {
    if !env::has("git") {
        return skip("there is no git");
    }
    // Closed heads; an octopus, some of whose parts no commit names as its parent; hidden changesets.
    let cases = ["heads", "many-parents", "obsolete", "graph"]
        .into_iter()
        .flat_map(|name| IDENTITIES.map(|identity| (name, identity)));
    let cases = cases.map(|case| (format!("{case:?}"), case));
    for_all(cases, |(name, identity)| {
        let env = TestEnv::new();
        let source = Fixture::named(name).unpack(&env);
        let target = env.path("target.git");
        let made = Converted::make_as(&env, &source, &target, identity)?;
        env.git(&target, &["gc", "--quiet", "--prune=now"]).ok()?;
        git::fsck(&env, &target)?;
        for commit in made.commits.values() {
            env.git(&target, &["cat-file", "-e", commit]).ok()?;
        }
        let (kept, commits) = (kept(&env, &target), made.commits.values().collect::<BTreeSet<_>>());
        same("kept commits that are mapped", &kept.iter().all(|id| commits.contains(id)), &true)?;
        convert(&env, &source, &target, identity).ok()?;
        verify(&env, &source, &target, identity).ok().map(drop)
    });
}

#[test]
fn only_what_no_branch_or_tag_reaches_is_kept_by_a_reference_of_its_own() {
    if !env::has("git") {
        return skip("there is no git");
    }
    let env = TestEnv::new();
    let target = env.path("target.git");
    Converted::make(&env, &Fixture::demo().unpack(&env), &target).unwrap();
    let reached = ["rev-list", "--count", "--branches", "--tags"];
    let reached: usize = env.git(&target, &reached).ok().unwrap().trim().parse().unwrap();
    let all = git::count_commits(&env, &target).unwrap();
    let kept = kept(&env, &target);
    assert_eq!(kept.is_empty(), reached == all, "{kept:?}, {reached} of {all}");
    assert!(kept.len() <= all - reached, "{kept:?}, {reached} of {all}");
}

/// What a person or a broken disk takes away comes back, and the next run says so.
#[test]
fn a_cache_that_lost_something_is_rebuilt() {
    type Damage = fn(&TestEnv, &Path);
    if !env::has("git") {
        return skip("there is no git");
    }
    let damages: [(&str, Damage); 5] = [
        ("a pack is gone", |_, git| {
            for path in packs(git, "pack").iter().chain(&packs(git, "idx")) {
                std::fs::remove_file(path).unwrap();
            }
        }),
        ("a pack is gone, and not its index", |_, git| {
            for path in packs(git, "pack") {
                std::fs::remove_file(path).unwrap();
            }
        }),
        ("a pack is cut", |_, git| {
            let pack = packs(git, "pack").remove(0);
            let bytes = std::fs::read(&pack).unwrap();
            std::fs::remove_file(&pack).unwrap();
            std::fs::write(&pack, &bytes[..bytes.len() / 2]).unwrap();
            std::fs::remove_file(git.with_file_name("packs")).unwrap();
        }),
        ("a file of the newest commit is gone", |env, git| lose(env, git, "HEAD:")),
        ("the oldest commit is gone", |env, git| lose(env, git, "")),
    ];
    for_all(damages.map(|(name, damage)| (name.to_owned(), damage)), |damage| {
        let env = TestEnv::new();
        let source = Fixture::named("graph").unpack(&env);
        let target = env.path("target.git");
        git2::Repository::init_bare(&target).unwrap();
        sync(&env, &source, &target, "").ok()?;
        let cache = env.path("cache/it/git");
        let whole = Converted::make(&env, &source, &env.path("whole.git"))?.refs();
        damage(&env, &cache);
        let ran = sync(&env, &source, &target, "").with_code(i32::from(exit::OK))?;
        let said = ran.stdout + &ran.stderr;
        same("a warning", &said.contains("converted again"), &true).map_err(|_| said)?;
        git::fsck(&env, &cache)?;
        let refs = Converted::make(&env, &source, &env.path("whole.git"))?.refs();
        same("references", &refs, &whole)?;
        env.synchronise(["verify", "--config", "synchroniser.toml", "it"]).ok()?;
        let again = sync(&env, &source, &target, "");
        same(
            "a second warning",
            &(again.stdout + &again.stderr).contains("converted again"),
            &false,
        )
    });
}

/// What a run remembers to spare a later one work is believed only while it fits; otherwise it is made again.
#[test]
fn what_is_remembered_of_a_history_is_believed_only_if_it_fits() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 4] = [
        ("it is cut", |bytes| bytes.truncate(bytes.len() / 2)),
        ("a bit flipped", |bytes| bytes[40] ^= 1),
        ("it is empty", Vec::clear),
        ("it is as it was", |_| {}),
    ];
    for file in ["mapped", "branches"] {
        for (name, damage) in damages {
            let env = TestEnv::new();
            let source = Fixture::demo().unpack(&env);
            let target = env.path("target.git");
            let whole = Converted::make(&env, &source, &target).unwrap();
            let path = target.join("synchroniser").join(file);
            let saved = std::fs::read(&path).unwrap();
            let mut bytes = saved.clone();
            damage(&mut bytes);
            std::fs::write(&path, &bytes).unwrap();
            let again = Converted::make(&env, &source, &target).unwrap();
            assert_eq!(again.refs(), whole.refs(), "{file}: {name}");
            assert_eq!(again.commits, whole.commits, "{file}: {name}");
            assert!(std::fs::read(&path).unwrap() == saved, "{file}: {name}");
            // A map that is shorter than it was when that was remembered.
            let map = target.join("synchroniser/map");
            let records = std::fs::read(&map).unwrap();
            std::fs::write(&map, &records[..records.len() - 40]).unwrap();
            let again = Converted::make(&env, &source, &target).unwrap();
            assert_eq!(again.commits, whole.commits, "{file}: {name}");
            assert!(std::fs::read(&map).unwrap() == records, "{file}: {name}");
        }
    }
}

/// Unpacks all objects of the repository at `git` and removes one: what `name` names, or if that is
/// empty, the root commit.
fn lose(env: &TestEnv, git: &Path, name: &str) {
    let away = env.path("away");
    std::fs::create_dir_all(&away).unwrap();
    for file in ["pack", "idx"].iter().flat_map(|ending| packs(git, ending)) {
        std::fs::rename(&file, away.join(file.file_name().unwrap())).unwrap();
    }
    for pack in std::fs::read_dir(&away).unwrap().map(|entry| entry.unwrap().path()) {
        if pack.extension().is_some_and(|ending| ending == "pack") {
            let mut unpack = env.command("git");
            unpack.arg("-C").arg(git).args(["unpack-objects", "-q"]);
            let unpacked = unpack.stdin(std::fs::File::open(&pack).unwrap()).status().unwrap();
            assert!(unpacked.success());
        }
    }
    let listed = match name {
        "" => env.git(git, &["rev-list", "--max-parents=0", "HEAD"]),
        _ => env.git(git, &["ls-tree", "-r", "--format=%(objectname)", name]),
    };
    let id = listed.ok().unwrap().lines().next().unwrap().to_owned();
    std::fs::remove_file(git.join("objects").join(&id[..2]).join(&id[2..])).unwrap();
}

/// A server whose disk was lost, or an address that now leads to another repository.
#[test]
fn an_empty_or_another_source_does_not_empty_the_mirror() {
    let sources = [("empty", "serves no changesets"), ("graph", "none of the")];
    for_all(sources.map(|(name, said)| (name.to_owned(), (name, said))), |(name, said)| {
        let env = TestEnv::new();
        let (first, other) = (env.path("first"), env.path("second"));
        std::fs::rename(Fixture::named("tags").unpack(&env), &first).unwrap();
        std::fs::rename(Fixture::named(name).unpack(&env), &other).unwrap();
        let target = env.path("target.git");
        let before = Converted::make(&env, &first, &target)?.refs();
        let refused = convert(&env, &other, &target, "native");
        let refused = refused.with_code(i32::from(exit::REFUSED))?;
        same("the reason", &refused.stderr.contains(said), &true)
            .map_err(|_| refused.stderr.clone())?;
        same("the hint", &refused.stderr.contains("--allow-empty"), &true)?;
        same("references", &Converted::make(&env, &first, &target)?.refs(), &before)?;
        let paths = [Path::new("convert"), &other, &target, Path::new("--allow-empty")];
        env.synchronise(paths).ok()?;
        let after = crate::adoption::refs(&target);
        let named = after.into_iter().filter(|(name, _)| !name.starts_with("refs/synchroniser/"));
        let after: Vec<_> = named.map(|(_, id)| id.to_string()).collect();
        same("old references", &after.iter().any(|id| before.values().any(|b| b == id)), &false)
    });
}

#[test]
fn an_empty_source_does_not_empty_a_mirror_with_a_target() {
    let env = TestEnv::new();
    let (first, other) = (env.path("first"), env.path("second"));
    std::fs::rename(Fixture::named("tags").unpack(&env), &first).unwrap();
    std::fs::rename(Fixture::named("empty").unpack(&env), &other).unwrap();
    let target = env.path("target.git");
    git2::Repository::init_bare(&target).unwrap();
    sync(&env, &first, &target, "").ok().unwrap();
    sync(&env, &other, &target, "").with_code(i32::from(exit::REFUSED)).unwrap();
    let plan = env.synchronise(["plan", "--config", "synchroniser.toml"]);
    plan.with_code(i32::from(exit::REFUSED)).unwrap();
    let allowed = ["sync", "--allow-empty", "--config", "synchroniser.toml"];
    env.synchronise(allowed).ok().unwrap();
    sync(&env, &first, &target, "").ok().unwrap();
}
