//! Percent escapes (RFC 3986): `%2C` for a comma.

use crate::base::hex;

/// `bytes` with everything escaped but letters, digits and `-._~`, which never need it.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push_str(&hex::encode(&[byte]).to_ascii_uppercase());
        }
    }
    text
}

/// `text` with its escapes undone; `None` if one of them is none.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = match (byte, after) {
            (b'%', [high, low, after @ ..]) => (hex::digit(*high)? << 4 | hex::digit(*low)?, after),
            (b'%', _) => return None,
            _ => (byte, after),
        };
        out.push(byte);
        rest = after;
    }
    Some(out)
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
