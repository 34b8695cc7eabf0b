//! Herald webhooks of Phorge, which was Phabricator. They say that something happened to an object, of
//! which only its id is told: the endpoint is for one mirror, or the address has the selector.

use serde::Deserialize;

use super::{Format, Query, Sample, SchemeOffer, Setup};
use crate::hook::json;
use crate::hook::{Delivery, Event, PayloadError, PushEvent, SchemeKind};

/// The format.
pub(super) static FORMAT: Format = Format {
    name: "phorge",
    title: "Phorge and Phabricator",
    schemes: &[SchemeOffer::new(SchemeKind::HmacSha256Hex, "x-phabricator-webhook-signature")],
    id_headers: &[],
    parse,
    setup: Setup {
        page: "Herald, Webhooks, Create Webhook; then a Herald rule for commits that calls it",
        secret: "",
        content: "",
        events: &["Commits"],
        query: Query::OfMirror,
        notes: &[
            "The secret is the HMAC key that the webhook shows: put it into the file of the endpoint.",
        ],
    },
    sample: Sample {
        headers: include_str!("../../../fixtures/hooks/phorge/commit.headers"),
        body: include_str!("../../../fixtures/hooks/phorge/commit.json"),
        names: &[],
    },
};

#[derive(Deserialize)]
struct Payload {
    object: Object,
    #[serde(default)]
    action: Action,
}

#[derive(Deserialize)]
struct Object {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
struct Action {
    #[serde(default)]
    test: bool,
}

fn parse(delivery: &Delivery<'_>) -> Result<Event, PayloadError> {
    let json = json::payload(delivery)?;
    let Payload { object, action } = json::read(&json)?;
    match object.kind.as_str() {
        _ if action.test => Ok(Event::Ping),
        // A commit was found, or a repository changed.
        "CMIT" | "REPO" => Ok(Event::Push(PushEvent::default())),
        other => Ok(Event::other(other)),
    }
}
