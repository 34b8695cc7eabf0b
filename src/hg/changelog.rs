//! The changelog: every changeset with its metadata, and the shape of the history.

use bstr::{BStr, BString, ByteSlice};

use super::revlog::{Problem, Revlog, RevlogError, RevlogReader};
use super::store::Layout;
use super::{Dag, Node, Rev, SavedHistory};
use crate::base::Limits;
use crate::base::sha1::Sha1;

/// The changelog of a repository.
#[derive(Debug)]
pub struct Changelog {
    revlog: Revlog,
    dag: Dag,
    /// The shape of so many is that of a history that was saved.
    known: usize,
}

/// One changeset as it was committed. Bytes are as they are stored: in no certain encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changeset {
    /// The manifest; null for an empty one.
    pub manifest: Node,
    /// Whoever the committer said they were.
    pub user: BString,
    /// When.
    pub date: Date,
    /// The paths that the changeset says it touched.
    pub files: Vec<BString>,
    /// Everything else, in stored order: `branch`, `close`, `rebase_source`, ….
    pub extra: Vec<(BString, BString)>,
    /// The commit message, exactly.
    pub description: BString,
}

/// When a changeset was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Date {
    /// Seconds since 1970 in UTC, fractions cut off.
    pub seconds: i64,
    /// Seconds west of UTC, as Mercurial counts zones.
    pub west: i64,
}

impl Changelog {
    /// The changelog of the repository with this layout.
    pub fn open(layout: &Layout, limits: &Limits) -> Result<Self, RevlogError> {
        Self::open_after(layout, limits, None)
    }

    /// The same; what was `saved` is not read again where it is the beginning of this history.
    pub fn open_after(
        layout: &Layout,
        limits: &Limits,
        saved: Option<&SavedHistory>,
    ) -> Result<Self, RevlogError> {
        const NAME: &str = "00changelog";
        let revlog = Revlog::open(NAME, &layout.changelog(), limits)?;
        Self::of(revlog.unwrap_or_else(|| Revlog::empty(NAME, limits)), saved)
    }

    /// The changelog in `revlog`. Reads the parents of every index entry, no text.
    pub fn new(revlog: Revlog) -> Result<Self, RevlogError> {
        Self::of(revlog, None)
    }

    /// The changelog in `revlog`, whose beginning may have been `saved`.
    pub(super) fn of(
        mut revlog: Revlog,
        saved: Option<&SavedHistory>,
    ) -> Result<Self, RevlogError> {
        let mut dag = saved
            .and_then(|saved| saved.beginning_of(&revlog))
            .unwrap_or_else(|| Dag::with_capacity(revlog.len()));
        let (known, mut older) = (dag.len(), Vec::new());
        revlog.read_shape(known, |parents| {
            older.extend(parents.into_iter().flatten().filter(|rev| rev.index() < known));
            dag.push(parents)
        })?;
        // What was read stays as it was, and commits are made upon these.
        older.into_iter().try_for_each(|rev| revlog.node(rev).map(drop))?;
        Ok(Self { revlog, dag, known })
    }

    /// How many of its changesets were known by a history that was saved.
    pub fn known(&self) -> usize {
        self.known
    }

    /// An error if the changesets that were known are not where they were when it was opened: whoever
    /// strips a repository writes others in their place.
    pub fn check_unchanged(&self) -> Result<(), RevlogError> {
        let runs = self.dag.runs().take_while(|(run, _)| (run.start as usize) < self.known);
        let known = u32::try_from(self.known).unwrap_or(u32::MAX);
        let ends = runs.filter_map(|(run, _)| run.end.min(known).checked_sub(1).map(Rev::new));
        self.revlog.check_unchanged(ends)
    }

    /// The shape of the history.
    pub fn dag(&self) -> &Dag {
        &self.dag
    }

    /// The revlog below.
    pub fn revlog(&self) -> &Revlog {
        &self.revlog
    }

    /// The revision with this node.
    pub fn rev(&self, node: Node) -> Option<Rev> {
        // Names are mostly of what is new.
        self.revlog.rev_of(node, None)
    }

