//! Killed at any moment, the next run ends where it would have ended anyway, and Git finds nothing
//! wrong.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::{Converted, Fixture, TestEnv, env, for_all, git, same, skip};

/// How often, in all.
const KILLS: usize = 50;

/// Moments that nobody chose, and that can be had again: `SYNCHRONISER_SEED` sets them.
struct Moments(u64);

impl Moments {
    fn new(test: &str) -> Self {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        let seed = match std::env::var("SYNCHRONISER_SEED") {
            Ok(chosen) => chosen.parse().unwrap(),
            Err(_) => u64::try_from(now() % 1_000_000_007).unwrap(),
        };
        eprintln!("{test}: SYNCHRONISER_SEED={seed}");
        Self(seed)
    }

    /// A moment in `whole`, or a little after.
    fn next(&mut self, whole: Duration) -> Duration {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let part = f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX);
        whole.mul_f64(part * 1.05)
    }
}

/// Starts `command` and ends it by SIGKILL after `delay`; whether it was still running.
fn kill_after(mut command: Command, delay: Duration) -> bool {
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    std::thread::sleep(delay);
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    running
}

/// An error unless most kills met a running program: a test that kills nothing shows nothing.
fn check_kills(met: usize, of: usize) {
    assert!(met * 2 > of, "only {met} of {of} kills met a running program");
}

fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    (run(), began.elapsed())
}

#[test]
fn a_killed_conversion_goes_on() {
    if !env::has("git") {
        return skip("there is no git");
    }
    let test_env = TestEnv::new();
    let source = Fixture::demo().unpack(&test_env);
    let (whole, took) =
        timed(|| Converted::make(&test_env, &source, &test_env.path("whole.git")).unwrap());
    let mut moments = Moments::new("a_killed_conversion_goes_on");
    let mut met = 0;
    let rounds: Vec<_> = (0..KILLS / 2).map(|_| moments.next(took)).collect();
    for (round, delay) in rounds.iter().enumerate() {
        let target = test_env.path(format!("target-{round}.git"));
        let mut command = test_env.synchroniser();
        command.args([Path::new("-q"), Path::new("convert"), &source, &target]);
        met += usize::from(kill_after(command, *delay));
    }
    let ended = rounds.iter().enumerate().map(|(round, delay)| (format!("{delay:?}"), round));
    for_all(ended, |round| {
        let target = test_env.path(format!("target-{round}.git"));
        let after = Converted::make(&test_env, &source, &target)?;
        same("commits", &after.commits, &whole.commits)?;
        same("references", &after.refs(), &whole.refs())?;
        git::fsck(&test_env, &target)?;
        same("all commits", &git::count_commits(&test_env, &target)?, &whole.commits.len())
    });
    check_kills(met, rounds.len());
}

/// One target, killed again and again while it grows and is published: nothing piles up wrong.
#[test]
fn a_killed_sync_goes_on() {
    if !env::has("git") {
        return skip("there is no git");
    }
    let mut moments = Moments::new("a_killed_sync_goes_on");
    let whole = Mirror::new();
    let ((), took) = timed(|| whole.sync().unwrap());
    let expected = whole.refs().unwrap();
    assert!(!expected.is_empty());
    let mut met = 0;
    let rounds: Vec<_> = (0..KILLS / 2).map(|_| moments.next(took)).collect();
    let checked = rounds.chunks(5).map(|delays| (format!("{delays:?}"), Mirror::new(), delays));
    let killed: Vec<_> = checked
        .map(|(name, mirror, delays)| {
            for delay in delays {
                met += usize::from(kill_after(mirror.command(), *delay));
            }
            (name, mirror)
        })
        .collect();
    for_all(killed, |mirror| {
        mirror.sync()?;
        same("references", &mirror.refs()?, &expected)?;
        git::fsck(&mirror.env, &mirror.env.path("target.git"))?;
        git::fsck(&mirror.env, &mirror.env.path("cache/demo/git"))
    });
    assert!(met > 0, "no kill met a running program");
}

/// The demo's repository, mirrored into an empty bare one.
struct Mirror {
    env: TestEnv,
}

impl Mirror {
    fn new() -> Self {
        let env = TestEnv::new();
        let source = Fixture::demo().unpack(&env);
        git2::Repository::init_bare(env.path("target.git")).unwrap();
        let config = format!(
            "cache = \"cache\"\n[mirrors.demo]\nsource = \"{}\"\ntarget = \"{}\"\n\
             user = \"demo\"\nproject = \"demo\"\n",
            source.display(),
            env.path("target.git").display(),
        );
        std::fs::write(env.path("synchroniser.toml"), config).unwrap();
        Self { env }
    }

    fn command(&self) -> Command {
        let mut command = self.env.synchroniser();
        command.args(["-q", "sync", "--config", "synchroniser.toml"]);
        command
    }

    fn sync(&self) -> Result<(), String> {
        self.env.synchronise(["-q", "sync", "--config", "synchroniser.toml"]).ok().map(drop)
    }

    fn refs(&self) -> Result<String, String> {
        self.env.git(&self.env.path("target.git"), &["for-each-ref"]).ok()
    }
}
