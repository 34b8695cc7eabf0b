//! The program in a process of its own that is killed before a step of `base::durable`: every moment
//! at which what is on the disk differs can be tried, and the same one again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use synchroniser::base::durable::{Step, observe};

use super::TestEnv;

/// What the process is told: the folder whose steps count, and before which of them it ends.
const FOLDER: &str = "SYNCHRONISER_TEST_KILL_IN";
const AT: &str = "SYNCHRONISER_TEST_KILL_AT";
/// The words of the command line, one a line.
const WORDS: &str = "SYNCHRONISER_TEST_WORDS";
/// The file for a line about each step.
const LOG: &str = "SYNCHRONISER_TEST_STEPS";

/// What a run did.
pub(crate) struct Steps {
    /// The steps in their order, those of several threads as they came.
    pub(crate) steps: Vec<Done>,
    /// Whether it was killed before it ended.
    pub(crate) is_killed: bool,
}

/// A step that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Write(PathBuf),
    Flush(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    Send(PathBuf),
}

/// Runs the program with `words` and kills it before the step number `at` in `folder`, counted from
/// zero; if it does fewer steps, it must succeed.
pub(crate) fn run(
    env: &TestEnv,
    words: &[&str],
    folder: &Path,
    at: usize,
) -> Result<Steps, String> {
    let log = env.path("steps");
    drop(std::fs::remove_file(&log));
    let mut command = env.command(std::env::current_exe().unwrap());
    command.args(["--exact", "support::kill::child", "--include-ignored", "--nocapture"]);
    command.env(FOLDER, folder).env(AT, at.to_string()).env(LOG, &log);
    let ran = command.env(WORDS, words.join("\n")).output().unwrap();
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let steps: Vec<_> = text.lines().map(parse).collect();
    // Killed, it has no exit code.
    let is_killed = ran.status.code().is_none();
    let is_expected = if is_killed { steps.len() == at } else { ran.status.success() };
    if is_expected {
        return Ok(Steps { steps, is_killed });
    }
    Err(format!("at {at} after {} steps: {ran:?}", steps.len()))
}

fn shown(step: &Step<'_>) -> String {
    match step {
        Step::Write(path) => format!("write\t{}", path.display()),
        Step::Flush(path) => format!("flush\t{}", path.display()),
        Step::Rename(from, to) => format!("rename\t{}\t{}", from.display(), to.display()),
        Step::Remove(path) => format!("remove\t{}", path.display()),
        Step::Send(path) => format!("send\t{}", path.display()),
    }
}

fn parse(line: &str) -> Done {
    let fields: Vec<_> = line.split('\t').collect();
    match fields[..] {
        ["write", path] => Done::Write(path.into()),
        ["flush", path] => Done::Flush(path.into()),
        ["rename", from, to] => Done::Rename(from.into(), to.into()),
        ["remove", path] => Done::Remove(path.into()),
        ["send", path] => Done::Send(path.into()),
        _ => panic!("not a step: {line:?}"),
    }
}

/// Not a test of its own: what [`run`] runs.
#[test]
#[ignore = "it ends the process that it is in"]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let at: usize = std::env::var(AT).unwrap().parse().unwrap();
    let log = PathBuf::from(std::env::var_os(LOG).unwrap());
    let done = Mutex::new(String::new());
    let before = move |step: &Step<'_>| {
        // Whoever is about to do a step waits here, so that nothing changes any more.
        let mut done = done.lock().unwrap();
        if done.lines().count() == at {
            std::fs::write(&log, &*done).unwrap();
            std::process::abort();
        }
        done.push_str(&shown(step));
        done.push('\n');
        std::fs::write(&log, &*done)
    };
    let _observation = observe(Path::new(&folder), Arc::new(before));
    let words = std::env::var(WORDS).unwrap();
    let words = words.lines().map(OsString::from);
    let code = synchroniser::cli::run(std::iter::once("synchroniser".into()).chain(words));
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
}
