//! Text from outside, made fit for a terminal, a log and a browser.

use std::borrow::Cow;
use std::error::Error;

use super::redact;

/// `text` on one line, without the characters that steer a terminal or reorder what is read.
///
/// Server messages, branch names and payloads end up in our answers, and those in a
/// terminal: escape sequences and bidirectional overrides could show something else than is there.
pub fn clean(text: &str) -> String {
    let spaced = text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c });
    let shown: String = spaced.filter(|&c| !c.is_control() && !is_invisible(c)).collect();
    redact::tokens(&shown).into_owned()
}

/// As [`clean`], and no longer than `most` characters.
pub fn clean_short(text: &str, most: usize) -> String {
    let mut chars = text.chars();
    let mut short: String = chars.by_ref().take(most).collect();
    if chars.next().is_some() {
        short.push('…');
    }
    clean(&short)
}

/// `text` with a visible `\u{N}` for each character that steers a terminal or reorders what is read, so
/// that two different names never look the same; without secrets.
pub fn visible(text: &str) -> Cow<'_, str> {
    let text = redact::tokens(text);
    let is_plain = |c: char| !c.is_control() && !is_invisible(c);
    if text.chars().all(is_plain) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_plain(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(shown)
}

/// Whether `c` takes no room itself and changes how others are shown.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// What `error` says, and because of what, on one line.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some errors say themselves what their source says.
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    clean(&text)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_steers_terminals_is_taken_out() {
        assert_eq!(clean("a\u{1b}[31mred\u{7}\r\nb\tc\0"), "a[31mred  b c");
        assert_eq!(clean("user\u{202e}nimda\u{2066}\u{200b}\u{feff}"), "usernimda");
        assert_eq!(clean("größe ✓"), "größe ✓");
        assert_eq!(clean("x\nghp_0123456789abcdefghij"), "x [secret]");
    }

    #[test]
    fn what_steers_terminals_is_made_visible() {
        assert_eq!(
            visible("user\u{202e}nimda\n\u{7}\u{61c}"),
            r"user\u{202e}nimda\u{a}\u{7}\u{61c}"
        );
        assert_eq!(visible("x ghp_0123456789abcdefghij"), "x [secret]");
        assert!(matches!(visible("größe ✓ \\"), Cow::Borrowed(_)));
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(clean_short("äöü", 3), "äöü");
        assert_eq!(clean_short("äöüß", 3), "äöü…");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("push refs/heads/{branch}")]
    struct Outer {
        branch: &'static str,
        source: io::Error,
    }

    #[test]
    fn causes_follow() {
        let error = Outer { branch: "a\u{1b}b", source: io::Error::other("no\nroom") };
        assert_eq!(with_causes(&error), "push refs/heads/ab: no room");
    }
}
