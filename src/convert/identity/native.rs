//! Our own identity: valid for every server, and a mirror tells by itself what it mirrors.

use super::{Facts, Identity};
use crate::base::text::utf8_or_latin1;
use crate::git::commit::{Commit, Signature, header};
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
            headers: vec![(NODE_HEADER.to_owned(), facts.node.to_string())],
            message: message(&changeset.description),
        }
    }

    fn node_of(&self, commit: &[u8]) -> Option<Node> {
        Node::from_hex(header(commit, NODE_HEADER)?)
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
    let zone = i32::try_from(east.clamp(-WIDEST_ZONE, WIDEST_ZONE)).unwrap_or(0);
    let seconds = u64::try_from(date.seconds.clamp(0, LAST_SECOND)).unwrap_or(0);
    Signature { person: person(user), seconds, zone }
}

/// `Name <address>` from whatever people typed. Control characters become spaces, `<` and `>` are
/// dropped, and white space is folded.
///
/// - With `<`: the name is what comes before the first one; the address is the first bracketed part
///   with an `@`, or else the first one.
/// - Without: the first word with an `@` is the address, the rest is the name.
/// - A name in quotes loses them. A missing name is the address up to the `@`, or `unknown`.
fn person(user: &[u8]) -> String {
    let text = utf8_or_latin1(user).replace(char::is_control, " ");
    let (name, address) = match text.split_once('<') {
        Some((name, brackets)) => (name.to_owned(), bracketed_address(brackets).to_owned()),
        None => split_address(&text),
    };
    let (mut name, address) = (clean(&name), clean(&address));
    if let Some(inner) = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        name = clean(inner);
    }
    if name.is_empty() {
        name = clean(address.split('@').next().unwrap_or_default());
    }
    if name.is_empty() {
        "unknown".clone_into(&mut name);
    }
    format!("{name} <{address}>")
}

/// The address in the text after the first `<`.
fn bracketed_address(text: &str) -> &str {
    let inside = |part| str::split(part, '>').next().unwrap_or_default();
    let mut parts = text.split('<').map(inside);
    let with_at = parts.clone().find(|part| part.contains('@'));
    with_at.or_else(|| parts.find(|part| !part.trim().is_empty())).unwrap_or_default()
}

/// Name and address in a text without `<`.
fn split_address(text: &str) -> (String, String) {
    let is_address = |word: &&str| word.contains('@');
    let Some(address) = text.split_whitespace().find(is_address) else {
        return (text.to_owned(), String::new());
    };
    let name: Vec<_> = text.split_whitespace().filter(|word| *word != address).collect();
    (name.join(" "), address.trim_matches(|c| "()[],;\"'".contains(c)).to_owned())
}

/// Without what the format cannot hold, and without superfluous white space.
fn clean(text: &str) -> String {
    let kept = text.replace(['<', '>'], " ");
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What people have typed, and what it becomes.
    const PEOPLE: &[(&[u8], &str)] = &[
        (b"John Doe", "John Doe <>"),
        (b"john@doe.com", "john <john@doe.com>"),
        (b"John Doe <john@doe.com>", "John Doe <john@doe.com>"),
        (b"John Doe<john@doe.com>", "John Doe <john@doe.com>"),
        (b"<john@doe.com>", "john <john@doe.com>"),
        (b" <john@doe.com> ", "john <john@doe.com>"),
        (b"John Doe <john@doe.com", "John Doe <john@doe.com>"),
        (b"John <x> Doe <john@doe.com>", "John <john@doe.com>"),
        (b"John Doe <john@doe.com> trailing stuff > < ", "John Doe <john@doe.com>"),
        (b"John Doe <a<b>c@doe.com>", "John Doe <a>"),
        (b"\"John Doe\" <john@doe.com>", "John Doe <john@doe.com>"),
        (b"\"John Doe\"", "John Doe <>"),
        (b"Bad >name> here", "Bad name here <>"),
        (b"john >at@home<", "john at@home <>"),
        ("J\u{f6}hn <j@d.com>".as_bytes(), "J\u{f6}hn <j@d.com>"),
        (b"J\xf6hn <j@d.com>", "J\u{f6}hn <j@d.com>"),
        (b"", "unknown <>"),
        (b" ", "unknown <>"),
        (b"<>", "unknown <>"),
        (b"a <>", "a <>"),
        (b"john.q.public@example.com", "john.q.public <john.q.public@example.com>"),
        (b"john at doe dot com <nomail>", "john at doe dot com <nomail>"),
        (b"  lead  trail  ", "lead trail <>"),
        (b"John Doe <john@doe.com> (comment)", "John Doe <john@doe.com>"),
        (b"\"John\" Doe <j@d.c>", "\"John\" Doe <j@d.c>"),
        (b"tab\tname <t@t>", "tab name <t@t>"),
        (b"John Doe < john@doe.com >", "John Doe <john@doe.com>"),
        (b"x@y.z (Foo Bar)", "(Foo Bar) <x@y.z>"),
        (b"Foo Bar (x@y.z)", "Foo Bar <x@y.z>"),
        (b"Foo <foo@bar> <baz@quux>", "Foo <foo@bar>"),
        (b"John Doe <<john@doe.com>>", "John Doe <john@doe.com>"),
        (b"John\rDoe <j@d>", "John Doe <j@d>"),
        (b"John\nDoe <j@d>", "John Doe <j@d>"),
        (b"a\x00b <c@d>", "a b <c@d>"),
    ];

    #[test]
    fn people() {
        for (user, expected) in PEOPLE {
            assert_eq!(person(user), *expected, "{:?}", bstr::BStr::new(user));
        }
    }

    #[test]
    fn dates() {
        let written = |seconds, west| signature(b"a", Date { seconds, west }).to_string();
        for (seconds, west, expected) in [
            (0, 0, "0 +0000"),
            (-5, 0, "0 +0000"),
            (1, 12_600, "1 -0330"),
            (1, -19_800, "1 +0530"),
            (1, 1800, "1 -0030"),
            (1, -1800, "1 +0030"),
            (1, 3599, "1 -0059"),
            (1, -50_400, "1 +1400"),
            (1, 90_000, "1 -1400"),
            (4_294_967_296, 0, "4294967296 +0000"),
            (i64::MAX, i64::MIN, "253402300799 +1400"),
        ] {
            assert_eq!(written(seconds, west), format!("a <> {expected}"));
        }
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
            let line = signature(&user, Date { seconds, west }).to_string();
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
