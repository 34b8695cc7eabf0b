//! The commits of hg-fast-export with its default options, so that what it began can go on.
//!
//! It writes a stream for `git fast-import`, which refuses some of what it is given; those
//! changesets, which have no commit there, get a sound one here.

use std::borrow::Cow;

use bstr::{BStr, BString};

use super::person::person;
use super::submodules::{
    FileChange, Follows, GitSubrepository, Modules, SubmoduleRules, Submodules, SubrepoStep,
};
use super::{Facts, Identity, Place};
use crate::base::RepoPath;
use crate::base::repo_path::components;
use crate::base::text::utf8_or_latin1;
use crate::git::commit::{Commit, Signature, zone};
use crate::git::tree::Mode;
use crate::git::tree_name::{Forbidden, impossible_path};
use crate::git::{ObjectId, ObjectKind};
use crate::hg::Date;

/// See the module.
pub(super) struct FastExport;

impl Identity for FastExport {
    fn name(&self) -> &'static str {
        "fast-export"
    }

    fn commit(&self, facts: &Facts<'_>) -> Commit {
        let changeset = facts.changeset;
        let author = Signature {
            person: user(&changeset.user),
            seconds: changeset.date.seconds,
            zone: time_zone(changeset.date),
        };
        let mut message = utf8_or_latin1(&changeset.description).into_owned();
        message.push('\n');
        Commit {
            tree: facts.tree,
            parents: facts.parents.to_vec(),
            committer: author.clone(),
            author,
            headers: Vec::new(),
            message: message.into_bytes(),
        }
    }

    fn known_as<'u>(&self, user: &'u [u8]) -> Cow<'u, str> {
        match utf8_or_latin1(user) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches('"')),
            Cow::Owned(text) => Cow::Owned(text.trim_matches('"').to_owned()),
        }
    }

    fn place(&self, path: &RepoPath, _mode: Mode) -> Place {
        if path == ".hgtags" {
            return Place::Nowhere;
        }
        if components(path).any(|name| name == b".git") {
            return Place::LeftOut(Forbidden::DotGit.into());
        }
        // Paths are not quoted for the stream, and so unquoted at its end.
        let unquoted = path.strip_prefix(b"\"").and_then(unquote);
        let place = unquoted.as_deref().map_or(path, BStr::new);
        match (impossible_path(place), unquoted) {
            (Some(why), _) => Place::LeftOut(why.into()),
            (None, None) => Place::Same,
            (None, Some(path)) => Place::At(path.into()),
        }
    }

    fn trusts_lists_of_roots(&self) -> bool {
        true
    }

    fn submodules(&self) -> Option<&'static dyn SubmoduleRules> {
        Some(&FastExport)
    }
}

impl SubmoduleRules for FastExport {
    fn follows(&self) -> Follows {
        Follows::FirstParent
    }

    /// The stream tells what is removed, then what is modified, then what is added, each in order
    /// of paths: of the tracked file and the one that is made, the later one holds.
    fn next(&self, step: &SubrepoStep<'_>) -> (Submodules, Option<Vec<u8>>) {
        let turn = |change: Option<FileChange>, later: u8| match change {
            None => None,
            Some(FileChange::Removed) => Some(0),
            Some(FileChange::Modified) => Some(1 + later),
            Some(FileChange::Added) => Some(3 + later),
        };
        let tracked = turn(step.tracked, 0);
        // That the state alone is gone is not noticed.
        let state = step.state.filter(|change| *change != FileChange::Removed);
        let subrepositories = turn(step.sub, 1).max(turn(state, 1));
        let mut next = step.before.clone();
        let mut text = None;
        if subrepositories.is_some() {
            next.links = step.links();
            text = (!next.links.is_empty()).then(|| gitmodules(step.subrepositories));
            next.modules = match &text {
                Some(text) => Modules::Made(Mode::Regular, ObjectId::of(ObjectKind::Blob, text)),
                None => Modules::Nothing,
            };
        }
        if tracked.is_some() && tracked > subrepositories {
            next.modules = Modules::Tracked;
        }
        (next, text)
    }
}

/// The file `.gitmodules` as it is written into the stream: nothing is quoted.
fn gitmodules(all: &[GitSubrepository]) -> Vec<u8> {
    let mut text = Vec::new();
    for GitSubrepository { path, source, .. } in all {
        let parts: [&[u8]; 7] =
            [b"[submodule \"", path, b"\"]\n\tpath = ", path, b"\n\turl = ", source, b"\n"];
        text.extend(parts.concat());
    }
    text
}

/// The path that `git fast-import` reads from what follows the first quote; `None` if that is not
/// a whole quoted path, which it refuses.
fn unquote(quoted: &[u8]) -> Option<Vec<u8>> {
    let mut path = Vec::with_capacity(quoted.len());
    let mut bytes = quoted.iter().copied();
    loop {
        match bytes.next()? {
            b'"' => return bytes.next().is_none().then_some(path),
            b'\\' => path.push(match bytes.next()? {
                b'a' => 7,
                b'b' => 8,
                b't' => b'\t',
                b'n' => b'\n',
                b'v' => 11,
                b'f' => 12,
                b'r' => b'\r',
                byte @ (b'\\' | b'"') => byte,
                high @ b'0'..=b'3' => {
                    let mut digit = || bytes.next().filter(|byte| matches!(byte, b'0'..=b'7'));
                    let (middle, low) = (digit()?, digit()?);
                    (high - b'0') << 6 | (middle - b'0') << 3 | (low - b'0')
                }
                _ => return None,
            }),
            byte => path.push(byte),
        }
    }
}

