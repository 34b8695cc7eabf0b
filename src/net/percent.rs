//! Percent escapes (RFC 3986): `%2C` for a comma. Strict: the `percent-encoding` crate lets a percent
//! sign stand for itself that escapes nothing, as browsers do.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

/// What must be escaped: all but letters, digits and `-._~`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `bytes` with everything escaped but letters, digits and `-._~`, which never need it.
pub fn encode(bytes: &[u8]) -> String {
    percent_encode(bytes, ESCAPED).to_string()
}

/// `text` with its escapes undone; `None` if one of them is none.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut escapes = text.split(|&byte| byte == b'%').skip(1);
    let is_escape = |rest: &[u8]| {
        rest.first_chunk().is_some_and(|digits: &[u8; 2]| digits.iter().all(u8::is_ascii_hexdigit))
    };
    escapes.all(is_escape).then(|| percent_decode(text).collect())
}

/// The same where UTF-8 must come out.
pub fn decode_text(text: &str) -> Option<String> {
    String::from_utf8(decode(text.as_bytes())?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes() {
        for (text, expected) in [
            ("", Some("")),
            ("a%2Cb%20c", Some("a,b c")),
            ("a+b", Some("a+b")),
            ("%c3%a4", Some("ä")),
            ("%", None),
            ("%2", None),
            ("%+1", None),
            ("%ff", None),
            ("%\u{e4}", None),
        ] {
            assert_eq!(decode_text(text).as_deref(), expected, "{text}");
        }
        assert_eq!(encode("a-b._~ä/".as_bytes()), "a-b._~%C3%A4%2F");
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(bytes: Vec<u8>) {
            let text = encode(&bytes);
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(decode(text.as_bytes()), Some(bytes));
        }
    }
}
