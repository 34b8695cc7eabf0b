//! The workflow files of GitHub that a commit has.

use std::collections::BTreeSet;

use bstr::BString;

use super::repository::{BareRepository, RepositoryError};
use super::tree::entries;
use super::{ObjectId, ObjectKind};

/// Where workflow files are.
pub(super) const FOLDER: [&[u8]; 2] = [b".github", b"workflows"];
/// How many folders deep they are looked for.
pub(super) const MAX_DEPTH: usize = 8;

/// The path and the blob of each workflow file that `commit` has; nothing where it is no commit.
pub(super) fn workflows(
    source: &BareRepository,
    commit: ObjectId,
) -> Result<BTreeSet<(BString, ObjectId)>, RepositoryError> {
    let mut found = BTreeSet::new();
    let Some((ObjectKind::Commit, _)) = source.read(commit)? else { return Ok(found) };
    let mut folder = source.tree_of(commit)?;
    for name in FOLDER {
        let text = tree(source, folder)?;
        let mut folders = entries(&text).flatten().filter(|entry| entry.is_directory);
        let Some(inner) = folders.find(|entry| entry.name == name) else { return Ok(found) };
        folder = inner.id;
    }
    let mut left = vec![(FOLDER.join(&b'/'), folder, 0)];
    while let Some((path, folder, depth)) = left.pop() {
        let text = tree(source, folder)?;
        for entry in entries(&text).flatten() {
            let path = [&path, &b"/"[..], entry.name].concat();
            if entry.is_directory && depth < MAX_DEPTH {
                left.push((path, entry.id, depth + 1));
            } else if !entry.is_gitlink() {
                found.insert((path.into(), entry.id));
            }
        }
    }
    Ok(found)
}

fn tree(source: &BareRepository, id: ObjectId) -> Result<Vec<u8>, RepositoryError> {
    Ok(source.read(id)?.map(|(_, text)| text).unwrap_or_default())
}
