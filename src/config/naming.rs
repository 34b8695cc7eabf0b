//! How the names of a source become refs.

use super::sections::NamingKeys;
use crate::convert::selection::{NamePattern, Selection};
use crate::git::reference::is_valid_ref_name;
use crate::mirror::RefNaming;

/// The naming that `keys` describe.
pub(super) fn naming(keys: &NamingKeys) -> RefNaming {
    let default = RefNaming::default();
    let patterns = |texts: &Option<Vec<String>>| {
        texts.iter().flatten().map(|text| NamePattern::new(text)).collect()
    };
    RefNaming {
        main: keys.main.as_deref().map_or(default.main, Into::into),
        main_branch: keys.main_branch.clone().unwrap_or(default.main_branch),
        prefix: keys.ref_prefix.clone().unwrap_or_default(),
        branches: keys.branches.clone().unwrap_or_default(),
        tags: keys.tags.clone().unwrap_or_default(),
        selection: Selection { publish: patterns(&keys.publish), exclude: patterns(&keys.exclude) },
        closed_branches: keys.closed_branches.clone(),
        topics: keys.topics.clone(),
    }
}

/// Whether Git takes `name` as a branch. Two that it would take as a ref it takes for
/// something else on a command line.
pub(crate) fn is_branch_name(name: &str) -> bool {
    is_valid_ref_name(&format!("refs/heads/{name}"))
        && !name.starts_with('-')
        && !matches!(name, "@" | "HEAD")
}

/// Whether Git takes a branch that begins with `prefix`. An empty one changes nothing.
pub(crate) fn is_prefix(prefix: &str) -> bool {
    is_branch_name(&format!("{prefix}x"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branch_names() {
        for name in ["master", "main", "a/b", "release-1.0", "größe"] {
            assert!(is_branch_name(name), "{name:?}");
        }
        for name in [
            "", "a..b", "a b", "/a", "a/", "a//b", "a.", ".a", "a/.b", "x.lock", "x.lock/y", "@",
            "a@{b", "-a", "a~1", "a\u{7f}", "HEAD", "a\\b",
        ] {
            assert!(!is_branch_name(name), "{name:?}");
        }
    }

    #[test]
    fn prefixes() {
        for prefix in ["", "hg/", "hg-", "a/b/"] {
            assert!(is_prefix(prefix), "{prefix:?}");
        }
        for prefix in ["/", "hg//", "-", ".", "h g/", "x.lock/"] {
            assert!(!is_prefix(prefix), "{prefix:?}");
        }
    }
}
