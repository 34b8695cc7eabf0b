//! `git gc` between two runs, while Mercurial goes on with what had no reference.

use std::path::{Path, PathBuf};

use crate::adoption::sync;
use crate::support::{Converted, TestEnv, env, for_all, forked_hg, git, same, skip};

/// A repository that stock Mercurial writes, with a clock of its own.
struct Source<'e> {
    env: &'e TestEnv,
    program: PathBuf,
    path: PathBuf,
    minutes: u32,
}

impl Source<'_> {
    fn hg(&self, args: &[&str]) {
        let mut command = self.env.command(&self.program);
        command.arg("-R").arg(&self.path).args(args).current_dir(&self.path);
        let ran = forked_hg::output(&mut command);
        assert!(ran.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    fn commit(&mut self, file: &str, more: &[&str]) {
        if !file.is_empty() {
            let path = self.path.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("{}\n", self.minutes)).unwrap();
            self.hg(&["add", "-q", file]);
        }
        self.minutes += 1;
        let date = format!("{} 0", 1_000_000_000 + self.minutes * 60);
        let args = ["commit", "-q", "-u", "Test <test@example.org>", "-d", &date, "-m", "message"];
        self.hg(&[&args[..], more].concat());
    }

    /// A branch that is closed and not merged, so that nothing but the map names its commits.
    fn closed(env: &TestEnv, program: PathBuf) -> Source<'_> {
        let path = env.path("source");
        std::fs::create_dir(&path).unwrap();
        let mut source = Source { env, program, path, minutes: 0 };
        source.hg(&["init"]);
        source.commit("lib/one", &[]);
        source.hg(&["branch", "-q", "side"]);
        source.commit("lib/side", &[]);
        source.commit("", &["--close-branch"]);
        source.hg(&["update", "-q", "default"]);
        source.commit("more", &[]);
        source
    }

    fn reopen(&mut self) {
        self.hg(&["update", "-q", "side"]);
        self.commit("again", &[]);
    }

    fn merge(&mut self) {
        self.hg(&["merge", "-q", "side"]);
        self.commit("", &[]);
    }
}

type Step = fn(&mut Source<'_>);

#[test]
fn what_was_closed_goes_on_after_git_gc() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    if !env::has("git") {
        return skip("there is no git");
    }
    let steps: [(&str, Step); 2] =
        [("reopened", |source| source.reopen()), ("merged", |source| source.merge())];
    let identities = ["native", "hg-git", "fast-export"];
    let cases = steps.iter().flat_map(|(name, step)| {
        identities.map(|identity| (format!("{name} under {identity}"), (*step, identity)))
    });
    // Each step and each identity; in pairs where there is time for all of them.
    for_all(cases.step_by(env::cases(2, 1)), |(step, identity)| {
        let env = TestEnv::new();
        let mut source = Source::closed(&env, program.clone());
        let (converted, target) = (env.path("converted.git"), env.path("target.git"));
        git2::Repository::init_bare(&target).unwrap();
        let keys = format!("identity = \"{identity}\"\nmain = \"default\"");
        let cache = env.path("cache/it/git");
        Converted::make_as(&env, &source.path, &converted, identity)?;
        sync(&env, &source.path, &target, &keys).ok()?;
        for repository in [&converted, &cache] {
            env.git(repository, &["gc", "--quiet", "--prune=now"]).ok()?;
        }
        step(&mut source);
        let grown = Converted::make_as(&env, &source.path, &converted, identity)?;
        sync(&env, &source.path, &target, &keys).ok()?;
        let fresh = Converted::make_as(&env, &source.path, &env.path("fresh.git"), identity)?;
        same("commits", &grown.commits, &fresh.commits)?;
        for repository in [&converted, &cache, &target] {
            git::fsck(&env, repository)?;
        }
        env.synchronise(["verify", "--config", "synchroniser.toml", "it"].map(Path::new)).ok()?;
        let kept = env.git(&converted, &["for-each-ref", "refs/synchroniser"]).ok()?;
        same("hidden references that are not needed any more", &kept.as_str(), &"")
    });
}