/// The user as it is written into the stream, or ours if `git fast-import` refuses that.
fn user(user: &[u8]) -> BString {
    let text = FastExport.known_as(user);
    let (name, address) = split(&text);
    let name = match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(inner) if !inner.is_empty() && !inner.contains('"') => inner,
        _ => &name,
    };
    let written = format!("{name} {address}");
    match is_ident(&written) {
        true => written.into(),
        false => person(user).into(),
    }
}

/// Name and `<address>`.
fn split(user: &str) -> (String, String) {
    if let Some((name, address)) = user.split_once('<')
        && let Some(name) = name.strip_suffix(' ').filter(|name| !name.is_empty())
        && address.find('>').is_some_and(|end| end + 1 == address.len())
    {
        return (name.to_owned(), format!("<{address}"));
    }
    // The rest is what Mercurial takes for the name and the address.
    let start = user.find('<').map_or(0, |at| at + 1);
    let end = user.find('>').filter(|end| *end >= start).unwrap_or(user.len());
    let address = user.get(start..end).unwrap_or_default();
    let address = if address.contains('@') { address } else { "devnull@localhost" };
    (short_name(user), format!("<{address}>"))
}

/// The name as Mercurial's `person` filter finds it.
fn short_name(user: &str) -> String {
    if !user.contains('@') {
        return user.to_owned();
    }
    if let Some((name, _)) = user.split_once('<') {
        return name.trim_matches([' ', '"']).replace("\\\"", "\"");
    }
    user.split('@').next().unwrap_or_default().replace('.', " ")
}

/// Whether `git fast-import` takes this before a date.
fn is_ident(text: &str) -> bool {
    let Some((name, rest)) = text.split_once('<') else { return false };
    let Some(address) = rest.strip_suffix('>') else { return false };
    let clean = |part: &str| !part.contains(['<', '>', '\0', '\n']);
    name.ends_with(' ') && clean(name) && clean(address)
}

/// The zone with the stream's own arithmetic, which is an hour off west of UTC where there are
/// minutes; ours if `git fast-import` refuses that.
fn time_zone(date: Date) -> String {
    let west = date.west;
    let (hours, minutes) =
        (west.saturating_neg().div_euclid(3600), (-(west % 3600)).rem_euclid(3600) / 60);
    let written = hours.unsigned_abs().saturating_mul(100).saturating_add(minutes.unsigned_abs());
    if written > 1400 {
        return zone((west.saturating_neg() / 60).clamp(-14 * 60, 14 * 60));
    }
    let sign = if hours < 0 { '-' } else { '+' };
    format!("{sign}{written:04}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_zone_is_too_far() {
        for (west, expected) in [(i64::MIN, "+1400"), (i64::MAX, "-1400")] {
            assert_eq!(time_zone(Date { seconds: 0, west }), expected, "{west}");
        }
    }

    #[test]
    fn places() {
        let place = |path: &str| FastExport.place(path.into(), Mode::Regular);
        for path in [".GIT/x", "git~1", ".gitmodules", ".hgsub", "a\"b", ".hgtags/x", "a/.hgtags"] {
            assert_eq!(place(path), Place::Same, "{path}");
        }
        assert_eq!(place(".hgtags"), Place::Nowhere);
        for path in ["sub/.git/config", "a//b", "../a", "\"..\"", "\"\""] {
            assert!(matches!(place(path), Place::LeftOut(_)), "{path}");
        }
        for (path, unquoted) in [
            ("\"quoted\"", &b"quoted"[..]),
            (r#""a\\b\"c\303\244\n""#, b"a\\b\"c\xc3\xa4\n"),
            ("\"a/b\"", b"a/b"),
        ] {
            assert_eq!(place(path), Place::At(unquoted.into()), "{path}");
        }
        // What `git fast-import` does not take for a whole quoted path it refuses.
        for path in ["\"open", "\"a\"b", r#""\q""#, r#""\400""#, "\"a\\"] {
            assert_eq!(place(path), Place::Same, "{path}");
        }
    }

    proptest::proptest! {
        /// Whatever was typed, a commit can be read again.
        #[test]
        fn always_readable(typed: Vec<u8>, west: i64) {
            let typed: Vec<u8> = typed.into_iter().filter(|byte| *byte != b'\n').collect();
            assert!(is_ident(std::str::from_utf8(&user(&typed)).unwrap()));
            assert_eq!(time_zone(Date { seconds: 0, west }).len(), 5);
        }

        #[test]
        fn places_never_panic(path: Vec<u8>) {
            FastExport.place(path.as_slice().into(), Mode::Regular);
        }
    }
}
