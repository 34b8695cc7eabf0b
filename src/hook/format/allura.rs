//! The webhook `repo-push` of Allura, which SourceForge runs. It is the only event that there is, and
//! one that comes within half a minute of the last is dropped by the sender.

use serde::Deserialize;

use super::{Format, Part, Query, Sample, SchemeOffer, Setup};
use crate::hook::json;
use crate::hook::{Delivery, Event, PayloadError, PushEvent, SchemeKind};

/// The format.
pub(super) static FORMAT: Format = Format {
    name: "allura",
    title: "SourceForge and Allura",
    schemes: &[SchemeOffer::new(SchemeKind::HmacSha1, "x-allura-signature")],
    id_headers: &[],
    parse,
    setup: Setup {
        page: "in the project: Admin, the repository, Webhooks, repo-push",
        secret: "Secret",
        content: "",
        events: &["repo-push"],
        query: Query::OfMirror,
        notes: &[
            "The secret is the one that the forge shows if the field is left empty: put it into the file of the endpoint.",
            "A push within 30 seconds of the last one sends no hook: the schedule finds what it brought.",
        ],
    },
    sample: Sample {
        headers: include_str!("../../../fixtures/hooks/allura/push.headers"),
        body: include_str!("../../../fixtures/hooks/allura/push.json"),
        names: &[("/repository/full_name", Part::AbsolutePath), ("/repository/url", Part::Address)],
    },
};

#[derive(Deserialize)]
struct Payload {
    repository: Repository,
}

#[derive(Deserialize)]
struct Repository {
    /// `/p/project/code/`
    full_name: String,
    /// Of its page, not of the server that has it.
    url: Option<String>,
}

#[derive(Default, Deserialize)]
struct Hints {
    after: Option<String>,
}

fn parse(delivery: &Delivery<'_>) -> Result<Event, PayloadError> {
    let json = json::payload(delivery)?;
    let Repository { full_name, url } = json::read::<Payload>(&json)?.repository;
    let event = PushEvent::at(&full_name);
    if event.slug.is_none() {
        return Err(PayloadError::NotProper);
    }
    let after = json::hints::<Hints>(&json).after;
    Ok(Event::Push(event.with_addresses([url]).with_heads([after])))
}
