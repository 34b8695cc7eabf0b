//! The fixtures again, judged by stock Git, stock Mercurial and hg-git.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::support::{Converted, Fixture, Hg, TestEnv, env, for_all, git, same, skip, skipped};

fn have_git() -> bool {
    let have = env::has("git");
    if !have {
        skip("there is no git");
    }
    have
}

/// What was converted incrementally is one repository for Git too.
#[test]
fn git_finds_nothing_wrong_with_two_halves() {
    if !have_git() {
        return;
    }
    let env = TestEnv::new();
    let target = env.path("target.git");
    for half in ["halves-first", "halves-whole"] {
        Converted::make(&env, &Fixture::named(half).unpack(&env), &target).unwrap();
        git::fsck(&env, &target).unwrap();
    }
}

/// A clone of the first revisions, converted, pulled into, converted again: as if in one go.
#[test]
fn hg_pull_between_two_conversions_changes_no_commit() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let fixture = Fixture::demo();
    let cuts = ["0", "1", "60", "150", "298"].map(|cut| (cut.to_owned(), cut));
    for_all(cuts, |cut| {
        let env = TestEnv::new();
        let hg = Hg { env: &env, program: program.clone() };
        let source = fixture.unpack(&env);
        let once = Converted::make(&env, &source, &env.path("once.git"))?;
        let (clone, target) = (env.path("clone"), env.path("target.git"));
        let text = clone.to_str().unwrap();
        hg.run(
            &source,
            &["clone", "-q", "-U", "--pull", "-r", cut, source.to_str().unwrap(), text],
        )
        .ok()?;
        let half = Converted::make(&env, &clone, &target)?;
        hg.run(&clone, &["pull", "-q"]).ok()?;
        let both = Converted::make(&env, &clone, &target)?;
        same("commits", &both.commits, &once.commits)?;
        if half.commits.iter().any(|(node, id)| both.commits[node] != *id) {
            return Err("the first half has other commits".to_owned());
        }
        hg.run(&clone, &["verify", "-q"]).ok().map(drop)
    });
}

/// The truth in `fixtures/` is what this machine's Mercurial says, too.
mod hg_still_says_what_is_recorded {
    crate::support::each_fixture!(super::check_truth);
}

fn check_truth(fixture: &Fixture) -> Result<(), String> {
    let Some(program) = env::hg() else { return skipped("SYNCHRONISER_HG names no hg") };
    if !fixture.converts() {
        return Ok(());
    }
    let env = TestEnv::new();
    let source = fixture.unpack(&env);
    let truth = Hg { env: &env, program: program.clone() }.truth(&source)?;
    same("what hg says", &format!("{truth:?}"), &format!("{:?}", fixture.truth))
}

/// Another converter makes the same trees of the demo, and writes a map of the same form.
#[test]
fn hg_git_makes_the_same_trees() {
    let Some(program) = std::env::var_os("SYNCHRONISER_HG_GIT").map(PathBuf::from) else {
        return skip("SYNCHRONISER_HG_GIT names no hg with hg-git");
    };
    if !have_git() {
        return;
    }
    let env = TestEnv::new();
    let source = Fixture::demo().unpack(&env);
    let made = Converted::make(&env, &source, &env.path("target.git")).unwrap();
    let hg = Hg { env: &env, program };
    hg.run(&source, &["--config", "extensions.hggit=", "gexport"]).ok().unwrap();
    let map = std::fs::read_to_string(source.join(".hg/git-mapfile")).unwrap();
    let theirs: BTreeMap<_, _> = map.lines().filter_map(|line| line.split_once(' ')).collect();
    assert_eq!(theirs.len(), made.commits.len());
    for (commit, node) in theirs {
        let tree = git::tree_of(&env, &source.join(".hg/git"), commit).unwrap();
        assert_eq!(git::tree_of(&env, &made.path, &made.commits[node]).unwrap(), tree, "{node}");
    }
}
