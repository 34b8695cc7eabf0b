//! Trees without what converters treat differently, so that those of any tool can be compared.
//!
//! `.hgtags`, `.hgsub`, `.hgsubstate` and `.gitmodules` at the top, links to other repositories,
//! and whatever some tool takes for a spelling of `.git` count as not being there.

use std::collections::HashMap;

use crate::base::RepoPath;
use crate::base::repo_path::components;
use crate::convert::identity::{Facts, Identity, Place, is_refused_by_hg_git};
use crate::git::commit::{Commit, Signature};
use crate::git::tree::{Mode, TreeError, TreeSource, entries};
use crate::git::tree_name::{MAX_DEPTH, forbidden, forbidden_path};
use crate::git::{ObjectId, ObjectKind};

/// The files at the top that not every tool keeps.
const AT_THE_TOP: [&[u8]; 4] = [b".hgtags", b".hgsub", b".hgsubstate", b".gitmodules"];

/// What a changeset holds, as an identity: its trees are made for being compared. Its commits say
/// nothing.
pub(in crate::convert) struct Content;

impl Identity for Content {
    fn name(&self) -> &'static str {
        "content"
    }

    fn commit(&self, facts: &Facts<'_>) -> Commit {
        let nobody = Signature { person: "<>".into(), seconds: 0, zone: "+0000".to_owned() };
        Commit {
            tree: facts.tree,
            parents: Vec::new(),
            author: nobody.clone(),
            committer: nobody,
            headers: Vec::new(),
            message: Vec::new(),
        }
    }

    fn place(&self, path: &RepoPath, mode: Mode) -> Place {
        let name = components(path).last().unwrap_or_default();
        let is_left_out = AT_THE_TOP.contains(&path.as_ref())
            || forbidden_path(path).or_else(|| forbidden(name, mode)).is_some()
            || components(path).any(is_refused_by_hg_git);
        if is_left_out { Place::Nowhere } else { Place::Same }
    }
}

/// Takes out of the trees of a repository what [`Content`] has no place for.
pub(in crate::convert) struct ContentTrees<'t> {
    source: &'t dyn TreeSource,
    /// What is left of each directory below the top, by its tree: nothing, if all of it is left out.
    known: HashMap<ObjectId, Option<ObjectId>>,
}

impl<'t> ContentTrees<'t> {
    pub(in crate::convert) fn new(source: &'t dyn TreeSource) -> Self {
        Self { source, known: HashMap::new() }
    }

    /// What is left of the top directory `tree`.
    pub(in crate::convert) fn top(&mut self, tree: ObjectId) -> Result<ObjectId, TreeError> {
        let left = self.directory(tree, 0)?;
        Ok(left.unwrap_or_else(|| ObjectId::of(ObjectKind::Tree, b"")))
    }

    /// What is left of a directory that is `depth` directories deep.
    fn directory(&mut self, tree: ObjectId, depth: usize) -> Result<Option<ObjectId>, TreeError> {
        if depth > MAX_DEPTH {
            return Ok(None);
        }
        if let Some(known) = self.known.get(&tree).filter(|_| depth > 0) {
            return Ok(*known);
        }
        let bytes = self.source.tree(tree)?;
        let mut left = Vec::with_capacity(bytes.len());
        for entry in entries(&bytes) {
            let entry = entry.map_err(|_| TreeError::Unreadable { id: tree, source: None })?;
            let id = match (entry.mode, entry.is_directory) {
                (b"160000", _) => None,
                (_, true) if !is_left_out(entry.name, Mode::Directory, depth) => {
                    self.directory(entry.id, depth + 1)?
                }
                (mode, false) if !is_left_out(entry.name, file_mode(mode), depth) => Some(entry.id),
                _ => None,
            };
            if let Some(id) = id {
                left.extend([entry.mode, b" ", entry.name, b"\0", id.as_bytes()].concat());
            }
        }
        let left = (!left.is_empty()).then(|| ObjectId::of(ObjectKind::Tree, &left));
        if depth > 0 {
            self.known.insert(tree, left);
        }
        Ok(left)
    }

