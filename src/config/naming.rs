//! How the names of a source become references.

use std::collections::BTreeMap;

use super::error::{ProblemKind, Problems};
use super::file::{MirrorSection, Section};
use crate::convert::selection::{NamePattern, Selection};
use crate::git::reference::is_valid_ref_name;
use crate::mirror::RefNaming;

/// The naming that a mirror's section describes. What is wrong is noted and left at its default.
pub(super) fn naming(section: &Section<MirrorSection>, problems: &mut Problems) -> RefNaming {
    let value = &section.value;
    let mut naming = RefNaming::default();
    match value.main.as_deref() {
        None => {}
        Some("") => section.wrong("main", ProblemKind::Empty, problems),
        Some(main) => naming.main = main.into(),
    }
    match value.main_branch.as_deref() {
        None => {}
        Some(name) if is_branch_name(name) => name.clone_into(&mut naming.main_branch),
        Some(name) => {
            let kind = ProblemKind::BadBranch { value: name.to_owned() };
            section.wrong("main_branch", kind, problems);
        }
    }
    let mut prefix = |key: &str, written: Option<&str>| match written? {
        prefix if is_prefix(prefix) => Some(prefix.to_owned()),
        prefix => {
            let kind = ProblemKind::BadPrefix { value: prefix.to_owned() };
            section.wrong(key, kind, problems);
            None
        }
    };
    naming.prefix = prefix("ref_prefix", value.ref_prefix.as_deref()).unwrap_or_default();
    naming.closed_branches = prefix("closed_branches", value.closed_branches.as_deref());
    naming.topics = prefix("topics", value.topics.as_deref());
    naming.branches = map("branches", section, value.branches.as_ref(), problems);
    naming.tags = map("tags", section, value.tags.as_ref(), problems);
    let patterns = |texts: &Option<Vec<String>>| {
        texts.iter().flatten().map(|text| NamePattern::new(text)).collect()
    };
    naming.selection =
        Selection { publish: patterns(&value.publish), exclude: patterns(&value.exclude) };
    naming
}

/// The names in place of those of the source, each of which Git must take: an operator who writes
/// one that it refuses wants to know, other than a person who has named a branch long ago.
fn map(
    key: &str,
    section: &Section<MirrorSection>,
    written: Option<&BTreeMap<String, String>>,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let map = written.cloned().unwrap_or_default();
    for name in map.values().filter(|name| !is_branch_name(name)) {
        section.wrong(key, ProblemKind::BadBranch { value: name.clone() }, problems);
    }
    map
}

/// Whether Git takes `name` as a branch. Two that it would take as a reference it takes for
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
