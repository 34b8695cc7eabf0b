//! Bitbucket's POST hook, the one of the times before webhooks: a form whose field `payload` is
//! JSON. Bitbucket itself sends it no longer; servers that took its place and scripts do.
//!
//! There is no signature and no event header. `canon_url` may be any host or empty, and keys that
//! we do not know are common, so nothing but `repository` has to be there.

use std::collections::HashSet;

use serde::Deserialize;

use super::{Format, Part, Query, Sample, SchemeOffer, Setup};
use crate::hook::event::present;
use crate::hook::json::{self, First};
use crate::hook::{Delivery, Event, PayloadError, PushEvent, SchemeKind, form};

/// The format.
pub static FORMAT: Format = Format {
    name: "bitbucket_post",
    title: "Bitbucket's POST hook",
    schemes: &[
        SchemeOffer::new(SchemeKind::TokenInQuery, ""),
        SchemeOffer::new(SchemeKind::Basic, ""),
        SchemeOffer::new(SchemeKind::HmacSha256, "x-hub-signature-256"),
    ],
    id_headers: &[],
    parse: |delivery| parse(delivery).map(Event::Push),
    setup: Setup {
        page: "in the settings of the repository: Services, POST",
        secret: "",
        content: "",
        events: &["every push"],
        query: Query::None,
        notes: &[
            "Whatever sends this hook has an address to type and nothing else: the secret stands in it.",
        ],
    },
    sample: Sample {
        headers: "",
        body: include_str!("../../../fixtures/hooks/bitbucket_post/push.form"),
        names: &[
            ("/canon_url", Part::Server),
            ("/repository/absolute_url", Part::AbsolutePath),
            ("/repository/owner", Part::Owner),
            ("/repository/slug", Part::Slug),
        ],
    },
};

/// What senders are told who send what is no payload: a contract of old, whole sentences and all.
pub fn reason(error: PayloadError) -> &'static str {
    match error {
        PayloadError::Missing => "No JSON payload.",
        PayloadError::NotJson => "Invalid JSON payload.",
        PayloadError::NotProper | PayloadError::NoEvent { .. } => "No proper JSON in payload.",
    }
}

/// The part of the payload that we read.
#[derive(Deserialize)]
struct Payload {
    repository: Repository,
}

#[derive(Deserialize)]
struct Repository {
    owner: Option<String>,
    slug: Option<String>,
    /// `/owner/slug/`.
    absolute_url: Option<String>,
    name: Option<String>,
}

/// What is read if it has the shape that Bitbucket's had.
#[derive(Default, Deserialize)]
struct Hints {
    /// Where `absolute_url` begins; empty in some deliveries.
    canon_url: Option<String>,
    #[serde(default)]
    commits: First<Commit>,
}

#[derive(Deserialize)]
struct Commit {
    node: Option<String>,
    raw_node: Option<String>,
    #[serde(default)]
    parents: First<String>,
}

/// The event that a delivery tells of. The content type is not looked at: scripts do not send it.
fn parse(delivery: &Delivery<'_>) -> Result<PushEvent, PayloadError> {
    let json = form::field(delivery.body, "payload").ok_or(PayloadError::Missing)?;
    let payload: Payload = json::read(&json)?;
    let Repository { owner, slug, absolute_url, name } = payload.repository;
    let (url_owner, url_slug) = absolute_url.as_deref().map(parts_of).unwrap_or_default();
    let text = |text: Option<String>| text.and_then(|text| present(&text));
    let owner = text(owner).or_else(|| text(url_owner)).ok_or(PayloadError::NotProper)?;
    // The name is for people ("Rocket Core"), and the slug what URLs have ("rocket-core").
    let slug = text(slug).or_else(|| text(url_slug)).or_else(|| text(name));
    let slug = slug.ok_or(PayloadError::NotProper)?;
    let hints: Hints = json::hints(&json);
    let address = text(hints.canon_url).zip(text(absolute_url)).map(|(server, path)| {
        format!("{}/{}", server.trim_end_matches('/'), path.trim_matches('/'))
    });
    let event = PushEvent {
        path: Some(format!("{owner}/{slug}")),
        owner: Some(owner),
        slug: Some(slug),
        ..PushEvent::default()
    };
    Ok(event.with_addresses([address]).with_heads(heads(hints.commits.0)))
}

/// The owner and the slug of `/owner/slug/`.
fn parts_of(url: &str) -> (Option<String>, Option<String>) {
    let mut parts = url.trim_matches('/').split('/').map(str::to_owned);
    (parts.next(), parts.next())
}

