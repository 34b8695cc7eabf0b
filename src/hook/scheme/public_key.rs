//! Public keys of senders, and the check of their signatures.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::base::faults;

/// The key of sr.ht, which `meta.sr.ht` and all that belongs to it signs with. Instances of one's own
/// have others.
pub const SOURCEHUT_KEY: &str = "uX7KWyyDNMaBma4aVbJ/cbUQpdjqczuCyK/HxzV/u+4=";

/// What the keys of Standard Webhooks begin with.
const PREFIX: &str = "whpk_";

/// The public half of an Ed25519 key pair.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// A text that is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read a public key: it is 32 bytes of an Ed25519 key in base64, `whpk_` before it or not")]
pub struct PublicKeyError;

faults!(PublicKeyError => Config);

impl PublicKey {
    /// Reads 32 bytes in base64, `whpk_` before them or not.
    pub fn parse(text: &str) -> Result<Self, PublicKeyError> {
        let text = text.strip_prefix(PREFIX).unwrap_or(text);
        let bytes: [u8; 32] = STANDARD
            .decode(text)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or(PublicKeyError)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| PublicKeyError)?;
        // Of a weak key signatures can be made by anybody.
        if key.is_weak() { Err(PublicKeyError) } else { Ok(Self(key)) }
    }

    /// Whether `signature`, 64 bytes, is that of `text`.
    pub(super) fn has_signed(&self, text: &[u8], signature: &Signature) -> bool {
        self.0.verify_strict(text, signature).is_ok()
    }
}

/// Reads a signature in base64.
pub(super) fn signature(text: &[u8]) -> Option<Signature> {
    Signature::from_slice(&STANDARD.decode(text).ok()?).ok()
}

/// In base64.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_and_shown_again() {
        let key = PublicKey::parse(SOURCEHUT_KEY).unwrap();
        assert_eq!(key.to_string(), SOURCEHUT_KEY);
        assert_eq!(PublicKey::parse(&format!("whpk_{SOURCEHUT_KEY}")), Ok(key));
        let weak = STANDARD.encode([0; 32]);
        for text in ["", "whpk_", "AAAA", "whsk_AAAA", &SOURCEHUT_KEY[1..], &weak, "uX7K WyyD"] {
            assert_eq!(PublicKey::parse(text), Err(PublicKeyError), "{text}");
        }
    }
}
