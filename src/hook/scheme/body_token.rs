//! The secret as `token` in the JSON of the body.

use serde::Deserialize;

use super::token::{self, TOKEN};
use super::{Delivery, Secrets, Unproven};

/// All that is read before the delivery is proven; everything else is passed over unread.
#[derive(Deserialize)]
struct Envelope {
    token: Option<String>,
}

/// Whether the body has the token.
pub(super) fn verify(secrets: &Secrets<'_>, delivery: &Delivery<'_>) -> Result<(), Unproven> {
    let envelope: Envelope = serde_json::from_slice(delivery.body)
        .map_err(|_| Unproven::Malformed { what: "the JSON around the token" })?;
    let sent = envelope.token.filter(|token| !token.is_empty());
    let sent = sent.ok_or(Unproven::Missing { what: TOKEN })?;
    token::verify(sent.as_bytes(), secrets)
}
