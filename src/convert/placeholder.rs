//! Placeholders: what stands in a tree for a file revision that the source does not have any more.
//!
//! A placeholder depends on its path, its node and its kind, and on nothing else, so it is the
//! same whenever it is made. Those of a mirror are recorded beside its map: a placeholder stays one
//! even if the source is repaired, because commits contain it.
//!
//! On disk: one line for each, the node, the kind and the path with blanks between. No path of a
//! manifest has a line feed in it.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use bstr::ByteSlice;

use crate::base::durable::replace_file;
use crate::base::text::serialize_printable;
use crate::base::{RepoPath, RepoPathBuf, faults};
use crate::git::{ObjectId, ObjectKind};
use crate::hg::Node;

/// Why there is a placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceholderKind {
    /// The text was removed on purpose (`hg censor`).
    Censored,
    /// The revision is damaged or missing, and `skip_damaged` allows that.
    Damaged,
}

/// One placeholder of a mirror.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Placeholder {
    /// The file.
    #[serde(serialize_with = "serialize_printable")]
    pub path: RepoPathBuf,
    /// The revision of the file.
    pub node: Node,
    /// Why it is not the file.
    #[serde(rename = "reason")]
    pub kind: PlaceholderKind,
}

impl PlaceholderKind {
    const ALL: [Self; 2] = [Self::Censored, Self::Damaged];

    fn name(self) -> &'static str {
        match self {
            Self::Censored => "censored",
            Self::Damaged => "damaged",
        }
    }

    /// The end of a sentence that begins with the revision.
    fn reason(self) -> &'static str {
        match self {
            Self::Censored => "was censored in the Mercurial repository",
            Self::Damaged => "is damaged or missing in the Mercurial repository",
        }
    }

    /// The contents that stand for the revision `node` of the file at `path`.
    pub fn contents(self, path: &RepoPath, node: Node) -> Vec<u8> {
        let before = format!(
            "This is a placeholder, written by synchroniser.\n\nRevision {node}\nof the file "
        );
        let after = format!("\n{}.\n", self.reason());
        [before.as_bytes(), path.as_bytes(), after.as_bytes()].concat()
    }
}

impl Placeholder {
    /// Whether it stands for something that may yet be found.
    pub fn is_for_damage(&self) -> bool {
        self.kind == PlaceholderKind::Damaged
    }

    /// The blob that stands for the file.
    pub fn blob(&self) -> ObjectId {
        ObjectId::of(ObjectKind::Blob, &self.kind.contents(self.path.as_ref(), self.node))
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, node, kind } = self;
        write!(f, "revision {node} of the file {path:?} {}", kind.reason())
    }
}

/// The placeholders that a mirror has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placeholders(HashMap<RepoPathBuf, HashMap<Node, PlaceholderKind>>);

/// The list of placeholders cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum PlaceholdersError {
    /// The operating system says no.
    #[error("{doing} the list of placeholders {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The list.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// A line is none of ours.
    #[error("read the list of placeholders {}: line {line} is malformed", path.display())]
    Malformed {
        /// The list.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
}

faults!(PlaceholdersError {
    Self::Io { source, .. } => io(source),
    Self::Malformed { .. } => Corrupt,
});

impl Placeholders {
    /// Where the list is of the mirror whose map is at `map`.
    pub fn beside(map: &Path) -> PathBuf {
        map.with_file_name("placeholders")
    }

