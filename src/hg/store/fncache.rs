//! The `fncache` file: the list of all filelogs, for encodings that cannot be undone.
//!
//! A line is a path relative to the store, folders encoded and nothing else
//! ([`encode_folders`]): `data/src/Main.java.i`. Source: the wiki page `fncacheRepoFormat`, and
//! files as Mercurial writes them.

use std::collections::HashSet;

use bstr::{BString, ByteSlice};

use crate::base::{RepoPath, faults};

use super::path_encode::{decode_folders, encode_folders};

/// The `fncache` file is damaged. Mercurial refuses such a file too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FncacheError {
    /// The last line is not ended, so that it may have been cut.
    #[error("read fncache: its last line is not ended")]
    Unfinished,
    /// A line is empty.
    #[error("read fncache: line {line} is empty")]
    EmptyLine {
        /// The line's number, from 1.
        line: usize,
    },
}

faults!(FncacheError => {
    Corrupt.hint("`hg debugrebuildfncache` in the repository writes the file anew")
});

/// The paths that `fncache` lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fncache {
    paths: HashSet<BString>,
}

impl Fncache {
    /// Parses the text of `fncache`. A repository without files has none, which is an empty one.
    pub fn parse(text: &[u8]) -> Result<Self, FncacheError> {
        let mut paths = HashSet::new();
        for (i, line) in text.lines_with_terminator().enumerate() {
            let line = line.strip_suffix(b"\n").ok_or(FncacheError::Unfinished)?;
            if line.is_empty() {
                return Err(FncacheError::EmptyLine { line: i + 1 });
            }
            paths.insert(line.into());
        }
        Ok(Self { paths })
    }

    /// Whether the history of the tracked file at `path` is listed.
    pub fn lists(&self, path: &RepoPath) -> bool {
        let listed = encode_folders(&[b"data/", path.as_bytes(), b".i"].concat());
        self.has(&listed)
    }

    /// Whether there is such a line.
    pub(in crate::hg) fn has(&self, line: &[u8]) -> bool {
        self.paths.contains(line.as_bstr())
    }

    /// The names of the listed files in the store, before names are encoded.
    pub(in crate::hg) fn names(&self) -> impl Iterator<Item = Vec<u8>> {
        self.paths.iter().map(|path| decode_folders(path))
    }

    /// How many paths are listed; split filelogs have two.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"data/AUX/aux.x.i\ndata/foo.i.hg/file.i\ndata/big.d\ndata/big.i\n";

    #[test]
    fn finds_paths_whose_folders_are_encoded() {
        let fncache = Fncache::parse(TEXT).unwrap();
        assert_eq!(fncache.len(), 4);
        for (path, listed) in [
            ("AUX/aux.x", true),
            ("foo.i/file", true),
            ("foo.i.hg/file", false),
            ("big", true),
            ("bi", false),
        ] {
            assert_eq!(fncache.lists(path.into()), listed, "{path}");
        }
        assert!(Fncache::parse(b"").unwrap().is_empty());
    }

    #[test]
    fn cuts_and_empty_lines_are_errors() {
        for end in 1..TEXT.len() {
            let whole = TEXT[end - 1] == b'\n';
            assert_eq!(Fncache::parse(&TEXT[..end]).is_ok(), whole, "cut at {end}");
        }
        assert_eq!(
            Fncache::parse(b"data/a.i\n\ndata/b.i\n"),
            Err(FncacheError::EmptyLine { line: 2 })
        );
    }
}
