//! A name and an address that Git takes, whatever people typed.

use crate::base::text::utf8_or_latin1;

/// `Name <address>` from whatever people typed. Control characters become spaces, `<` and `>` are
/// dropped, and white space is folded.
///
/// - With `<`: the name is what comes before the first one; the address is the first bracketed part
///   with an `@`, or else the first one.
/// - Without: the first word with an `@` is the address, the rest is the name.
/// - A name in quotes loses them. A missing name is the address up to the `@`, or `unknown`.
pub(super) fn person(user: &[u8]) -> String {
    let text = utf8_or_latin1(user).replace(char::is_control, " ");
    let (name, address) = match text.split_once('<') {
        Some((name, brackets)) => (name.to_owned(), bracketed_address(brackets).to_owned()),
        None => split_address(&text),
    };
    let (mut name, address) = (clean(&name), clean(&address));
    if let Some(inner) = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        name = clean(inner);
    }
    if name.is_empty() {
        name = clean(address.split('@').next().unwrap_or_default());
    }
    if name.is_empty() {
        "unknown".clone_into(&mut name);
    }
    format!("{name} <{address}>")
}

/// The address that a user typed; empty if there is none.
pub(in crate::convert) fn address(user: &str) -> String {
    match user.split_once('<') {
        Some((_, brackets)) => bracketed_address(brackets).trim().to_owned(),
        None => split_address(user).1,
    }
}

/// The address in the text after the first `<`.
fn bracketed_address(text: &str) -> &str {
    let inside = |part| str::split(part, '>').next().unwrap_or_default();
    let mut parts = text.split('<').map(inside);
    let with_at = parts.clone().find(|part| part.contains('@'));
    with_at.or_else(|| parts.find(|part| !part.trim().is_empty())).unwrap_or_default()
}

/// Name and address in a text without `<`.
fn split_address(text: &str) -> (String, String) {
    let is_address = |word: &&str| word.contains('@');
    let Some(address) = text.split_whitespace().find(is_address) else {
        return (text.to_owned(), String::new());
    };
    let name: Vec<_> = text.split_whitespace().filter(|word| *word != address).collect();
    (name.join(" "), address.trim_matches(|c| "()[],;\"'".contains(c)).to_owned())
}

/// Without what the format cannot hold, and without superfluous white space.
fn clean(text: &str) -> String {
    let kept = text.replace(['<', '>'], " ");
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What people have typed, and what it becomes.
    const PEOPLE: &[(&[u8], &str)] = &[
        (b"John Doe", "John Doe <>"),
        (b"john@doe.com", "john <john@doe.com>"),
        (b"John Doe <john@doe.com>", "John Doe <john@doe.com>"),
        (b"John Doe<john@doe.com>", "John Doe <john@doe.com>"),
        (b"<john@doe.com>", "john <john@doe.com>"),
        (b" <john@doe.com> ", "john <john@doe.com>"),
        (b"John Doe <john@doe.com", "John Doe <john@doe.com>"),
        (b"John <x> Doe <john@doe.com>", "John <john@doe.com>"),
        (b"John Doe <john@doe.com> trailing stuff > < ", "John Doe <john@doe.com>"),
        (b"John Doe <a<b>c@doe.com>", "John Doe <a>"),
        (b"\"John Doe\" <john@doe.com>", "John Doe <john@doe.com>"),
        (b"\"John Doe\"", "John Doe <>"),
        (b"Bad >name> here", "Bad name here <>"),
        (b"john >at@home<", "john at@home <>"),
        ("J\u{f6}hn <j@d.com>".as_bytes(), "J\u{f6}hn <j@d.com>"),
        (b"J\xf6hn <j@d.com>", "J\u{f6}hn <j@d.com>"),
        (b"", "unknown <>"),
        (b" ", "unknown <>"),
        (b"<>", "unknown <>"),
        (b"a <>", "a <>"),
        (b"john.q.public@example.com", "john.q.public <john.q.public@example.com>"),
        (b"john at doe dot com <nomail>", "john at doe dot com <nomail>"),
        (b"  lead  trail  ", "lead trail <>"),
        (b"John Doe <john@doe.com> (comment)", "John Doe <john@doe.com>"),
        (b"\"John\" Doe <j@d.c>", "\"John\" Doe <j@d.c>"),
        (b"tab\tname <t@t>", "tab name <t@t>"),
        (b"John Doe < john@doe.com >", "John Doe <john@doe.com>"),
        (b"x@y.z (Foo Bar)", "(Foo Bar) <x@y.z>"),
        (b"Foo Bar (x@y.z)", "Foo Bar <x@y.z>"),
        (b"Foo <foo@bar> <baz@quux>", "Foo <foo@bar>"),
        (b"John Doe <<john@doe.com>>", "John Doe <john@doe.com>"),
        (b"John\rDoe <j@d>", "John Doe <j@d>"),
        (b"John\nDoe <j@d>", "John Doe <j@d>"),
        (b"a\x00b <c@d>", "a b <c@d>"),
    ];

    #[test]
    fn people() {
        for (user, expected) in PEOPLE {
            assert_eq!(person(user), *expected, "{:?}", bstr::BStr::new(user));
        }
    }
}
