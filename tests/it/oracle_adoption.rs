//! Mirrors that hg-git itself has made, and histories in which only care tells commits apart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use git2::Repository;

use crate::adoption::{commits, edited, lose_cache, only_fast_forward, refs, rewrite, sync};
use crate::support::{Hg, TestEnv, env, skip};

/// A repository with a root and two changesets that nothing but their messages tells apart, one of
/// them with a child.
fn make_source(hg: &Hg<'_>, source: &Path) {
    hg.env.run(&hg.program, [Path::new("init"), source]).ok().unwrap();
    let commit = |message: &str, time: u32| {
        let date = format!("{time} 0");
        let args = ["commit", "-q", "-A", "-u", "A <a@b>", "-d", &date, "-m", message];
        hg.run(source, &[&args[..], &["--config", "ui.allowemptycommit=1"]].concat()).ok().unwrap();
    };
    std::fs::write(source.join("a"), "a\n").unwrap();
    commit("root", 1);
    for message in ["one", "two"] {
        hg.run(source, &["update", "-q", "-r", "0"]).ok().unwrap();
        commit(message, 2);
    }
    std::fs::write(source.join("a"), "b\n").unwrap();
    commit("after two", 3);
    hg.run(source, &["tag", "-u", "A <a@b>", "-d", "4 0", "v1"]).ok().unwrap();
}

/// Appends a changeset.
fn add(hg: &Hg<'_>, source: &Path) {
    std::fs::write(source.join("c"), "c\n").unwrap();
    let args = ["commit", "-q", "-A", "-u", "A <a@b>", "-d", "9 0", "-m", "more"];
    hg.run(source, &args).ok().unwrap();
}

/// What hg-git says is the commit of each changeset.
fn mapfile(source: &Path) -> BTreeMap<String, String> {
    let map = std::fs::read_to_string(source.join(".hg/git-mapfile")).unwrap();
    let pairs = map.lines().filter_map(|line| line.split_once(' '));
    pairs.map(|(id, node)| (node.to_owned(), id.to_owned())).collect()
}

/// A bare repository with everything that hg-git has converted.
fn published(env: &TestEnv, source: &Path) -> PathBuf {
    let target = env.path("target.git");
    let repository = Repository::init_bare(&target).unwrap();
    let text = source.join(".hg/git");
    let heads = "+refs/*:refs/*";
    let theirs = text.to_str().unwrap().to_owned();
    repository.remote_anonymous(&theirs).unwrap().fetch(&[heads], None, None).unwrap();
    target
}

/// hg-git makes the mirror, perhaps commits are rewritten in it, and we continue it.
fn takes_over(edit: bool) {
    let Some(program) = std::env::var_os("SYNCHRONISER_HG_GIT").map(PathBuf::from) else {
        return skip("SYNCHRONISER_HG_GIT names no hg with hg-git");
    };
    if !env::has("git") {
        return skip("there is no git");
    }
    let env = TestEnv::new();
    let hg = Hg { env: &env, program };
    let source = env.path("source");
    make_source(&hg, &source);
    for (bookmark, rev) in [("master", "tip"), ("one", "1")] {
        hg.run(&source, &["bookmark", "-i", "-r", rev, bookmark]).ok().unwrap();
    }
    let export = ["--config", "extensions.hggit=", "gexport"];
    hg.run(&source, &export).ok().unwrap();
    let target = published(&env, &source);
    if edit {
        rewrite(&target, edited);
    }
    let (refs_before, commits_before) = (refs(&target), commits(&target));
    assert_eq!(commits_before.len(), 5);
    add(&hg, &source);
    hg.run(&source, &["bookmark", "-f", "-i", "-r", "tip", "master"]).ok().unwrap();
    let said = sync(&env, &source, &target, "").ok().unwrap();
    assert!(said.contains("with the identity hg-git"), "{said}");
    only_fast_forward(&refs_before, &target).unwrap();
    let after = commits(&target);
    assert!(after.is_superset(&commits_before));
    assert_eq!(after.len(), 6);
    if !edit {
        hg.run(&source, &export).ok().unwrap();
        let expected: Vec<_> = mapfile(&source).into_values().collect();
        let found: Vec<_> = after.iter().map(ToString::to_string).collect();
        let sorted = |mut ids: Vec<String>| {
            ids.sort();
            ids
        };
        assert_eq!(sorted(found), sorted(expected), "as hg-git itself goes on");
    }
    lose_cache(&env);
    let refs_before = refs(&target);
    let again = sync(&env, &source, &target, "").ok().unwrap();
    assert!(again.contains(", 0 new; "), "{again}");
    assert_eq!(refs(&target), refs_before);
}

#[test]
fn what_hg_git_began_goes_on() {
    takes_over(false);
}

#[test]
fn what_hg_git_began_and_was_edited_goes_on() {
    takes_over(true);
}
