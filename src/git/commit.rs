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

/// The value of the header `key` in the contents of a commit object; the first, if there are more.
pub fn header<'c>(commit: &'c [u8], key: &str) -> Option<&'c [u8]> {
    let mut lines = commit.split(|&byte| byte == b'\n').take_while(|line| !line.is_empty());
    lines.find_map(|line| line.strip_prefix(key.as_bytes())?.strip_prefix(b" "))
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
    }
}
