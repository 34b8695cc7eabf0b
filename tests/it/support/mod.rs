//! What the tests share: a clean environment, the fixtures, the truth about them, and the tools
//! that judge the result.

pub(crate) mod bundle;
pub(crate) mod converted;
pub(crate) mod corpus;
pub(crate) mod each;
pub(crate) mod env;
pub(crate) mod fake_service;
pub(crate) mod fixture;
pub(crate) mod forked_hg;
pub(crate) mod generator;
pub(crate) mod git;
pub(crate) mod github;
pub(crate) mod hg;
pub(crate) mod hg_server;
pub(crate) mod kill;
pub(crate) mod network;
pub(crate) mod nginx;
pub(crate) mod postgres;
pub(crate) mod relay;
pub(crate) mod secrets;
pub(crate) mod serve;
pub(crate) mod truth;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

pub(crate) use converted::Converted;
pub(crate) use each::each_fixture;
pub(crate) use env::{Ran, TestEnv};
pub(crate) use fixture::Fixture;
pub(crate) use hg::Hg;
pub(crate) use truth::Truth;

/// Says that a test does nothing here, and why. That is a failure if `SYNCHRONISER_STRICT` is set: an
/// oracle that is not asked has not agreed.
pub(crate) fn skip(why: &str) {
    assert!(!env::is_strict(), "this must not be skipped: {why}");
    leave_out(why);
}

/// The same for a check of one fixture.
#[expect(clippy::unnecessary_wraps, reason = "it is the result of the check")]
pub(crate) fn skipped(why: &str) -> Result<(), String> {
    skip(why);
    Ok(())
}

/// Says that a test does nothing here because whoever runs it wants that.
pub(crate) fn leave_out(why: &str) {
    let thread = std::thread::current();
    eprintln!("skipped: {why} ({})", thread.name().unwrap_or("test"));
}

/// Every file in `folder` and the folders below it, in order.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// How many items are checked at the same time: most of the time of a test that runs the program is
/// spent waiting for the disk.
const AT_ONCE: usize = 4;

/// Runs `check` on every item and fails once at the end, with all that went wrong.
pub(crate) fn for_all<T: Send>(
    items: impl IntoIterator<Item = (String, T)>,
    check: impl Fn(T) -> Result<(), String> + Sync,
) {
    let items: Vec<_> = items.into_iter().collect();
    let checked = items.len();
    let left = Mutex::new(items.into_iter());
    let problems = Mutex::new(Vec::new());
    let next = || left.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(checked) {
            scope.spawn(|| {
                while let Some((name, item)) = next() {
                    if let Err(problem) = check(item) {
                        problems.lock().unwrap().push(format!("{name}: {problem}"));
                    }
                }
            });
        }
    });
    let mut problems = problems.into_inner().unwrap();
    problems.sort();
    report(checked, &problems);
}

/// The same, one item after the other: for what takes turns, or needs the whole machine.
pub(crate) fn one_by_one<T>(
    items: impl IntoIterator<Item = (String, T)>,
    check: impl Fn(T) -> Result<(), String>,
) {
    let mut checked = 0;
    let mut problems = Vec::new();
    for (name, item) in items {
        checked += 1;
        if let Err(problem) = check(item) {
            problems.push(format!("{name}: {problem}"));
        }
    }
    report(checked, &problems);
}

fn report(checked: usize, problems: &[String]) {
    assert!(checked > 0, "nothing to check");
    assert!(problems.is_empty(), "{} of {checked} fail:\n{}", problems.len(), problems.join("\n"));
}

/// An error unless `left` and `right` are the same.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    left: &T,
    right: &T,
) -> Result<(), String> {
    if left == right {
        return Ok(());
    }
    Err(format!("{what}: {left:?} is not {right:?}"))
}
