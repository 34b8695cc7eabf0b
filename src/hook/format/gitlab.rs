//! Webhooks and system hooks of GitLab, and of Heptapod, which is GitLab with Mercurial: a repository of
//! Mercurial has addresses without `.git`, and its own node ids as heads.
//!
//! A push of more than three branches sends none by default, and one that gets a 4xx disables the hook.

use serde::Deserialize;

use super::{Format, Part, Query, Sample, SchemeOffer, Setup};
use crate::hook::json;
use crate::hook::{Delivery, Event, PayloadError, PushEvent, SchemeKind};

/// The format.
pub(super) static FORMAT: Format = Format {
    name: "gitlab",
    title: "GitLab and Heptapod",
    schemes: &[
        SchemeOffer::new(SchemeKind::TokenHeader, "x-gitlab-token"),
        SchemeOffer::new(SchemeKind::StandardWebhooks, ""),
    ],
    id_headers: &["idempotency-key", "x-gitlab-event-uuid"],
    parse,
    setup: Setup {
        page: "in the project: Settings, Webhooks, Add new webhook",
        secret: "Secret token",
        content: "",
        events: &["Push events", "Tag push events"],
        query: Query::None,
        notes: &[
            "A push that changes more than three branches or tags sends no hook: the schedule finds what it brought.",
            "A hook for all projects is one of Admin, System Hooks, with the event \"Repository update events\".",
        ],
    },
    sample: Sample {
        headers: include_str!("../../../fixtures/hooks/gitlab/push.headers"),
        body: include_str!("../../../fixtures/hooks/gitlab/push.json"),
        names: &[
            ("/project/path_with_namespace", Part::Path),
            ("/project/git_http_url", Part::Address),
            ("/project/git_ssh_url", Part::Address),
            ("/project/http_url", Part::Address),
            ("/project/ssh_url", Part::Address),
            ("/project/web_url", Part::Address),
        ],
    },
};

/// The event stands in the payload, and in a header, which no signature covers.
#[derive(Deserialize)]
struct Kind {
    event_name: Option<String>,
    object_kind: Option<String>,
}

#[derive(Deserialize)]
struct Payload {
    project: Project,
}

#[derive(Deserialize)]
struct Project {
    path_with_namespace: String,
    http_url: Option<String>,
    ssh_url: Option<String>,
    git_http_url: Option<String>,
    git_ssh_url: Option<String>,
    web_url: Option<String>,
}

#[derive(Default, Deserialize)]
struct Hints {
    after: Option<String>,
}

fn parse(delivery: &Delivery<'_>) -> Result<Event, PayloadError> {
    let json = json::payload(delivery)?;
    let Kind { event_name, object_kind } = json::read(&json)?;
    let name = event_name.or(object_kind).ok_or(PayloadError::NotProper)?;
    match name.as_str() {
        "push" | "tag_push" | "repository_update" => push(&json).map(Event::Push),
        other => Ok(Event::other(other)),
    }
}

fn push(json: &[u8]) -> Result<PushEvent, PayloadError> {
    let project = json::read::<Payload>(json)?.project;
    let event = PushEvent::at(&project.path_with_namespace);
    if event.slug.is_none() {
        return Err(PayloadError::NotProper);
    }
    let Project { http_url, ssh_url, git_http_url, git_ssh_url, web_url, .. } = project;
    let addresses = [git_http_url, git_ssh_url, http_url, ssh_url, web_url];
    Ok(event.with_addresses(addresses).with_heads([json::hints::<Hints>(json).after]))
}
