//! Herald webhooks of Phorge, which was Phabricator. They say that something happened to an object, of
//! which only its id is told: the endpoint is for one mirror, or the address has the selector.

use serde::Deserialize;

use super::{Format, SchemeOffer};
use crate::hook::json;
use crate::hook::{Delivery, Event, PayloadError, PushEvent, SchemeKind};

/// The format.
pub(super) static FORMAT: Format = Format {
    name: "phorge",
    title: "Phorge and Phabricator",
    schemes: &[SchemeOffer::new(SchemeKind::HmacSha256Hex, "x-phabricator-webhook-signature")],
    id_headers: &[],
    parse,
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
