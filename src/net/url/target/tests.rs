use proptest::prelude::*;

use super::*;
use crate::base::HasFault as _;

fn parse(text: &str) -> Result<TargetUrl, UrlError> {
    TargetUrl::parse(text, PlainHttp::Refuse)
}

/// What is shown, what libgit2 gets, owner and project.
fn seen(text: &str) -> [String; 4] {
    let url = parse(text).unwrap();
    let or_dash = |part: Option<&str>| part.unwrap_or("-").to_owned();
    [url.to_string(), url.connection(None), or_dash(url.owner()), or_dash(url.project())]
}

#[test]
fn accepted_forms() {
    for (text, shown, connection, owner, project) in [
        ("/srv/git/p.git", "/srv/git/p.git", "/srv/git/p.git", "git", "p"),
        ("../x", "../x", "../x", "-", "x"),
        ("./a:b", "./a:b", "./a:b", "-", "a:b"),
        ("https://H.org/o/p.git", "https://h.org/o/p.git", "https://h.org/o/p.git", "o", "p"),
        ("https://h:8443/p", "https://h:8443/p", "https://h:8443/p", "-", "p"),
        ("https://[::1]:8/o/p", "https://[::1]:8/o/p", "https://[::1]:8/o/p", "o", "p"),
        ("ssh://h/o/p/", "ssh://h/o/p/", "ssh://git@h/o/p/", "o", "p"),
        ("ssh://u@h:22/p", "ssh://u@h:22/p", "ssh://u@h:22/p", "-", "p"),
        ("git@h:o/p.git", "git@h:o/p.git", "git@h:o/p.git", "o", "p"),
        ("git@h:/o/p.git", "ssh://git@h/o/p.git", "ssh://git@h/o/p.git", "o", "p"),
        ("H:o/p.git", "h:o/p.git", "git@h:o/p.git", "o", "p"),
        ("[::1]:p", "[::1]:p", "git@[::1]:p", "-", "p"),
        ("u@[::1]:o/p", "u@[::1]:o/p", "u@[::1]:o/p", "o", "p"),
    ] {
        assert_eq!(seen(text), [shown, connection, owner, project], "{text}");
    }
    let plain = TargetUrl::parse("http://h/o/p", PlainHttp::Allow).unwrap();
    assert_eq!(plain.to_string(), "http://h/o/p");
    assert_eq!(parse("ssh://h/p").unwrap().connection(Some("me")), "ssh://me@h/p");
}

#[test]
fn refused_forms() {
    for (text, error) in [
        ("", UrlError::Empty),
        ("a\nb", UrlError::ControlCharacter { at: 1 }),
        ("file:///x", UrlError::Scheme { scheme: "file".to_owned() }),
        ("ext://x", UrlError::Scheme { scheme: "ext".to_owned() }),
        ("http://h/p", UrlError::PlainHttp),
        ("https://u:geheim@h/p", UrlError::Secret),
        ("https://geheim@h/p", UrlError::UserOfWeb),
        ("ssh://u:geheim@h/p", UrlError::Secret),
        ("u:geheim@h:p", UrlError::Secret),
        ("ssh://-oProxyCommand=x/p", UrlError::Host),
        ("ssh://-o@h/p", UrlError::User),
        ("ssh://@h/p", UrlError::User),
        ("-o@h:p", UrlError::User),
        ("u@-h:p", UrlError::Host),
        ("u@h%2d:p", UrlError::Host),
        ("https:///p", UrlError::Host),
        ("https://[::1/p", UrlError::Host),
        ("https://[::1]x/p", UrlError::Host),
        ("https://h:0/p", UrlError::Port),
        ("https://h:+1/p", UrlError::Port),
        ("https://h:geheim/p", UrlError::Port),
        ("https://h:70000/p", UrlError::Port),
    ] {
        assert_eq!(parse(text), Err(error), "{text}");
    }
    for text in [
        "https://h",
        "https://h/",
        "https://h/p?x",
        "https://h/p#x",
        "https://h/a b",
        "ssh://h",
        "u@h:",
        "u@h:-p",
        "u@h:p'x",
        "ssh://h/$(x)",
        "ssh://h/p`x`",
        "ssh://h/p\\x",
    ] {
        assert!(matches!(parse(text), Err(UrlError::Path { .. })), "{text}");
    }
}

#[test]
fn no_message_repeats_a_secret() {
    for text in [
        "https://u:geheim@h/p",
        "https://geheim@h/p",
        "https://u:geheim/x@h/p",
        "ssh://u:geheim@h/p",
        "ssh://u:geheim/x@h/p",
        "u:geheim@h:p",
        "u:geheim/x@h:p",
        "https://h:geheim/p",
        "https://geheim geheim@h/p",
    ] {
        let error = parse(text).unwrap_err();
        let said = format!("{error} {error:?} {:?}", error.hint());
        assert!(!said.contains("geheim"), "{text}: {said}");
    }
}

proptest! {
    #[test]
    fn what_is_shown_reads_the_same(text in "(https|ssh)://([a-z-]{1,3}@)?[a-z.\\[:\\]-]{1,6}(:[0-9]{1,6})?(/[a-z.]{0,3}){0,3}|[a-z@:/.-]{1,12}") {
        if let Ok(url) = parse(&text) {
            prop_assert_eq!(parse(&url.to_string()), Ok(url));
        }
    }
}
