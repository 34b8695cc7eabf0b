//! Webhooks of GitHub, as JSON or as a form: what servers send that do as GitHub does, too.

use serde::Deserialize;

use super::{Format, Part, Query, Sample, SchemeOffer, Setup, event_header};
use crate::hook::json;
use crate::hook::{Delivery, Event, PayloadError, PushEvent, SchemeKind};

/// Where the payload names its repository.
pub(super) const NAMES: &[(&str, Part)] = &[
    ("/repository/full_name", Part::Path),
    ("/repository/name", Part::Slug),
    ("/repository/clone_url", Part::Address),
    ("/repository/ssh_url", Part::Address),
    ("/repository/html_url", Part::Address),
];

/// The format.
pub(super) static FORMAT: Format = Format {
    name: "github",
    title: "GitHub",
    schemes: &[SchemeOffer::new(SchemeKind::HmacSha256, "x-hub-signature-256")],
    id_headers: &["x-github-delivery"],
    parse: |delivery| parse(delivery, event_header(delivery, "x-github-event")?),
    setup: Setup {
        page: "in the repository: Settings, Webhooks, Add webhook",
        secret: "Secret",
        content: "application/json",
        events: &["Just the push event"],
        query: Query::None,
        notes: &[],
    },
    sample: Sample {
        headers: include_str!("../../../fixtures/hooks/github/push.headers"),
        body: include_str!("../../../fixtures/hooks/github/push.json"),
        names: NAMES,
    },
};

#[derive(Deserialize)]
struct Payload {
    repository: Repository,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
    clone_url: Option<String>,
    ssh_url: Option<String>,
    html_url: Option<String>,
}

#[derive(Default, Deserialize)]
struct Hints {
    after: Option<String>,
}

/// The event called `name` that a delivery tells of.
pub(super) fn parse(delivery: &Delivery<'_>, name: &str) -> Result<Event, PayloadError> {
    match name {
        "push" => push(delivery).map(Event::Push),
        "ping" => Ok(Event::Ping),
        other => Ok(Event::other(other)),
    }
}

fn push(delivery: &Delivery<'_>) -> Result<PushEvent, PayloadError> {
    let json = json::payload(delivery)?;
    let Repository { full_name, clone_url, ssh_url, html_url } =
        json::read::<Payload>(&json)?.repository;
    let event = PushEvent::at(&full_name);
    if event.slug.is_none() {
        return Err(PayloadError::NotProper);
    }
    let event = event.with_addresses([clone_url, ssh_url, html_url]);
    Ok(event.with_heads([json::hints::<Hints>(&json).after]))
}
