//! Webhooks of SourceHut: those of old, and those whose payload is the answer to a GraphQL query that
//! the subscriber has written.
//!
//! Those of old do not say which repository they are of. In the others nothing but the query decides
//! what there is: `webhook { event … on … { repository { name owner { canonicalName } } } }` is what
//! tells us most.

use serde::Deserialize;

use super::{Format, Part, Query, Sample, SchemeOffer, Setup};
use crate::hook::json::{self, First};
use crate::hook::{Delivery, Event, PayloadError, PushEvent, SchemeKind};

/// The format.
pub(super) static FORMAT: Format = Format {
    name: "sourcehut",
    title: "SourceHut",
    schemes: &[SchemeOffer::new(SchemeKind::SourceHut, "")],
    id_headers: &["x-webhook-delivery"],
    parse,
    setup: Setup {
        page: "of hg.sr.ht or git.sr.ht: the GraphQL webhook of your account",
        secret: "",
        content: "",
        events: &["REPO_UPDATE", "REPO_CREATED", "GIT_POST_RECEIVE"],
        query: Query::None,
        notes: &[
            "The query must ask for `event`, and for the `repository` with its `name` and `owner { canonicalName }`.",
            "hg.sr.ht has no hook for a push alone: the schedule finds what was pushed.",
        ],
    },
    sample: Sample {
        headers: include_str!("../../../fixtures/hooks/sourcehut/graphql.headers"),
        body: include_str!("../../../fixtures/hooks/sourcehut/graphql.json"),
        names: &[
            ("/data/webhook/repository/owner/canonicalName", Part::Owner),
            ("/data/webhook/repository/name", Part::Slug),
        ],
    },
};

#[derive(Deserialize)]
struct Envelope {
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    webhook: Webhook,
}

#[derive(Deserialize)]
struct Webhook {
    event: String,
    repository: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    name: String,
    owner: Owner,
}

#[derive(Deserialize)]
struct Owner {
    /// `~user`
    #[serde(rename = "canonicalName")]
    name: String,
}

#[derive(Default, Deserialize)]
struct Hints {
    #[serde(default)]
    refs: First<Ref>,
}

#[derive(Deserialize)]
struct Ref {
    new: Option<Commit>,
}

#[derive(Deserialize)]
struct Commit {
    id: Option<String>,
}

fn parse(delivery: &Delivery<'_>) -> Result<Event, PayloadError> {
    let json = json::payload(delivery)?;
    match json::read::<Envelope>(&json)?.data {
        Some(Data { webhook }) => Ok(graphql(webhook)),
        None => legacy(delivery, &json),
    }
}

fn graphql(webhook: Webhook) -> Event {
    match webhook.event.as_str() {
        // hg.sr.ht has no event for a push alone; that a repository was updated may be one.
        "GIT_POST_RECEIVE" | "REPO_CREATED" | "REPO_UPDATE" => {
            let event = webhook.repository.map(|repository| {
                PushEvent::at(&format!("{}/{}", repository.owner.name, repository.name))
            });
            Event::Push(event.unwrap_or_default())
        }
        other => Event::other(other),
    }
}

fn legacy(delivery: &Delivery<'_>, json: &[u8]) -> Result<Event, PayloadError> {
    match super::event_header(delivery, "x-webhook-event")? {
        "repo:post-update" => {
            let refs = json::hints::<Hints>(json).refs.0;
            let heads = refs.into_iter().map(|it| it.new.and_then(|commit| commit.id));
            Ok(Event::Push(PushEvent::default().with_heads(heads)))
        }
        other => Ok(Event::other(other)),
    }
}
