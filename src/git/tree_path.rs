//! Looks up a path in an existing tree.

use super::ObjectId;
use super::tree::{Mode, TreeError, TreeSource, entries};

/// The mode and the id of the entry at `path` in the tree `id`; `None` if there is none.
pub fn entry_at(
    source: &dyn TreeSource,
    mut id: ObjectId,
    path: &[u8],
) -> Result<Option<(Mode, ObjectId)>, TreeError> {
    let mut mode = Mode::Directory;
    for name in path.split(|&byte| byte == b'/') {
        if mode != Mode::Directory {
            return Ok(None);
        }
        let tree = source.tree(id)?;
        let Some(found) = entries(&tree).map_while(Result::ok).find(|entry| entry.name == name)
        else {
            return Ok(None);
        };
        let Some(found_mode) = Mode::from_digits(found.mode) else { return Ok(None) };
        (mode, id) = (found_mode, found.id);
    }
    Ok(Some((mode, id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree that holds a link, and one that holds it; under the ids 1 and 2.
    struct Trees;

    impl TreeSource for Trees {
        fn tree(&self, id: ObjectId) -> Result<Vec<u8>, TreeError> {
            let one = [b"160000 x\0".as_slice(), &[7; 20]].concat();
            let two = [b"40000 d\0".as_slice(), &[1; 20], b"100755 e\0", &[8; 20]].concat();
            Ok(if id == ObjectId::from_bytes([1; 20]) { one } else { two })
        }

        fn tree_of_commit(&self, id: ObjectId) -> Result<ObjectId, TreeError> {
            Ok(id)
        }
    }

    #[test]
    fn entries_are_found_by_their_paths() {
        let at = |path: &str| {
            let top = ObjectId::from_bytes([2; 20]);
            let found = entry_at(&Trees, top, path.as_bytes()).unwrap();
            found.map(|(mode, id)| (mode, id.as_bytes()[0]))
        };
        assert_eq!(at("d"), Some((Mode::Directory, 1)));
        assert_eq!(at("d/x"), Some((Mode::Gitlink, 7)));
        assert_eq!(at("e"), Some((Mode::Executable, 8)));
        for path in ["", "x", "d/", "d/x/y", "e/x", "d/y"] {
            assert_eq!(at(path), None, "{path}");
        }
    }
}
