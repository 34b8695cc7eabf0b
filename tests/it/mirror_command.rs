//! `mirror SOURCE TARGET`: one sync with nothing to configure, on machines that keep the cache and on
//! those that forget it.

use std::path::{Path, PathBuf};

use git2::Repository;
use synchroniser::cli::exit;

use crate::adoption::refs;
use crate::support::{Fixture, TestEnv};

/// The fixture `name`, and an empty bare repository to mirror it to.
fn ends(env: &TestEnv, name: &str) -> (PathBuf, PathBuf) {
    let target = env.path("target.git");
    Repository::init_bare(&target).unwrap();
    (Fixture::named(name).unpack(env), target)
}

/// The folders of caches that the user has.
fn caches(env: &TestEnv) -> Vec<PathBuf> {
    let folder = env.path("home/.cache/synchroniser");
    let entries = std::fs::read_dir(folder).unwrap();
    // The locks of targets are beside them.
    let is_cache = |path: &PathBuf| !path.ends_with(".targets");
    entries.map(|entry| entry.unwrap().path()).filter(is_cache).collect()
}

#[test]
fn a_source_is_mirrored_with_nothing_to_configure() {
    let env = TestEnv::new();
    let (source, target) = ends(&env, "halves-first");
    let mirror = || env.synchronise([Path::new("mirror"), &source, &target]).ok().unwrap();
    let said = mirror();
    assert!(said.contains("9 changesets, 9 new"), "{said}");
    let first = refs(&target);
    assert!(first.contains_key("refs/heads/master"), "{first:?}");
    // It goes on from the cache of this source and this target.
    let cache = caches(&env);
    assert_eq!(cache.len(), 1);
    let name = cache[0].file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("target-"), "{name}");
    let said = mirror();
    assert!(said.contains("9 changesets, 0 new") && said.contains("0 changed"), "{said}");
    // And without it.
    std::fs::remove_dir_all(env.path("home/.cache")).unwrap();
    let said = mirror();
    assert!(said.contains("made the cache again; the target has its 9 commits"), "{said}");
    assert_eq!(refs(&target), first);
}

#[test]
fn the_cache_may_be_anywhere_and_names_are_as_asked() {
    let env = TestEnv::new();
    let (source, target) = ends(&env, "halves-first");
    let mirror = |more: &[&str]| {
        let words = ["mirror", source.to_str().unwrap(), target.to_str().unwrap()];
        let mut command = env.synchroniser();
        // A relative path, as it is typed.
        command.current_dir(env.path("home")).args(words).args(["--cache", "kept"]).args(more);
        crate::support::Ran::from(&command.output().unwrap())
    };
    mirror(&["--main-branch", "trunk"]).ok().unwrap();
    assert!(refs(&target).contains_key("refs/heads/trunk"));
    assert!(env.path("home/kept/git").is_dir());
    assert!(!env.path("home/.cache").exists());
}

#[test]
fn what_is_wrong_is_said_in_flags() {
    let env = TestEnv::new();
    let (source, _) = ends(&env, "halves-first");
    let mirror = |target: &str, more: &[&str]| {
        let words = ["mirror", source.to_str().unwrap(), target];
        env.synchronise(words.iter().chain(more)).with_code(i32::from(exit::CONFIG)).unwrap().stderr
    };
    let said = mirror("http://127.0.0.1:9/x.git", &[]);
    assert!(said.contains("--target-plain-http"), "{said}");
    assert!(!said.contains("target.plain_http"), "{said}");
    let said = mirror("https://127.0.0.1:9/x.git", &["--target-key-file", "key"]);
    assert!(said.contains("use --target-key-file: of no use for a web server"), "{said}");
    let missing = env.path("missing.git");
    let said = mirror(missing.to_str().unwrap(), &[]);
    assert!(said.contains("there is nothing at this path"), "{said}");
    assert!(said.contains("git init --bare"), "{said}");
}
