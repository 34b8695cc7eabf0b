//! HMAC-SHA256 of the body, in hex.

use hmac::{Hmac, KeyInit, Mac as _};
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

/// The code of `parts`, one after the other, which only who knows `key` can make: for values that have nothing to do
/// with hooks.
pub fn hmac_sha256(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // What a key is filled up to by definition.
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The code of `parts`; `None` for a key that the crate refuses, of which there is none.
fn mac(key: &[u8], parts: &[&[u8]]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2, with the key as it is filled up.
    #[test]
    fn a_known_answer() {
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let code = hmac_sha256(&key, &[b"what do ya want ", b"for nothing?"]);
        let known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex::encode(&code), known);
    }
}
