//! The names of a source, made into references.
//!
//! One rule, a pure function of the source's names, of what the operator asks for, and of the names
//! that were given before:
//!
//! 1. A name that is not UTF-8 is read as Latin-1. If the operator has another one in its place, it
//!    is that one. The name of a topic or of a closed branch gets the prefix of these.
//! 2. What Git does not take in a name is written as `%` and two hexadecimal digits for each byte.
//!    No two names become one by this: a `%` that two hexadecimal digits follow is written so too.
//!    A name without any character is written as `%`.
//! 3. Names take their place in order: the main branch, the named branches from the oldest to the
//!    youngest, further heads, topics, further heads of topics, bookmarks; and apart from these the
//!    tags, and closed branches. One that cannot stand
//!    beside an earlier one (the same, the same but for case, or `a` beside `a/b`), or that is too
//!    long, has each `/` written as `%2F` and gets `-` and the first eight hexadecimal digits of
//!    the SHA-1 of the name in the source. Where even that name is taken, because the same name of the
//!    source asks a third time or another one ends so by itself, `_` is added until it is free.
//!
//! A name of the source keeps the reference name that it was given as long as it lives, whatever comes
//! later, unless the operator asks for another one. What the source does not have any more keeps its
//! place as long as the target may have it.
//!
//! The prefix of all references is no part of the names that the rule is about: it is put before
//! what comes out of it. Every reference that is not called as in the source, or as the operator asks, is reported.

use std::collections::{BTreeMap, HashMap, HashSet};

use bstr::{BStr, BString, ByteSlice};

use super::naming::RefNaming;
use super::report::{Renamed, SourceName};
use crate::base::text::utf8_or_latin1;
use crate::base::{hex, sha1};
use crate::git::reference::{BRANCHES, TAGS};
use crate::hg::Node;

/// The names that a source gives to changesets.
#[derive(Clone, Debug, Default)]
pub struct SourceNames {
    /// What the main branch follows, if that exists.
    pub main: Option<Node>,
    /// The named branches that have an open head, from the oldest to the youngest, each with its
    /// open heads, the tipmost first.
    pub branches: Vec<(BString, Vec<Node>)>,
    /// The topics, from the oldest to the youngest.
    pub topics: Vec<SourceTopic>,
    /// The bookmarks.
    pub bookmarks: Vec<(BString, Node)>,
    /// The tags.
    pub tags: Vec<(BString, Node)>,
    /// The named branches whose heads are all closed, each with the tipmost one.
    pub closed: Vec<(BString, Node)>,
}

/// A topic of one named branch.
#[derive(Clone, Debug)]
pub struct SourceTopic {
    /// The named branch. A topic of the same name on another branch is another one.
    pub branch: BString,
    /// The name of the topic.
    pub name: BString,
    /// Its heads, the tipmost first.
    pub heads: Vec<Node>,
}

/// What a reference is called after: one name of the source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// What it is a name of.
    pub of: SourceName,
    /// The name in the source: of a further head, with `-` and the beginning of its node after it.
    /// The main branch and the notes have none.
    pub name: BString,
    /// The named branch that a topic is on.
    pub branch: Option<BString>,
}

/// A reference that the target is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedRef {
    /// The full name.
    pub name: String,
    /// The changeset whose commit it names.
    pub node: Node,
    /// What it is called after.
    pub origin: Origin,
    /// The full name that it would have if Git took every name, and no other one were in the way.
    pub asked: String,
}

/// A name that a reference has been given before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownName {
    /// What the reference is called after.
    pub origin: Origin,
    /// What was asked for: see [`WantedRef::asked`].
    pub asked: String,
    /// The full name.
    pub reference: String,
    /// Whether the target may have it, so that it is not free even if the source has no such name
    /// any more.
    pub holds: bool,
}

/// The references of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedRefs {
    /// The references, the main branch first.
    pub refs: Vec<WantedRef>,
    /// What is called otherwise than in the source.
    pub renamed: Vec<Renamed>,
}

