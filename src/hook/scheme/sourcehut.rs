//! SourceHut's signature: Ed25519 over the body and, behind it, a nonce as the text that it is sent as.

use super::public_key::{PublicKey, signature};
use super::{Delivery, Unproven, sole};
use crate::hook::delivery::is_id;

const SIGNATURE: &str = "the signature";
const NONCE: &str = "the nonce";

/// Whether one of `keys` has signed the delivery; the result is its nonce.
pub(super) fn verify(keys: &[PublicKey], delivery: &Delivery<'_>) -> Result<String, Unproven> {
    if keys.is_empty() {
        return Err(Unproven::NoSecret { problem: "the endpoint has no public key" });
    }
    let sent = sole(delivery, "x-payload-signature", SIGNATURE)?;
    let sent = signature(sent).ok_or(Unproven::Malformed { what: SIGNATURE })?;
    let nonce = sole(delivery, "x-payload-nonce", NONCE)?;
    // Senders with a fault of old sent an empty one, which could be sent again for ever.
    let nonce = std::str::from_utf8(nonce).ok().filter(|nonce| is_id(nonce));
    let nonce = nonce.ok_or(Unproven::Malformed { what: NONCE })?;
    let signed = [delivery.body, nonce.as_bytes()].concat();
    match keys.iter().any(|key| key.has_signed(&signed, &sent)) {
        true => Ok(nonce.to_owned()),
        false => Err(Unproven::Wrong { what: SIGNATURE }),
    }
}
