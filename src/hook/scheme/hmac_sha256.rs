//! HMAC-SHA256 of the body, in hex.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{Delivery, Secrets, Unproven, sole};
use crate::base::hex;

const SIGNATURE: &str = "the signature";

/// Whether `header` has the signature of the body, in hex behind `prefix`.
pub(super) fn verify(
    header: &str,
    prefix: &str,
    secrets: &Secrets<'_>,
    delivery: &Delivery<'_>,
) -> Result<(), Unproven> {
    let sent = sole(delivery, header, SIGNATURE)?.strip_prefix(prefix.as_bytes());
    let sent: [u8; 32] =
        sent.and_then(hex::decode).ok_or(Unproven::Malformed { what: SIGNATURE })?;
    secrets.any(SIGNATURE, |secret| Ok(is_of(&sent, secret.as_bytes(), &[delivery.body])))
}

/// Whether `signature` is that of `parts`, one after the other, with `key`.
pub(super) fn is_of(signature: &[u8], key: &[u8], parts: &[&[u8]]) -> bool {
    mac(key, parts).is_some_and(|mac| mac.verify_slice(signature).is_ok())
}

/// The signature of `parts`, one after the other, with `key`.
pub(super) fn sign(key: &[u8], parts: &[&[u8]]) -> Option<[u8; 32]> {
    Some(mac(key, parts)?.finalize().into_bytes().into())
}

/// The code of `parts`; `None` for a key that the crate refuses, of which there is none.
fn mac(key: &[u8], parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac)
}
