//! Our own format, for servers that have no webhooks, and for whoever writes a script: a small JSON with
//! `"schema": "synchroniser/1"`, signed in the manner of GitHub. `packaging/hg-hook` sends it.

use serde::Deserialize;

use super::{Format, Part, Query, Sample, SchemeOffer, Setup};
use crate::hook::event::present;
use crate::hook::json;
use crate::hook::{Delivery, Event, PayloadError, PushEvent, SchemeKind};

/// What `schema` must be.
pub const SCHEMA: &str = "synchroniser/1";

/// The format.
pub static FORMAT: Format = Format {
    name: "synchroniser",
    title: "synchroniser's own",
    schemes: &[
        SchemeOffer::new(SchemeKind::HmacSha256, "x-hub-signature-256"),
        SchemeOffer::new(SchemeKind::HmacSha256Hex, "x-signature"),
        SchemeOffer::new(SchemeKind::StandardWebhooks, ""),
        SchemeOffer::new(SchemeKind::StandardWebhooksEd25519, ""),
        SchemeOffer::new(SchemeKind::TokenHeader, "authorization"),
    ],
    id_headers: &["idempotency-key"],
    parse,
    setup: Setup {
        page: "the format for a Mercurial server of your own, or a script",
        secret: "Secret",
        content: "",
        events: &["txnclose"],
        query: Query::None,
        notes: &[],
    },
    sample: Sample {
        headers: include_str!("../../../fixtures/hooks/synchroniser/mirror.headers"),
        body: include_str!("../../../fixtures/hooks/synchroniser/mirror.json"),
        names: &[("/mapping", Part::Mirror)],
    },
};

#[derive(Deserialize)]
struct Payload {
    schema: String,
    event: String,
    /// The name of a mirror, or the address or path of its source.
    mapping: Option<String>,
}

#[derive(Default, Deserialize)]
struct Hints {
    node_last: Option<String>,
}

fn parse(delivery: &Delivery<'_>) -> Result<Event, PayloadError> {
    let json = json::payload(delivery)?;
    let Payload { schema, event, mapping } = json::read(&json)?;
    if schema != SCHEMA {
        return Err(PayloadError::NotProper);
    }
    match event.as_str() {
        "push" => {
            let mapping = mapping.and_then(|mapping| present(&mapping));
            let is_address = |text: &String| text.contains("://") || text.starts_with('/');
            let (address, mirror) = match mapping {
                Some(mapping) if is_address(&mapping) => (Some(mapping), None),
                mapping => (None, mapping),
            };
            let event = PushEvent { mirror, ..PushEvent::default() }.with_addresses([address]);
            Ok(Event::Push(event.with_heads([json::hints::<Hints>(&json).node_last])))
        }
        "ping" => Ok(Event::Ping),
        other => Ok(Event::other(other)),
    }
}
