//! References: what they may be called, and what they point at.

use std::collections::HashMap;

use super::ObjectId;

/// Where branches live.
pub const BRANCHES: &str = "refs/heads/";

/// Where tags live.
pub const TAGS: &str = "refs/tags/";

/// The notes that name changesets.
pub const HG_NOTES: &str = "refs/notes/hg";

/// Where references are that only keep commits from being removed by `git gc`. They are never
/// published.
pub const KEPT: &str = "refs/synchroniser/keep/";

/// Whether references of this name are mirrored: branches, tags, and the notes that name changesets.
pub fn is_mirrored(name: &str) -> bool {
    name.starts_with(BRANCHES) || name.starts_with(TAGS) || name == HG_NOTES
}

/// A reference and the object that it names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The full name, such as `refs/heads/master`.
    pub name: String,
    /// What it points at.
    pub id: ObjectId,
    /// What an annotated tag finally names, where it is one and that is known.
    pub peeled: Option<ObjectId>,
}

impl Reference {
    /// The reference `name`, pointing at `id`.
    pub fn new(name: impl Into<String>, id: ObjectId) -> Self {
        Self { name: name.into(), id, peeled: None }
    }

    /// What it finally names, as far as that is known.
    pub fn finally(&self) -> ObjectId {
        self.peeled.unwrap_or(self.id)
    }

    /// Whether it stands for the object `id`: by itself, or as an annotated tag of it.
    pub fn stands_for(&self, id: ObjectId) -> bool {
        self.id == id || self.peeled == Some(id)
    }

    /// Whether this is a branch.
    pub fn is_branch(&self) -> bool {
        self.name.starts_with(BRANCHES)
    }

    /// Whether this is a tag.
    pub fn is_tag(&self) -> bool {
        self.name.starts_with(TAGS)
    }
}

/// These references, to be found by their names.
pub fn by_name(references: &[Reference]) -> HashMap<&str, &Reference> {
    references.iter().map(|reference| (reference.name.as_str(), reference)).collect()
}

/// Whether Git accepts `name` as the full name of a reference: the rules of
/// `git check-ref-format`, without its options.
pub fn is_valid_ref_name(name: &str) -> bool {
    name.contains('/')
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && !name.bytes().any(is_forbidden_byte)
        && name.split('/').all(is_valid_component)
}

/// Control characters, and those that mean something in revisions, refspecs and globs.
fn is_forbidden_byte(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, 0x7f | b'~' | b'^' | b':' | b'?' | b'*' | b'[' | b'\\')
}

/// Whether a name between two slashes is one that Git accepts.
fn is_valid_component(component: &str) -> bool {
    !component.is_empty() && !component.starts_with('.') && !has_lock_suffix(component)
}

/// Whether Git would take a file of this name for the lock of another reference.
fn has_lock_suffix(component: &str) -> bool {
    component.as_bytes().ends_with(b".lock")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_rules_of_check_ref_format() {
        for good in [
            "refs/heads/master",
            "refs/heads/a/b",
            "refs/heads/@",
            "refs/heads/-x",
            "refs/heads/ä",
            "refs/heads/a.b",
            "refs/heads/a@b{",
            "refs/heads/x.lockx",
        ] {
            assert!(is_valid_ref_name(good), "{good}");
        }
        for bad in [
            "",
            "@",
            "HEAD",
            "refs/heads/",
            "/refs/heads/a",
            "refs//heads",
            "refs/heads/a b",
            "refs/heads/.a",
            "refs/.heads/a",
            "refs/heads/a.",
            "refs/heads/a..b",
            "refs/heads/a.lock",
            "refs/a.lock/b",
            "refs/heads/a~1",
            "refs/heads/a^",
            "refs/heads/a:b",
            "refs/heads/a?",
            "refs/heads/a*",
            "refs/heads/a[",
            "refs/heads/a\\b",
            "refs/heads/a@{b",
            "refs/heads/a\u{7f}",
            "refs/heads/a\n",
        ] {
            assert!(!is_valid_ref_name(bad), "{bad}");
        }
    }

    proptest! {
        /// libgit2 has its own reading of the same rules.
        #[test]
        fn libgit2_agrees(tail in "[a-c@{}./~^: ?*\\[\\\\\\-\u{1}\u{7f}äö]{0,12}(\\.lock)?(/x)?") {
            let name = format!("refs/{tail}");
            prop_assert_eq!(is_valid_ref_name(&name), git2::Reference::is_valid_name(&name), "{:?}", name);
        }
    }
}