/// Names the references of a source. `known` are the names that were given before.
pub fn name_refs(names: &SourceNames, naming: &RefNaming, known: &[KnownName]) -> WantedRefs {
    let asks = asks(names, naming);
    let mut branches = Namespace::new(format!("{BRANCHES}{}", naming.prefix));
    let mut tags = Namespace::new(format!("{TAGS}{}", naming.prefix));
    let mut kept = keep(&mut branches, &mut tags, &asks, known);
    let mut wanted = WantedRefs::default();
    for Ask { origin, asked, node } in asks {
        let is_tag = matches!(origin.of, SourceName::Tag | SourceName::ClosedBranch);
        let namespace = if is_tag { &mut tags } else { &mut branches };
        let full = namespace.full(&asked);
        let name = kept
            .remove(&(origin.clone(), full.clone()))
            .unwrap_or_else(|| namespace.claim(&asked, origin.name.as_bstr()));
        let is_main = origin.of == SourceName::Main;
        if !is_main && (name != full || origin.name.to_str().is_err()) {
            let (of, source) = (origin.of, origin.name.clone());
            wanted.renamed.push(Renamed { of, name: source, reference: name.clone() });
        }
        wanted.refs.push(WantedRef { name, node, origin, asked: full });
    }
    wanted
}

/// A name that a reference is asked for.
struct Ask {
    origin: Origin,
    /// What it should be called, without the prefix.
    asked: String,
    node: Node,
}

/// What is asked for, in the order in which names take their place.
fn asks(names: &SourceNames, naming: &RefNaming) -> Vec<Ask> {
    let mut asks = Vec::new();
    let mut ask = |of, name: &BStr, branch: Option<&BString>, asked: String, node| {
        let origin = Origin { of, name: name.to_owned(), branch: branch.cloned() };
        asks.push(Ask { origin, asked, node });
    };
    if let Some(node) = names.main {
        ask(SourceName::Main, BStr::new(b""), None, naming.main_branch.clone(), node);
    }
    let asked = |name: &BStr, map: &BTreeMap<String, String>, before: &str| {
        let text = utf8_or_latin1(name);
        let text = map.get(text.as_ref()).map_or(text.as_ref(), String::as_str);
        format!("{before}{text}")
    };
    let of_branch = |name: &BStr| asked(name, &naming.branches, "");
    let before = naming.topics.as_deref().unwrap_or_default();
    let branches = names.branches.iter().map(|(name, heads)| {
        (SourceName::Branch, name, None, of_branch(name.as_bstr()), heads.as_slice())
    });
    let topics = names.topics.iter().map(|SourceTopic { branch, name, heads }| {
        let asked = asked(name.as_bstr(), &BTreeMap::new(), before);
        (SourceName::Topic, name, Some(branch), asked, heads.as_slice())
    });
    for all in [branches.collect::<Vec<_>>(), topics.collect()] {
        for (of, name, branch, asked, heads) in &all {
            if let Some(tipmost) = heads.first() {
                ask(*of, name.as_bstr(), *branch, asked.clone(), *tipmost);
            }
        }
        for (_, name, _, asked, heads) in &all {
            for head in heads.iter().skip(1) {
                let source = [name, b"-".as_slice(), head.short().as_bytes()].concat();
                let asked = format!("{asked}-{}", head.short());
                ask(SourceName::Head, source.as_bstr(), None, asked, *head);
            }
        }
    }
    for (name, node) in &names.bookmarks {
        ask(SourceName::Bookmark, name.as_bstr(), None, of_branch(name.as_bstr()), *node);
    }
    for (name, node) in &names.tags {
        let asked = asked(name.as_bstr(), &naming.tags, "");
        ask(SourceName::Tag, name.as_bstr(), None, asked, *node);
    }
    if let Some(before) = &naming.closed_branches {
        for (name, node) in &names.closed {
            let asked = asked(name.as_bstr(), &naming.branches, before);
            ask(SourceName::ClosedBranch, name.as_bstr(), None, asked, *node);
        }
    }
    asks
}

