//! What a server answers, command by command.
//!
//! Answers come whole and within the bound that they were read with. What is made of them has no
//! more than a few times their size.

use bstr::{BString, ByteSlice};

use super::command::unescape;
use crate::base::faults;
use crate::base::text::printable;
use crate::hg::Node;
use crate::hg::pushkey::parse_keys;
use crate::net::percent;

/// Why an answer is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// A part of it is not what it should be.
    #[error("read the answer to {command}: {field} is malformed: {found:?}")]
    Malformed {
        /// What was asked.
        command: &'static str,
        /// What is wrong.
        field: &'static str,
        /// How it begins, made printable.
        found: String,
    },
    /// It has more or fewer parts than were asked for.
    #[error("read the answer to {command}: it has {found} results, {asked} were asked for")]
    Count {
        /// What was asked.
        command: &'static str,
        /// How many results there are.
        found: usize,
        /// How many there should be.
        asked: usize,
    },
}

faults!(AnswerError => Corrupt);

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// A changeset.
    Found(Node),
    /// Nothing, or more than one thing: what the server says, made printable.
    Not(String),
}

/// A bundle that a first fetch can begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloneBundle {
    /// Where it is, as the server writes it.
    pub url: String,
    /// What is said about it, such as `BUNDLESPEC`.
    pub attributes: Vec<(String, String)>,
}

impl CloneBundle {
    /// What is said of `key`.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }
}

fn malformed(command: &'static str, field: &'static str, found: &[u8]) -> AnswerError {
    let found = printable(found.get(..SHOWN).unwrap_or(found));
    AnswerError::Malformed { command, field, found }
}

/// So much of an answer is shown, in bytes.
const SHOWN: usize = 60;

/// Nodes with exactly one blank between them.
fn nodes(command: &'static str, bytes: &[u8]) -> Result<Vec<Node>, AnswerError> {
    let node = |text: &[u8]| Node::from_hex(text).ok_or_else(|| malformed(command, "a node", text));
    bytes.split(|&byte| byte == b' ').map(node).collect()
}

/// The heads of what is served; none if it is empty, for which servers send the null node.
pub fn heads(bytes: &[u8]) -> Result<Vec<Node>, AnswerError> {
    let line = bytes.strip_suffix(b"\n").ok_or_else(|| malformed("heads", "its end", bytes))?;
    let heads = nodes("heads", line)?;
    match heads.as_slice() {
        [Node::NULL] => Ok(Vec::new()),
        all if all.contains(&Node::NULL) => Err(malformed("heads", "a null head", line)),
        _ => Ok(heads),
    }
}

/// Which of the nodes that were `asked` for, so many, the server has.
pub fn known(bytes: &[u8], asked: usize) -> Result<Vec<bool>, AnswerError> {
    if bytes.len() != asked {
        return Err(AnswerError::Count { command: "known", found: bytes.len(), asked });
    }
    let is_known = |byte: &u8| match byte {
        b'0' => Ok(false),
        b'1' => Ok(true),
        byte => Err(malformed("known", "a result", &[*byte])),
    };
    bytes.iter().map(is_known).collect()
}

/// The named branches, and the heads of each. Servers that answer from their cache have lost the blanks
/// around a name.
pub fn branchmap(bytes: &[u8]) -> Result<Vec<(BString, Vec<Node>)>, AnswerError> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let lines = bytes.split(|&byte| byte == b'\n').map(|line| {
        let wrong = || malformed("branchmap", "a line", line);
        let (name, heads) = line.split_once_str(" ").ok_or_else(wrong)?;
        let name = percent::decode(name).ok_or_else(wrong)?;
        Ok((name.into(), nodes("branchmap", heads)?))
    });
    lines.collect()
}

/// The keys of a namespace and their values.
pub fn listkeys(bytes: &[u8]) -> Result<Vec<(BString, BString)>, AnswerError> {
    parse_keys(bytes).ok_or_else(|| malformed("listkeys", "a line", bytes))
}

/// What a name stands for.
pub fn lookup(bytes: &[u8]) -> Result<Lookup, AnswerError> {
    let wrong = || malformed("lookup", "its text", bytes);
    let line = bytes.strip_suffix(b"\n").ok_or_else(wrong)?;
    match line {
        [b'1', b' ', node @ ..] => Node::from_hex(node).map(Lookup::Found).ok_or_else(wrong),
        [b'0', b' ', text @ ..] => Ok(Lookup::Not(printable(text.get(..500).unwrap_or(text)))),
        _ => Err(wrong()),
    }
}

/// The answers to so many commands that were `asked` at once.
pub fn batch(bytes: &[u8], asked: usize) -> Result<Vec<Vec<u8>>, AnswerError> {
    let found = bytes.split(|&byte| byte == b';').count();
    if found != asked {
        return Err(AnswerError::Count { command: "batch", found, asked });
    }
    let answers = bytes.split(|&byte| byte == b';');
    let unescaped =
        |text: &[u8]| unescape(text).ok_or_else(|| malformed("batch", "an escape", text));
    answers.map(unescaped).collect()
}

