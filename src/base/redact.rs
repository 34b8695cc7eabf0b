//! Secrets taken out of texts that are shown: the exact ones that are known, and whatever looks like a
//! token of a forge, whoever's it is. Servers repeat what they were sent, and people put tokens where
//! they do not belong.

use std::borrow::Cow;

/// What stands in place of a secret.
pub const REDACTED: &str = "[secret]";

/// What tokens begin with: GitHub's of people, apps and installations
/// (<https://docs.github.com/authentication/keeping-your-account-and-data-secure/about-authentication-to-github>),
/// and GitLab's of people.
const PREFIXES: [&str; 7] = ["ghp_", "github_pat_", "gho_", "ghu_", "ghs_", "ghr_", "glpat-"];

/// What follows such a beginning in a token has at least so many characters. The shortest that there
/// are have 20; what a server has cut is a secret too.
const SHORTEST: usize = 10;

/// `text` without `secret`, and without anything that looks like a token of a forge.
pub fn secret(text: &str, secret: &str) -> String {
    match secret {
        "" => tokens(text).into_owned(),
        secret => tokens(&text.replace(secret, REDACTED)).into_owned(),
    }
}

/// `text` without anything that looks like a token of a forge.
pub fn tokens(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((at, length)) = find(rest) {
        let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        shown.push_str(before);
        shown.push_str(REDACTED);
        rest = from.get(length..).unwrap_or_default();
    }
    if shown.is_empty() && rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// Where the first token of `text` begins, and how long it is.
fn find(text: &str) -> Option<(usize, usize)> {
    let found = PREFIXES.iter().flat_map(|prefix| {
        text.match_indices(prefix).filter_map(|(at, prefix)| {
            let rest = text.get(at + prefix.len()..)?;
            // Those of installations hold the parts of a JWT, which dots join.
            let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
            let length = rest.bytes().take_while(|byte| is_part(byte)).count();
            let word = rest.get(..length)?.trim_end_matches('.');
            (word.len() >= SHORTEST).then_some((at, prefix.len() + word.len()))
        })
    });
    found.min_by_key(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_every_kind_are_taken_out() {
        let long = format!("ghs_1234_{}.{}.{}", "a".repeat(200), "B-_".repeat(70), "c".repeat(90));
        for token in [
            "ghp_0123456789abcdefghijABCDEFGHIJ012345",
            "github_pat_11ABCDEFG0abcdefghijkl_0123456789",
            "gho_0123456789abcdefghij",
            "ghu_0123456789abcdefghij",
            "ghs_0123456789abcdefghij0123456789abcdef",
            "ghr_0123456789abcdefghij",
            "glpat-abc_DEF-ghi0123456789",
            &long,
        ] {
            assert_eq!(tokens(token), "[secret]", "{token}");
            let text = format!("error: https://x:{token}@h, {token}. And \"{token}\"");
            let expected = "error: https://x:[secret]@h, [secret]. And \"[secret]\"";
            assert_eq!(tokens(&text), expected);
        }
    }

    #[test]
    fn other_text_stays() {
        for text in ["", "ghp_", "the prefix ghs_ of tokens", "ghp_short", "größe glpat-", "ghp_ü"]
        {
            assert!(matches!(tokens(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[test]
    fn known_secrets_are_taken_out_whatever_they_look_like() {
        assert_eq!(secret("bad geheim! geheim", "geheim"), "bad [secret]! [secret]");
        assert_eq!(secret("all ghp_0123456789abcdef", ""), "all [secret]");
    }
}
