//! Killed before any step that changes what is on the disk, the next run ends where it would have ended
//! anyway, and Git finds nothing wrong.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::support::kill::{self, Done};
use crate::support::{Converted, Fixture, TestEnv, env, git, same, skip};

/// More steps than any run here does.
const NEVER: usize = usize::MAX;
/// A fixture with branches, bookmarks and tags that is small.
const FIXTURE: &str = "graph";

#[test]
fn a_conversion_that_is_killed_goes_on() {
    if !env::has("git") {
        return skip("there is no git");
    }
    let test_env = TestEnv::new();
    let source = Fixture::named(FIXTURE).unpack(&test_env);
    let whole = Converted::make(&test_env, &source, &test_env.path("whole.git")).unwrap();
    let convert = |target: &Path, at| {
        let words = ["-q", "convert", source.to_str().unwrap(), target.to_str().unwrap()];
        kill::run(&test_env, &words, target, at)
    };
    let all = convert(&test_env.path("never.git"), NEVER).unwrap().steps.len();
    assert!(all > 10, "only {all} steps");
    for at in (0..all).step_by(env::cases(2, 1)) {
        let target = test_env.path(format!("target-{at}.git"));
        let check = || {
            let killed = convert(&target, at)?;
            same("killed", &killed.is_killed, &true)?;
            let after = Converted::make(&test_env, &source, &target)?;
            same("commits", &after.commits, &whole.commits)?;
            same("references", &after.refs(), &whole.refs())?;
            git::fsck(&test_env, &target)?;
            same("all commits", &git::count_commits(&test_env, &target)?, &whole.commits.len())
        };
        check().unwrap_or_else(|problem| panic!("killed before step {at} of {all}: {problem}"));
        std::fs::remove_dir_all(&target).unwrap();
    }
}

/// Each kill meets a mirror and a target as the fixture's half left them.
#[test]
fn a_sync_that_is_killed_goes_on() {
    if !env::has("git") {
        return skip("there is no git");
    }
    let whole = Mirror::with_more_to_sync();
    let all = whole.killed(NEVER).unwrap().steps.len();
    assert!(all > 10, "only {all} steps");
    let expected = whole.refs().unwrap();
    for at in (0..all).step_by(env::cases(2, 1)) {
        let mirror = Mirror::with_more_to_sync();
        let check = || {
            same("killed", &mirror.killed(at)?.is_killed, &true)?;
            mirror.sync()?;
            mirror.check(&expected)
        };
        check().unwrap_or_else(|problem| panic!("killed before step {at} of {all}: {problem}"));
    }
}

/// One mirror, killed again and again from its first sync on, a step later each time: nothing piles up
/// wrong.
#[test]
fn a_mirror_that_is_killed_again_and_again_goes_on() {
    if !env::has("git") {
        return skip("there is no git");
    }
    let whole = Mirror::new("halves-whole");
    whole.sync().unwrap();
    let expected = whole.refs().unwrap();
    assert!(!expected.is_empty());
    let mirror = Mirror::new("halves-whole");
    let mut kills = 0;
    while mirror.killed(kills).unwrap().is_killed {
        kills += 1;
    }
    assert!(kills > 10, "only {kills} kills");
    mirror.check(&expected).unwrap();
}

/// Whatever gets its name by a rename is on the disk before: a power cut leaves the old file or the
/// whole new one.
#[test]
fn what_gets_its_name_is_durable() {
    let mirror = Mirror::with_more_to_sync();
    let steps = mirror.killed(NEVER).unwrap().steps;
    let mut durable: BTreeSet<&PathBuf> = BTreeSet::new();
    let mut waiting: BTreeSet<PathBuf> = BTreeSet::new();
    for step in &steps {
        match step {
            Done::Write(path) => {
                durable.remove(path);
            }
            Done::Flush(path) => {
                durable.insert(path);
                waiting.remove(path);
            }
            // A lock says something only as long as its process lives.
            Done::Rename(_, to) if to.extension().is_some_and(|kind| kind == "lock") => {}
            Done::Rename(from, to) => {
                assert!(durable.contains(from), "{} is not durable: {steps:#?}", to.display());
                waiting.extend(to.parent().map(Path::to_owned));
            }
            Done::Remove(_) | Done::Send(_) => {}
        }
    }
    // And so is the name.
    assert!(waiting.is_empty(), "{waiting:?} are not durable: {steps:#?}");
    let renamed = |step: &&Done| matches!(step, Done::Rename(..));
    assert!(steps.iter().filter(renamed).count() > 3, "{steps:#?}");
}

/// A repository that is mirrored into a bare one.
struct Mirror {
    env: TestEnv,
}

impl Mirror {
    /// A mirror of a fixture, before its first sync.
    fn new(fixture: &str) -> Self {
        let env = TestEnv::new();
        let source = Fixture::named(fixture).unpack(&env);
        // Where steps are counted: the cache and the target.
        std::fs::create_dir(env.path("state")).unwrap();
        git2::Repository::init_bare(env.path("state/target.git")).unwrap();
        let config = format!(
            "cache = \"{}\"\n[mirrors.demo]\nsource = \"{}\"\ntarget = \"{}\"\n\
             user = \"demo\"\nproject = \"demo\"\n",
            env.path("state/cache").display(),
            source.display(),
            env.path("state/target.git").display(),
        );
        std::fs::write(env.path("synchroniser.toml"), config).unwrap();
        Self { env }
    }

    /// The first half of a history is synchronised, the second is not yet.
    fn with_more_to_sync() -> Self {
        let mirror = Self::new("halves-first");
        mirror.sync().unwrap();
        Fixture::named("halves-whole").unpack(&mirror.env);
        mirror
    }

    fn sync(&self) -> Result<(), String> {
        self.env.synchronise(["-q", "sync", "--config", "synchroniser.toml"]).ok().map(drop)
    }

    /// A sync that is killed before a step.
    fn killed(&self, at: usize) -> Result<kill::Steps, String> {
        let words = ["-q", "sync", "--config", "synchroniser.toml"];
        kill::run(&self.env, &words, &self.env.path("state"), at)
    }

    fn refs(&self) -> Result<String, String> {
        self.env.git(&self.env.path("state/target.git"), &["for-each-ref"]).ok()
    }

    fn check(&self, expected: &String) -> Result<(), String> {
        same("references", &self.refs()?, expected)?;
        git::fsck(&self.env, &self.env.path("state/target.git"))?;
        git::fsck(&self.env, &self.env.path("state/cache/demo/git"))
    }
}
