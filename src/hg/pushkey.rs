//! The text in which a namespace of keys and values travels: bookmarks, phases, namespaces. It is the
//! answer to `listkeys`, and the part of a bundle that has this name.
//!
//! Source: `hg help internals.wireprotocol`.

use bstr::{BString, ByteSlice};

/// Keys and values with a tab between them, one pair a line; `None` if a line has no tab.
///
/// The last tab separates: a bookmark can have one in its name, and no value has any. The last line
/// may end as the others do.
pub fn parse_keys(bytes: &[u8]) -> Option<Vec<(BString, BString)>> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let pairs = bytes.split(|&byte| byte == b'\n').map(|line| {
        let (key, value) = line.rsplit_once_str("\t")?;
        Some((key.into(), value.into()))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_a_line() {
        let pair = |key: &str, value: &str| (BString::from(key), BString::from(value));
        assert_eq!(parse_keys(b""), Some(vec![]));
        let pairs = Some(vec![pair("a\tb", "c\r"), pair("d", "")]);
        assert_eq!(parse_keys(b"a\tb\tc\r\nd\t"), pairs);
        assert_eq!(parse_keys(b"a\tb\tc\r\nd\t\n"), pairs);
        assert_eq!(parse_keys(b"a\tb\nc"), None);
        assert_eq!(parse_keys(b"a\tb\n\n"), None);
    }
}
