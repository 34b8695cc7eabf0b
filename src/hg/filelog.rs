//! File revisions: contents, preceded by metadata where a copy was recorded.

/// What begins and ends the metadata of a file revision.
const MARK: &[u8] = b"\x01\n";

/// How many bytes of metadata come before the contents in the stored `text`; `None` if metadata
/// begins and does not end.
///
/// Contents that begin with the mark themselves are stored behind empty metadata.
pub fn metadata_length(text: &[u8]) -> Option<usize> {
    let Some(rest) = text.strip_prefix(MARK) else { return Some(0) };
    let end = bstr::ByteSlice::find(rest, MARK)?;
    Some(MARK.len() + end + MARK.len())
}

/// The contents of the file in the stored `text`; `None` if its metadata does not end.
pub fn contents(text: &[u8]) -> Option<&[u8]> {
    text.get(metadata_length(text)?..)
}

/// The path that the file in the stored `text` was copied from, if its metadata says so. Whoever
/// asks must know that the revision has no first parent in its filelog: one that has is no copy.
pub fn copied_from(text: &[u8]) -> Option<&[u8]> {
    let metadata = text.get(MARK.len()..metadata_length(text)?.checked_sub(MARK.len())?)?;
    let value = |key: &[u8]| {
        let mut lines = metadata.split(|&byte| byte == b'\n').rev();
        lines.find_map(|line| line.strip_prefix(key))
    };
    // Old mistakes wrote one without the other, and that is no copy either.
    value(b"copyrev: ")?;
    value(b"copy: ")
}

/// Whether the stored `text` is what is left of a revision that was censored.
pub fn is_tombstone(text: &[u8]) -> bool {
    let metadata = metadata_length(text).and_then(|length| text.get(..length));
    let mut lines = metadata.unwrap_or_default().split(|&byte| byte == b'\n');
    lines.any(|line| line.starts_with(b"censored:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_told_by_both_keys() {
        let copied = b"\x01\ncopy: a b\ncopyrev: 00\n\x01\ncopy: x";
        assert_eq!(copied_from(copied), Some(&b"a b"[..]));
        assert_eq!(copied_from(b"\x01\ncopyrev: 00\ncopy: a\n\x01\n"), Some(&b"a"[..]));
        assert_eq!(copied_from(b"\x01\ncopy: a\n\x01\n"), None);
        assert_eq!(copied_from(b"\x01\n\x01\ncopy: a\ncopyrev: b\n"), None);
        assert_eq!(copied_from(b"copy: a\ncopyrev: b\n"), None);
        assert_eq!(copied_from(b""), None);
    }

    #[test]
    fn a_tombstone_says_so_in_its_metadata() {
        assert!(is_tombstone(b"\x01\ncensored: why\n\x01\n"));
        assert!(is_tombstone(b"\x01\ncensored: \n\x01\npadding"));
        assert!(!is_tombstone(b"\x01\ncensored: why\n"));
        assert!(!is_tombstone(b"\x01\n\x01\ncensored: why"));
        assert!(!is_tombstone(b"censored: why"));
    }

    #[test]
    fn metadata_is_no_content() {
        assert_eq!(contents(b"plain"), Some(&b"plain"[..]));
        assert_eq!(contents(b"\x01\ncopy: a\ncopyrev: b\n\x01\ntext"), Some(&b"text"[..]));
        assert_eq!(contents(b"\x01\n\x01\n\x01\nstarts odd"), Some(&b"\x01\nstarts odd"[..]));
        assert_eq!(contents(b"\x01\nnever ends"), None);
        assert_eq!(contents(b""), Some(&b""[..]));
    }
}
