//! A repository that is written to while it is converted, again and again.

use std::path::Path;
use std::process::Stdio;

use synchroniser::cli::exit;

use crate::support::{Converted, Hg, TestEnv, env, git, same, skip};

/// How long the other process works, in seconds.
const SECONDS: &str = "6";

#[test]
fn a_busy_repository_never_becomes_a_wrong_mirror() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    if !env::has("git") {
        return skip("there is no git");
    }
    let env = TestEnv::new();
    let (source, target) = (env.path("source"), env.path("target.git"));
    env.run(&program, [Path::new("init"), &source]).ok().unwrap();
    let seed = std::env::var("SYNCHRONISER_SEED").unwrap_or_else(|_| "1".to_owned());
    let extension = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/live.py");
    let mut busy = env.command(&program);
    let config = format!("extensions.live={}", extension.display());
    busy.args(["--config", &config, "-R"]).arg(&source).args(["live", SECONDS, &seed]);
    let mut busy = busy.stdout(Stdio::null()).spawn().unwrap();
    let mut codes = Vec::new();
    let mut failures = Vec::new();
    while busy.try_wait().unwrap().is_none() {
        let ran = env.synchronise([Path::new("-q"), Path::new("convert"), &source, &target]);
        codes.push(ran.code);
        if ran.code != Some(0) {
            failures.push(ran);
        }
    }
    assert!(busy.wait().unwrap().success());
    // Whoever is too busy is told so; nothing else may go wrong, and mostly nothing does.
    for ran in &failures {
        assert_eq!(ran.code, Some(i32::from(exit::UNAVAILABLE)), "{ran:?}");
        assert!(ran.stderr.contains("it is being written to"), "{ran:?}");
    }
    assert!(failures.len() * 4 < codes.len(), "{codes:?}");
    check_at_rest(&env, &Hg { env: &env, program }, &source, &target).unwrap();
}

/// Nobody works now: what grew through all this is what one conversion makes.
fn check_at_rest(env: &TestEnv, hg: &Hg<'_>, source: &Path, target: &Path) -> Result<(), String> {
    let grown = Converted::make(env, source, target)?;
    let fresh = Converted::make(env, source, &env.path("fresh.git"))?;
    same("commits", &grown.commits, &fresh.commits)?;
    same("references", &grown.refs(), &fresh.refs())?;
    git::fsck(env, target)?;
    fresh.check(&hg.truth(source)?)?;
    hg.run(source, &["verify", "-q"]).ok()?;
    env.synchronise([Path::new("verify"), source, target]).ok().map(drop)
}
