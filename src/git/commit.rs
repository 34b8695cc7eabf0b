//! Commits, byte by byte.

use bstr::{BString, ByteSlice};

use super::ObjectId;

/// What a commit says. Everything is written as it is given: it must be free of newlines and NULs
/// where the format has no place for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The snapshot.
    pub tree: ObjectId,
    /// What it follows, the first parent first.
    pub parents: Vec<ObjectId>,
    /// Who made the change, and when.
    pub author: Signature,
    /// Who recorded it, and when.
    pub committer: Signature,
    /// Further headers, in order.
    pub headers: Vec<(BString, BString)>,
    /// The message, with its final newline.
    pub message: Vec<u8>,
}

/// A name, an address and a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `Name <address>`. Git asks for neither `<`, `>`, newline nor NUL in either part.
    pub person: BString,
    /// Seconds since 1970. Git asks for no negative ones.
    pub seconds: i64,
    /// How far east of UTC, as it is written: `+0130`.
    pub zone: String,
}

/// A zone of so many minutes east of UTC, as Git writes it.
pub fn zone(minutes: i64) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    let (hours, minutes) = (minutes / 60, minutes % 60);
    format!("{sign}{hours:02}{minutes:02}")
}

impl Signature {
    /// The signature as a header has it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.person.to_vec();
        bytes.extend_from_slice(format!(" {} {}", self.seconds, self.zone).as_bytes());
        bytes
    }
}

impl Commit {
    /// The contents of the commit object.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("tree {}\n", self.tree).into_bytes();
        for parent in &self.parents {
            bytes.extend_from_slice(format!("parent {parent}\n").as_bytes());
        }
        append_header(&mut bytes, b"author", &self.author.to_bytes());
        append_header(&mut bytes, b"committer", &self.committer.to_bytes());
        for (key, value) in &self.headers {
            append_header(&mut bytes, key, &value.replace("\n", "\n "));
        }
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.message);
        bytes
    }
}

fn append_header(bytes: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    for part in [key, b" ", value, b"\n"] {
        bytes.extend_from_slice(part);
    }
}

/// What is read of a commit that anybody may have made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadCommit {
    /// The snapshot.
    pub tree: ObjectId,
    /// What it follows, the first parent first.
    pub parents: Vec<ObjectId>,
    /// `Name <address>` of whoever made the change.
    pub author: BString,
    /// When that was, in seconds since 1970.
    pub authored: i64,
    /// When it was recorded, in seconds since 1970.
    pub committed: i64,
    /// The message.
    pub message: BString,
}

impl ReadCommit {
    /// Reads the contents of a commit object; `None` if a header that each commit has is missing
    /// or is malformed.
    pub fn parse(commit: &[u8]) -> Option<Self> {
        let (_, message) = match commit.find(b"\n\n") {
            Some(end) => commit.split_at(end),
            None => (commit, &b"\n\n"[..]),
        };
        let (author, authored) = person_and_time(header(commit, "author")?)?;
        let (_, committed) = person_and_time(header(commit, "committer")?)?;
        Some(Self {
            tree: tree(commit)?,
            parents: parents(commit)?,
            author: author.into(),
            authored,
            committed,
            message: message.get(2..)?.into(),
        })
    }
}

/// The tree in the contents of a commit object, whatever its other headers are: hg-git writes
/// signatures that libgit2 does not read.
pub fn tree(commit: &[u8]) -> Option<ObjectId> {
    ObjectId::from_hex(header(commit, "tree")?)
}

/// The parents in the contents of a commit object, the first parent first; `None` if one makes no
/// sense.
pub fn parents(commit: &[u8]) -> Option<Vec<ObjectId>> {
    let parents = headers(commit).filter_map(|line| line.strip_prefix(b"parent "));
    parents.map(ObjectId::from_hex).collect()
}

/// When a commit was recorded, in seconds since 1970, if its contents say so in a way that can be read.
pub fn time(commit: &[u8]) -> Option<i64> {
    person_and_time(header(commit, "committer")?).map(|(_, time)| time)
}

/// Splits `Name <address> SECONDS ZONE`.
fn person_and_time(signature: &[u8]) -> Option<(&[u8], i64)> {
    let mut parts = signature.rsplitn(3, |&byte| byte == b' ');
    let (_zone, seconds, person) = (parts.next()?, parts.next()?, parts.next()?);
    Some((person, seconds.to_str().ok()?.parse().ok()?))
}

/// The value of the header `key` in the contents of a commit object; the first, if there are more.
pub fn header<'c>(commit: &'c [u8], key: &str) -> Option<&'c [u8]> {
    headers(commit).find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b" "))
}

fn headers(commit: &[u8]) -> impl Iterator<Item = &[u8]> {
    commit.split(|&byte| byte == b'\n').take_while(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_as_git_writes_them() {
        let author = Signature { person: "A <a@b>".into(), seconds: 5, zone: zone(-210) };
        let commit = Commit {
            tree: ObjectId::NULL,
            parents: vec![ObjectId::NULL],
            committer: Signature { zone: zone(60), ..author.clone() },
            author,
            headers: vec![("HG:node".into(), "x\ny".into())],
            message: b"m\n\nHG:node z\n".to_vec(),
        };
        let bytes = commit.to_bytes();
        let zeros = "0".repeat(40);
        let expected = format!(
            "tree {zeros}\nparent {zeros}\nauthor A <a@b> 5 -0330\ncommitter A <a@b> 5 +0100\n\
             HG:node x\n y\n\nm\n\nHG:node z\n"
        );
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected);
        assert_eq!(header(&bytes, "HG:node"), Some(&b"x"[..]));
        assert_eq!(header(&bytes, "HG"), None);
        let read = ReadCommit::parse(&bytes).unwrap();
        assert_eq!(
            (read.author.as_slice(), read.authored, read.committed),
            (&b"A <a@b>"[..], 5, 5)
        );
        assert_eq!((read.tree, read.parents), (commit.tree, commit.parents));
        assert_eq!(read.message, commit.message);
    }

    #[test]
    fn what_is_no_commit_is_not_read() {
        let zeros = "0".repeat(40);
        let sound = format!("tree {zeros}\nauthor A <a> -5 +0000\ncommitter A <a> 6 +0000\n\n");
        let read = ReadCommit::parse(sound.as_bytes()).unwrap();
        assert_eq!((read.authored, read.committed, read.message), (-5, 6, BString::default()));
        for end in 0..sound.len() - 8 {
            // A cut zone is still a zone.
            assert_eq!(ReadCommit::parse(&sound.as_bytes()[..end]), None, "{end}");
        }
    }
}
