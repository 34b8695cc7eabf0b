//! Our own identity: valid for every server, and a mirror tells by itself what it mirrors.

use super::person::person;
use super::{Facts, Identity, Place};
use crate::base::RepoPath;
use crate::base::repo_path::components;
use crate::base::text::utf8_or_latin1;
use crate::git::commit::{Commit, Signature, header, zone};
use crate::git::tree::Mode;
use crate::git::tree_name::{forbidden, forbidden_path};
use crate::hg::{Date, Node};

/// The header that names the changeset.
const NODE_HEADER: &str = "HG:node";

/// See the module.
pub(super) struct Native;

impl Identity for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn commit(&self, facts: &Facts<'_>) -> Commit {
        let changeset = facts.changeset;
        let author = signature(&changeset.user, changeset.date);
        Commit {
            tree: facts.tree,
            parents: facts.parents.to_vec(),
            committer: author.clone(),
            author,
            headers: vec![(NODE_HEADER.into(), facts.node.to_string().into())],
            message: message(&changeset.description),
        }
    }

    fn names_changesets(&self) -> bool {
        true
    }

    fn node_of(&self, commit: &[u8]) -> Option<Node> {
        Node::from_hex(header(commit, NODE_HEADER)?)
    }

    fn place(&self, path: &RepoPath, mode: Mode) -> Place {
        let name = components(path).last().unwrap_or_default();
        match forbidden_path(path).or_else(|| forbidden(name, mode)) {
            Some(why) => Place::LeftOut(why.into()),
            None => Place::Same,
        }
    }
}

/// The description as UTF-8 and a newline. `git fsck --strict` refuses a NUL, so the replacement
/// character stands for it.
fn message(description: &[u8]) -> Vec<u8> {
    let mut text = utf8_or_latin1(description).replace('\0', "\u{fffd}");
    text.push('\n');
    text.into_bytes()
}

/// The last second of the year 9999: later dates overflow somewhere in most programs.
const LAST_SECOND: i64 = 253_402_300_799;
/// The widest zone in use, in minutes; `git fast-import` and others accept no wider one.
const WIDEST_ZONE: i64 = 14 * 60;

fn signature(user: &[u8], date: Date) -> Signature {
    // Mercurial counts seconds west, Git minutes east; what is left of a minute is dropped.
    let east = date.west.saturating_neg() / 60;
    let zone = zone(east.clamp(-WIDEST_ZONE, WIDEST_ZONE));
    Signature { person: person(user).into(), seconds: date.seconds.clamp(0, LAST_SECOND), zone }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_date_is_too_far() {
        let written = |seconds, west| {
            String::from_utf8(signature(b"a", Date { seconds, west }).to_bytes()).unwrap()
        };
        assert_eq!(written(i64::MAX, i64::MIN), "a <> 253402300799 +1400");
        assert_eq!(written(i64::MIN, i64::MAX), "a <> 0 -1400");
    }

    #[test]
    fn messages() {
        assert_eq!(message(b""), b"\n");
        assert_eq!(message(b"a\r\nb\n\n"), b"a\r\nb\n\n\n");
        assert_eq!(message(b"caf\xe9\0"), "caf\u{e9}\u{fffd}\n".as_bytes());
    }

    proptest::proptest! {
        /// A signature has exactly the shape that `git fsck` asks for, whatever was typed.
        #[test]
        fn always_valid(user: Vec<u8>, seconds: i64, west: i64) {
            let line = String::from_utf8(signature(&user, Date { seconds, west }).to_bytes()).unwrap();
            let (name, rest) = line.split_once(" <").unwrap();
            let (address, rest) = rest.split_once("> ").unwrap();
            for part in [name, address] {
                assert!(!part.contains(['<', '>', '\n', '\0']), "{line:?}");
            }
            let (seconds, zone) = rest.split_once(' ').unwrap();
            assert!(seconds.parse::<u64>().is_ok() && zone.len() == 5, "{line:?}");
        }
    }
}