/// Takes the places of the `known` names that are kept, and says what each of them is for. The main
/// branch has the name that the operator asks for, whatever had that before.
fn keep(
    branches: &mut Namespace,
    tags: &mut Namespace,
    asks: &[Ask],
    known: &[KnownName],
) -> HashMap<(Origin, String), String> {
    let main = asks.first().filter(|ask| ask.origin.of == SourceName::Main);
    let mut with_main = Namespace::new(branches.prefix.clone());
    if let Some(main) = main {
        with_main.claim(&main.asked, BStr::new(b""));
    }
    let asked: HashSet<(&Origin, String)> = asks
        .iter()
        .map(|ask| match ask.origin.of {
            SourceName::Tag | SourceName::ClosedBranch => (&ask.origin, tags.full(&ask.asked)),
            _ => (&ask.origin, branches.full(&ask.asked)),
        })
        .collect();
    let is_asked = |known: &KnownName| asked.contains(&(&known.origin, known.asked.clone()));
    let (living, gone): (Vec<_>, Vec<_>) = known.iter().partition(|known| is_asked(known));
    let mut kept = HashMap::new();
    let holding = gone.into_iter().filter(|known| known.holds);
    for (known, lives) in living.into_iter().map(|k| (k, true)).chain(holding.map(|k| (k, false))) {
        let is_main = lives && known.origin.of == SourceName::Main;
        let place = [&mut *branches, &mut *tags].into_iter().find_map(|space| {
            Some((known.reference.strip_prefix(&space.prefix)?.to_owned(), space))
        });
        // A name outside of the prefix is in nobody's way.
        let Some((name, space)) = place else { continue };
        let yields = space.prefix == with_main.prefix && !is_main && !with_main.is_free(&name);
        if !yields && space.is_free(&name) {
            space.take(&name);
            if lives {
                let key = (known.origin.clone(), known.asked.clone());
                kept.insert(key, known.reference.clone());
            }
        }
    }
    kept
}

/// The longest reference name that GitHub takes, in bytes.
const MAX_LENGTH: usize = 255;
/// Bytes of `-` and eight hexadecimal digits.
const SUFFIX_LENGTH: usize = 9;

/// References that share a prefix, and so can clash.
struct Namespace {
    prefix: String,
    /// The names taken, in lower case.
    taken: HashSet<String>,
    /// Every folder that a taken name lies in, in lower case.
    folders: HashSet<String>,
}

impl Namespace {
    fn new(prefix: String) -> Self {
        Self { prefix, taken: HashSet::new(), folders: HashSet::new() }
    }

    /// The full name of what is called `name` here.
    fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Takes a place for what is called `source` in the source and should be called `asked`, and
    /// returns its full name.
    fn claim(&mut self, asked: &str, source: &BStr) -> String {
        let mut name = escape(asked);
        let too_long = self.prefix.len() + name.len() > MAX_LENGTH;
        if too_long || !self.is_free(&name) {
            let digest = hex::encode(&sha1::digest(&[source]));
            let end = MAX_LENGTH - SUFFIX_LENGTH - self.prefix.len();
            name = name.replace('/', "%2F");
            name.truncate(name.floor_char_boundary(end));
            name = format!("{name}-{}", digest.get(..8).unwrap_or_default());
        }
        // Two names whose suffixes agree, or that end in such a suffix by themselves.
        while !self.is_free(&name) {
            name.push('_');
        }
        self.take(&name);
        self.full(&name)
    }

    fn is_free(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let below_taken = folders(&name).any(|folder| self.taken.contains(folder));
        !below_taken && !self.taken.contains(&name) && !self.folders.contains(&name)
    }

    fn take(&mut self, name: &str) {
        let name = name.to_lowercase();
        self.folders.extend(folders(&name).map(str::to_owned));
        self.taken.insert(name);
    }
}

/// The folders that a name lies in.
fn folders(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').filter_map(|(at, _)| name.get(..at))
}

