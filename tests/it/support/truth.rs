//! What Mercurial says of a repository: `expected.tsv`, as `fixtures/truth.py` writes it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// One changeset.
#[derive(Clone, Debug)]
pub(crate) struct Changeset {
    pub(crate) node: String,
    pub(crate) served: bool,
    pub(crate) parents: Vec<String>,
    /// The Git tree of its manifest.
    pub(crate) tree: String,
    pub(crate) seconds: i64,
    pub(crate) west: i64,
    pub(crate) user: Vec<u8>,
    pub(crate) description: Vec<u8>,
}

/// Everything that is known of one repository. Names are bytes, nodes 40 hexadecimal digits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    /// In revision order.
    pub(crate) changesets: Vec<Changeset>,
    /// Open heads: branch and node.
    pub(crate) heads: Vec<(Vec<u8>, String)>,
    pub(crate) tags: Vec<(Vec<u8>, String)>,
    pub(crate) bookmarks: Vec<(Vec<u8>, String)>,
    pub(crate) tip: Option<String>,
    /// Why it must not convert: the fault and the words that the error must hold.
    pub(crate) refused: Option<(String, Vec<String>)>,
}

impl Truth {
    pub(crate) fn read(path: &Path) -> Self {
        Self::parse(&std::fs::read_to_string(path).unwrap())
    }

    pub(crate) fn parse(text: &str) -> Self {
        let mut truth = Self::default();
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields[..] {
                ["changeset", ..] => truth.changesets.push(changeset(&fields[1..])),
                ["head", node, name] => truth.heads.push((unescape(name), node.to_owned())),
                ["tag", node, name] => truth.tags.push((unescape(name), node.to_owned())),
                ["bookmark", node, name] => truth.bookmarks.push((unescape(name), node.to_owned())),
                ["tip", node] => truth.tip = Some(node.to_owned()),
                ["refused", fault, ..] => {
                    let words = fields[2..].iter().map(|&word| word.to_owned()).collect();
                    truth.refused = Some((fault.to_owned(), words));
                }
                _ => panic!("not a line of expected.tsv: {line:?}"),
            }
        }
        truth
    }

    pub(crate) fn served(&self) -> impl Iterator<Item = &Changeset> {
        self.changesets.iter().filter(|changeset| changeset.served)
    }

    /// Open heads, the newest first.
    fn heads_from_tip(&self) -> Vec<&(Vec<u8>, String)> {
        let position: BTreeMap<&str, usize> =
            self.changesets.iter().enumerate().map(|(i, c)| (c.node.as_str(), i)).collect();
        let mut heads: Vec<_> = self.heads.iter().collect();
        heads.sort_by_key(|(_, node)| Reverse(position[node.as_str()]));
        heads
    }

    /// The newest open head of `branch`.
    pub(crate) fn tipmost_head(&self, branch: &[u8]) -> &str {
        let head = self.heads_from_tip().into_iter().find(|(name, _)| name == branch);
        head.map(|(_, node)| node).unwrap()
    }

    /// The references that the source asks for, before any name is mapped: the folder, the name, the
    /// node. The first open head of a branch is the tipmost.
    pub(crate) fn wanted_refs(&self) -> Vec<(&'static str, Vec<u8>, &str)> {
        let mut seen = BTreeSet::new();
        let mut wanted = Vec::new();
        for (branch, node) in self.heads_from_tip() {
            let name = if seen.insert(branch) {
                branch.clone()
            } else {
                [branch.as_slice(), b"-", &node.as_bytes()[..12]].concat()
            };
            wanted.push(("refs/heads/", name, node.as_str()));
        }
        for (name, node) in &self.bookmarks {
            wanted.push(("refs/heads/", name.clone(), node));
        }
        for (name, node) in &self.tags {
            wanted.push(("refs/tags/", name.clone(), node));
        }
        if let Some(tip) = &self.tip {
            wanted.push(("refs/heads/", b"master".to_vec(), tip));
        }
        wanted
    }
}

fn changeset(fields: &[&str]) -> Changeset {
    let [node, served, parents, tree, seconds, west, user, _branch, _closes, description] = fields
    else {
        panic!("not a changeset: {fields:?}");
    };
    Changeset {
        node: (*node).to_owned(),
        served: *served == "served",
        parents: parents.split_whitespace().map(str::to_owned).collect(),
        tree: (*tree).to_owned(),
        seconds: seconds.parse().unwrap(),
        west: west.parse().unwrap(),
        user: unescape(user),
        description: unescape(description),
    }
}

/// The bytes that `\\` and `\xNN` stand for.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        rest = if let Some(hex) = escaped.strip_prefix('x') {
            bytes.push(u8::from_str_radix(&hex[..2], 16).unwrap());
            &hex[2..]
        } else {
            bytes.push(b'\\');
            &escaped[1..]
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

#[test]
fn escapes() {
    assert_eq!(unescape(r"a\\b\x09\xff"), b"a\\b\t\xff");
}