    /// Whether `tree` has a file `.hgtags` at the top.
    pub(super) fn has_hgtags(&self, tree: ObjectId) -> Result<bool, TreeError> {
        let bytes = self.source.tree(tree)?;
        Ok(entries(&bytes).map_while(Result::ok).any(|entry| entry.name == b".hgtags"))
    }
}

/// Whether [`Content`] has no place for an entry of this name in a directory that lies in `depth`
/// others.
fn is_left_out(name: &[u8], mode: Mode, depth: usize) -> bool {
    let at_the_top = depth == 0 && mode != Mode::Directory && AT_THE_TOP.contains(&name);
    at_the_top || forbidden(name, mode).is_some() || is_refused_by_hg_git(name)
}

fn file_mode(digits: &[u8]) -> Mode {
    match digits {
        b"120000" => Mode::Symlink,
        b"100755" => Mode::Executable,
        _ => Mode::Regular,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trees in memory.
    #[derive(Default)]
    struct Trees(HashMap<ObjectId, Vec<u8>>);

    impl Trees {
        /// Adds the tree with these entries.
        fn add(&mut self, entries: &[(&str, &str, ObjectId)]) -> ObjectId {
            let mut bytes = Vec::new();
            for (name, mode, id) in entries {
                bytes.extend(
                    [mode.as_bytes(), b" ", name.as_bytes(), b"\0", id.as_bytes()].concat(),
                );
            }
            let id = ObjectId::of(ObjectKind::Tree, &bytes);
            self.0.insert(id, bytes);
            id
        }
    }

    impl TreeSource for Trees {
        fn tree(&self, id: ObjectId) -> Result<Vec<u8>, TreeError> {
            self.0.get(&id).cloned().ok_or(TreeError::Unreadable { id, source: None })
        }

        fn tree_of_commit(&self, id: ObjectId) -> Result<ObjectId, TreeError> {
            Err(TreeError::Unreadable { id, source: None })
        }
    }

    #[test]
    fn what_tools_treat_differently_is_not_there() {
        let (blob, file) = (ObjectId::of(ObjectKind::Blob, b"x"), "100644");
        let mut made = Trees::default();
        let inside = made.add(&[(".hgtags", file, blob)]);
        let plain = made.add(&[("a", file, blob), ("b", "40000", inside)]);
        let only_git = made.add(&[(".git", file, blob), ("git~1", file, blob)]);
        let dressed = made.add(&[
            (".gitmodules", file, blob),
            (".hgsubstate", file, blob),
            (".hgtags", file, blob),
            ("a", file, blob),
            ("b", "40000", inside),
            ("c", "40000", only_git),
            ("linked", "160000", blob),
        ]);
        let mut trees = ContentTrees::new(&made);
        assert_eq!(trees.top(plain).unwrap(), plain);
        assert_eq!(trees.top(dressed).unwrap(), plain);
        assert_eq!(trees.top(only_git).unwrap(), ObjectId::of(ObjectKind::Tree, b""));
        assert!(trees.top(blob).is_err());
        assert!(trees.has_hgtags(dressed).unwrap());
        assert!(!trees.has_hgtags(plain).unwrap());
    }

    #[test]
    fn places_are_those_of_what_is_taken_out() {
        for (path, stays) in [
            ("a", true),
            (".hgtags", false),
            ("b/.hgtags", true),
            (".hgignore", true),
            ("b/.git/x", false),
            ("b/gitx~12", false),
            ("b/.gitmodules", true),
        ] {
            let place = Content.place(path.as_bytes().into(), Mode::Regular);
            assert_eq!(place == Place::Same, stays, "{path}");
            let (depth, name) = match path.rsplit_once('/') {
                Some((_, name)) => (1, name),
                None => (0, path),
            };
            if !path.contains(".git/") {
                assert_eq!(!is_left_out(name.as_bytes(), Mode::Regular, depth), stays, "{path}");
            }
        }
    }
}