/// Writes what Git does not take in a branch or tag name as `%` and hexadecimal digits.
fn escape(name: &str) -> String {
    if name.is_empty() {
        return "%".to_owned();
    }
    let mut out = String::with_capacity(name.len());
    for (at, c) in name.char_indices() {
        let (before, rest) = name.split_at(at);
        if is_refused(before, c, rest.get(c.len_utf8()..).unwrap_or_default(), name) {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether Git, or a common server, refuses the character `c` between `before` and `after`.
fn is_refused(before: &str, c: char, after: &str, name: &str) -> bool {
    let starts_component = before.is_empty() || before.ends_with('/');
    match c {
        ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\' => true,
        c if c.is_control() => true,
        '%' => after
            .as_bytes()
            .first_chunk::<2>()
            .is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)),
        '/' => starts_component || after.is_empty(),
        '.' => {
            let ends_in_lock = after
                .strip_prefix("lock")
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            starts_component || before.ends_with('.') || after.is_empty() || ends_in_lock
        }
        '{' => before.ends_with('@'),
        '@' => name == "@",
        '-' => before.is_empty(),
        _ if !before.is_empty() => false,
        // `HEAD` as a branch confuses Git itself; forty hexadecimal digits look like a commit.
        _ => name == "HEAD" || (name.len() == 40 && name.bytes().all(|b| b.is_ascii_hexdigit())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Note;
    use super::*;

    /// How what is called otherwise is told.
    fn told(wanted: &WantedRefs) -> String {
        let notes = wanted.renamed.iter().cloned().map(Note::Renamed);
        notes.map(|note| note.to_string()).collect::<Vec<_>>().join("\n")
    }

    fn node(number: u8) -> Node {
        Node::from_bytes([number; 20])
    }

    fn named(names: &[&str]) -> Vec<(BString, Node)> {
        names.iter().zip(1..).map(|(name, number)| (BString::from(*name), node(number))).collect()
    }

    fn tags(names: &[&str]) -> Vec<String> {
        let names = SourceNames { tags: named(names), ..SourceNames::default() };
        let wanted = name_refs(&names, &RefNaming::default(), &[]).refs.into_iter();
        wanted.map(|wanted| wanted.name.strip_prefix("refs/tags/").unwrap().to_owned()).collect()
    }

    #[test]
    fn order_and_suffixes() {
        let names = SourceNames {
            main: Some(node(9)),
            branches: vec![
                ("default".into(), vec![node(9), node(1)]),
                ("master".into(), vec![node(2)]),
                ("Default".into(), vec![node(3)]),
                ("default/x".into(), vec![node(4)]),
            ],
            bookmarks: named(&["@", "a b", "default"]),
            tags: named(&["default", "v1", "V1"]),
            ..SourceNames::default()
        };
        let wanted = name_refs(&names, &RefNaming::default(), &[]);
        let refs: Vec<_> =
            wanted.refs.iter().map(|r| format!("{} {}", r.name, r.node.short())).collect();
        insta::assert_snapshot!(refs.join("\n"), @r"
refs/heads/master 090909090909
refs/heads/default 090909090909
refs/heads/master-4f26aeaf 020202020202
refs/heads/Default-808d7dca 030303030303
refs/heads/default%2Fx-422ef1fa 040404040404
refs/heads/default-010101010101 010101010101
refs/heads/%40 010101010101
refs/heads/a%20b 020202020202
refs/heads/default-7505d64a 030303030303
refs/tags/default 010101010101
refs/tags/v1 020202020202
refs/tags/V1-c14e3dde 030303030303
");
        insta::assert_snapshot!(told(&wanted), @r#"
the branch "master" of the source is refs/heads/master-4f26aeaf here
the branch "Default" of the source is refs/heads/Default-808d7dca here
the branch "default/x" of the source is refs/heads/default%2Fx-422ef1fa here
the bookmark "@" of the source is refs/heads/%40 here
the bookmark "a b" of the source is refs/heads/a%20b here
the bookmark "default" of the source is refs/heads/default-7505d64a here
the tag "V1" of the source is refs/tags/V1-c14e3dde here
"#);
    }

    #[test]
    fn what_the_operator_asks_for_goes_through_the_same_rule() {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(old, new)| ((*old).to_owned(), (*new).to_owned())).collect()
        };
        let naming = RefNaming {
            prefix: "hg/".to_owned(),
            branches: map(&[("default", "trunk"), ("b", "sp ace"), ("c", "master"), ("@", "at")]),
            tags: map(&[("v1", "1.0"), ("v2", "1.0")]),
            closed_branches: Some("archive/".to_owned()),
            topics: Some("topic/".to_owned()),
            ..RefNaming::default()
        };
        let names = SourceNames {
            main: Some(node(9)),
            branches: vec![
                ("default".into(), vec![node(9), node(1)]),
                ("b".into(), vec![node(2)]),
                ("c".into(), vec![node(3)]),
                (b"l\xe4".into(), vec![node(4)]),
            ],
            topics: vec![SourceTopic {
                branch: "b".into(),
                name: "default".into(),
                heads: vec![node(5), node(6)],
            }],
            bookmarks: named(&["@"]),
            tags: named(&["v1", "v2"]),
            closed: named(&["default", "old"]),
        };
        let wanted = name_refs(&names, &naming, &[]);
        let refs: Vec<_> =
            wanted.refs.iter().map(|r| format!("{} {}", r.name, r.node.short())).collect();
        insta::assert_snapshot!(refs.join("\n"), @r"
refs/heads/hg/master 090909090909
refs/heads/hg/trunk 090909090909
refs/heads/hg/sp%20ace 020202020202
refs/heads/hg/master-84a51684 030303030303
refs/heads/hg/lä 040404040404
refs/heads/hg/trunk-010101010101 010101010101
refs/heads/hg/topic/default 050505050505
refs/heads/hg/topic/default-060606060606 060606060606
refs/heads/hg/at 010101010101
refs/tags/hg/1.0 010101010101
refs/tags/hg/1.0-a1047eab 020202020202
refs/tags/hg/archive/trunk 010101010101
refs/tags/hg/archive/old 020202020202
");
        insta::assert_snapshot!(told(&wanted), @r#"
the branch "b" of the source is refs/heads/hg/sp%20ace here
the branch "c" of the source is refs/heads/hg/master-84a51684 here
the branch "l\xe4" of the source is refs/heads/hg/lä here
the tag "v2" of the source is refs/tags/hg/1.0-a1047eab here
"#);
    }

    #[test]
    fn what_git_refuses() {
        let refused = [
            "sp ace",
            "bad..name",
            "x~y",
            "v2.lock",
            "v2.lock/x",
            ".hidden",
            "a/.b",
            "end.",
            "a@{b",
            "a//b",
            "/a",
            "a/",
            "tab\tx",
            "q?*[",
            "back\\slash",
            "-dash",
            "HEAD",
            "100%25",
            "0123456789012345678901234567890123456789",
            "del\u{7f}",
        ];
        insta::assert_snapshot!(tags(&refused).join("\n"), @r"
sp%20ace
bad.%2Ename
x%7Ey
v2%2Elock
v2%2Elock%2Fx-c203b74a
%2Ehidden
a/%2Eb
end%2E
a@%7Bb
a/%2Fb
%2Fa
a%2F
tab%09x
q%3F%2A%5B
back%5Cslash
%2Ddash
%48EAD
100%2525
%30123456789012345678901234567890123456789
del%7F
");
        for kept in ["v1.0", "100%", "50%x", "a-b", "a.b/c", "x@y", "ünï"] {
            assert_eq!(tags(&[kept]), [kept]);
        }
    }

    #[test]
    fn a_third_claimant_of_a_name_gets_an_underscore() {
        let names = SourceNames {
            main: Some(node(9)),
            branches: vec![("master".into(), vec![node(1)])],
            bookmarks: named(&["master", "master-4f26aeaf"]),
            ..SourceNames::default()
        };
        let wanted = name_refs(&names, &RefNaming::default(), &[]);
        let refs: Vec<_> = wanted.refs.iter().map(|wanted| wanted.name.as_str()).collect();
        assert_eq!(
            refs[..3],
            ["refs/heads/master", "refs/heads/master-4f26aeaf", "refs/heads/master-4f26aeaf_"]
        );
        assert!(refs[3].starts_with("refs/heads/master-4f26aeaf-"), "{refs:?}");
        assert_eq!(wanted.renamed.len(), 3);
    }

    /// A line of `.hgtags` that ends after the blank names a tag without a name.
    #[test]
    fn an_empty_name_does_not_stop_the_others() {
        assert_eq!(tags(&["", "%", "a"]), ["%", "%-4345cb1f", "a"]);
    }

    proptest::proptest! {
        #[test]
        fn always_valid_and_never_clashing(names: Vec<String>) {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let names: std::collections::BTreeSet<_> = names.into_iter().collect();
            let names: Vec<_> = names.into_iter().collect();
            let tags = tags(&names);
            for (at, tag) in tags.iter().enumerate() {
                assert!(crate::git::reference::is_valid_ref_name(&format!("refs/tags/{tag}")), "{tag:?}");
                for other in &tags[at + 1..] {
                    let (tag, other) = (tag.to_lowercase(), other.to_lowercase());
                    assert!(tag != other && !tag.starts_with(&format!("{other}/")) && !other.starts_with(&format!("{tag}/")));
                }
            }
        }
    }
}
