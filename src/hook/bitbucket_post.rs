//! Bitbucket's POST hook, the one of the times before webhooks: a form whose field `payload` is
//! JSON. Bitbucket itself sends it no longer; servers that took its place and scripts do.
//!
//! There is no signature and no event header. `canon_url` may be any host or empty, and keys that
//! we do not know are common, so nothing but `repository` has to be there.

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Format, PayloadError, PushEvent, form};

/// The format.
pub static FORMAT: Format =
    Format { name: "Bitbucket POST", path: "synchronise", parse: |delivery| parse(delivery.body) };

/// The part of the payload that we read.
#[derive(Deserialize)]
struct Payload {
    repository: Repository,
    /// Only hints are taken from it, so its shape is not insisted on.
    #[serde(default)]
    commits: Value,
}

#[derive(Deserialize)]
struct Repository {
    owner: Option<String>,
    slug: Option<String>,
    /// `/owner/slug/`.
    absolute_url: Option<String>,
    name: Option<String>,
}

/// The event that the form `body` tells of.
fn parse(body: &[u8]) -> Result<PushEvent, PayloadError> {
    let json = form::field(body, "payload").ok_or(PayloadError::Missing)?;
    // First alone: a payload of the wrong shape may still turn out not to be JSON further on.
    serde_json::from_slice::<IgnoredAny>(&json).map_err(|_| PayloadError::NotJson)?;
    let payload: Payload = serde_json::from_slice(&json).map_err(|_| PayloadError::NotProper)?;
    let Repository { owner, slug, absolute_url, name } = payload.repository;
    let (url_owner, url_slug) = absolute_url.as_deref().map(parts_of).unwrap_or_default();
    let owner = present(owner).or_else(|| present(url_owner)).ok_or(PayloadError::NotProper)?;
    let name = present(name);
    // The name is for people ("Rocket Core"), and the slug what URLs have ("rocket-core").
    let slug = present(slug)
        .or_else(|| present(url_slug))
        .or_else(|| name.clone())
        .ok_or(PayloadError::NotProper)?;
    Ok(PushEvent { owner, slug, name, heads_hinted: heads(&payload.commits) })
}

/// `text` if there is something in it.
fn present(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The owner and the slug of `/owner/slug/`.
fn parts_of(url: &str) -> (Option<String>, Option<String>) {
    let mut parts = url.trim_matches('/').split('/').map(str::to_owned);
    (parts.next(), parts.next())
}

/// The commits that no other one has as its parent.
fn heads(commits: &Value) -> Vec<String> {
    let commits = commits.as_array().map(Vec::as_slice).unwrap_or_default();
    let parents: HashSet<&str> = commits
        .iter()
        .filter_map(|commit| commit.get("parents")?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let heads = commits.iter().filter_map(|commit| {
        // Parents are named by the first twelve digits, and so is the commit itself by `node`.
        let short = commit.get("node").and_then(Value::as_str).unwrap_or_default();
        let node = commit.get("raw_node").and_then(Value::as_str).unwrap_or(short);
        (!parents.contains(short) && is_node(node)).then(|| node.to_ascii_lowercase())
    });
    heads.collect()
}

/// Whether `text` may be a changeset, whole or shortened.
fn is_node(text: &str) -> bool {
    (12..=40).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A form with `json` as its payload, escaped no more than it must be.
    fn form(json: &str) -> Vec<u8> {
        let escaped = json.replace('%', "%25").replace('&', "%26").replace('+', "%2B");
        format!("other=1&payload={escaped}").into_bytes()
    }

    fn event(json: &str) -> Result<(String, String), PayloadError> {
        parse(&form(json)).map(|event| (event.owner, event.slug))
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
            assert_eq!(parse(form.as_bytes()), Err(PayloadError::Missing), "{form}");
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
            {"node":"rm -rf /","parents":null}, {}, 7]}"#;
        assert_eq!(parse(&form(json)).unwrap().heads_hinted, ["bbbbbbbbbbbb", "cccccccccccc"]);
        for commits in ["null", "5", "{}", "[]", "[null]"] {
            let json =
                format!(r#"{{"repository":{{"owner":"a","slug":"b"}},"commits":{commits}}}"#);
            assert!(parse(&form(&json)).unwrap().heads_hinted.is_empty(), "{commits}");
        }
    }
}
