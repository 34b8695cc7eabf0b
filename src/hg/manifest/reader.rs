//! The manifests of a repository, flat whichever way it keeps them.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::Malformed;
use super::directories::DirectoryManifests;
use super::tree::TreeReader;
use crate::base::{Limits, RepoPath};
use crate::hg::revlog::{Revlog, RevlogError, RevlogReader, Text, check_nodes};
use crate::hg::store::Layout;
use crate::hg::{Node, Rev};

/// All manifests of a repository: one revlog of flat ones, or one revlog for each directory.
#[derive(Debug)]
pub struct Manifests {
    root: Revlog,
    /// Where the manifests of directories are, if there are any.
    directories: Option<Box<dyn DirectoryManifests>>,
    limits: Limits,
    checked: Checked,
}

/// Texts that were checked against their nodes, for readers that are made later.
#[derive(Default)]
struct Checked(Mutex<Vec<(Rev, Text)>>);

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checked")
    }
}

impl Manifests {
    /// The manifests of the repository with this layout.
    pub fn open(layout: &Layout, limits: &Limits) -> Result<Self, RevlogError> {
        const NAME: &str = "00manifest";
        let root = Revlog::open(NAME, &layout.manifest(), limits)?;
        let root = root.unwrap_or_else(|| Revlog::empty(NAME, limits));
        Ok(match layout.requirements().has("treemanifest") {
            true => Self::of_directories(root, Box::new(layout.clone()), limits),
            false => Self {
                root,
                directories: None,
                limits: limits.clone(),
                checked: Checked::default(),
            },
        })
    }

    /// Those whose top directories are `root` and whose other directories are in `place`.
    pub fn of_directories(
        root: Revlog,
        place: Box<dyn DirectoryManifests>,
        limits: &Limits,
    ) -> Self {
        let (limits, checked) = (limits.clone(), Checked::default());
        Self { root, directories: Some(place), limits, checked }
    }

    /// The revlog that has one revision for each manifest: the manifest itself, or its top directory.
    pub fn revlog(&self) -> &Revlog {
        &self.root
    }

    /// The revision with this node, which is what changesets call a manifest.
    pub fn rev(&self, node: Node) -> Option<Rev> {
        self.root.rev_of(node, None)
    }

    /// The same for the manifest of `changeset`, which says where to look for it.
    pub fn rev_of(&self, node: Node, changeset: Rev) -> Option<Rev> {
        self.root.rev_of(node, Some(changeset))
    }

    /// The error that the text of the manifest at `rev` is not what a manifest looks like.
    pub fn malformed(&self, rev: Rev, what: Malformed) -> RevlogError {
        self.root.malformed(rev, what)
    }

    /// A reader with its own cache of texts. Cheap to make; each thread has its own.
    pub fn reader(&self) -> ManifestReader<'_> {
        let mut root = self.root.reader();
        let checked = self.checked.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let of = match &self.directories {
            None => {
                for (rev, text) in &checked {
                    root.put(*rev, text);
                }
                Kept::Flat(Box::new(root))
            }
            Some(place) => Kept::Tree(Box::new(TreeReader::new(root, &**place, &self.limits))),
        };
        ManifestReader { of, checked }
    }

    /// Keeps texts that were checked: readers that are made later neither make them again nor check them again.
    /// Of a large manifest that is most of what a small sync does. They are held as long as this is.
    pub fn keep(&self, texts: Vec<(Rev, Text)>) {
        *self.checked.0.lock().unwrap_or_else(PoisonError::into_inner) = texts;
    }

    /// Checks what [`ManifestReader::unchecked_text`] gave for some revisions, which takes less time than one after
    /// the other.
    pub fn check_all(&self, texts: &[(Rev, Text)]) -> Result<(), RevlogError> {
        // The text of several directories hashes to nothing; each of them was checked when it was put together.
        if self.directories.is_some() {
            return Ok(());
        }
        let texts: Vec<_> = texts.iter().map(|(rev, text)| (*rev, text.as_slice())).collect();
        check_nodes(&self.root, &texts)
    }
}

/// Reads flat texts of manifests. Cheapest in revision order.
pub struct ManifestReader<'m> {
    of: Kept<'m>,
    /// What need not be read.
    checked: Vec<(Rev, Text)>,
}

enum Kept<'m> {
    Flat(Box<RevlogReader<'m>>),
    Tree(Box<TreeReader<'m>>),
}

impl ManifestReader<'_> {
    /// The same as [`Manifests::rev`].
    pub fn rev(&self, node: Node) -> Option<Rev> {
        match &self.of {
            Kept::Flat(reader) => reader.revlog().rev(node),
            Kept::Tree(reader) => reader.rev(node),
        }
    }

    /// The flat text of the manifest at `rev`, checked against its node.
    pub fn text(&mut self, rev: Rev) -> Result<Text, RevlogError> {
        if let Some(text) = self.checked(rev) {
            return Ok(text);
        }
        match &mut self.of {
            Kept::Flat(reader) => reader.text(rev),
            Kept::Tree(reader) => reader.text(rev),
        }
    }

    /// The same for callers that run [`Manifests::check_all`] themselves, elsewhere or later.
    pub fn unchecked_text(&mut self, rev: Rev) -> Result<Text, RevlogError> {
        if let Some(text) = self.checked(rev) {
            return Ok(text);
        }
        match &mut self.of {
            Kept::Flat(reader) => reader.unchecked_text(rev),
            Kept::Tree(reader) => reader.text(rev),
        }
    }

    /// Whether [`Manifests::keep`] was given the text of `rev`: nobody need check it again.
    pub fn is_checked(&self, rev: Rev) -> bool {
        self.checked.iter().any(|(of, _)| *of == rev)
    }

    fn checked(&self, rev: Rev) -> Option<Text> {
        self.checked.iter().find(|(of, _)| *of == rev).map(|(_, text)| text.clone())
    }

    /// Shows the manifests of directories behind the manifest `node`, if directories have their own:
    /// the path, which ends in a slash, and the node of each. Goes down where `visit` says so.
    pub fn directories(
        &mut self,
        node: Node,
        visit: &mut dyn FnMut(&RepoPath, Node) -> bool,
    ) -> Result<(), RevlogError> {
        match &mut self.of {
            Kept::Flat(_) => Ok(()),
            Kept::Tree(reader) => reader.directories(node, visit),
        }
    }
}
