//! Which changesets are to be verified.

use super::VerifyError;
use crate::convert::refs::KnownName;
use crate::hg::{Node, Repository, Rev, RevSet};

/// Which changesets are to be verified: all that are served, unless something is chosen. A
/// changeset is chosen by its node, the beginning of it, or its revision number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifySelection {
    /// Single changesets.
    pub changesets: Vec<String>,
    /// All but this one and its ancestors.
    pub since: Option<String>,
}

impl VerifySelection {
    /// Whether nothing is chosen.
    pub fn is_all(&self) -> bool {
        self.changesets.is_empty() && self.since.is_none()
    }

    /// The chosen changesets, in revision order.
    pub(super) fn resolve(&self, source: &Repository) -> Result<Vec<Rev>, VerifyError> {
        let dag = source.changelog().dag();
        let mut chosen = RevSet::empty(dag.len());
        for text in &self.changesets {
            chosen.insert(find(source, text)?);
        }
        if let Some(since) = &self.since {
            let old = RevSet::below(dag, [find(source, since)?]);
            for rev in source.view().served().iter().filter(|rev| !old.contains(*rev)) {
                chosen.insert(rev);
            }
        }
        Ok(chosen.iter().collect())
    }
}

/// The served changeset that `text` names.
fn find(source: &Repository, text: &str) -> Result<Rev, VerifyError> {
    let unknown = || VerifyError::NoChangeset { name: text.to_owned() };
    let changelog = source.changelog();
    let served = source.view().served();
    // Up to nine digits are a revision number: a shortened node of digits alone is not expected.
    if text.len() < 10 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let rev = text.parse().map(Rev::new).map_err(|_| unknown())?;
        return if served.contains(rev) { Ok(rev) } else { Err(unknown()) };
    }
    if let Some(node) = Node::from_hex(text.as_bytes()) {
        return changelog.rev(node).filter(|rev| served.contains(*rev)).ok_or_else(unknown);
    }
    let text = text.to_ascii_lowercase();
    let begins = |rev: &Rev| changelog.node(*rev).to_string().starts_with(&text);
    let mut found = served.iter().filter(begins);
    match (found.next(), found.next()) {
        (Some(rev), None) if !text.is_empty() => Ok(rev),
        _ => Err(unknown()),
    }
}

/// What is verified: a source, the repository that it was converted into, and the map of that.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'s> {
    /// The Mercurial repository.
    pub source: &'s Repository,
    /// The bare Git repository.
    pub git: &'s std::path::Path,
    /// The id map; it need not be there. The list of placeholders is beside it.
    pub map: &'s std::path::Path,
    /// The names that references were given before.
    pub known: &'s [KnownName],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Limits;

    #[test]
    fn what_is_not_served_is_not_chosen() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join(".hg/store")).unwrap();
        std::fs::write(folder.path().join(".hg/requires"), "revlogv1\nstore\n").unwrap();
        let source = Repository::open(folder.path(), &Limits::default()).unwrap();
        for text in ["0", "", "abc", &"1".repeat(40), "123456789012"] {
            let selection = VerifySelection { changesets: vec![text.to_owned()], since: None };
            assert!(
                matches!(selection.resolve(&source), Err(VerifyError::NoChangeset { .. })),
                "{text}"
            );
        }
        assert!(VerifySelection::default().is_all());
    }
}
