//! Webhooks of Bitbucket Server and Data Center, which have Git repositories only; what stands in front
//! of a Mercurial server may send the same.

use serde::Deserialize;

use super::{Format, Part, Query, Sample, SchemeOffer, Setup, event_header};
use crate::hook::json::{self, First};
use crate::hook::{Delivery, Event, PayloadError, PushEvent, SchemeKind};

/// The format.
pub(super) static FORMAT: Format = Format {
    name: "bitbucket_dc",
    title: "Bitbucket Data Center",
    schemes: &[SchemeOffer::new(SchemeKind::HmacSha256, "x-hub-signature")],
    id_headers: &["x-request-id"],
    parse,
    setup: Setup {
        page: "in the repository: Repository settings, Webhooks, Create webhook",
        secret: "Secret",
        content: "",
        events: &["Repository: Push"],
        query: Query::None,
        notes: &[],
    },
    sample: Sample {
        headers: include_str!("../../../fixtures/hooks/bitbucket_dc/push.headers"),
        body: include_str!("../../../fixtures/hooks/bitbucket_dc/push.json"),
        names: &[("/repository/project/key", Part::Owner), ("/repository/slug", Part::Slug)],
    },
};

#[derive(Deserialize)]
struct Payload {
    repository: Repository,
}

#[derive(Deserialize)]
struct Repository {
    slug: String,
    project: Project,
}

#[derive(Deserialize)]
struct Project {
    key: String,
}

#[derive(Default, Deserialize)]
struct Hints {
    #[serde(default)]
    changes: First<Change>,
}

#[derive(Deserialize)]
struct Change {
    #[serde(rename = "toHash")]
    to: Option<String>,
}

fn parse(delivery: &Delivery<'_>) -> Result<Event, PayloadError> {
    match event_header(delivery, "x-event-key")? {
        "repo:refs_changed" => push(delivery.body).map(Event::Push),
        "diagnostics:ping" => Ok(Event::Ping),
        other => Ok(Event::other(other)),
    }
}

fn push(body: &[u8]) -> Result<PushEvent, PayloadError> {
    let Repository { slug, project } = json::read::<Payload>(body)?.repository;
    let event = PushEvent::at(&format!("{}/{}", project.key.trim(), slug.trim()));
    if event.owner.is_none() || event.slug.is_none() {
        return Err(PayloadError::NotProper);
    }
    let changes = json::hints::<Hints>(body).changes.0;
    Ok(event.with_heads(changes.into_iter().map(|change| change.to)))
}
