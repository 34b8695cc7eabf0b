//! Other people's repositories, where the corpus is there, against the trees that were recorded for
//! them, and against all that Mercurial says, where there is one.

use std::path::Path;

use synchroniser::cli::exit;

use crate::support::corpus::{Corpus, History};
use crate::support::{Converted, Hg, env, for_all, git, same, skip};

/// Converts a history and asks everybody whether that is right.
fn check(history: &History) -> Result<(), String> {
    let (env, source) = (&history.env, history.source.as_path());
    let made = Converted::make(env, source, &env.path("target.git"))?;
    git::fsck(env, &made.path)?;
    same("commits in Git", &git::count_commits(env, &made.path)?, &made.commits.len())?;
    // There is nothing to record of an empty repository.
    let trees = history.recorded("trees")?.unwrap_or_default();
    let mut compared = 0;
    for (node, tree) in trees {
        // What is secret or hidden is recorded and not converted.
        if let Some(commit) = made.commits.get(&node) {
            same(&node, &made.tree_of(commit)?, &tree)?;
            compared += 1;
        }
    }
    same("recorded trees", &compared, &made.commits.len())?;
    env.synchronise([Path::new("verify"), source, &made.path]).ok()?;
    let Some(program) = env::hg() else { return Ok(()) };
    made.check(&Hg { env, program }.truth(source)?)
}

/// A damaged repository is an error that says where, and no reference is made.
fn check_refused(history: &History) -> Result<(), String> {
    let env = &history.env;
    let target = env.path("target.git");
    let ran = env.synchronise([Path::new("convert"), &history.source, &target]);
    let refusals = [exit::CONFIG, exit::CORRUPT, exit::UNSUPPORTED].map(i32::from);
    if !ran.code.is_some_and(|code| refusals.contains(&code)) {
        return Err(format!("not refused: {ran:?}"));
    }
    if ran.code == Some(i32::from(exit::CORRUPT)) {
        let says_where = ran.stderr.contains("revision") || ran.stderr.contains("changeset");
        same("says where", &says_where, &true).map_err(|_| ran.stderr)?;
    }
    match git2::Repository::open_bare(&target) {
        Ok(made) => same("references", &made.references().unwrap().count(), &0),
        Err(_) => Ok(()),
    }
}

#[test]
fn archived_histories_convert() {
    let Some(corpus) = Corpus::find() else { return };
    corpus.for_archives(|history| match history.is_damaged() {
        true => check_refused(history),
        false => check(history),
    });
}

#[test]
fn unbundled_histories_convert() {
    let Some(corpus) = Corpus::find() else { return };
    corpus.for_bundles(check);
}

/// One repository of each kind in halves: revisions that were cut off come back by a pull.
#[test]
fn halves_of_real_histories_are_the_same_commits() {
    let Some(corpus) = Corpus::find() else { return };
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let names = ["et_xmlfile", "six", "swh-example", "x-go-binding"];
    for_all(names.map(|name| (name.to_owned(), name)), |name| {
        let History { env, source, .. } = corpus.unpack("real", name)?;
        let hg = Hg { env: &env, program: program.clone() };
        let once = Converted::make(&env, &source, &env.path("once.git"))?;
        let middle = format!("{}", once.commits.len() / 2);
        let (clone, target) = (env.path("clone"), env.path("target.git"));
        let (from, to) = (source.to_str().unwrap(), clone.to_str().unwrap());
        hg.run(&source, &["clone", "-q", "-U", "--pull", "-r", &middle, from, to]).ok()?;
        Converted::make(&env, &clone, &target)?;
        hg.run(&clone, &["pull", "-q"]).ok()?;
        let both = Converted::make(&env, &clone, &target)?;
        git::fsck(&env, &target)?;
        same("commits", &both.commits, &once.commits)
    });
}
