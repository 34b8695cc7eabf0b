//! The secret as `?token=` in the address. Proxies write addresses into their logs: it is for senders
//! that can do nothing else.

use super::token::{self, TOKEN};
use super::{Delivery, Secrets, Unproven};
use crate::hook::form;

/// Whether the address has the token.
pub(super) fn verify(secrets: &Secrets<'_>, delivery: &Delivery<'_>) -> Result<(), Unproven> {
    let mut sent = form::fields(delivery.query.as_bytes(), "token");
    match (sent.next(), sent.next()) {
        (Some(_), Some(_)) => Err(Unproven::Malformed { what: TOKEN }),
        (Some(token), None) if !token.is_empty() => token::verify(&token, secrets),
        _ => Err(Unproven::Missing { what: TOKEN }),
    }
}
