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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_no_content() {
        assert_eq!(contents(b"plain"), Some(&b"plain"[..]));
        assert_eq!(contents(b"\x01\ncopy: a\ncopyrev: b\n\x01\ntext"), Some(&b"text"[..]));
        assert_eq!(contents(b"\x01\n\x01\n\x01\nstarts odd"), Some(&b"\x01\nstarts odd"[..]));
        assert_eq!(contents(b"\x01\nnever ends"), None);
        assert_eq!(contents(b""), Some(&b""[..]));
    }
}
