//! The parents of the working directory, for which obsolete changesets stay visible.
//!
//! Source: `hg help internals.dirstate-v2`; the wiki page `DirState` for the first version.

use crate::base::{Reader, ShortRead, faults};
use crate::hg::Node;

/// How the second version's file begins.
const MARKER_V2: &[u8] = b"dirstate-v2\n";

/// The `dirstate` file is damaged. Mercurial refuses to work beside such a file too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read dirstate")]
pub struct DirstateError {
    /// What is missing.
    #[from]
    source: ShortRead,
}

faults!(DirstateError => {
    Corrupt.hint("`hg debugrebuilddirstate` in the repository writes the file anew")
});

/// The parents of the working directory: none, one or two.
///
/// `file` is the text of `.hg/dirstate`, where there is one. Both versions are told apart by how
/// they begin.
pub fn parse_parents(file: Option<&[u8]>) -> Result<Vec<Node>, DirstateError> {
    let Some(file) = file.filter(|file| !file.is_empty()) else { return Ok(Vec::new()) };
    let mut reader = Reader::new(file);
    let mut parents = Vec::new();
    if let Some(rest) = file.strip_prefix(MARKER_V2) {
        reader = Reader::new(rest);
        for field in ["first parent", "second parent"] {
            // 32 bytes each, for hashes to come; a SHA-1 fills the first 20.
            parents.push(Node::from_bytes(reader.array(field)?));
            reader.bytes(field, 12)?;
        }
    } else {
        for field in ["first parent", "second parent"] {
            parents.push(Node::from_bytes(reader.array(field)?));
        }
    }
    parents.retain(|parent| !parent.is_null());
    Ok(parents)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(i: u8) -> Node {
        Node::from_bytes([i; 20])
    }

    #[test]
    fn both_versions() {
        let v1 = [&[1; 20][..], &[0; 20], b"n\0\0\x81\xa4 and files"].concat();
        assert_eq!(parse_parents(Some(&v1)), Ok(vec![node(1)]));
        let v2 = [MARKER_V2, &[1; 20], &[0; 12], &[2; 20], &[0; 12], &[7; 61]].concat();
        assert_eq!(parse_parents(Some(&v2)), Ok(vec![node(1), node(2)]));
        assert_eq!(parse_parents(None), Ok(vec![]));
        assert_eq!(parse_parents(Some(b"")), Ok(vec![]));
    }

    #[test]
    fn cut_files_are_errors() {
        let v1 = [1; 40];
        for end in 1..40 {
            assert!(parse_parents(Some(&v1[..end])).is_err(), "cut at {end}");
        }
        let v2 = [MARKER_V2, &[1; 64]].concat();
        for end in MARKER_V2.len()..v2.len() {
            assert!(parse_parents(Some(&v2[..end])).is_err(), "cut at {end}");
        }
        assert!(parse_parents(Some(&v2)).is_ok());
    }
}
