//! Text: of unknown encoding, made into UTF-8; to be shown; and as the name of a choice.

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

/// `12.5 MiB`
pub fn megabytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// The one of `all` with this name.
pub fn named<T: Copy>(all: &[(&str, T)], name: &str) -> Option<T> {
    all.iter().find(|(known, _)| *known == name).map(|(_, found)| *found)
}

/// Serialises bytes of unknown encoding as [`printable`] shows them.
pub fn serialize_printable<S: serde::Serializer>(
    bytes: &impl AsRef<[u8]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&printable(bytes.as_ref()))
}

/// Serialises a path of this machine as [`printable`] shows it.
pub fn serialize_path<S: serde::Serializer>(
    path: &impl AsRef<std::path::Path>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&printable(path.as_ref().as_os_str().as_encoded_bytes()))
}

/// `bytes` as text that can be shown to anybody: UTF-8 as it is, backslashes doubled, and `\xNN`,
/// `\n`, `\u{N}` and the like for what is no text, or what a terminal would obey.
pub fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '"' => text.push(c),
                c => text.extend(c.escape_debug()),
            }
        }
        text.push_str(&chunk.invalid().escape_ascii().to_string());
    }
    text
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

    #[test]
    fn a_terminal_obeys_nothing_that_is_printable() {
        for (bytes, expected) in [
            (b"a b\"'\xc3\xb6".as_slice(), "a b\"'ö"),
            (b"\x1b[31m\r\n\t\0\x7f", r"\u{1b}[31m\r\n\t\0\u{7f}"),
            (b"caf\xe9 \\x", r"caf\xe9 \\x"),
            ("\u{9b}2J \u{202e}\u{feff}".as_bytes(), r"\u{9b}2J \u{202e}\u{feff}"),
        ] {
            assert_eq!(printable(bytes), expected);
        }
    }
}
