//! Directories as Git stores them, edited without being taken apart: what does not change is
//! copied as bytes, which is also what the delta against the old directory says.

use std::sync::Arc;

use super::repository::{BareRepository, RepositoryError};
use super::sink::{Copied, DeltaHint, NewObject, ObjectWriter, SinkError};
use super::tree_entry::{first_entry, sort_key};
use super::{ObjectId, ObjectKind};
use crate::base::faults;

pub use super::tree_entry::{MalformedTree, TreeEntry, entries};

/// What a tree entry is, as the octal text that Git writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A plain file.
    Regular,
    /// A file that can be run.
    Executable,
    /// A symbolic link.
    Symlink,
    /// A directory.
    Directory,
    /// A commit of another repository, which is checked out there.
    Gitlink,
}

impl Mode {
    /// The octal digits.
    pub fn digits(self) -> &'static str {
        match self {
            Self::Regular => "100644",
            Self::Executable => "100755",
            Self::Symlink => "120000",
            Self::Directory => "40000",
            Self::Gitlink => "160000",
        }
    }

    /// The mode with these octal digits.
    pub fn from_digits(digits: &[u8]) -> Option<Self> {
        [Self::Regular, Self::Executable, Self::Symlink, Self::Directory, Self::Gitlink]
            .into_iter()
            .find(|mode| mode.digits().as_bytes() == digits)
    }
}

/// A directory: its tree object, and those of its subdirectories that are at hand.
#[derive(Debug, Default)]
pub struct Directory {
    id: ObjectId,
    bytes: Vec<u8>,
    /// Subdirectories by name, sorted. Those that are missing are read when they are needed.
    children: Vec<(Arc<[u8]>, Arc<Directory>)>,
}

/// One file to put or to take away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit<'a> {
    /// Where, from the directory that is edited; no component is empty.
    pub path: &'a [u8],
    /// The entry afterwards; `None` if it is removed.
    pub file: Option<(Mode, ObjectId)>,
}

/// Reads the objects of earlier runs.
pub trait TreeSource {
    /// The contents of the tree `id`.
    fn tree(&self, id: ObjectId) -> Result<Vec<u8>, TreeError>;

    /// The tree of the commit `id`.
    fn tree_of_commit(&self, id: ObjectId) -> Result<ObjectId, TreeError>;
}

impl TreeSource for BareRepository {
    fn tree(&self, id: ObjectId) -> Result<Vec<u8>, TreeError> {
        match self.read(id) {
            Ok(Some((ObjectKind::Tree, contents))) => Ok(contents),
            Ok(_) => Err(TreeError::Unreadable { id, source: None }),
            Err(error) => Err(TreeError::Unreadable { id, source: Some(Box::new(error)) }),
        }
    }

    fn tree_of_commit(&self, id: ObjectId) -> Result<ObjectId, TreeError> {
        self.tree_of(id)
            .map_err(|error| TreeError::Unreadable { id, source: Some(Box::new(error)) })
    }
}

/// Why a directory cannot be edited.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A tree or commit that should be there is not, or is damaged.
    #[error("read the object {id}")]
    Unreadable {
        /// The tree or commit.
        id: ObjectId,
        /// Why, if it is known: not for an object that exists and is malformed.
        #[source]
        source: Option<Box<RepositoryError>>,
    },
    /// A new tree cannot be kept.
    #[error(transparent)]
    Write(#[from] SinkError),
}

faults!(TreeError {
    Self::Unreadable { .. } => {
        Corrupt.hint("the Git repository is damaged: `git fsck` shows how far; remove it, and convert again")
    },
    Self::Write(error) => of(error),
});

/// The edits of one entry: all that lie below one subdirectory, or the one of a file.
struct Group<'e, 'a> {
    name: &'a [u8],
    /// `Some` with what follows the name's slash, for a subdirectory.
    below: Option<&'e [Edit<'a>]>,
    file: Option<(Mode, ObjectId)>,
}

