//! Tags: what the `.hgtags` files of all heads say together.
//!
//! A line of `.hgtags` is a node, a space and a name. Lines are only ever added, so that a file
//! holds the history of each tag: where it was, and where it is now; the null node removes it.
//! Heads may disagree. Source of the rules: `hg help tags`, and what `hg tags` says of random
//! files on random heads (`fixtures/store/tags.json`).

use std::collections::{BTreeMap, HashMap, HashSet};

use bstr::{BString, ByteSlice};

use crate::base::text::utf8_or_latin1;
use crate::hg::Node;

use super::files::{Note, Notes, lines, strip};

/// The `.hgtags` of one head.
#[derive(Clone, Copy, Debug)]
pub struct TagsFile<'a> {
    /// The node of the file's revision: heads with the same one count once.
    pub file_node: Node,
    /// The text of the file.
    pub text: &'a [u8],
}

/// The tags of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// Each tag and its changeset, which is known.
    pub known: BTreeMap<String, Node>,
    /// Tags whose changeset is not known, in the order in which they were found.
    pub unknown: Vec<(String, Node)>,
    /// What could not be understood.
    pub notes: Vec<Note>,
}

/// Computes the tags as `hg tags` shows them, without `tip` and without local ones.
///
/// `files` are the `.hgtags` of the topological heads that have one, in ascending order of
/// revision. `known` says whether a changeset can be seen. Names are text: Latin-1 where they are
/// not valid UTF-8; if two spellings give one name, the one first seen later counts.
pub fn compute<'a>(
    files: impl IntoIterator<Item = TagsFile<'a>>,
    known: &dyn Fn(Node) -> bool,
) -> Tags {
    let mut notes = Notes::default();
    let mut all = Histories::default();
    let mut seen = HashSet::new();
    for file in files {
        if seen.insert(file.file_node) {
            for (name, history) in parse(file.text, ".hgtags", &mut notes).entries {
                all.merge(name, history);
            }
        }
    }
    // Two spellings may give one name, of which only the last means anything.
    let mut named = HashMap::new();
    for (order, (name, history)) in all.entries.into_iter().enumerate() {
        let (name, node) = (utf8_or_latin1(&name).into_owned(), history.node());
        if name != "tip" && node != Some(Node::NULL) {
            named.insert(name, (order, node));
        }
    }
    let mut named: Vec<_> = named.into_iter().collect();
    named.sort_unstable_by_key(|(_, (order, _))| *order);
    let mut tags = Tags { notes: notes.finish(), ..Tags::default() };
    for (name, (_, node)) in named {
        match node {
            Some(node) if known(node) => drop(tags.known.insert(name, node)),
            Some(node) => tags.unknown.push((name, node)),
            None => {}
        }
    }
    tags
}

/// What a line names: a node, or hexadecimal digits of another number, which no changeset has but
/// which take a tag away like any other node that is not known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Target {
    Node(Node),
    Odd(BString),
}

/// Where one tag was, oldest first, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct History {
    now: Target,
    before: Vec<Target>,
}

impl History {
    /// Where the tag is; the null node if it was removed.
    pub(super) fn node(&self) -> Option<Node> {
        match self.now {
            Target::Node(node) => Some(node),
            Target::Odd(_) => None,
        }
    }

    /// Takes in what an earlier head says of the same tag.
    ///
    /// The newer head is right unless the older one's tag is visibly later: the older one has
    /// been where the newer one is, and the newer one either has not been where the older one is
    /// or has moved less often.
    fn absorb(&mut self, older: Self) {
        let passed = self.now != older.now && older.before.contains(&self.now);
        let later = !self.before.contains(&older.now) || older.before.len() > self.before.len();
        if passed && later {
            self.now = older.now;
        }
        let been: HashSet<Target> = self.before.iter().cloned().collect();
        self.before.extend(older.before.into_iter().filter(|node| !been.contains(node)));
    }
}

/// The history of each tag, in the order in which the tags were first named.
#[derive(Clone, Debug, Default)]
pub(super) struct Histories {
    pub(super) entries: Vec<(BString, History)>,
    at: HashMap<BString, usize>,
}

impl Histories {
    fn get_mut(&mut self, name: &BString) -> Option<&mut History> {
        let at = *self.at.get(name)?;
        self.entries.get_mut(at).map(|(_, history)| history)
    }

    fn insert(&mut self, name: BString, history: History) {
        self.at.insert(name.clone(), self.entries.len());
        self.entries.push((name, history));
    }

    /// One more line about `name`.
    fn push(&mut self, name: BString, target: Target) {
        if let Some(history) = self.get_mut(&name) {
            let before = std::mem::replace(&mut history.now, target);
            history.before.push(before);
        } else {
            self.insert(name, History { now: target, before: Vec::new() });
        }
    }

    /// What a newer head says about `name`.
    fn merge(&mut self, name: BString, newer: History) {
        if let Some(history) = self.get_mut(&name) {
            let older = std::mem::replace(history, newer);
            history.absorb(older);
        } else {
            self.insert(name, newer);
        }
    }
}

/// Reads one file of tags: `.hgtags`, or `.hg/localtags`, which has the same form.
pub(super) fn parse(text: &[u8], file: &'static str, notes: &mut Notes) -> Histories {
    let mut histories = Histories::default();
    for (i, line) in lines(text).enumerate() {
        if line.is_empty() {
            continue;
        }
        match line.split_once_str(b" ").and_then(|(hex, name)| Some((target(hex)?, name))) {
            Some((target, name)) => {
                if matches!(target, Target::Odd(_)) {
                    notes.malformed(file, i + 1, line);
                }
                histories.push(strip(name).into(), target);
            }
            None => notes.malformed(file, i + 1, line),
        }
    }
    histories
}

