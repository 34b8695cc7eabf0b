//! Webhooks of Gitea, and of Forgejo and Gogs, which differ from it in the names of headers: GitHub's
//! payload, with a signature of its own.

use super::{Format, SchemeOffer, event_header, github};
use crate::hook::SchemeKind;

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
};

/// The format of Gogs.
pub(super) static GOGS: Format = Format {
    name: "gogs",
    title: "Gogs",
    schemes: &[SchemeOffer::new(SchemeKind::HmacSha256Hex, "x-gogs-signature")],
    id_headers: &["x-gogs-delivery"],
    parse: |delivery| github::parse(delivery, event_header(delivery, "x-gogs-event")?),
};
