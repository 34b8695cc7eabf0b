//! What we say to do about a format that we do not read, done with stock Mercurial: the repository
//! that comes out opens, and has the same commits. `SYNCHRONISER_HG` names an `hg`.
//!
//! Some cannot be tried: no Mercurial of today reads `parentdelta` or `manifestv2`, and a clone
//! without the whole history has to be made whole by whoever has the rest.

use std::path::{Path, PathBuf};

use synchroniser::cli::exit;

use crate::support::{Converted, Fixture, Hg, Ran, TestEnv, env, for_all, same, skip};

/// The words of the command that a refusal tells people to run.
fn told(refusal: &Ran) -> Vec<String> {
    let command = refusal.stderr.split('`').find(|text| text.starts_with("hg ")).unwrap();
    command.split_whitespace().skip(1).map(str::to_owned).collect()
}

/// Converts what is not read; returns what to do about it.
fn refused(env: &TestEnv, source: &Path) -> Result<Vec<String>, String> {
    let ran = env.synchronise([Path::new("convert"), source, &env.path("refused.git")]);
    Ok(told(&ran.with_code(i32::from(exit::UNSUPPORTED))?))
}

/// The nodes of all changesets, and what files they have.
fn history(hg: &Hg<'_>, repository: &Path, lfs: &[&str]) -> Result<String, String> {
    let template = "{node} {p1node} {p2node} {phase} {manifest}\\n{join(files % '{file}', ' ')}\\n";
    hg.run(repository, &[lfs, &["log", "-T", template]].concat()).ok()
}

/// Does as `words` say in `repository`.
fn run(hg: &Hg<'_>, repository: &Path, words: &[String]) -> Result<String, String> {
    hg.env
        .command(&hg.program)
        .current_dir(repository)
        .args(words)
        .output()
        .map_or_else(|error| Err(error.to_string()), |output| Ran::from(&output).ok())
}

#[test]
fn experimental_formats_are_upgraded() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let names = ["changelog-v2", "copies-sidedata", "revlogv2", "plain-encoding"];
    for_all(names.map(|name| (name.to_owned(), format!("format-{name}"))), |name| {
        let env = TestEnv::new();
        let hg = Hg { env: &env, program: program.clone() };
        let source = Fixture::named(&name).unpack(&env);
        let remedy = refused(&env, &source)?;
        let before = history(&hg, &source, &[])?;
        // What the same changesets are in today's format, by another way.
        let (from, pulled) = (source.display().to_string(), env.path("pulled"));
        let clone = ["clone", "-q", "--pull", &from, &pulled.display().to_string()];
        hg.run(&source, &clone).ok()?;
        run(&hg, &source, &remedy)?;
        same("changesets", &history(&hg, &source, &[])?, &before)?;
        let made = Converted::make(&env, &source, &env.path("target.git"))?;
        made.check(&hg.truth(&source)?)?;
        let expected = Converted::make(&env, &pulled, &env.path("pulled.git"))?;
        same("commits", &made.commits, &expected.commits)?;
        same("whether there are any", &made.commits.is_empty(), &false)
    });
}

/// A repository with a file whose contents are elsewhere, and one whose are not.
fn make_lfs(hg: &Hg<'_>, source: &Path) {
    hg.env.run(&hg.program, [Path::new("init"), source]).ok().unwrap();
    let lfs = ["--config", "extensions.lfs=", "--config", "lfs.track=size('>10')"];
    for (number, text) in ["small", "larger than ten bytes", "and again, larger"].iter().enumerate()
    {
        std::fs::write(source.join("f"), text).unwrap();
        std::fs::write(source.join("g"), number.to_string()).unwrap();
        let date = format!("{number} 0");
        let commit = ["commit", "-q", "-A", "-u", "A <a@b>", "-d", &date, "-m", text];
        hg.run(source, &[&lfs[..], &commit].concat()).ok().unwrap();
    }
    let requires = std::fs::read_to_string(source.join(".hg/store/requires")).unwrap();
    assert!(requires.lines().any(|line| line == "lfs"), "{requires}");
}

#[test]
fn contents_that_are_elsewhere_are_brought_back() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let hg = Hg { env: &env, program };
    let (source, new) = (env.path("source"), env.path("new"));
    make_lfs(&hg, &source);
    let placed = |word: String| match word.as_str() {
        "REPOSITORY" => source.display().to_string(),
        "NEW" => new.display().to_string(),
        _ => word,
    };
    let remedy: Vec<_> = refused(&env, &source).unwrap().into_iter().map(placed).collect();
    run(&hg, &env.path(""), &remedy).unwrap();
    let lfs = ["--config", "extensions.lfs="];
    let nodes = |repository: &PathBuf| {
        hg.run(repository, &[&lfs[..], &["log", "-T", "{node}\n"]].concat()).ok().unwrap()
    };
    assert_eq!(nodes(&new), nodes(&source));
    let made = Converted::make(&env, &new, &env.path("target.git")).unwrap();
    made.check(&hg.truth(&new).unwrap()).unwrap();
    let repository = git2::Repository::open_bare(env.path("target.git")).unwrap();
    let tip = repository.find_reference("refs/heads/master").unwrap().peel_to_tree().unwrap();
    let blob = repository.find_blob(tip.get_name("f").unwrap().id()).unwrap();
    assert_eq!(blob.content(), b"and again, larger");
}
