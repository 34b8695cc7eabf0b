//! The small files of a repository: read whole, within a bound, or known to be missing.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice};
use serde::Serialize;

use crate::base::faults;
use crate::base::text::{serialize_path, serialize_printable};
use crate::hg::Node;

/// A small file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system said no.
    #[error("read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A folder, a pipe or a device stands where a file should be.
    #[error("read {}: it is not a regular file", path.display())]
    NotAFile {
        /// What stands there.
        path: PathBuf,
    },
    /// The file is larger than the bound for it.
    #[error("read {}: it is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound, in bytes.
        limit: u64,
    },
}

faults!(ReadError {
    Self::Io { source, .. } => io(source),
    Self::NotAFile { .. } => Corrupt,
    Self::TooLarge { .. } => Unsupported,
});

/// The contents of the file at `path`; `None` if there is no such file.
///
/// Never holds more than `limit` bytes, even while the file grows. A pipe or a device is an error
/// and not waited for.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, ReadError> {
    let failed = |source| ReadError::Io { path: path.to_owned(), source };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if !metadata.is_file() {
        return Err(ReadError::NotAFile { path: path.to_owned() });
    }
    let too_large = || ReadError::TooLarge { path: path.to_owned(), limit };
    if metadata.len() > limit {
        return Err(too_large());
    }
    let file = match File::open(path) {
        Ok(file) => file,
        // Mercurial replaces and removes these files while we look.
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= limit) {
        Ok(Some(bytes))
    } else {
        Err(too_large())
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// The lines of `text` the way Mercurial splits most of its small files: at line feeds, carriage
/// returns, and the two together. A final line need not be ended.
pub(in crate::hg) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.find_byteset(b"\r\n").unwrap_or(rest.len());
        let (line, ending) = rest.split_at_checked(end)?;
        rest = ending
            .strip_prefix(b"\r\n")
            .or_else(|| ending.strip_prefix(b"\n"))
            .or_else(|| ending.strip_prefix(b"\r"))
            .unwrap_or(ending);
        Some(line)
    })
}

/// Whether `byte` is what Mercurial strips around names: blanks, tabs, line ends, vertical tabs
/// and form feeds.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// `text` without the space around it.
pub(super) fn strip(text: &[u8]) -> &[u8] {
    text.trim_with(|c| u8::try_from(c).is_ok_and(is_space))
}

/// Something odd in a small file that was passed over, as Mercurial passes over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Note {
    /// A line that says nothing that can be understood.
    MalformedLine {
        /// The name of the file inside the repository.
        file: &'static str,
        /// The line's number, from 1.
        line: usize,
        /// How it begins.
        #[serde(serialize_with = "serialize_printable")]
        text: BString,
    },
    /// A line about a changeset that is not in the repository.
    UnknownNode {
        /// The name of the file inside the repository.
        file: &'static str,
        /// The changeset.
        node: Node,
    },
    /// A configuration file that another one includes, and that was not read.
    IncludeNotRead {
        /// The file that has the `%include` line.
        #[serde(serialize_with = "serialize_path")]
        file: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// What it includes.
        #[serde(serialize_with = "serialize_printable")]
        target: BString,
    },
    /// There was more of the same kind than is worth listing.
    #[serde(rename = "more_in_file")]
    More {
        /// How many further notes there were.
        count: usize,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MalformedLine { file, line, text } => {
                write!(f, "{file}: line {line} is malformed and was ignored: {text:?}")
            }
            Self::UnknownNode { file, node } => {
                write!(f, "{file}: names changeset {node}, which is not in the repository")
            }
            Self::IncludeNotRead { file, line, target } => {
                let file = file.display();
                write!(f, "{file}: line {line} includes {target:?}, which was not read")
            }
            Self::More { count } => write!(f, "and {count} more notes of this kind"),
        }
    }
}

/// The most notes that one file may cause; a hostile file would otherwise cost more than its size.
const MOST_NOTES: usize = 50;

/// Notes about one file, in order, and no more than are worth reading.
#[derive(Clone, Debug, Default)]
pub(super) struct Notes {
    list: Vec<Note>,
    left_off: usize,
}

impl Notes {
    pub(super) fn malformed(&mut self, file: &'static str, line: usize, text: &[u8]) {
        let text = text.get(..80).unwrap_or(text).into();
        self.push(Note::MalformedLine { file, line, text });
    }

    pub(super) fn unknown(&mut self, file: &'static str, node: Node) {
        self.push(Note::UnknownNode { file, node });
    }

    pub(super) fn push(&mut self, note: Note) {
        if self.list.len() < MOST_NOTES {
            self.list.push(note);
        } else {
            self.left_off += 1;
        }
    }

    pub(super) fn finish(mut self) -> Vec<Note> {
        if self.left_off > 0 {
            self.list.push(Note::More { count: self.left_off });
        }
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Fault, HasFault};

    #[test]
    fn missing_large_and_strange_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bookmarks");
        assert!(read_bounded(&path, 4).unwrap().is_none());
        assert!(read_bounded(&path.join("below-a-file-that-is-not"), 4).unwrap().is_none());
        fs::write(&path, b"1234").unwrap();
        assert_eq!(read_bounded(&path, 4).unwrap().unwrap(), b"1234");
        let error = read_bounded(&path, 3).unwrap_err();
        assert!(matches!(error, ReadError::TooLarge { limit: 3, .. }));
        assert!(error.to_string().contains("bookmarks"), "{error}");
        let error = read_bounded(folder.path(), 3).unwrap_err();
        assert!(matches!(error, ReadError::NotAFile { .. }));
        assert_eq!(error.fault(), Fault::Corrupt);
    }

    #[test]
    fn lines_end_in_three_ways() {
        let all: Vec<&[u8]> = lines(b"a\nb\r\nc\rd\n\n\x0be").collect();
        assert_eq!(all, [&b"a"[..], b"b", b"c", b"d", b"", b"\x0be"]);
        assert_eq!(lines(b"").count(), 0);
        assert_eq!(lines(b"\n").count(), 1);
        assert_eq!(strip(b" \x0b\x0ca\xa0\x1f \r\n"), b"a\xa0\x1f");
    }

    #[test]
    fn notes_are_bounded() {
        let mut notes = Notes::default();
        for line in 0..1000 {
            notes.malformed("bookmarks", line, &[b'x'; 1000]);
        }
        let notes = notes.finish();
        assert_eq!(notes.len(), MOST_NOTES + 1);
        assert_eq!(notes.last(), Some(&Note::More { count: 950 }));
        assert!(notes[0].to_string().len() < 200);
    }
}
