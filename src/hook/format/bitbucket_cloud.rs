//! Webhooks 2.0 of Bitbucket Cloud, as they were for Mercurial repositories and are for Git's. A named
//! branch of Mercurial has several heads, each of which is listed.

use serde::Deserialize;

use super::{Format, Part, Query, Sample, SchemeOffer, Setup, event_header};
use crate::hook::json::{self, First};
use crate::hook::{Delivery, Event, PayloadError, PushEvent, SchemeKind};

/// The format.
pub(super) static FORMAT: Format = Format {
    name: "bitbucket_cloud",
    title: "Bitbucket Cloud",
    schemes: &[SchemeOffer::new(SchemeKind::HmacSha256, "x-hub-signature")],
    id_headers: &["x-request-uuid"],
    parse,
    setup: Setup {
        page: "in the repository: Repository settings, Webhooks, Add webhook",
        secret: "Secret",
        content: "",
        events: &["Repository push"],
        query: Query::None,
        notes: &["Bitbucket tries a hook twice more, and only after a 5xx or no answer."],
    },
    sample: Sample {
        headers: include_str!("../../../fixtures/hooks/bitbucket_cloud/push.headers"),
        body: include_str!("../../../fixtures/hooks/bitbucket_cloud/push.json"),
        names: &[
            ("/repository/full_name", Part::Path),
            ("/repository/links/html/href", Part::Address),
        ],
    },
};

#[derive(Deserialize)]
struct Payload {
    repository: Repository,
}

#[derive(Deserialize)]
struct Repository {
    /// `owner/slug`; there is no key for the slug alone.
    full_name: String,
    #[serde(default)]
    links: Links,
}

#[derive(Default, Deserialize)]
struct Links {
    html: Option<Link>,
}

#[derive(Deserialize)]
struct Link {
    href: Option<String>,
}

#[derive(Default, Deserialize)]
struct Hints {
    push: Option<Push>,
}

#[derive(Deserialize)]
struct Push {
    #[serde(default)]
    changes: First<Change>,
}

#[derive(Deserialize)]
struct Change {
    new: Option<New>,
}

#[derive(Deserialize)]
struct New {
    target: Option<Commit>,
    #[serde(default)]
    heads: First<Commit>,
}

#[derive(Deserialize)]
struct Commit {
    hash: Option<String>,
}

fn parse(delivery: &Delivery<'_>) -> Result<Event, PayloadError> {
    match event_header(delivery, "x-event-key")? {
        "repo:push" => push(delivery.body).map(Event::Push),
        "diagnostics:ping" => Ok(Event::Ping),
        other => Ok(Event::other(other)),
    }
}

fn push(body: &[u8]) -> Result<PushEvent, PayloadError> {
    let Repository { full_name, links } = json::read::<Payload>(body)?.repository;
    let event = PushEvent::at(&full_name);
    if event.slug.is_none() {
        return Err(PayloadError::NotProper);
    }
    let changes = json::hints::<Hints>(body).push.map(|push| push.changes.0).unwrap_or_default();
    let heads = changes
        .into_iter()
        .filter_map(|change| change.new)
        .flat_map(|new| new.heads.0.into_iter().chain(new.target).map(|commit| commit.hash));
    Ok(event.with_addresses([links.html.and_then(|link| link.href)]).with_heads(heads))
}
