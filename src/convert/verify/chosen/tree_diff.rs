//! What differs between two trees.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::base::{Cause, HasFault, RepoPath, RepoPathBuf};
use crate::convert::verify::{TreeFile, TreeProblem};
use crate::git::pack::ObjectReader;
use crate::git::tree::{self, Mode, TreeEntry};
use crate::git::{ObjectId, ObjectKind};

/// Files by path, as the second tree has them; `None` if it has none there.
pub(super) type Differing = BTreeMap<RepoPathBuf, Option<TreeFile>>;

/// How many bytes of trees are kept: those of one changeset are those of the next, but for a few.
const KEPT: usize = 8 << 20;
/// What is counted for a tree besides its bytes.
const EACH: usize = 64;

/// Reads trees, and keeps the latest. What is kept is one that Git would write.
#[derive(Default)]
pub(super) struct Trees {
    kept: HashMap<ObjectId, Rc<Vec<u8>>>,
    held: usize,
}

impl Trees {
    /// The files that differ between two trees; the first is empty if it is `None`. The error says
    /// which tree cannot be read, or is none that Git would write.
    pub(super) fn differences(
        &mut self,
        objects: &mut ObjectReader,
        old: Option<ObjectId>,
        new: ObjectId,
    ) -> Result<Differing, BadTree> {
        let mut differing = Differing::new();
        if old == Some(new) {
            return Ok(differing);
        }
        // Pairs of trees that differ, each with the path of both, its slash included.
        let mut open = vec![(Vec::new(), old, Some(new))];
        while let Some((path, old, new)) = open.pop() {
            let (old, new) = (self.read(objects, old)?, self.read(objects, new)?);
            each_difference(&old, &new, |was, is| {
                let Some(name) = is.or(was).map(|entry| entry.name) else { return };
                let here = [&path, name].concat();
                let (old_tree, new_tree) = (folder(was), folder(is));
                if old_tree.is_some() || new_tree.is_some() {
                    open.push(([&here, &b"/"[..]].concat(), old_tree, new_tree));
                }
                let (was, is) = (leaf(was), leaf(is));
                if was != is {
                    differing.insert(here.into(), is);
                }
            });
        }
        Ok(differing)
    }

    /// The file at `path` in a tree.
    pub(super) fn find(
        &mut self,
        objects: &mut ObjectReader,
        root: ObjectId,
        path: &RepoPath,
    ) -> Result<Option<TreeFile>, BadTree> {
        let file = self.entry(objects, root, path)?;
        let file = file.filter(|(mode, _)| !matches!(mode, Mode::Directory | Mode::Gitlink));
        Ok(file.map(|(mode, id)| TreeFile { mode, id }))
    }

    /// The entry at `path` in a tree.
    pub(super) fn entry(
        &mut self,
        objects: &mut ObjectReader,
        root: ObjectId,
        path: &RepoPath,
    ) -> Result<Option<(Mode, ObjectId)>, BadTree> {
        let mut found = Some((Mode::Directory, root));
        for name in path.split(|&byte| byte == b'/') {
            let folder = found.filter(|(mode, _)| *mode == Mode::Directory).map(|(_, id)| id);
            let tree = self.read(objects, folder)?;
            let mut all = tree::entries(&tree).map_while(Result::ok);
            let entry = all.find(|entry| entry.name == name);
            found = entry.and_then(|entry| Some((Mode::from_digits(entry.mode)?, entry.id)));
        }
        Ok(found)
    }

    /// The bytes of a tree that Git would write.
    fn read(
        &mut self,
        objects: &mut ObjectReader,
        tree: Option<ObjectId>,
    ) -> Result<Rc<Vec<u8>>, BadTree> {
        let Some(id) = tree else { return Ok(Rc::default()) };
        if let Some(kept) = self.kept.get(&id) {
            return Ok(kept.clone());
        }
        let bytes = match objects.read(id) {
            Ok(Some((ObjectKind::Tree, bytes))) => bytes,
            Ok(_) => return Err((id, TreeProblem::NotThere)),
            Err(error) => return Err(damaged(id, &error)),
        };
        check(&bytes).map_err(|problem| (id, problem))?;
        if self.held >= KEPT {
            self.kept.clear();
            self.held = 0;
        }
        self.held += bytes.len() + EACH;
        self.kept.insert(id, bytes.clone());
        Ok(bytes)
    }
}

/// Whether Git would write these bytes as a tree: entries in its order, each name once.
fn check(bytes: &[u8]) -> Result<(), TreeProblem> {
    let mut last: Option<TreeEntry<'_>> = None;
    // Files that a folder of the same name could still follow: each begins with the one before it.
    let mut files: Vec<&[u8]> = Vec::new();
    for entry in tree::entries(bytes) {
        let entry = entry.map_err(|_| TreeProblem::Malformed)?;
        Mode::from_digits(entry.mode).ok_or(TreeProblem::UnknownMode)?;
        let follows = match &last {
            Some(last) => last.cmp_place(&entry) == Ordering::Less,
            None => !entry.name.is_empty() || entry.is_directory,
        };
        while files.pop_if(|file| !entry.name.starts_with(file)).is_some() {}
        if !follows || files.last() == Some(&entry.name) {
            return Err(TreeProblem::NotInOrder);
        }
        if !entry.is_directory {
            files.push(entry.name);
        }
        last = Some(entry);
    }
    Ok(())
}

