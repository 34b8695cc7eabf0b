//! The webhook plugin of SCM-Manager. What it sends does not say which repository it is of: that stands
//! in the address, of which a part is made from the repository (`${repository.name}`), or the endpoint
//! is for one mirror alone.

use serde::Deserialize;

use super::{Format, Query, Sample, Setup};
use crate::hook::json::{self, First};
use crate::hook::{Delivery, Event, PayloadError, PushEvent};

/// The format.
pub(super) static FORMAT: Format = Format {
    name: "scm_manager",
    title: "SCM-Manager",
    schemes: &[],
    id_headers: &[],
    parse,
    setup: Setup {
        page: "in the repository: Settings, Webhooks, Add Webhook",
        secret: "",
        content: "",
        events: &["every push"],
        query: Query::Filled { user: "${repository.namespace}", project: "${repository.name}" },
        notes: &["Choose POST."],
    },
    sample: Sample {
        headers: include_str!("../../../fixtures/hooks/scm_manager/push.headers"),
        body: include_str!("../../../fixtures/hooks/scm_manager/push.json"),
        names: &[],
    },
};

#[derive(Default, Deserialize)]
struct Hints {
    #[serde(default)]
    changeset: First<Changeset>,
}

#[derive(Deserialize)]
struct Changeset {
    id: Option<String>,
}

fn parse(delivery: &Delivery<'_>) -> Result<Event, PayloadError> {
    let hints: Hints = match json::payload(delivery) {
        Ok(json) => json::read::<serde::de::IgnoredAny>(&json).map(|_| json::hints(&json))?,
        // It can be told to send nothing.
        Err(_) => Hints::default(),
    };
    let heads = hints.changeset.0.into_iter().map(|changeset| changeset.id);
    Ok(Event::Push(PushEvent::default().with_heads(heads)))
}
