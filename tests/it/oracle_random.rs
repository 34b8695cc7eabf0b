//! Histories that are made up, converted by hg-git and by us: every commit the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::{Converted, Hg, TestEnv, for_all, same, skip};

/// Few here, because hg-git is slow; any seed should do.
const SEEDS: std::ops::Range<u32> = 1..4;
const CHANGESETS: &str = "30";

#[test]
fn hg_git_makes_the_same_commits_of_random_histories() {
    let Some(program) = std::env::var_os("SYNCHRONISER_HG_GIT").map(PathBuf::from) else {
        return skip("SYNCHRONISER_HG_GIT names no hg with hg-git");
    };
    for_all(SEEDS.map(|seed| (format!("seed {seed}"), seed)), |seed| {
        let env = TestEnv::new();
        let hg = Hg { env: &env, program: program.clone() };
        let source = env.path("source");
        let extension = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/random_history.py");
        let config = format!("extensions.random={}", extension.display());
        let (seed, path) = (seed.to_string(), source.to_str().unwrap());
        let words = ["--config", &config, "random-history", &seed, CHANGESETS, path];
        env.run(&program, words).ok()?;
        let made = Converted::make_as(&env, &source, &env.path("target.git"), "hg-git")?;
        hg.run(&source, &["--config", "extensions.hggit=", "gexport"]).ok()?;
        let map = std::fs::read_to_string(source.join(".hg/git-mapfile")).unwrap();
        let theirs: BTreeMap<_, _> = map
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(id, node)| (node.to_owned(), id.to_owned()))
            .collect();
        same("some", &(theirs.len() > 20), &true)?;
        for (node, id) in &theirs {
            same(&format!("the commit of {node}"), &made.commits.get(node), &Some(id))?;
        }
        let words = ["verify", path, made.path.to_str().unwrap(), "--identity", "hg-git"];
        env.synchronise(words).ok().map(drop)
    });
}
