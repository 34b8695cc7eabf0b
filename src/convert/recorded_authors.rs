//! Which author map a target was made with, written beside its id map.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use bstr::BString;

use super::{AuthorMap, AuthorMapError, IdMap, Rules};
use crate::base::durable::replace_file;
use crate::base::faults;
use crate::hg::revlog::RevlogError;
use crate::hg::{Node, Repository};

/// The name of the file, in the folder of the id map.
pub const FILE: &str = "authors";

/// The mirror cannot be continued with the author map that is asked for.
#[derive(Debug, thiserror::Error)]
pub enum RecordedAuthorsError {
    /// What is recorded cannot be read.
    #[error(transparent)]
    Recorded(#[from] AuthorMapError),
    /// The map cannot be recorded.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// The users of the source cannot be read.
    #[error("read the users of the source")]
    History(#[from] RevlogError),
    /// A converted changeset would have another author.
    #[error(
        "convert with another author map: the user {user:?} of changeset {changeset}, which is \
         converted already, was {was:?} and would become {would:?}"
    )]
    Changed {
        /// The user.
        user: BString,
        /// The oldest changeset of theirs that is converted.
        changeset: Node,
        /// The author in its commit.
        was: BString,
        /// The author now.
        would: BString,
    },
}

faults!(RecordedAuthorsError {
    Self::Recorded(error) => of(error),
    Self::History(error) => of(error).at(Source),
    Self::Write { source, .. } => io(source),
    Self::Changed { .. } => Config.hint(
        "map this user as before, or convert into a new repository: with another author every \
         commit from there on has another id"
    ),
});

/// Records `authors` beside the id map `map`, on disk before this returns. Nothing is written
/// if the map is empty and was empty before.
pub fn write(map: &Path, authors: &AuthorMap) -> Result<(), RecordedAuthorsError> {
    let path = map.with_file_name(FILE);
    if authors.is_empty() && !path.exists() {
        return Ok(());
    }
    replace_file(&path, authors.to_text().as_bytes())
        .map_err(|source| RecordedAuthorsError::Write { path, source })
}

/// Checks that the changesets of `source` that `commits` has would become the same commits under
/// the author map of `rules` as under the one that is recorded beside the id map `map`. Reads
/// changesets only if the two maps differ. Returns whether they do.
pub fn check(
    map: &Path,
    rules: &Rules,
    source: &Repository,
    commits: &IdMap,
) -> Result<bool, RecordedAuthorsError> {
    let path = map.with_file_name(FILE);
    let recorded = if path.exists() { AuthorMap::read(&path)? } else { AuthorMap::default() };
    if recorded == *rules.authors {
        return Ok(false);
    }
    let before = Rules { identity: rules.identity, authors: recorded.into() };
    let mut seen = HashSet::new();
    let mut changesets = source.changelog().reader();
    for rev in source.view().served().iter() {
        let node = source.changelog().node(rev);
        if commits.commit(node).is_none() {
            continue;
        }
        let user = changesets.changeset(rev)?.user;
        if seen.contains(&user) {
            continue;
        }
        let (was, would) = (before.author(&user), rules.author(&user));
        if was != would {
            return Err(RecordedAuthorsError::Changed { user, changeset: node, was, would });
        }
        seen.insert(user);
    }
    Ok(true)
}
