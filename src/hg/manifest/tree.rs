//! Flat manifests made from one manifest for each directory.
//!
//! A directory's manifest has a line for each file and each directory in it, the latter with the flag
//! `t` and the node of its own manifest. What was committed without tree manifests keeps its flat
//! ones when a repository with them takes it in, by clone or pull: full paths, and no directories.
//! Source: `hg help internals.requirements`, and repositories as Mercurial writes them.

use std::cmp::Ordering;

use super::directories::{self, Directories, DirectoryManifests, DirectoryText};
use super::{Malformed, Manifest, fields, first_line};
use crate::base::{Limits, RepoPath, RepoPathBuf};
use crate::hg::revlog::{Problem, RevlogError, RevlogReader, Text, TextCache};
use crate::hg::{Node, Rev};

/// Puts flat manifests together. What a directory holds is taken from the manifest that was read
/// before, if it is the same there.
pub(super) struct TreeReader<'m> {
    root: RevlogReader<'m>,
    directories: Directories<'m>,
    flat: TextCache,
    /// What was read last.
    last: Option<Rev>,
    /// The most bytes of a flat manifest.
    limit: usize,
}

impl<'m> TreeReader<'m> {
    pub(super) fn new(
        root: RevlogReader<'m>,
        place: &'m dyn DirectoryManifests,
        limits: &Limits,
    ) -> Self {
        Self {
            root,
            directories: Directories::new(place, limits),
            flat: TextCache::new(limits.text_cache_bytes),
            last: None,
            limit: limits.revision_bytes,
        }
    }

    /// The revision with this node.
    pub(super) fn rev(&self, node: Node) -> Option<Rev> {
        self.root.revlog().rev(node)
    }

    /// The flat text of the manifest at `rev`, the manifest of each of its directories checked against
    /// its node.
    pub(super) fn text(&mut self, rev: Rev) -> Result<Text, RevlogError> {
        let text = match self.flat.get(rev) {
            Some(text) => text,
            None => self.make(rev)?,
        };
        self.last = Some(rev);
        Ok(text)
    }

    /// What [`super::ManifestReader::directories`] says.
    pub(super) fn directories(
        &mut self,
        node: Node,
        visit: &mut dyn FnMut(&RepoPath, Node) -> bool,
    ) -> Result<(), RevlogError> {
        let Some(rev) = self.root.revlog().rev(node) else { return Ok(()) };
        let mut left = vec![(RepoPathBuf::default(), self.root.text(rev)?)];
        while let Some((path, text)) = left.pop() {
            for line in text.split_inclusive(|&byte| byte == b'\n') {
                // What is no line was refused when the whole was put together.
                let Ok((name, node, b"t")) = fields(line) else { continue };
                let below: RepoPathBuf = [&path[..], name, b"/"].concat().into();
                if visit(below.as_ref(), node)
                    && let Some(found) = self.directories.text(below.as_ref(), node)?
                {
                    left.push((below, found.text));
                }
            }
        }
        Ok(())
    }

    fn make(&mut self, rev: Rev) -> Result<Text, RevlogError> {
        let before = self.last.and_then(|last| Some((last, self.flat.get(last)?)));
        let old = match &before {
            Some((last, flat)) => Some((self.root.unchecked_text(*last)?, flat.as_slice())),
            None => None,
        };
        let new = self.root.text(rev)?;
        let mut flattening = Flattening {
            directories: &mut self.directories,
            path: Vec::new(),
            out: Vec::with_capacity(before.as_ref().map_or(0, |(_, flat)| flat.len())),
            spent: 0,
            limit: self.limit,
        };
        let old = old.as_ref().map(|(text, flat)| Old { text, flat });
        let done = flattening.add(&new, old.as_ref(), 0);
        let flat = Text::new(flattening.out);
        done.map_err(|stop| match stop {
            Stop::Here(problem) => self.root.revlog().error(rev, problem),
            Stop::TooLarge(size) => {
                let limit = self.limit as u64;
                self.root.revlog().error(rev, Problem::TooLarge { size: size as u64, limit })
            }
            Stop::Below(error) => error,
        })?;
        self.flat.put(rev, &flat);
        Ok(flat)
    }
}

/// Directories may lie in each other this deep. Mercurial, which goes down by recursion too, ends
/// earlier.
const DEEPEST: usize = 1000;

/// Why a manifest cannot be put together.
enum Stop {
    /// The directory at hand is not what it should be.
    Here(Problem),
    /// All of it is larger than the limit.
    TooLarge(usize),
    /// A directory further down cannot be read.
    Below(RevlogError),
}

/// A directory as it was in the manifest that was read before.
struct Old<'o> {
    /// Its own manifest.
    text: &'o [u8],
    /// All flat lines below it.
    flat: &'o [u8],
}

/// One flat manifest under way.
struct Flattening<'f, 'm> {
    directories: &'f mut Directories<'m>,
    /// The directory at hand; ends in a slash, or is empty.
    path: Vec<u8>,
    out: Vec<u8>,
    /// What directories cost beyond their lines, so that many empty ones end too.
    spent: usize,
    limit: usize,
}