fn target(hex: &[u8]) -> Option<Target> {
    if let Some(node) = Node::from_hex(hex) {
        return Some(Target::Node(node));
    }
    let is_hex = hex.len().is_multiple_of(2) && hex.iter().all(u8::is_ascii_hexdigit);
    is_hex.then(|| Target::Odd(hex.to_ascii_lowercase().into()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::unhex;
    use super::*;

    #[derive(serde::Deserialize)]
    struct Case {
        nodes: Vec<String>,
        heads: Vec<(String, String)>,
        tags: Vec<(String, String)>,
    }

    fn node(hex: &str) -> Node {
        Node::from_hex(hex.as_bytes()).unwrap()
    }

    #[test]
    fn tags_are_those_that_mercurial_shows() {
        let text = include_str!("../../../fixtures/store/tags.json");
        let cases: Vec<Case> = serde_json::from_str(text).unwrap();
        let mut repeated_heads = 0;
        for (i, case) in cases.iter().enumerate() {
            let texts: Vec<(Node, Vec<u8>)> =
                case.heads.iter().map(|(file, text)| (node(file), unhex(text))).collect();
            let known: HashSet<Node> = case.nodes.iter().map(|hex| node(hex)).collect();
            let tags = |once: bool| {
                let files = texts.iter().zip(1u8..).map(|((file_node, text), i)| TagsFile {
                    file_node: if once { *file_node } else { Node::from_bytes([i; 20]) },
                    text,
                });
                compute(files, &|node| known.contains(&node)).known
            };
            let expected: BTreeMap<String, Node> =
                case.tags.iter().map(|(name, hex)| (name.clone(), node(hex))).collect();
            assert_eq!(tags(true), expected, "case {i}");
            repeated_heads += usize::from(tags(false) != expected);
        }
        assert!(cases.len() >= 50, "only {} cases", cases.len());
        assert!(repeated_heads > 0, "no case shows that heads with one file count once");
    }

    fn compute_one(text: &[u8]) -> Tags {
        compute([TagsFile { file_node: Node::NULL, text }], &|node| node.as_bytes()[0] == 1)
    }

    #[test]
    fn of_two_spellings_of_a_name_the_later_counts() {
        let (known, unknown) = (Node::from_bytes([1; 20]), Node::from_bytes([9; 20]));
        let line =
            |node: Node, name: &[u8]| [node.to_string().as_bytes(), b" ", name, b"\n"].concat();
        let (utf8, latin1) = (b"caf\xc3\xa9", b"caf\xe9");
        let gone = compute_one(&[line(known, utf8), line(unknown, latin1)].concat());
        assert!(gone.known.is_empty());
        assert_eq!(gone.unknown, [("café".to_owned(), unknown)]);
        let here = compute_one(&[line(unknown, latin1), line(known, utf8)].concat());
        assert_eq!(here.known, BTreeMap::from([("café".to_owned(), known)]));
        assert!(here.unknown.is_empty());
    }

    #[test]
    fn unknown_removed_and_reserved() {
        let (known, unknown) = (Node::from_bytes([1; 20]), Node::from_bytes([9; 20]));
        let text = format!(
            "{known} a\n{unknown} b\n{known} tip\n{known} c\n{} c\n{unknown} tip\nodd\n{known}ab a2\n{known} caf\u{e9}\n",
            Node::NULL
        );
        let tags = compute_one(text.as_bytes());
        let names: Vec<&str> = tags.known.keys().map(String::as_str).collect();
        assert_eq!(names, ["a", "café"]);
        assert_eq!(tags.unknown, [("b".to_owned(), unknown)]);
        let lines: Vec<String> = tags.notes.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], ".hgtags: line 7 is malformed and was ignored: \"odd\"");
    }

    #[test]
    fn cuts_and_flips_never_lose_the_other_line() {
        let text = format!("{} a\n{} b\r\n", Node::from_bytes([1; 20]), Node::from_bytes([1; 20]));
        let first = text.find('\n').unwrap();
        for end in 0..text.len() {
            let known = compute_one(&text.as_bytes()[..end]).known;
            assert_eq!(known.contains_key("a"), end >= first, "cut at {end}");
        }
        for i in 0..first {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[i] ^= 1 << bit;
                let tags = compute_one(&bytes);
                assert!(tags.known.contains_key("b"), "byte {i}, bit {bit}");
                assert!(!tags.known.contains_key("a") || i < 40, "byte {i}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_long_history_is_no_quadratic_one() {
        let lines: Vec<String> = (0..100_000u32)
            .map(|i| {
                let mut bytes = [1; 20];
                bytes[16..].copy_from_slice(&i.to_be_bytes());
                format!("{} t\n", Node::from_bytes(bytes))
            })
            .collect();
        let forwards = lines.concat();
        let backwards: String = lines.iter().rev().map(String::as_str).collect();
        let files = [forwards, backwards].map(String::into_bytes);
        let files = files
            .iter()
            .zip(1u8..)
            .map(|(text, i)| TagsFile { file_node: Node::from_bytes([i; 20]), text });
        let started = std::time::Instant::now();
        assert_eq!(compute(files, &|_| true).known.len(), 1);
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    }
}
