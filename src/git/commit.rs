//! Commits, byte by byte.

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
    pub headers: Vec<(String, String)>,
    /// The message, with its final newline.
    pub message: Vec<u8>,
}

/// A name, an address and a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `Name <address>`, without `<`, `>`, newline or NUL in either part.
    pub person: String,
    /// Seconds since 1970, not negative.
    pub seconds: u64,
    /// Minutes east of UTC.
    pub zone: i32,
}

impl std::fmt::Display for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.zone < 0 { '-' } else { '+' };
        let minutes = self.zone.unsigned_abs();
        let (hours, minutes) = (minutes / 60, minutes % 60);
        write!(f, "{} {} {sign}{hours:02}{minutes:02}", self.person, self.seconds)
    }
}

impl Commit {
    /// The contents of the commit object.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("tree {}\n", self.tree);
        for parent in &self.parents {
            head.push_str(&format!("parent {parent}\n"));
        }
        head.push_str(&format!("author {}\ncommitter {}\n", self.author, self.committer));
        for (key, value) in &self.headers {
            head.push_str(&format!("{key} {}\n", value.replace('\n', "\n ")));
        }
        head.push('\n');
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.message);
        bytes
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
        let author = Signature { person: "A <a@b>".into(), seconds: 5, zone: -210 };
        let commit = Commit {
            tree: ObjectId::NULL,
            parents: vec![ObjectId::NULL],
            committer: Signature { zone: 60, ..author.clone() },
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