    /// The node of `rev`; null for a revision that is not there.
    pub fn node(&self, rev: Rev) -> Node {
        self.revlog.node(rev).unwrap_or(Node::NULL)
    }

    /// What tells a history of `len` changesets from every other one, also from one of the same changesets
    /// in another order.
    ///
    /// It is the digest of all runs of changesets each of which has the one before it as its only
    /// parent: where each begins, the numbers of its first one's parents, and the node of its last one.
    /// That node is a hash over its parent's node and so decides all nodes of its run; and every
    /// changeset is in one.
    pub fn digest(&self, len: usize) -> [u8; 20] {
        digest(&self.dag, len, |rev| Some(self.node(rev))).unwrap_or_default()
    }

    /// A reader of changesets.
    pub fn reader(&self) -> ChangesetReader<'_> {
        ChangesetReader { reader: self.revlog.reader() }
    }
}

/// The same of a history with this shape and these nodes; `None` if one is not there.
pub(super) fn digest(
    dag: &Dag,
    len: usize,
    node: impl Fn(Rev) -> Option<Node>,
) -> Option<[u8; 20]> {
    let (mut hash, mut before) = (Sha1::new(), None);
    for (run, slots) in dag.runs().take_while(|(run, _)| (run.start as usize) < len) {
        let number = |rev: Option<Rev>| rev.map_or(u32::MAX, Rev::number).to_be_bytes();
        let [first, second] = slots;
        hash.update(&[run.start.to_be_bytes(), number(first), number(second)].concat());
        hash.update(before.map_or(Some(Node::NULL), &node)?.as_bytes());
        let end = run.end.min(u32::try_from(len).unwrap_or(u32::MAX));
        before = end.checked_sub(1).map(Rev::new);
    }
    hash.update(before.map_or(Some(Node::NULL), &node)?.as_bytes());
    Some(hash.finish())
}

/// Reads changesets. Cheapest in revision order.
pub struct ChangesetReader<'c> {
    reader: RevlogReader<'c>,
}

impl ChangesetReader<'_> {
    /// The changeset at `rev`, its text checked against its node.
    pub fn changeset(&mut self, rev: Rev) -> Result<Changeset, RevlogError> {
        let text = self.reader.text(rev)?;
        Changeset::parse(&text)
            .map_err(|what| self.reader.revlog().error(rev, Problem::Malformed(what)))
    }
}

impl Changeset {
    /// Parses a changelog text: lines with the manifest's node, the user, and `time zone[ extra]`,
    /// then one line a file, an empty line, and the description.
    ///
    /// The error says which part is missing.
    pub fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let (manifest, rest) = text.split_once_str("\n").ok_or("no line for the manifest")?;
        let (user, rest) = rest.split_once_str("\n").ok_or("no line for the user")?;
        let (date, rest) = rest.split_once_str("\n").ok_or("no line for the date")?;
        let (files, description) = match rest.strip_prefix(b"\n") {
            Some(description) => (&b""[..], description),
            None => rest.split_once_str("\n\n").ok_or("no empty line before the description")?,
        };
        let manifest = Node::from_hex(manifest).ok_or("the manifest is not a node")?;
        let mut fields = date.splitn(3, |&byte| byte == b' ');
        let seconds = parse_seconds(fields.next().unwrap_or_default());
        let west = parse_zone(fields.next().unwrap_or_default());
        let files = files.split_str("\n").filter(|file| !file.is_empty());
        Ok(Self {
            manifest,
            user: user.into(),
            date: Date { seconds, west },
            files: files.map(BString::from).collect(),
            extra: fields.next().map(parse_extra).unwrap_or_default(),
            description: description.into(),
        })
    }

    /// The value of one extra.
    pub fn extra(&self, key: &str) -> Option<&BStr> {
        let found = self.extra.iter().rev().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_bstr())
    }

    /// The named branch. Its name may be empty, which no client writes, and is not `default` then.
    pub fn branch(&self) -> &BStr {
        self.extra("branch").unwrap_or(BStr::new("default"))
    }

    /// The topic that the evolve extension has put it in.
    pub fn topic(&self) -> Option<&BStr> {
        self.extra("topic").filter(|topic| !topic.is_empty())
    }

    /// Whether this changeset closes its branch head.
    pub fn closes_branch(&self) -> bool {
        self.extra("close").is_some()
    }
}

