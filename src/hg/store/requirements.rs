//! The `requires` files: what a reader must know to read a repository.
//!
//! Source: `hg help internals.requirements`, and what `hg init` writes for each format option.

use std::collections::BTreeSet;

use crate::base::{Fault, HasFault};

use super::files::lines;

/// Requirements that change nothing we do not handle.
const READABLE: &[&str] = &[
    // How the store is laid out and how its files are named.
    "store",
    "fncache",
    "dotencode",
    "share-safe",
    "shared",
    "relshared",
    "bookmarksinstore",
    // How revlogs are written; each says so in its own header, each chunk in its first byte.
    "revlogv1",
    "generaldelta",
    "sparserevlog",
    "revlog-compression-zstd",
    "revlog-compression-zlib",
    "revlog-compression-none",
    "exp-compression-zstd",
    "exp-compression-zlib",
    "exp-compression-none",
    // An index beside the revlogs that can be ignored.
    "persistent-nodemap",
    // Further phases, all of them above secret.
    "internal-phase",
    "internal-phase-2",
    "exp-archived-phase",
    // The working directory, of which only the parents matter.
    "dirstate-v2",
    "exp-dirstate-v2",
    "dirstate-tracked-key-v1",
    "exp-sparse",
    // Large files are tracked as small files that name them.
    "largefiles",
];

/// A `requires` file holds a line that cannot be a requirement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not a requirement")]
pub struct BadRequirement {
    /// The line's number, from 1.
    pub line: usize,
}

impl HasFault for BadRequirement {
    fn fault(&self) -> Fault {
        Fault::Corrupt
    }
}

/// What a repository requires of its readers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements(BTreeSet<String>);

impl Requirements {
    /// Parses the text of a `requires` file, one requirement a line.
    ///
    /// A line that does not begin with a letter or digit is an error, as it is for Mercurial: the
    /// file was damaged.
    pub fn parse(text: &[u8]) -> Result<Self, BadRequirement> {
        let mut all = BTreeSet::new();
        for (i, line) in lines(text).enumerate() {
            if !line.first().is_some_and(u8::is_ascii_alphanumeric) {
                return Err(BadRequirement { line: i + 1 });
            }
            all.insert(line.escape_ascii().to_string());
        }
        Ok(Self(all))
    }

    /// Whether `name` is required.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// All that is required, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Adds what `other` requires.
    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// What is required and not known to be readable, in alphabetical order.
    pub fn unreadable(&self) -> Vec<String> {
        self.iter().filter(|name| !READABLE.contains(name)).map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreadable(text: &[u8]) -> Vec<String> {
        Requirements::parse(text).unwrap().unreadable()
    }

    #[test]
    fn what_is_not_known_is_named() {
        assert_eq!(unreadable(b""), [""; 0]);
        assert_eq!(unreadable(b"dotencode\nfncache\r\nrevlogv1\nstore"), [""; 0]);
        assert_eq!(
            unreadable(b"treemanifest\nstore\nexp-revlogv2.2\nlfs\n"),
            ["exp-revlogv2.2", "lfs", "treemanifest"]
        );
        // Each is a different word for Mercurial too.
        assert_eq!(
            unreadable(b"store \nREVLOGV1\nstore\0\n"),
            ["REVLOGV1", "store ", "store\\x00"]
        );
        for name in ["narrowhg-experimental", "fileindex-v1", "delta-info-revlog", "parentdelta"] {
            assert_eq!(unreadable(name.as_bytes()), [name]);
        }
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        for (text, line) in [(&b"\n"[..], 1), (b"store\n\nfncache\n", 2), (b"store\n fncache", 2)] {
            assert_eq!(Requirements::parse(text), Err(BadRequirement { line }));
        }
    }
}