impl Flattening<'_, '_> {
    /// Adds all that is in the directory at hand, whose manifest is `text`.
    fn add(&mut self, text: &[u8], old: Option<&Old<'_>>, depth: usize) -> Result<(), Stop> {
        let malformed = |what| Stop::Here(Problem::Malformed(what));
        if depth > DEEPEST {
            return Err(malformed("directories lie too deep in each other"));
        }
        let mut entries = entries(text).map_err(malformed)?;
        entries.sort_by(Entry::compare_flat);
        let before = match old {
            Some(old) => self::entries(old.text).map_err(malformed)?,
            None => Vec::new(),
        };
        for entry in entries {
            let Some(node) = entry.directory else {
                self.add_file(entry.line)?;
                continue;
            };
            let above = self.path.len();
            self.path.extend_from_slice(entry.name);
            self.path.push(b'/');
            let same = before.binary_search_by(|known| known.compare(&entry)).ok();
            let known = same.and_then(|at| before.get(at)?.directory);
            let flat = old.map_or(&b""[..], |old| old.flat);
            let known = known.map(|node| (node, Manifest::new(flat).below(&self.path).text()));
            self.add_directory(&entry, node, known, depth)?;
            self.path.truncate(above);
        }
        Ok(())
    }

    /// Adds the directory at hand, which is `entry` in the one above. `known` is what it was before,
    /// if it was: its node and its flat lines.
    fn add_directory(
        &mut self,
        entry: &Entry<'_>,
        node: Node,
        known: Option<(Node, &[u8])>,
        depth: usize,
    ) -> Result<(), Stop> {
        if let Some((_, flat)) = known.filter(|(known, _)| *known == node) {
            return self.push(flat);
        }
        self.spend(self.path.len())?;
        let mut read = |node| self.directories.text(RepoPath::new(&self.path), node);
        let old = match known {
            Some((known, flat)) => read(known).map_err(Stop::Below)?.map(|old| (old.text, flat)),
            None => None,
        };
        let missing = || Problem::NoDirectory { name: entry.name.into(), node };
        let DirectoryText { rev, text } =
            read(node).map_err(Stop::Below)?.ok_or_else(|| Stop::Here(missing()))?;
        let old = old.as_ref().map(|(text, flat)| Old { text, flat });
        let length = self.path.len();
        self.add(&text, old.as_ref(), depth + 1).map_err(|stop| match stop {
            Stop::Here(problem) => {
                // Deeper directories that were under way are still in the path.
                self.path.truncate(length);
                let file = directories::name(RepoPath::new(&self.path));
                Stop::Below(RevlogError::Revision { file, rev, node, problem })
            }
            stop => stop,
        })
    }

    /// Adds the line of a file in the directory at hand.
    fn add_file(&mut self, line: &[u8]) -> Result<(), Stop> {
        self.check(self.path.len().saturating_add(line.len()))?;
        self.out.extend_from_slice(&self.path);
        self.out.extend_from_slice(line);
        Ok(())
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.check(bytes.len())?;
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), Stop> {
        self.spent = self.spent.saturating_add(bytes);
        self.check(0)
    }

    /// Whether there is room for so many bytes more.
    fn check(&self, more: usize) -> Result<(), Stop> {
        let size = self.out.len().saturating_add(self.spent).saturating_add(more);
        if size > self.limit { Err(Stop::TooLarge(size)) } else { Ok(()) }
    }
}

/// One line of a directory's manifest.
struct Entry<'d> {
    name: &'d [u8],
    line: &'d [u8],
    /// The node of its manifest, if it is a directory.
    directory: Option<Node>,
}

impl Entry<'_> {
    /// The order of a directory's manifest: by name. A name may be a file's and a directory's.
    fn compare(&self, other: &Self) -> Ordering {
        let key = |entry: &Self| entry.directory.is_some();
        self.name.cmp(other.name).then(key(self).cmp(&key(other)))
    }

    /// The order of what they are in a flat manifest, where a slash follows a directory's name.
    fn compare_flat(&self, other: &Self) -> Ordering {
        fn key<'e>(entry: &'e Entry<'_>) -> impl Iterator<Item = &'e u8> {
            entry.name.iter().chain(entry.directory.map(|_| &b'/'))
        }
        key(self).cmp(key(other))
    }
}

/// The lines of a directory's manifest; of a flat one, each of whose names is a whole path, those of
/// all files.
fn entries(text: &[u8]) -> Result<Vec<Entry<'_>>, Malformed> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut rest = text;
    let (mut is_tree, mut is_flat) = (false, false);
    while let Some(line) = first_line(rest) {
        rest = rest.get(line.len()..).unwrap_or_default();
        let (name, node, flag) = fields(line)?;
        if name.is_empty() {
            return Err("a name in a directory is empty");
        }
        let directory = (flag == b"t").then_some(node);
        is_tree |= directory.is_some();
        is_flat |= name.contains(&b'/');
        if is_tree && is_flat {
            return Err("it has directories, and a name with a slash");
        }
        let entry = Entry { name, line, directory };
        if entries.last().is_some_and(|last| last.compare(&entry).is_ge()) {
            return Err("its lines are not sorted by name");
        }
        entries.push(entry);
    }
    Ok(entries)
}