/// Where bundles for first fetches are, the best first as the server sees it.
pub fn clone_bundles(bytes: &[u8]) -> Result<Vec<CloneBundle>, AnswerError> {
    let wrong = |line: &[u8]| malformed("clonebundles", "a line", line);
    let lines = bytes.lines().filter(|line| !line.trim_ascii().is_empty());
    let bundles = lines.map(|line| {
        let text = std::str::from_utf8(line).ok();
        let text = text.filter(|text| !text.contains(char::is_control));
        let mut words = text.ok_or_else(|| wrong(line))?.split(' ').filter(|word| !word.is_empty());
        let url = words.next().ok_or_else(|| wrong(line))?.to_owned();
        let attributes = words.map(|word| {
            let (key, value) = word.split_once('=')?;
            Some((percent::decode_text(key)?, percent::decode_text(value)?))
        });
        let attributes = attributes.collect::<Option<_>>().ok_or_else(|| wrong(line))?;
        Ok(CloneBundle { url, attributes })
    });
    bundles.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Fault, HasFault};

    fn node(byte: u8) -> Node {
        Node::from_bytes([byte; 20])
    }

    fn hex(byte: &str) -> String {
        byte.repeat(20)
    }

    /// Each prefix, and each text with one bit changed, is read or refused; `is_ok` says how many of the
    /// prefixes are read.
    fn cut_and_flip<T>(bytes: &[u8], is_ok: usize, read: impl Fn(&[u8]) -> Result<T, AnswerError>) {
        let prefixes = (0..bytes.len()).filter(|&end| read(&bytes[..end]).is_ok()).count();
        assert_eq!(prefixes, is_ok);
        for at in 0..bytes.len() * 8 {
            let mut bytes = bytes.to_vec();
            bytes[at / 8] ^= 1 << (at % 8);
            if let Err(error) = read(&bytes) {
                assert_eq!(error.fault(), Fault::Corrupt);
                assert!(!error.to_string().contains(char::is_control), "{error}");
            }
        }
    }

    #[test]
    fn heads_are_nodes_and_a_newline() {
        let text = format!("{} {}\n", hex("11"), hex("22"));
        assert_eq!(heads(text.as_bytes()), Ok(vec![node(0x11), node(0x22)]));
        let null = hex("00");
        assert_eq!(heads(format!("{null}\n").as_bytes()), Ok(vec![]));
        assert!(heads(format!("{null} {}\n", hex("11")).as_bytes()).is_err());
        for text in ["", "\n", " \n", &hex("11"), &format!("{} \n", hex("11"))] {
            assert!(heads(text.as_bytes()).is_err(), "{text:?}");
        }
        cut_and_flip(text.as_bytes(), 0, heads);
    }

    #[test]
    fn as_many_are_known_as_were_asked_for() {
        assert_eq!(known(b"010", 3), Ok(vec![false, true, false]));
        assert_eq!(known(b"", 0), Ok(vec![]));
        let error = known(b"010\n", 3).unwrap_err().to_string();
        assert_eq!(error, "read the answer to known: it has 4 results, 3 were asked for");
        assert!(known(b"02", 2).is_err());
        cut_and_flip(b"0110", 0, |bytes| known(bytes, 4));
    }

    #[test]
    fn branches_and_their_heads() {
        let text = format!("default {}\nf%C3%A9e%2C%20x {} {}", hex("11"), hex("22"), hex("33"));
        let expected = vec![
            (BString::from("default"), vec![node(0x11)]),
            (BString::from("fée, x"), vec![node(0x22), node(0x33)]),
        ];
        assert_eq!(branchmap(text.as_bytes()), Ok(expected));
        assert_eq!(branchmap(b""), Ok(vec![]));
        for text in ["default", "default ", &format!("a% {}", hex("11"))] {
            assert!(branchmap(text.as_bytes()).is_err(), "{text:?}");
        }
        // Nothing, whole lines, and a line with fewer heads.
        cut_and_flip(text.as_bytes(), 4, branchmap);
    }

    #[test]
    fn keys_and_values() {
        let pairs = vec![("b m".into(), "11".into()), ("x".into(), "".into())];
        assert_eq!(listkeys(b"b m\t11\nx\t"), Ok(pairs));
        assert!(listkeys(b"b m").is_err());
        cut_and_flip(b"b m\t11\nx\t", 5, listkeys);
    }

    #[test]
    fn names_that_stand_for_something() {
        let text = format!("1 {}\n", hex("11"));
        assert_eq!(lookup(text.as_bytes()), Ok(Lookup::Found(node(0x11))));
        let not = Lookup::Not(r"unknown \u{1b} 'foo'".to_owned());
        assert_eq!(lookup(b"0 unknown \x1b 'foo'\n"), Ok(not));
        assert!(lookup(b"2 x\n").is_err());
        cut_and_flip(text.as_bytes(), 0, lookup);
    }

    #[test]
    fn answers_to_a_batch() {
        let all = vec![b"a;b".to_vec(), vec![], b"c:,=".to_vec()];
        assert_eq!(batch(b"a:sb;;c:c:o:e", 3), Ok(all));
        assert_eq!(batch(b"", 1), Ok(vec![vec![]]));
        assert!(batch(b"a:", 1).is_err());
        assert!(batch(b"a:x", 1).is_err());
        assert!(batch(&[b';'; 1000], 3).is_err());
        cut_and_flip(b"a:sb;;c:c:o:e", 4, |bytes| batch(bytes, 3));
    }

    #[test]
    fn bundles_to_begin_with() {
        let text =
            b"https://x.example/a.hg BUNDLESPEC=zstd-v2%3Bx REQUIRESNI=true\n\nhttps://y/\r\n";
        let all = clone_bundles(text).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].attribute("BUNDLESPEC"), Some("zstd-v2;x"));
        assert_eq!(all[0].attribute("x"), None);
        assert_eq!(all[1], CloneBundle { url: "https://y/".to_owned(), attributes: vec![] });
        assert_eq!(clone_bundles(b""), Ok(vec![]));
        for text in ["https://x a", "https://x a=%", "https://x \x1b", " \u{1}"] {
            assert!(clone_bundles(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(clone_bundles(b"https://\xff").is_err());
        let is_ok = (0..text.len()).filter(|&end| clone_bundles(&text[..end]).is_ok()).count();
        cut_and_flip(text, is_ok, clone_bundles);
    }
}