/// Calls `visit` for each entry of two trees that is not the same in both, as the first and as the
/// second has it.
fn each_difference<'t>(
    old: &'t [u8],
    new: &'t [u8],
    mut visit: impl FnMut(Option<TreeEntry<'t>>, Option<TreeEntry<'t>>),
) {
    let mut old = tree::entries(old).map_while(Result::ok).peekable();
    let mut new = tree::entries(new).map_while(Result::ok).peekable();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(was), Some(is)) if was == is => Ordering::Equal,
            (Some(was), Some(is)) => was.cmp_place(is),
        };
        let was = if order.is_le() { old.next() } else { None };
        let is = if order.is_ge() { new.next() } else { None };
        if was != is {
            visit(was, is);
        }
    }
}

/// A tree that cannot be read, and why.
pub(super) type BadTree = (ObjectId, TreeProblem);

fn damaged(tree: ObjectId, error: &dyn HasFault) -> BadTree {
    (tree, TreeProblem::Damaged { cause: Cause::of(error) })
}

fn folder(entry: Option<TreeEntry<'_>>) -> Option<ObjectId> {
    entry.filter(|entry| entry.is_directory).map(|entry| entry.id)
}

/// The file that an entry is. A commit of another repository is none: manifests do not tell of it.
fn leaf(entry: Option<TreeEntry<'_>>) -> Option<TreeFile> {
    let entry = entry.filter(|entry| !entry.is_directory && !entry.is_gitlink())?;
    Some(TreeFile { mode: Mode::from_digits(entry.mode)?, id: entry.id })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree with these entries, each with an id of one digit repeated.
    fn tree(entries: &[(&str, &str, u8)]) -> Vec<u8> {
        let entry = |(mode, name, id): &(&str, &str, u8)| {
            [mode.as_bytes(), b" ", name.as_bytes(), b"\0", &[*id; 20]].concat()
        };
        entries.iter().flat_map(entry).collect()
    }

    #[test]
    fn what_git_would_not_write_is_refused() {
        let (file, folder) = ("100644", "40000");
        let order = |names: &[(&str, &str)]| {
            let entries: Vec<_> = names.iter().map(|(mode, name)| (*mode, *name, 1)).collect();
            check(&tree(&entries))
        };
        let wrong = Err(TreeProblem::NotInOrder);
        assert_eq!(order(&[(file, "a"), (file, "a.b"), (folder, "a-"), (folder, "ab")]), wrong);
        assert_eq!(order(&[(file, "a"), (folder, "a-"), (file, "a.b"), (folder, "ab")]), Ok(()));
        assert_eq!(order(&[(file, "b"), (file, "a")]), wrong);
        assert_eq!(order(&[(file, "a"), (file, "a")]), wrong);
        // A name that is a file and a folder, with others between or without.
        assert_eq!(order(&[(file, "a"), (folder, "a")]), wrong);
        assert_eq!(order(&[(file, "a"), (file, "a-"), (file, "a.b"), (folder, "a")]), wrong);
        assert_eq!(order(&[(folder, "a"), (file, "a0"), (folder, "a0")]), wrong);
        assert_eq!(order(&[(file, "a"), (file, "a-"), (folder, "a-")]), wrong);
        assert_eq!(order(&[(file, "")]), wrong);
        assert_eq!(check(&tree(&[("100600", "a", 1)])), Err(TreeProblem::UnknownMode));
        assert_eq!(check(b"100644 a\0short"), Err(TreeProblem::Malformed));
    }

    #[test]
    fn entries_that_differ_are_met_once_for_each_place() {
        let old = tree(&[
            ("100644", "a", 1),
            ("100644", "b", 1),
            ("100644", "c", 1),
            ("40000", "d", 1),
            ("100644", "e", 1),
            ("160000", "f", 1),
        ]);
        let new = tree(&[
            ("100755", "a", 1),
            ("100644", "b", 1),
            ("40000", "c", 1),
            ("40000", "d", 2),
            ("100644", "dd", 1),
            ("100644", "f", 1),
        ]);
        let mut met = Vec::new();
        each_difference(&old, &new, |was, is| {
            let name = is.or(was).map(|entry| entry.name.to_vec()).unwrap();
            let leaves = (leaf(was).is_some(), leaf(is).is_some());
            let folders = (folder(was).is_some(), folder(is).is_some());
            met.push((String::from_utf8(name).unwrap(), leaves, folders));
        });
        let expected = [
            ("a", (true, true), (false, false)),
            ("c", (true, false), (false, false)),
            ("c", (false, false), (false, true)),
            ("d", (false, false), (true, true)),
            ("dd", (false, true), (false, false)),
            ("e", (true, false), (false, false)),
            ("f", (false, true), (false, false)),
        ];
        let expected = expected.map(|(name, leaves, folders)| (name.to_owned(), leaves, folders));
        assert_eq!(met, expected);
    }
}
