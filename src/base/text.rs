//! Text of unknown encoding made into UTF-8.

use std::borrow::Cow;

/// `bytes` as UTF-8: as they are where they are valid, each byte as a Latin-1 character otherwise.
///
/// This is how Mercurial itself reads metadata that is not valid UTF-8 (its fallback encoding is
/// ISO-8859-1 by default), and it cannot fail.
pub fn utf8_or_latin1(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|&byte| char::from(byte)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_utf8_and_reads_the_rest_as_latin1() {
        assert_eq!(utf8_or_latin1("Jöhn".as_bytes()), "Jöhn");
        assert_eq!(utf8_or_latin1(b"J\xf6hn"), "Jöhn");
        assert_eq!(utf8_or_latin1(b"caf\xe9 \x93q\x94"), "café \u{93}q\u{94}");
    }
}
