//! The Webhook integration of RhodeCode. Its secret stands in the body, as `token`.

use serde::Deserialize;

use super::{Format, Part, Query, Sample, SchemeOffer, Setup};
use crate::hook::json::{self, First};
use crate::hook::{Delivery, Event, PayloadError, PushEvent, SchemeKind};

/// The format.
pub(super) static FORMAT: Format = Format {
    name: "rhodecode",
    title: "RhodeCode",
    schemes: &[SchemeOffer::new(SchemeKind::TokenInBody, "")],
    id_headers: &[],
    parse,
    setup: Setup {
        page: "in the repository: Settings, Integrations, Webhook",
        secret: "Secret Token",
        content: "",
        events: &["repo-push"],
        query: Query::None,
        notes: &[
            "Choose POST, and put neither ${branch} nor ${commit_id} into the address: with them it sends a hook for each.",
        ],
    },
    sample: Sample {
        headers: include_str!("../../../fixtures/hooks/rhodecode/push.headers"),
        body: include_str!("../../../fixtures/hooks/rhodecode/push.json"),
        names: &[("/event/repo/repo_name", Part::Path), ("/event/repo/url", Part::Address)],
    },
};

#[derive(Deserialize)]
struct Payload<T> {
    event: T,
}

#[derive(Deserialize)]
struct Kind {
    name: String,
}

#[derive(Deserialize)]
struct Pushed {
    repo: Repository,
}

#[derive(Deserialize)]
struct Repository {
    repo_name: String,
    url: Option<String>,
}

#[derive(Default, Deserialize)]
struct Hints {
    event: Option<Happened>,
}

#[derive(Deserialize)]
struct Happened {
    push: Option<Push>,
}

#[derive(Deserialize)]
struct Push {
    #[serde(default)]
    commits: First<Commit>,
}

#[derive(Deserialize)]
struct Commit {
    raw_id: Option<String>,
}

fn parse(delivery: &Delivery<'_>) -> Result<Event, PayloadError> {
    let json = json::payload(delivery)?;
    match json::read::<Payload<Kind>>(&json)?.event.name.as_str() {
        "repo-push" => push(&json).map(Event::Push),
        other => Ok(Event::other(other)),
    }
}

fn push(json: &[u8]) -> Result<PushEvent, PayloadError> {
    let Repository { repo_name, url } = json::read::<Payload<Pushed>>(json)?.event.repo;
    let event = PushEvent::at(&repo_name);
    if event.slug.is_none() {
        return Err(PayloadError::NotProper);
    }
    // The commits come in the order in which they were made, without their parents.
    let hints: Hints = json::hints(json);
    let commits = hints.event.and_then(|event| event.push).map(|push| push.commits.0);
    let newest = commits.unwrap_or_default().pop().and_then(|commit| commit.raw_id);
    Ok(event.with_addresses([url]).with_heads([newest]))
}
