//! What was made under each identity: verified, gone on with, and refused where going on would make a
//! second history. `fixtures` has every fixture under every identity.

use std::path::Path;

use synchroniser::cli::exit;
use synchroniser::convert::identity::names;

use crate::support::{Converted, Fixture, Ran, TestEnv, env, git, skip};

fn run(env: &TestEnv, command: &str, source: &Path, target: &Path, identity: &str) -> Ran {
    let words = [Path::new(command), source, target, Path::new("--identity"), identity.as_ref()];
    env.synchronise(words)
}

#[test]
fn verify_sees_what_another_identity_made() {
    let env = TestEnv::new();
    let source = Fixture::named("halves-whole").unpack(&env);
    for made in names() {
        let target = env.path(format!("{made}.git"));
        Converted::make_as(&env, &source, &target, made).unwrap();
        for other in names().filter(|other| *other != made) {
            let ran = run(&env, "verify", &source, &target, other);
            let ran = ran.with_code(i32::from(exit::CONFIG)).unwrap();
            assert!(ran.stderr.contains(&format!("was made with {made}")), "{}", ran.stderr);
        }
        std::fs::remove_dir_all(target.join("synchroniser")).unwrap();
        for other in names().filter(|other| *other != made) {
            let ran = run(&env, "verify", &source, &target, other);
            ran.with_code(i32::from(exit::DIFFERENCES)).unwrap();
        }
    }
}

#[test]
fn two_halves_are_one_history() {
    for identity in names() {
        let env = TestEnv::new();
        let (once, both) = (env.path("once.git"), env.path("both.git"));
        let make = |half: &str, target| {
            let source = Fixture::named(half).unpack(&env);
            Converted::make_as(&env, &source, target, identity).unwrap()
        };
        make("halves-first", &both);
        let halves = make("halves-whole", &both);
        let whole = make("halves-whole", &once);
        assert_eq!(halves.commits, whole.commits, "{identity}");
        assert_eq!(halves.refs(), whole.refs(), "{identity}");
        if env::has("git") {
            git::fsck(&env, &both).unwrap();
        } else {
            skip("there is no git");
        }
    }
}

#[test]
fn nobody_goes_on_under_another_identity() {
    let env = TestEnv::new();
    let source = Fixture::named("halves-first").unpack(&env);
    for made in names() {
        let target = env.path(format!("{made}.git"));
        let before = Converted::make_as(&env, &source, &target, made).unwrap().refs();
        for other in names().filter(|other| *other != made) {
            let ran = run(&env, "convert", &source, &target, other);
            let ran = ran.with_code(i32::from(exit::CONFIG)).unwrap();
            assert!(ran.stderr.contains(&format!("was made with {made}")), "{}", ran.stderr);
        }
        assert_eq!(Converted::make_as(&env, &source, &target, made).unwrap().refs(), before);
    }
}

/// What was converted before identities were recorded is `native`.
#[test]
fn a_map_beside_which_nothing_is_recorded_is_of_native() {
    let env = TestEnv::new();
    let (source, target) = (Fixture::named("halves-first").unpack(&env), env.path("target.git"));
    Converted::make(&env, &source, &target).unwrap();
    std::fs::remove_file(target.join("synchroniser/identity")).unwrap();
    run(&env, "convert", &source, &target, "hg-git").with_code(i32::from(exit::CONFIG)).unwrap();
    run(&env, "convert", &source, &target, "native").ok().unwrap();
}

/// A map that is lost is made again from the commits that are there, and nothing is converted anew.
#[test]
fn a_lost_map_is_made_again() {
    for identity in names() {
        let env = TestEnv::new();
        let source = Fixture::named("halves-first").unpack(&env);
        let target = env.path("target.git");
        let made = Converted::make_as(&env, &source, &target, identity).unwrap();
        for lost in [&["map"][..], &["map", "identity"]] {
            for file in lost {
                std::fs::remove_file(target.join("synchroniser").join(file)).unwrap();
            }
            let ran = run(&env, "convert", &source, &target, "auto");
            assert!(ran.ok().unwrap().contains(", 0 new; "));
            let again = Converted::make_as(&env, &source, &target, identity).unwrap();
            assert_eq!(again.commits, made.commits, "{identity}");
        }
    }
}