    /// Reads the list at `path`; an empty one if there is none.
    pub fn open(path: &Path) -> Result<Self, PlaceholdersError> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(source) => {
                let path = path.to_owned();
                return Err(PlaceholdersError::Io { doing: "read", path, source });
            }
        };
        let mut list = Self::default();
        let text = text.strip_suffix(b"\n").unwrap_or(&text);
        let lines = text.split(|&byte| byte == b'\n').filter(|_| !text.is_empty());
        for (number, line) in (1..).zip(lines) {
            let malformed = || PlaceholdersError::Malformed { path: path.to_owned(), line: number };
            list.add(parse(line).ok_or_else(malformed)?);
        }
        Ok(list)
    }

    /// Writes the list to `path`, on disk before this returns.
    pub fn save(&self, path: &Path) -> Result<(), PlaceholdersError> {
        let mut text = Vec::new();
        for Placeholder { path, node, kind } in self.sorted() {
            text.extend_from_slice(format!("{node} {} ", kind.name()).as_bytes());
            text.extend_from_slice(&path);
            text.push(b'\n');
        }
        replace_file(path, &text).map_err(|source| PlaceholdersError::Io {
            doing: "write",
            path: path.to_owned(),
            source,
        })
    }

    /// Adds one; says whether it is new.
    pub fn add(&mut self, placeholder: Placeholder) -> bool {
        let Placeholder { path, node, kind } = placeholder;
        self.0.entry(path).or_default().insert(node, kind).is_none()
    }

    /// Adds several; says whether any is new.
    pub fn extend(&mut self, placeholders: &[Placeholder]) -> bool {
        placeholders.iter().fold(false, |any, one| self.add(one.clone()) | any)
    }

    /// Why a file revision is a placeholder; `None` if it is none.
    pub fn kind(&self, path: &RepoPath, node: Node) -> Option<PlaceholderKind> {
        self.0.get(path)?.get(&node).copied()
    }

    /// Whether any revision of the file at `path` is one.
    pub fn has_any(&self, path: &RepoPath) -> bool {
        self.0.contains_key(path)
    }

    /// All of them, by path and node.
    pub fn sorted(&self) -> Vec<Placeholder> {
        let of_path = |(path, nodes): (&RepoPathBuf, &HashMap<Node, PlaceholderKind>)| {
            let path = path.clone();
            let one = move |(node, kind): (&Node, &PlaceholderKind)| Placeholder {
                path: path.clone(),
                node: *node,
                kind: *kind,
            };
            nodes.iter().map(one).collect::<Vec<_>>()
        };
        let mut all: Vec<_> = self.0.iter().flat_map(of_path).collect();
        all.sort_unstable();
        all
    }
}

/// One line of the list.
fn parse(line: &[u8]) -> Option<Placeholder> {
    let (node, rest) = line.split_once_str(" ")?;
    let (kind, path) = rest.split_once_str(" ")?;
    let kind = PlaceholderKind::ALL.into_iter().find(|known| known.name().as_bytes() == kind)?;
    Some(Placeholder { path: path.into(), node: Node::from_hex(node)?, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("placeholders");
        assert_eq!(Placeholders::open(&path).unwrap(), Placeholders::default());
        let mut list = Placeholders::default();
        for (path, byte, kind) in [
            (&b"a b\xff"[..], 1, PlaceholderKind::Censored),
            (b"a b\xff", 2, PlaceholderKind::Damaged),
            (b"\rc\r", 1, PlaceholderKind::Damaged),
        ] {
            let node = Node::from_bytes([byte; 20]);
            assert!(list.add(Placeholder { path: path.into(), node, kind }));
        }
        list.save(&path).unwrap();
        assert_eq!(Placeholders::open(&path).unwrap(), list);
        std::fs::write(&path, "x").unwrap();
        assert!(matches!(
            Placeholders::open(&path),
            Err(PlaceholdersError::Malformed { line: 1, .. })
        ));
    }

    /// The bytes are part of commit ids: a change of them would rewrite mirrors.
    #[test]
    fn the_contents_never_change() {
        let node = Node::from_bytes([0x11; 20]);
        let contents = PlaceholderKind::Damaged.contents(b"dir/\xe9".as_slice().into(), node);
        assert_eq!(
            contents.as_bstr(),
            b"This is a placeholder, written by synchroniser.\n\n\
             Revision 1111111111111111111111111111111111111111\n\
             of the file dir/\xe9\n\
             is damaged or missing in the Mercurial repository.\n"
                .as_bstr()
        );
    }
}
