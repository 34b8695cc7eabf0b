//! Notes: for each commit one that holds the node of its changeset, for `git notes --ref hg show`.
//!
//! A note is the 40 digits without a line feed, as hg-fast-export writes it, at the path that is the
//! commit's id with a slash after the second and the fourth digit. That way of spreading them over
//! folders, one of Git's own, is right for millions, so one more note costs the same in every
//! history. Each run that adds notes adds one commit, which is a function of what it adds to: its
//! author is the program, its date that of the newest changeset, and it says how many changesets
//! have notes, so that a run that was killed before the reference moved is made up for.

use bstr::ByteSlice;

use super::ConvertError;
use super::idmap::Record;
use crate::base::text::utf8_or_latin1;
use crate::git::commit::{Commit, Signature};
use crate::git::sink::{NewObject, ObjectSink};
use crate::git::tree::{Directory, Edit, Mode, TreeEditor, TreeError, TreeSource};
use crate::git::{ObjectId, ObjectKind};

/// The author of the commits.
const PERSON: &str = "synchroniser <>";
/// What a message begins with; the number of changesets follows.
const MESSAGE: &str = "Notes for changesets: ";

/// The notes that are there.
#[derive(Clone, Copy, Debug)]
pub struct Previous<'p> {
    /// Their commit.
    pub commit: ObjectId,
    /// Its contents.
    pub contents: &'p [u8],
}

/// Adds notes for `records`, all changesets that shall have one in revision order, to `previous`.
/// `new` are those of them that were converted by this run; `seconds` is the date of the
/// newest. Returns the commit of the notes; `None` if there are none.
pub fn write_notes(
    previous: Option<Previous<'_>>,
    records: &[Record],
    new: &[Record],
    seconds: i64,
    existing: &dyn TreeSource,
    sink: &dyn ObjectSink,
) -> Result<Option<ObjectId>, ConvertError> {
    let noted = previous.and_then(|previous| count(previous.contents));
    if noted == Some(records.len()) || records.is_empty() {
        return Ok(previous.map(|previous| previous.commit));
    }
    // After a kill, a strip, or notes of another tool it is not known which are missing.
    let before = records.len().saturating_sub(new.len());
    let missing = if noted == Some(before) { new } else { records };
    let mut writer = sink.writer();
    let mut edits = Vec::with_capacity(missing.len());
    for (node, commit) in missing {
        let contents = node.to_string().into_bytes();
        let id = ObjectId::of(ObjectKind::Blob, &contents);
        writer.write(NewObject {
            id,
            kind: ObjectKind::Blob,
            contents: &contents,
            delta_hint: None,
        })?;
        edits.push((path(*commit), id));
    }
    // Of two changesets with one commit the later one has the note.
    edits.reverse();
    edits.sort_by(|(a, _), (b, _)| a.cmp(b));
    edits.dedup_by(|(a, _), (b, _)| a == b);
    let edits: Vec<Edit<'_>> = edits
        .iter()
        .map(|(path, id)| Edit { path: path.as_bytes(), file: Some((Mode::Regular, *id)) })
        .collect();
    let failed = |source: TreeError| ConvertError::Notes { source };
    let old = match previous {
        Some(previous) => {
            let tree = existing.tree_of_commit(previous.commit).map_err(failed)?;
            Directory::read(tree, existing).map_err(failed)?
        }
        None => Directory::empty(),
    };
    let mut editor = TreeEditor { source: existing, writer: writer.as_mut() };
    let tree = editor.apply(&old, &edits).map_err(failed)?.id();
    let author =
        Signature { person: PERSON.into(), seconds: seconds.max(0), zone: "+0000".to_owned() };
    let commit = Commit {
        tree,
        parents: previous.map(|previous| previous.commit).into_iter().collect(),
        committer: author.clone(),
        author,
        headers: Vec::new(),
        message: format!("{MESSAGE}{}\n", records.len()).into_bytes(),
    };
    let contents = commit.to_bytes();
    let id = ObjectId::of(ObjectKind::Commit, &contents);
    writer.write(NewObject {
        id,
        kind: ObjectKind::Commit,
        contents: &contents,
        delta_hint: None,
    })?;
    writer.finish()?;
    Ok(Some(id))
}

/// How many changesets have notes, as the commit of the notes says; `None` if it is not ours.
fn count(commit: &[u8]) -> Option<usize> {
    let (_, message) = commit.split_once_str("\n\n")?;
    utf8_or_latin1(message).strip_prefix(MESSAGE)?.trim_end().parse().ok()
}

/// Where the note of a commit is.
fn path(commit: ObjectId) -> String {
    let mut path = commit.to_string();
    path.insert(4, '/');
    path.insert(2, '/');
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_spread_over_folders() {
        let commit = ObjectId::from_bytes([0xab; 20]);
        assert_eq!(path(commit), format!("ab/ab/{}", "ab".repeat(18)));
    }

    #[test]
    fn the_number_is_read_again() {
        let written = format!("tree x\n\n{MESSAGE}304\n");
        assert_eq!(count(written.as_bytes()), Some(304));
        assert_eq!(count(b"tree x\n\nNotes added by 'git notes add'\n"), None);
        assert_eq!(count(b""), None);
    }
}