/// Seconds as stored: an integer, or any decimal number, whose fraction is cut off. What is beyond
/// all time becomes its end; what is no number becomes 0.
fn parse_seconds(text: &[u8]) -> i64 {
    let text = text.to_str().unwrap_or_default().trim();
    if let Ok(seconds) = text.parse() {
        return seconds;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float cast cuts the fraction, saturates, and turns no number into 0: all wanted"
    )]
    text.parse().map_or(0, |seconds: f64| seconds as i64)
}

/// Seconds west of UTC; what is no integer counts as 0, as Mercurial reads it.
fn parse_zone(text: &[u8]) -> i64 {
    text.to_str().unwrap_or_default().trim().parse().unwrap_or(0)
}

/// Extras: `key:value` pairs between NULs, with `\\`, `\n`, `\r`, `\0` escaped.
fn parse_extra(text: &[u8]) -> Vec<(BString, BString)> {
    let pairs = text.split(|&byte| byte == 0).filter(|pair| !pair.is_empty());
    pairs
        .filter_map(|pair| {
            let pair = unescape(pair);
            let (key, value) = pair.split_once_str(":")?;
            Some((key.into(), value.into()))
        })
        .collect()
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some(b'\\') | None => out.push(b'\\'),
                Some(b'n') => out.push(b'\n'),
                Some(b'r') => out.push(b'\r'),
                Some(b'0') => out.push(0),
                Some(other) => out.extend([b'\\', other]),
            },
            byte => out.push(byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "0123456789abcdef0123456789abcdef01234567";

    fn parse(rest: &[u8]) -> Result<Changeset, &'static str> {
        Changeset::parse(&[MANIFEST.as_bytes(), b"\n", rest].concat())
    }

    #[test]
    fn all_parts() {
        let text = b"A <a@b>\n10.75 -3600 branch:x\\\\y\0close:1\na\nb c\n\nline\n\nmore\n";
        let changeset = parse(text).unwrap();
        assert_eq!(changeset.user, "A <a@b>");
        assert_eq!(changeset.date, Date { seconds: 10, west: -3600 });
        assert_eq!(changeset.branch(), "x\\y");
        assert!(changeset.closes_branch());
        assert_eq!(changeset.files, ["a", "b c"]);
        assert_eq!(changeset.description, "line\n\nmore\n");
    }

    #[test]
    fn empty_parts() {
        let changeset = parse(b"\n0 0\n\n").unwrap();
        assert_eq!((changeset.user.len(), changeset.files.len()), (0, 0));
        assert_eq!(changeset.description, "");
        assert_eq!(changeset.branch(), "default");
        assert_eq!(parse(b"u\n0 0\n"), Err("no empty line before the description"));
        assert_eq!(Changeset::parse(b""), Err("no line for the manifest"));
    }

    #[test]
    fn numbers_that_people_wrote() {
        let date = |text: &str| parse(format!("u\n{text}\n\nd").as_bytes()).unwrap().date;
        let of = |seconds, west| Date { seconds, west };
        assert_eq!(date("-1.5 0"), of(-1, 0));
        assert_eq!(date("1e9 +0200"), of(1_000_000_000, 200));
        assert_eq!(date("1000000000 abc"), of(1_000_000_000, 0));
        assert_eq!(date("inf 0"), of(i64::MAX, 0));
        assert_eq!(date("99999999999999999999 0"), of(i64::MAX, 0));
        assert_eq!(date("never 0"), of(0, 0));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text: Vec<u8>) {
            let _ = Changeset::parse(&text);
            let _ = parse(&text);
        }
    }
}
