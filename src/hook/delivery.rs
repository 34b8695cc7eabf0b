//! One request as it came in.

/// The most characters of an id that tells deliveries apart.
pub const LONGEST_ID: usize = 128;

/// One request as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The headers, names in lower case, in the order in which they came.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// What stands after the `?` of the address, not decoded; empty if there is nothing.
    pub query: &'a str,
    /// The whole body, not decoded.
    pub body: &'a [u8],
}

impl<'a> Delivery<'a> {
    /// The first header called `name` (in lower case).
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers(name).next()
    }

    /// The first header called `name`, if it is text and there is something in it.
    pub fn text_header(&self, name: &str) -> Option<&'a str> {
        let value = std::str::from_utf8(self.header(name)?).ok()?.trim();
        (!value.is_empty()).then_some(value)
    }

    /// Every header called `name` (in lower case).
    pub(super) fn headers(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(key, _)| *key == name).map(|&(_, value)| value)
    }

    /// Whether the body says that it is a form.
    pub(super) fn is_form(&self) -> bool {
        let kind = self.text_header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }
}

/// Whether `text` can be an id that tells deliveries apart: it is kept and shown.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_ID && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found_by_name() {
        let headers = [("a", &b"1"[..]), ("b", b" 2 "), ("b", b"3"), ("c", b" "), ("d", b"\xff")];
        let delivery = Delivery { headers: &headers, query: "", body: b"" };
        assert_eq!(delivery.header("b"), Some(&b" 2 "[..]));
        assert_eq!(delivery.text_header("b"), Some("2"));
        assert_eq!(delivery.headers("b").count(), 2);
        assert_eq!(delivery.header("e"), None);
        assert_eq!((delivery.text_header("c"), delivery.text_header("d")), (None, None));
    }

    #[test]
    fn what_is_a_form() {
        for (kind, expected) in [
            ("application/x-www-form-urlencoded", true),
            ("Application/X-WWW-Form-Urlencoded ; charset=utf-8", true),
            ("application/json", false),
            ("", false),
        ] {
            let headers = [("content-type", kind.as_bytes())];
            assert_eq!(Delivery { headers: &headers, query: "", body: b"" }.is_form(), expected);
        }
    }
}
