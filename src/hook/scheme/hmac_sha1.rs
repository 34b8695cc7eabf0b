//! HMAC-SHA1 of the body, in hex behind `sha1=`. That collisions of SHA-1 can be made does not break it:
//! whoever forges would have to know the key first.

use super::digest::same;
use super::{Delivery, Secrets, Unproven, sole};
use crate::base::{hex, sha1};

const SIGNATURE: &str = "the signature";
/// Bytes that SHA-1 takes at once.
const BLOCK: usize = 64;

/// Whether `header` has the signature of the body.
pub(super) fn verify(
    header: &str,
    secrets: &Secrets<'_>,
    delivery: &Delivery<'_>,
) -> Result<(), Unproven> {
    let sent = sole(delivery, header, SIGNATURE)?.strip_prefix(b"sha1=");
    let sent: [u8; 20] =
        sent.and_then(hex::decode).ok_or(Unproven::Malformed { what: SIGNATURE })?;
    secrets.any(SIGNATURE, |secret| Ok(same(&sent, &mac(secret.as_bytes(), delivery.body))))
}

/// The code of `text` (RFC 2104).
pub(super) fn mac(key: &[u8], text: &[u8]) -> sha1::Digest {
    let hashed = sha1::digest(&[key]);
    let key = if key.len() > BLOCK { &hashed } else { key };
    let padded = |pad: u8| {
        let mut block = [pad; BLOCK];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = sha1::digest(&[&padded(0x36), text]);
    sha1::digest(&[&padded(0x5c), &inner])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test cases of RFC 2202, section 3: keys shorter than a block, and longer.
    #[test]
    fn vectors() {
        for (key, text, expected) in [
            (vec![0x0b; 20], &b"Hi There"[..], "b617318655057264e28bc0b6fb378c8ef146be00"),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?",
                "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            ),
            (
                vec![0xaa; 80],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "aa4ae5e15272d00e95705637ce8a3b55ed402112",
            ),
        ] {
            assert_eq!(hex::encode(&mac(&key, text)), expected);
        }
    }
}