/// The commits that no other one has as its parent.
fn heads(commits: Vec<Commit>) -> Vec<Option<String>> {
    let parents: HashSet<String> =
        commits.iter().flat_map(|commit| commit.parents.0.iter().cloned()).collect();
    let heads = commits.into_iter().filter_map(|commit| {
        // Parents are named by the first twelve digits, and so is the commit itself by `node`.
        let is_parent = commit.node.as_ref().is_some_and(|node| parents.contains(node));
        (!is_parent).then(|| commit.raw_node.or(commit.node))
    });
    heads.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A form with `json` as its payload, escaped no more than it must be.
    fn form(json: &str) -> Vec<u8> {
        let escaped = json.replace('%', "%25").replace('&', "%26").replace('+', "%2B");
        format!("other=1&payload={escaped}").into_bytes()
    }

    fn read(body: &[u8]) -> Result<PushEvent, PayloadError> {
        parse(&Delivery { headers: &[], query: "", body })
    }

    fn event(json: &str) -> Result<(String, String), PayloadError> {
        read(&form(json)).map(|event| (event.owner.unwrap(), event.slug.unwrap()))
    }

    #[test]
    fn the_repository_is_named_by_slug_then_url_then_name() {
        for (json, owner, slug) in [
            (r#"{"owner":"ada","slug":"core","absolute_url":"/x/y/","name":"C C"}"#, "ada", "core"),
            (r#"{"owner":"ada","slug":"","absolute_url":"/x/y/","name":"C C"}"#, "ada", "y"),
            (r#"{"owner":"ada","slug":null,"absolute_url":"","name":"C C"}"#, "ada", "C C"),
            (r#"{"absolute_url":"/x/y/"}"#, "x", "y"),
            (r#"{"absolute_url":"x/y"}"#, "x", "y"),
            (r#"{"owner":"  ada ","name":"core","website":[1],"scm":7}"#, "ada", "core"),
        ] {
            let json = format!(r#"{{"repository":{json},"canon_url":""}}"#);
            assert_eq!(event(&json), Ok((owner.to_owned(), slug.to_owned())), "{json}");
        }
    }

    #[test]
    fn what_is_missing_decides_the_reason() {
        for form in ["", "payloads={}", "{}", "a=payload", "&&=&"] {
            assert_eq!(read(form.as_bytes()), Err(PayloadError::Missing), "{form}");
        }
        for json in ["", "{", "nonsense", "{} {}", "{\"repository\": 5, oops}", "{'a': 1}", "\0"] {
            assert_eq!(event(json), Err(PayloadError::NotJson), "{json}");
        }
        for json in [
            "{}",
            "[]",
            "null",
            "7",
            r#"{"repository":null}"#,
            r#"{"repository":{}}"#,
            r#"{"repository":"ada/core"}"#,
            r#"{"repository":{"owner":"ada"}}"#,
            r#"{"repository":{"slug":"core"}}"#,
            r#"{"repository":{"owner":5,"slug":"core"}}"#,
            r#"{"repository":{"owner":" ","slug":"core"}}"#,
        ] {
            assert_eq!(event(json), Err(PayloadError::NotProper), "{json}");
        }
    }

    #[test]
    fn nesting_without_end_is_not_followed() {
        let deep = "[".repeat(100_000);
        assert_eq!(event(&deep), Err(PayloadError::NotJson));
        let closed = format!("{{\"a\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
        assert_eq!(event(&closed), Err(PayloadError::NotProper));
    }

    #[test]
    fn heads_are_the_commits_without_children() {
        let json = r#"{"repository":{"owner":"ada","slug":"core"},"commits":[
            {"node":"aaaaaaaaaaaa","raw_node":"aaaaaaaaaaaa0000000000000000000000000000","parents":[]},
            {"node":"bbbbbbbbbbbb","parents":["aaaaaaaaaaaa"]},
            {"node":"CCCCCCCCCCCC","parents":["aaaaaaaaaaaa"]},
            {"node":"rm -rf /","parents":null}, {}]}"#;
        assert_eq!(read(&form(json)).unwrap().heads_hinted, ["bbbbbbbbbbbb", "cccccccccccc"]);
        for commits in ["null", "5", "{}", "[]", "[null]", "[7]"] {
            let json =
                format!(r#"{{"repository":{{"owner":"a","slug":"b"}},"commits":{commits}}}"#);
            assert!(read(&form(&json)).unwrap().heads_hinted.is_empty(), "{commits}");
        }
    }

    #[test]
    fn the_address_is_that_of_the_server_and_the_path() {
        for (canon, path, expected) in [
            ("\"https://bitbucket.org\"", "/ada/core/", Some("https://bitbucket.org/ada/core")),
            ("\"https://hg.example.org/\"", "ada/core", Some("https://hg.example.org/ada/core")),
            ("\"\"", "/ada/core/", None),
            ("7", "/ada/core/", None),
            ("null", "/ada/core/", None),
        ] {
            let json = format!(
                r#"{{"canon_url":{canon},"repository":{{"owner":"ada","slug":"core","absolute_url":"{path}"}}}}"#
            );
            assert_eq!(read(&form(&json)).unwrap().addresses.first().map(|it| &**it), expected);
        }
    }
}
