//! What changed between two manifests.

use super::{Line, Malformed, first_line, line_start, path_of};
use crate::base::RepoPath;

/// One difference between two manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'m> {
    /// The file is there only in the old one.
    Removed(&'m RepoPath),
    /// The file is there only in the new one.
    Added(Line<'m>),
    /// The file is there in both, with other contents or of another kind.
    Modified(Line<'m>),
}

impl<'m> Change<'m> {
    /// The path that differs.
    pub fn path(self) -> &'m RepoPath {
        match self {
            Self::Removed(path) => path,
            Self::Added(line) | Self::Modified(line) => line.path,
        }
    }
}

/// Calls `visit` for each difference between the manifests `old` and `new`, in path order.
///
/// Runs that both share are compared as bytes and not parsed. If the lines of `old` are sorted and
/// unique, an `Ok` says that those of `new` are too: every line outside a shared run is compared
/// with its neighbours.
pub fn diff<'m>(
    mut old: &'m [u8],
    new_text: &'m [u8],
    mut visit: impl FnMut(Change<'m>),
) -> Result<(), Malformed> {
    let mut at = 0;
    // Whether the line at `at` follows one that is not in a shared run.
    let mut unordered = false;
    loop {
        let new = new_text.get(at..).unwrap_or_default();
        if unordered {
            check_order(new_text, at)?;
        }
        let shared = shared_lines(old, new);
        at += shared;
        old = old.get(shared..).unwrap_or_default();
        let new = new.get(shared..).unwrap_or_default();
        let change = match (first_line(old), first_line(new)) {
            (None, None) => return Ok(()),
            (Some(gone), None) => Step::Old(gone),
            (None, Some(come)) => Step::New(come),
            (Some(gone), Some(come)) => match path_of(gone).cmp(path_of(come)) {
                std::cmp::Ordering::Less => Step::Old(gone),
                std::cmp::Ordering::Greater => Step::New(come),
                std::cmp::Ordering::Equal => Step::Both(gone, come),
            },
        };
        if let Step::New(come) | Step::Both(_, come) = change {
            check_order(new_text, at)?;
            at += come.len();
        }
        if let Step::Old(gone) | Step::Both(gone, _) = change {
            old = old.get(gone.len()..).unwrap_or_default();
        }
        unordered = true;
        visit(match change {
            Step::Old(gone) => Change::Removed(path_of(gone)),
            Step::New(come) => Change::Added(Line::parse(come)?),
            Step::Both(_, come) => Change::Modified(Line::parse(come)?),
        });
    }
}

/// Which side's line is consumed next.
enum Step<'m> {
    Old(&'m [u8]),
    New(&'m [u8]),
    Both(&'m [u8], &'m [u8]),
}

/// Checks that the line at `at` comes after the one before it.
fn check_order(text: &[u8], at: usize) -> Result<(), Malformed> {
    let Some(line) = text.get(at..).and_then(first_line) else { return Ok(()) };
    let Some(last) = at.checked_sub(1) else { return Ok(()) };
    let before = text.get(line_start(text, 0, last)..at).unwrap_or_default();
    match path_of(before) < path_of(line) {
        true => Ok(()),
        false => Err("its lines are not sorted by path"),
    }
}

/// How many bytes of whole lines both texts begin with.
fn shared_lines(old: &[u8], new: &[u8]) -> usize {
    const BLOCK: usize = 64;
    let blocks = old.chunks_exact(BLOCK).zip(new.chunks_exact(BLOCK));
    let skip = blocks.take_while(|(a, b)| a == b).count() * BLOCK;
    let tails = old.iter().skip(skip).zip(new.iter().skip(skip));
    let shared = skip + tails.take_while(|(a, b)| a == b).count();
    // A shared end of both texts is whole lines; anything else is cut back to the last newline.
    match shared == old.len() && shared == new.len() {
        true => shared,
        false => line_start(new, 0, shared),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn text(files: &BTreeMap<String, u8>) -> Vec<u8> {
        let line = |(path, digit): (&String, &u8)| {
            format!("{path}\0{}\n", char::from(b'0' + digit % 10).to_string().repeat(40))
                .into_bytes()
        };
        files.iter().flat_map(line).collect()
    }

    proptest::proptest! {
        #[test]
        fn as_maps_differ(
            old in proptest::collection::btree_map("[a-c/]{1,6}", 0..3u8, 0..12),
            new in proptest::collection::btree_map("[a-c/]{1,6}", 0..3u8, 0..12),
        ) {
            let (old_text, new_text) = (text(&old), text(&new));
            let mut applied = old.clone();
            diff(&old_text, &new_text, |change| match change {
                Change::Removed(path) => {
                    assert!(applied.remove(&path.to_string()).is_some());
                }
                Change::Added(line) => {
                    assert!(applied.insert(line.path.to_string(), line.node.as_bytes()[0] & 15).is_none());
                }
                Change::Modified(line) => {
                    assert!(applied.insert(line.path.to_string(), line.node.as_bytes()[0] & 15).is_some());
                }
            }).unwrap();
            assert_eq!(applied, new);
        }

        #[test]
        fn never_panics(old: Vec<u8>, new: Vec<u8>) {
            let _ = diff(&old, &new, |_| {});
        }
    }

    #[test]
    fn unsorted_lines_are_refused_wherever_they_are() {
        let line = |path: &str| format!("{path}\0{}\n", "1".repeat(40));
        let join = |paths: &[&str]| paths.iter().map(|path| line(path)).collect::<String>();
        let old = join(&["a", "c", "e", "g"]);
        let check = |paths: &[&str]| diff(old.as_bytes(), join(paths).as_bytes(), |_| {});
        assert!(check(&["a", "c", "d", "e", "g"]).is_ok());
        assert!(check(&["a", "c", "b", "e", "g"]).is_err());
        assert!(check(&["a", "c", "f", "e", "g"]).is_err());
        assert!(check(&["a", "c", "e", "g", "f"]).is_err());
        assert!(check(&["a", "c", "c", "e", "g"]).is_err());
        assert!(check(&["c", "a", "e", "g"]).is_err());
        assert!(check(&["e", "c", "g"]).is_err());
    }
}