/// Splits edits, sorted by path, into groups. `depth` bytes of each path are already consumed.
fn groups<'e, 'a>(mut edits: &'e [Edit<'a>], depth: usize) -> impl Iterator<Item = Group<'e, 'a>> {
    std::iter::from_fn(move || {
        let first = edits.first()?;
        let path = first.path.get(depth..).unwrap_or_default();
        let Some(slash) = bstr::ByteSlice::find_byte(path, b'/') else {
            edits = edits.get(1..).unwrap_or_default();
            return Some(Group { name: path, below: None, file: first.file });
        };
        let prefix = path.get(..=slash).unwrap_or_default();
        let belongs =
            |edit: &&Edit<'_>| edit.path.get(depth..).is_some_and(|path| path.starts_with(prefix));
        let (below, rest) = edits.split_at(edits.iter().take_while(belongs).count());
        edits = rest;
        let name = path.get(..slash).unwrap_or_default();
        Some(Group { name, below: Some(below), file: None })
    })
}

impl Directory {
    /// The empty directory.
    pub fn empty() -> Arc<Self> {
        Arc::new(Self { id: ObjectId::of(ObjectKind::Tree, b""), ..Self::default() })
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The directory of the tree `id`, its subdirectories read when they are needed.
    pub fn read(id: ObjectId, source: &dyn TreeSource) -> Result<Arc<Self>, TreeError> {
        Ok(Arc::new(Self { id, bytes: source.tree(id)?, children: Vec::new() }))
    }

    /// The id of its tree object.
    pub fn id(&self) -> ObjectId {
        self.id
    }

    fn child(&self, name: &[u8]) -> Option<&Arc<Self>> {
        let at = self.children.binary_search_by(|(child, _)| child.as_ref().cmp(name)).ok()?;
        self.children.get(at).map(|(_, child)| child)
    }
}

/// Applies edits to directories: reads old trees from `source`, writes new ones to `writer`.
pub struct TreeEditor<'w> {
    /// Where old trees come from.
    pub source: &'w dyn TreeSource,
    /// Where new trees go.
    pub writer: &'w mut dyn ObjectWriter,
}

