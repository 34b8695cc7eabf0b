//! What stock Git says of a repository.

use std::path::Path;

use super::{TestEnv, same};

/// An error unless `git fsck --strict` finds nothing at all.
pub(crate) fn fsck(env: &TestEnv, repository: &Path) -> Result<(), String> {
    let ran =
        env.git(repository, &["fsck", "--strict", "--full", "--no-dangling", "--no-progress"]);
    // A repository without a master, or without anything, is worth a notice and no more.
    let fine = |line: &&str| !line.starts_with("notice: ");
    let said: Vec<&str> = ran.stdout.lines().chain(ran.stderr.lines()).filter(fine).collect();
    same("git fsck", &(ran.code, said), &(Some(0), Vec::new()))
}

/// How many commits there are, reachable or not.
pub(crate) fn count_commits(env: &TestEnv, repository: &Path) -> Result<usize, String> {
    let list = env.git(
        repository,
        &["cat-file", "--batch-all-objects", "--batch-check=%(objecttype)", "--unordered"],
    );
    Ok(list.ok()?.lines().filter(|kind| *kind == "commit").count())
}

/// The tree of a commit.
pub(crate) fn tree_of(env: &TestEnv, repository: &Path, commit: &str) -> Result<String, String> {
    let tree = env.git(repository, &["rev-parse", &format!("{commit}^{{tree}}")]).ok()?;
    Ok(tree.trim_end().to_owned())
}
