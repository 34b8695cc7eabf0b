//! `application/x-www-form-urlencoded`, as browsers and forges write it.

/// The value of the first field called `name`, decoded; `None` if there is no such field.
///
/// Decoding cannot fail: as the URL standard has it, a `%` that no two hex digits follow stands for
/// itself. The value is bytes, for nothing says that a sender encoded UTF-8.
pub fn field(form: &[u8], name: &str) -> Option<Vec<u8>> {
    fields(form, name).next()
}

/// The values of all fields called `name`, decoded.
pub fn fields<'a>(form: &'a [u8], name: &'a str) -> impl Iterator<Item = Vec<u8>> + 'a {
    form.split(|&byte| byte == b'&').filter_map(move |pair| {
        let mut halves = pair.splitn(2, |&byte| byte == b'=');
        let key = halves.next().unwrap_or_default();
        let value = halves.next().unwrap_or_default();
        (decoded(key) == name.as_bytes()).then(|| decoded(value))
    })
}

/// `text` with `+` and percent escapes undone.
fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_encoding::percent_decode(&spaced).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_found_and_decoded() {
        let form = b"a=1&payload=%7B%22a+b%22%3A%c3%A9%7d&a=2&empty=&bare&x=y=z&n%61me=v";
        for (name, value) in [
            ("a", Some("1")),
            ("payload", Some("{\"a b\":é}")),
            ("empty", Some("")),
            ("bare", Some("")),
            ("x", Some("y=z")),
            ("name", Some("v")),
            ("b", None),
            ("", None),
        ] {
            assert_eq!(field(form, name), value.map(|value| value.as_bytes().to_vec()), "{name}");
        }
        assert_eq!(field(b"", "a"), None);
    }

    #[test]
    fn malformed_escapes_stand_for_themselves() {
        for (text, bytes) in [
            ("%", "%"),
            ("%4", "%4"),
            ("%zz", "%zz"),
            ("%%41", "%A"),
            ("%4%41", "%4A"),
            ("%+", "% "),
        ] {
            assert_eq!(*decoded(text.as_bytes()), *bytes.as_bytes(), "{text}");
        }
        assert_eq!(*decoded(b"%ff%00"), [0xff, 0]);
    }

    /// Encodes every byte that is not a letter or a digit.
    fn encoded(bytes: &[u8]) -> Vec<u8> {
        let encode = |&byte: &u8| match byte {
            b' ' => vec![b'+'],
            byte if byte.is_ascii_alphanumeric() => vec![byte],
            byte => format!("%{byte:02X}").into_bytes(),
        };
        bytes.iter().flat_map(encode).collect()
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(value: Vec<u8>, other: Vec<u8>) {
            let form = [b"o=", &*encoded(&other), b"&payload=", &*encoded(&value)].concat();
            prop_assert_eq!(field(&form, "payload"), Some(value));
        }

        #[test]
        fn any_bytes_decode_to_no_more_than_they_are(form: Vec<u8>) {
            prop_assert!(decoded(&form).len() <= form.len());
        }
    }
}
