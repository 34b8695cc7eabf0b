//! The `bookmarks` file: names that move with development.
//!
//! Source: `hg bookmarks` over files written by hand. [`super::Layout::bookmarks_file`] says where
//! the file is.

use std::collections::BTreeMap;

use bstr::{BString, ByteSlice};

use crate::hg::Node;

use super::files::{Note, Notes, strip};

/// The name of the file in notes.
const FILE: &str = "bookmarks";

/// Bookmarks in the order of their names. Their changesets need not be in the repository.
pub type Bookmarks = BTreeMap<BString, Node>;

/// Parses the text of a `bookmarks` file: a node, a space and a name on each line.
///
/// Names are bytes as they are stored, usually UTF-8. Of two lines with one name the later counts.
/// Malformed lines are noted; Mercurial warns of them and goes on as well.
pub fn parse(text: &[u8]) -> (Bookmarks, Vec<Note>) {
    let mut bookmarks = Bookmarks::new();
    let mut notes = Notes::default();
    for (i, line) in text.lines_with_terminator().enumerate() {
        let line = strip(line);
        if line.is_empty() {
            continue;
        }
        let parts = line.split_once_str(b" ");
        match parts.and_then(|(node, name)| Some((Node::from_hex(node)?, name))) {
            Some((node, name)) => {
                bookmarks.insert(name.into(), node);
            }
            None => notes.malformed(FILE, i + 1, line),
        }
    }
    (bookmarks, notes.finish())
}

/// Whether `name` marks the other side of a bookmark that diverged in a pull, such as `main@origin`.
///
/// Such bookmarks are bookmarks like others in the repository that has them, but `hg` does not
/// show them to clients.
pub fn is_divergent(name: &[u8]) -> bool {
    name.contains(&b'@') && !name.ends_with(b"@")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(i: u8) -> Node {
        Node::from_bytes([i; 20])
    }

    /// Names and nodes of what is read, and how many lines are not.
    fn read(text: &str) -> (Vec<(String, Node)>, usize) {
        let (bookmarks, notes) = parse(text.as_bytes());
        (bookmarks.into_iter().map(|(name, node)| (name.to_string(), node)).collect(), notes.len())
    }

    fn one(name: &str) -> (Vec<(String, Node)>, usize) {
        (vec![(name.to_owned(), node(1))], 0)
    }

    #[test]
    fn lines_as_mercurial_reads_them() {
        let n = node(1);
        assert_eq!(read(&format!("{n} a b c\n")), one("a b c"));
        assert_eq!(read(&format!("{n} a ")), one("a"));
        assert_eq!(read(&format!("{n}  a\r\n")), one(" a"));
        assert_eq!(read(&format!("\n \n {n} a\n")), one("a"));
        assert_eq!(read(&format!("{n} a\rb\x0bc\n")), one("a\rb\x0bc"));
        assert_eq!(read(&format!("{n} a\n{} a\n{n} @\n", node(2))).0.len(), 2);
        assert_eq!(read(&format!("{} a\n{n} a\n", node(2))), one("a"));
        let latin1 = [n.to_string().as_bytes(), b" caf\xe9"].concat();
        assert_eq!(parse(&latin1).0.get(&b"caf\xe9"[..]), Some(&n));
    }

    #[test]
    fn divergent_names() {
        for (name, divergent) in [
            ("a", false),
            ("@", false),
            ("a@", false),
            ("a@b@", false),
            ("a@b", true),
            ("@1", true),
        ] {
            assert_eq!(is_divergent(name.as_bytes()), divergent, "{name}");
        }
    }

    #[test]
    fn malformed_lines_are_noted_and_others_kept() {
        let n = node(1);
        for bad in [
            "garbage",
            &n.short(),
            &format!("{n}"),
            &format!("{n} "),
            &format!("{n}\ta"),
            &format!("{n}0 a"),
        ] {
            let (bookmarks, notes) = read(&format!("{bad}\n{n} ok\n"));
            assert_eq!(bookmarks, [("ok".to_owned(), n)], "{bad:?}");
            assert_eq!(notes, 1, "{bad:?}");
        }
    }

    #[test]
    fn cuts_and_flips_never_lose_the_other_line() {
        let text = format!("{} first\n{} second\n", node(1), node(2));
        let second = text.find('\n').unwrap() + 1;
        for end in 0..text.len() {
            let (bookmarks, _) = parse(&text.as_bytes()[..end]);
            assert_eq!(bookmarks.contains_key(&b"first"[..]), end + 1 >= second, "cut at {end}");
        }
        for i in second..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[i] ^= 1 << bit;
                assert_eq!(
                    parse(&bytes).0.get(&b"first"[..]),
                    Some(&node(1)),
                    "byte {i}, bit {bit}"
                );
            }
        }
    }
}