impl TreeEditor<'_> {
    /// The directory that `edits`, sorted by path, make of `old`. Git knows no empty directories,
    /// except at the top.
    pub fn apply(
        &mut self,
        old: &Arc<Directory>,
        edits: &[Edit<'_>],
    ) -> Result<Arc<Directory>, TreeError> {
        // The empty tree may not have been written by anybody.
        if edits.is_empty() && !old.is_empty() {
            return Ok(old.clone());
        }
        let new = self.edit(Some(old), edits, 0)?;
        Ok(match new {
            Some(new) => new,
            None => self.write(Rebuilt::default(), None)?,
        })
    }

    /// Like [`TreeEditor::apply`], `None` for a directory in which nothing is left.
    fn edit(
        &mut self,
        old: Option<&Arc<Directory>>,
        edits: &[Edit<'_>],
        depth: usize,
    ) -> Result<Option<Arc<Directory>>, TreeError> {
        let old_bytes = old.map_or(&[][..], |old| &old.bytes);
        let mut rebuilt = Rebuilt {
            children: old.map_or_else(Vec::new, |old| old.children.clone()),
            ..Rebuilt::default()
        };
        let mut at = 0;
        for group in groups(edits, depth) {
            let is_directory = group.below.is_some();
            let skipped = entries_before(old_bytes, at, group.name, is_directory, old)?;
            rebuilt.copy(old_bytes, at, skipped);
            at = skipped;
            let existing = old_bytes
                .get(at..)
                .and_then(first_entry)
                .filter(|entry| entry.name == group.name && entry.is_directory == is_directory);
            at += existing.map_or(0, |entry| entry.len());
            let Some(below) = group.below else {
                if let Some((mode, id)) = group.file {
                    rebuilt.push(mode, group.name, id);
                }
                continue;
            };
            let old_child = self.old_child(old, existing)?;
            let child = self.edit(old_child.as_ref(), below, depth + group.name.len() + 1)?;
            if let Some(child) = &child {
                rebuilt.push(Mode::Directory, group.name, child.id);
            }
            rebuilt.set_child(group.name, child);
        }
        rebuilt.copy(old_bytes, at, old_bytes.len());
        if rebuilt.bytes.is_empty() {
            return Ok(None);
        }
        self.write(rebuilt, old).map(Some)
    }

    /// The subdirectory that the old entry names, at hand or read now.
    fn old_child(
        &self,
        old: Option<&Arc<Directory>>,
        entry: Option<TreeEntry<'_>>,
    ) -> Result<Option<Arc<Directory>>, TreeError> {
        let (Some(old), Some(entry)) = (old, entry) else { return Ok(None) };
        match old.child(entry.name) {
            Some(child) => Ok(Some(child.clone())),
            None => Directory::read(entry.id, self.source).map(Some),
        }
    }

    /// Writes the tree object of a rebuilt directory.
    fn write(
        &mut self,
        rebuilt: Rebuilt,
        old: Option<&Arc<Directory>>,
    ) -> Result<Arc<Directory>, TreeError> {
        let Rebuilt { bytes, copied, children } = rebuilt;
        let id = ObjectId::of(ObjectKind::Tree, &bytes);
        let delta_hint = old.map(|old| DeltaHint {
            base: old.id,
            base_length: old.bytes.len(),
            copied: &copied,
        });
        self.writer.write(NewObject {
            id,
            kind: ObjectKind::Tree,
            contents: &bytes,
            delta_hint,
        })?;
        Ok(Arc::new(Directory { id, bytes, children }))
    }
}

/// Where the entries of `bytes` end that come before the one called `name`, looking from `at`.
fn entries_before(
    bytes: &[u8],
    mut at: usize,
    name: &[u8],
    is_directory: bool,
    old: Option<&Arc<Directory>>,
) -> Result<usize, TreeError> {
    while at < bytes.len() {
        let entry = bytes.get(at..).and_then(first_entry).ok_or_else(|| TreeError::Unreadable {
            id: old.map_or(ObjectId::NULL, |old| old.id),
            source: None,
        })?;
        let key = sort_key(entry.name, entry.is_directory);
        if key.cmp(sort_key(name, is_directory)).is_ge() {
            break;
        }
        at += entry.len();
    }
    Ok(at)
}

/// A tree object being put together.
#[derive(Default)]
struct Rebuilt {
    bytes: Vec<u8>,
    copied: Vec<Copied>,
    children: Vec<(Arc<[u8]>, Arc<Directory>)>,
}

impl Rebuilt {
    /// Copies whole entries of the old tree.
    fn copy(&mut self, old: &[u8], from: usize, end: usize) {
        let run = old.get(from..end).unwrap_or_default();
        if !run.is_empty() {
            self.copied.push(Copied { from, to: self.bytes.len(), length: run.len() });
            self.bytes.extend_from_slice(run);
        }
    }

    fn push(&mut self, mode: Mode, name: &[u8], id: ObjectId) {
        self.bytes.extend_from_slice(mode.digits().as_bytes());
        self.bytes.push(b' ');
        self.bytes.extend_from_slice(name);
        self.bytes.push(0);
        self.bytes.extend_from_slice(id.as_bytes());
    }

    fn set_child(&mut self, name: &[u8], child: Option<Arc<Directory>>) {
        let found = self.children.binary_search_by(|(child, _)| child.as_ref().cmp(name));
        match (found, child) {
            (Ok(at), Some(child)) => {
                if let Some(slot) = self.children.get_mut(at) {
                    slot.1 = child;
                }
            }
            (Ok(at), None) => {
                self.children.remove(at);
            }
            (Err(at), Some(child)) => self.children.insert(at, (name.into(), child)),
            (Err(_), None) => {}
        }
    }
}
