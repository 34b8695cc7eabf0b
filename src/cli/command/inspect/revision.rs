//! Names of revisions: numbers, nodes, beginnings of nodes, and `tip`.

use super::InspectError;
use crate::hg::revlog::Revlog;
use crate::hg::{Node, Repository, Rev};

/// The changeset called `name`. Whatever is there can be looked at, served or not; `tip` is the
/// newest that is served.
pub(super) fn changeset(repository: &Repository, name: &str) -> Result<Rev, InspectError> {
    let changelog = repository.changelog();
    let found = match name {
        "tip" => repository.view().tip(),
        name => match number(name, changelog.dag().len()) {
            Some(rev) => Some(rev),
            None => by_node(repository, name)?,
        },
    };
    found.ok_or_else(|| InspectError::NotFound { what: "changeset", name: name.to_owned() })
}

/// The revision of `revlog` with this number or node.
pub(super) fn of_revlog(revlog: &Revlog, name: &str) -> Result<Rev, InspectError> {
    let by_node = || revlog.rev(Node::from_hex(name.as_bytes())?);
    let found = number(name, revlog.len()).or_else(by_node);
    found.ok_or_else(|| InspectError::NotFound { what: "revision", name: name.to_owned() })
}

/// The revision with this number, if there are more than so many.
fn number(name: &str, len: usize) -> Option<Rev> {
    let digits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = name.parse().ok().filter(|_| digits)?;
    ((number as usize) < len).then(|| Rev::new(number))
}

/// The changeset whose node is, or alone begins with, `name`.
fn by_node(repository: &Repository, name: &str) -> Result<Option<Rev>, InspectError> {
    let changelog = repository.changelog();
    if let Some(node) = Node::from_hex(name.as_bytes()) {
        return Ok(changelog.rev(node));
    }
    let name = name.to_ascii_lowercase();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let mut found = None;
    for rev in changelog.revlog().revs() {
        if changelog.node(rev).to_string().starts_with(&name) && found.replace(rev).is_some() {
            return Err(InspectError::Ambiguous { name });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_within_the_history() {
        for (name, expected) in
            [("0", Some(0)), ("2", Some(2)), ("3", None), ("-1", None), ("+1", None), ("", None)]
        {
            assert_eq!(number(name, 3), expected.map(Rev::new), "{name}");
        }
    }
}
