//! Webhooks of Gitea, and of Forgejo and Gogs, which differ from it in the names of headers: GitHub's
//! payload, with a signature of its own.

use super::{Format, Query, Sample, SchemeOffer, Setup, event_header, github};
use crate::hook::SchemeKind;

/// How all three are told to send hooks.
const SETUP: Setup = Setup {
    page: "in the repository: Settings, Webhooks, Add webhook",
    secret: "Secret",
    content: "POST Content Type: application/json",
    events: &["Push events"],
    query: Query::None,
    notes: &[
        "Its administrator must allow the host of the address (`ALLOWED_HOST_LIST` in `[webhook]`).",
    ],
};

/// The format of Forgejo.
pub(super) static FORGEJO: Format = Format {
    name: "forgejo",
    title: "Forgejo",
    schemes: &[
        SchemeOffer::new(SchemeKind::HmacSha256Hex, "x-forgejo-signature"),
        SchemeOffer::new(SchemeKind::HmacSha256, "x-hub-signature-256"),
        SchemeOffer::new(SchemeKind::TokenHeader, "authorization"),
    ],
    id_headers: &["x-forgejo-delivery"],
    parse: |delivery| github::parse(delivery, event_header(delivery, "x-forgejo-event")?),
    setup: SETUP,
    sample: Sample {
        headers: include_str!("../../../fixtures/hooks/forgejo/push.headers"),
        body: include_str!("../../../fixtures/hooks/forgejo/push.json"),
        names: github::NAMES,
    },
};

/// The format of Gitea.
pub(super) static GITEA: Format = Format {
    name: "gitea",
    title: "Gitea",
    schemes: &[
        SchemeOffer::new(SchemeKind::HmacSha256Hex, "x-gitea-signature"),
        SchemeOffer::new(SchemeKind::HmacSha256, "x-hub-signature-256"),
        SchemeOffer::new(SchemeKind::TokenHeader, "authorization"),
    ],
    id_headers: &["x-gitea-delivery"],
    parse: |delivery| github::parse(delivery, event_header(delivery, "x-gitea-event")?),
    setup: SETUP,
    sample: Sample {
        headers: include_str!("../../../fixtures/hooks/gitea/push.headers"),
        body: include_str!("../../../fixtures/hooks/gitea/push.json"),
        names: github::NAMES,
    },
};

/// The format of Gogs.
pub(super) static GOGS: Format = Format {
    name: "gogs",
    title: "Gogs",
    schemes: &[SchemeOffer::new(SchemeKind::HmacSha256Hex, "x-gogs-signature")],
    id_headers: &["x-gogs-delivery"],
    parse: |delivery| github::parse(delivery, event_header(delivery, "x-gogs-event")?),
    setup: SETUP,
    sample: Sample {
        headers: include_str!("../../../fixtures/hooks/gogs/push.headers"),
        body: include_str!("../../../fixtures/hooks/gogs/push.json"),
        names: github::NAMES,
    },
};
