//! The map files of other converters.

use std::collections::HashMap;

use bstr::ByteSlice;

use super::idmap::Record;
use crate::base::faults;
use crate::git::ObjectId;
use crate::hg::Node;

/// A line of such a file is not what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read line {line}: it is not `{expected}`")]
pub struct MapFileError {
    /// Which line, counted from 1.
    pub line: usize,
    /// What it must be.
    pub expected: &'static str,
}

faults!(MapFileError => Config);

/// The records in a `git-mapfile` of hg-git.
pub fn git_mapfile(text: &[u8]) -> Result<Vec<Record>, MapFileError> {
    lines(text, "COMMIT NODE", |id, node| Some((Node::from_hex(node)?, ObjectId::from_hex(id)?)))
}

/// The records in `hg2git-mapping` and `hg2git-marks` of hg-fast-export. A revision that has no mark
/// has no commit.
pub fn fast_export(mapping: &[u8], marks: &[u8]) -> Result<Vec<Record>, MapFileError> {
    let number = |text: &[u8]| text.to_str().ok()?.parse::<u64>().ok();
    let marks: HashMap<u64, ObjectId> = lines(marks, ":MARK COMMIT", |mark, id| {
        Some((number(mark.strip_prefix(b":")?)?, ObjectId::from_hex(id)?))
    })?
    .into_iter()
    .collect();
    let revisions = lines(mapping, ":NODE REVISION", |node, revision| {
        Some((Node::from_hex(node.strip_prefix(b":")?)?, number(revision)?))
    })?;
    // Marks count from one, revisions from zero.
    let commit =
        |(node, revision): (Node, u64)| Some((node, *marks.get(&revision.checked_add(1)?)?));
    Ok(revisions.into_iter().filter_map(commit).collect())
}

/// What `parse` makes of the two words of each line.
fn lines<T>(
    text: &[u8],
    expected: &'static str,
    parse: impl Fn(&[u8], &[u8]) -> Option<T>,
) -> Result<Vec<T>, MapFileError> {
    let parsed = text.lines().enumerate().map(|(at, line)| {
        let words = line.split_once_str(" ");
        let found = words.and_then(|(first, second)| parse(first, second));
        found.ok_or(MapFileError { line: at + 1, expected })
    });
    parsed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_and_what_is_none() {
        let (node, id) = (Node::from_bytes([0x11; 20]), ObjectId::from_bytes([0x22; 20]));
        assert_eq!(git_mapfile(format!("{id} {node}\n").as_bytes()), Ok(vec![(node, id)]));
        let error = git_mapfile(format!("{id} {node}\n{id}\n").as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), "read line 2: it is not `COMMIT NODE`");
        let mapping = format!(":{node} 6\n:{} 7\n", "33".repeat(20));
        let marks = format!(":7 {id}\n");
        let records = fast_export(mapping.as_bytes(), marks.as_bytes());
        assert_eq!(records, Ok(vec![(node, id)]));
        assert!(fast_export(marks.as_bytes(), marks.as_bytes()).is_err());
        assert!(fast_export(b":x 18446744073709551615\n", b"").is_err());
    }
}
