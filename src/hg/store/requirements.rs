//! The `requires` files: what a reader must know to read a repository.
//!
//! Source: `hg help internals.requirements`, and what `hg init` writes for each format option; what
//! to do about those that Mercurial 7.2 can make was tried with it.

use std::collections::BTreeSet;

use crate::base::faults;

use super::files::lines;

/// What to do about a repository in a format that is experimental even for Mercurial.
const UPGRADE: &str = "`hg debugupgraderepo --run --config storage.all-slow-path=allow` in the \
    repository writes it in the default format";
/// What to do about a clone that has not the whole history.
const PARTIAL: &str = "it has not the whole history: name the repository that it is a clone of";
/// What to do about files whose contents are elsewhere.
const LFS: &str = "`hg --config extensions.lfs= --config extensions.convert= convert REPOSITORY NEW` \
    makes a repository that has the same changesets and their files, where these can be had";
/// What to do about a format that is not known at all.
const UNKNOWN: &str = "a newer synchroniser may read this; otherwise make a repository in the \
    default format with `hg clone --pull`, or upgrade this one with `hg debugupgraderepo`";

/// Every requirement that is known: `None` if we read what it calls for, what to do about it
/// otherwise.
const KNOWN: &[(&str, Option<&str>)] = &[
    // How the store is laid out and how its files are named.
    ("store", None),
    ("fncache", None),
    ("dotencode", None),
    ("fileindex-v1", None),
    ("share-safe", None),
    ("shared", None),
    ("relshared", None),
    ("bookmarksinstore", None),
    ("exp-very-fragile-and-unsafe-plain-store-encoding", Some(UPGRADE)),
    // How revlogs are written; each says so in its own header, each chunk in its first byte.
    ("revlogv1", None),
    ("generaldelta", None),
    ("sparserevlog", None),
    ("delta-info-revlog", None),
    ("revlog-compression-zstd", None),
    ("revlog-compression-zlib", None),
    ("revlog-compression-none", None),
    ("exp-compression-zstd", None),
    ("exp-compression-zlib", None),
    ("exp-compression-none", None),
    ("exp-changelog-v2", Some(UPGRADE)),
    ("exp-copies-sidedata-changeset", Some(UPGRADE)),
    ("exp-revlogv2.0", Some(UPGRADE)),
    ("exp-revlogv2.1", Some(UPGRADE)),
    ("exp-revlogv2.2", Some(UPGRADE)),
    ("parentdelta", Some("Mercurial 1.7 or 1.8 reads it: `hg clone --pull` makes another format")),
    // An index beside the revlogs that can be ignored.
    ("persistent-nodemap", None),
    // One manifest for each directory.
    ("treemanifest", None),
    ("manifestv2", Some("Mercurial 3.4 to 4.5 reads it: `hg clone --pull` makes another format")),
    // What is not there.
    ("narrowhg-experimental", Some(PARTIAL)),
    ("exp-remotefilelog-repo-req-1", Some(PARTIAL)),
    // Further phases, all of them above secret.
    ("internal-phase", None),
    ("internal-phase-2", None),
    ("exp-archived-phase", None),
    // The working directory, of which only the parents matter.
    ("dirstate-v2", None),
    ("exp-dirstate-v2", None),
    ("dirstate-tracked-key-v1", None),
    ("exp-sparse", None),
    // The contents of some files are elsewhere.
    ("lfs", Some(LFS)),
    // Large files are tracked as small files that name them.
    ("largefiles", None),
];

/// What a person can do about a requirement that is not readable.
pub fn remedy(name: &str) -> &'static str {
    let known = KNOWN.iter().find(|(known, _)| *known == name);
    known.and_then(|(_, remedy)| *remedy).unwrap_or(UNKNOWN)
}

/// A `requires` file holds a line that cannot be a requirement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not a requirement")]
pub struct BadRequirement {
    /// The line's number, from 1.
    pub line: usize,
}

faults!(BadRequirement => Corrupt);

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
        let readable = |name: &&str| KNOWN.contains(&(*name, None));
        self.iter().filter(|name| !readable(name)).map(str::to_owned).collect()
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
            ["exp-revlogv2.2", "lfs"]
        );
        // Each is a different word for Mercurial too.
        assert_eq!(
            unreadable(b"store \nREVLOGV1\nstore\0\n"),
            ["REVLOGV1", "store ", "store\\x00"]
        );
        for name in ["narrowhg-experimental", "exp-changelog-v2", "fileindex-v2", "parentdelta"] {
            assert_eq!(unreadable(name.as_bytes()), [name]);
        }
        assert_eq!(remedy("narrowhg-experimental"), PARTIAL);
        assert_eq!(remedy("exp-revlogv2.2"), UPGRADE);
        assert_eq!(remedy("lfs"), LFS);
        assert_eq!(remedy("fileindex-v2"), UNKNOWN);
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        for (text, line) in [(&b"\n"[..], 1), (b"store\n\nfncache\n", 2), (b"store\n fncache", 2)] {
            assert_eq!(Requirements::parse(text), Err(BadRequirement { line }));
        }
    }
}
