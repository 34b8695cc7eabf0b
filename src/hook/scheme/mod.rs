//! How a delivery proves that it comes from somebody who knows the secret of its endpoint.
//!
//! Whatever is compared with a secret, or with what was made of one, is compared in constant time, and
//! so that its length does not tell anything either.

mod basic;
mod body_token;
mod digest;
mod hmac_sha1;
mod hmac_sha256;
mod public_key;
mod query_token;
mod sign;
mod sourcehut;
mod standard_webhooks;
mod token;

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::Delivery;
use crate::base::faults;
use crate::base::text::named;
use crate::base::time::Timestamp;

pub use hmac_sha256::hmac_sha256;
pub use public_key::{PublicKey, PublicKeyError, SOURCEHUT_KEY};
pub use sign::{Signed, Unsigned, sign};
pub use standard_webhooks::sign as sign_standard_webhook;

/// How far the time that a sender signs may be from ours, unless it is configured: what the text of
/// Standard Webhooks recommends (<https://github.com/standard-webhooks/standard-webhooks>).
pub const DEFAULT_TOLERANCE: Duration = Duration::from_mins(5);

/// A way to prove a delivery. An endpoint has exactly one: if any of several would do, whoever forges
/// could pick the weakest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HMAC-SHA256 of the body, in hex behind `sha256=`: GitHub, Bitbucket, and others in their manner.
    HmacSha256 {
        /// The header that has it, in lower case.
        header: String,
    },
    /// HMAC-SHA256 of the body, in hex: Gitea, Phorge.
    HmacSha256Hex {
        /// The header that has it, in lower case.
        header: String,
    },
    /// HMAC-SHA1 of the body, in hex behind `sha1=`: Allura.
    HmacSha1 {
        /// The header that has it, in lower case.
        header: String,
    },
    /// The secret itself in a header: GitLab.
    TokenHeader {
        /// The header that has it, in lower case.
        header: String,
    },
    /// Standard Webhooks with a shared secret (`v1`), which signs an id and a time too.
    StandardWebhooks {
        /// How far the signed time may be from ours.
        tolerance: Duration,
    },
    /// Standard Webhooks with a key pair (`v1a`).
    StandardWebhooksEd25519 {
        /// The keys of senders that are believed.
        keys: Vec<PublicKey>,
        /// How far the signed time may be from ours.
        tolerance: Duration,
    },
    /// SourceHut's signature with a key pair, over the body and a nonce.
    SourceHut {
        /// The keys of senders that are believed.
        keys: Vec<PublicKey>,
    },
    /// The secret itself as `token` in the JSON of the body: RhodeCode.
    TokenInBody,
    /// The secret itself as `?token=` in the address, for senders that can do nothing else.
    TokenInQuery,
    /// The secret as the password of HTTP's Basic authentication, whoever the user is.
    Basic,
    /// None at all: whoever reaches the endpoint is believed.
    Unauthenticated,
}

/// Which [`Scheme`], as it is written in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemeKind {
    /// [`Scheme::HmacSha256`]
    HmacSha256,
    /// [`Scheme::HmacSha256Hex`]
    HmacSha256Hex,
    /// [`Scheme::HmacSha1`]
    HmacSha1,
    /// [`Scheme::TokenHeader`]
    TokenHeader,
    /// [`Scheme::StandardWebhooks`]
    StandardWebhooks,
    /// [`Scheme::StandardWebhooksEd25519`]
    StandardWebhooksEd25519,
    /// [`Scheme::SourceHut`]
    SourceHut,
    /// [`Scheme::TokenInBody`]
    TokenInBody,
    /// [`Scheme::TokenInQuery`]
    TokenInQuery,
    /// [`Scheme::Basic`]
    Basic,
}

impl SchemeKind {
    /// Every kind with its name.
    pub const ALL: [(&str, Self); 10] = [
        ("hmac-sha256", Self::HmacSha256),
        ("hmac-sha256-hex", Self::HmacSha256Hex),
        ("hmac-sha1", Self::HmacSha1),
        ("token-header", Self::TokenHeader),
        ("standard-webhooks", Self::StandardWebhooks),
        ("standard-webhooks-ed25519", Self::StandardWebhooksEd25519),
        ("sourcehut", Self::SourceHut),
        ("token-in-body", Self::TokenInBody),
        ("token-in-query", Self::TokenInQuery),
        ("basic", Self::Basic),
    ];

    /// The kind called `name`.
    pub fn named(name: &str) -> Option<Self> {
        named(&Self::ALL, name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Whether there is a header whose name can be chosen.
    pub fn has_header(self) -> bool {
        matches!(self, Self::HmacSha256 | Self::HmacSha256Hex | Self::HmacSha1 | Self::TokenHeader)
    }

    /// Whether it is proven with a key pair, of which we have the public half, instead of a secret.
    pub fn has_public_keys(self) -> bool {
        matches!(self, Self::StandardWebhooksEd25519 | Self::SourceHut)
    }

    /// Whether a time is signed.
    pub fn has_time(self) -> bool {
        matches!(self, Self::StandardWebhooks | Self::StandardWebhooksEd25519)
    }
}

/// That a delivery is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Proof {
    /// What the sender has signed and signs only once: a second delivery with it is a replay, or sent
    /// again because the answer to the first was lost. To be remembered, now that it is proven.
    pub nonce: Option<String>,
}

/// A delivery that is not proven. The sender is told no more than that; the rest is for our log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// There is nothing that could prove it.
    #[error("verify the delivery: {what} is missing")]
    Missing {
        /// What is missing.
        what: &'static str,
    },
    /// What should prove it is not of the form that the scheme has.
    #[error("verify the delivery: {what} is malformed")]
    Malformed {
        /// What is malformed.
        what: &'static str,
    },
    /// It was made with another secret, or of another body.
    #[error("verify the delivery: {what} is wrong")]
    Wrong {
        /// What is wrong.
        what: &'static str,
    },
    /// It is proven, and was made too long ago, or by somebody whose clock is wrong.
    #[error("verify the delivery: it was signed {seconds} seconds from now, which is too far off")]
    Stale {
        /// How far the signed time is from ours; negative if it is in the past.
        seconds: i64,
    },
    /// There is no secret here to verify it with, or not one that the scheme can use.
    #[error("verify the delivery: {problem}")]
    NoSecret {
        /// What is wrong with ours.
        problem: &'static str,
    },
}

faults!(Unproven {
    Self::Malformed { .. } => Corrupt,
    Self::Missing { .. } => Auth.hint(
        "the sender must be set up with the secret of the endpoint; `scheme` in [hooks.NAME] is how \
         it has to prove that it knows it"
    ),
    Self::Wrong { .. } => Auth.hint(
        "the sender has another secret than the endpoint, or a proxy has changed the body"
    ),
    Self::Stale { .. } => Auth.hint(
        "the clock of this machine or that of the sender is wrong, or somebody has sent again what \
         was sent before; `tolerance` in [hooks.NAME] is how far off it may be"
    ),
    Self::NoSecret { .. } => Config.at(Here),
});

/// Whether `delivery` is proven by `scheme`, with one of `secrets`: the one in use, and the next while
/// senders change over.
///
/// Nothing but the body's raw bytes is looked at, but for [`Scheme::TokenInBody`], which must take its
/// token out of the JSON. `now` is for schemes that sign a time.
pub fn verify(
    scheme: &Scheme,
    secrets: &[SecretString],
    delivery: &Delivery<'_>,
    now: Timestamp,
) -> Result<Proof, Unproven> {
    let secrets = Secrets(secrets);
    let nonce = match scheme {
        Scheme::HmacSha256 { header } => {
            hmac_sha256::verify(header, "sha256=", &secrets, delivery).map(|()| None)
        }
        Scheme::HmacSha256Hex { header } => {
            hmac_sha256::verify(header, "", &secrets, delivery).map(|()| None)
        }
        Scheme::HmacSha1 { header } => hmac_sha1::verify(header, &secrets, delivery).map(|()| None),
        Scheme::TokenHeader { header } => {
            token::verify(sole(delivery, header, "the token")?, &secrets).map(|()| None)
        }
        Scheme::StandardWebhooks { tolerance } => {
            standard_webhooks::verify(&secrets, *tolerance, delivery, now).map(Some)
        }
        Scheme::StandardWebhooksEd25519 { keys, tolerance } => {
            standard_webhooks::verify_ed25519(keys, *tolerance, delivery, now).map(Some)
        }
        Scheme::SourceHut { keys } => sourcehut::verify(keys, delivery).map(Some),
        Scheme::TokenInBody => body_token::verify(&secrets, delivery).map(|()| None),
        Scheme::TokenInQuery => query_token::verify(&secrets, delivery).map(|()| None),
        Scheme::Basic => basic::verify(&secrets, delivery).map(|()| None),
        Scheme::Unauthenticated => Ok(None),
    };
    Ok(Proof { nonce: nonce? })
}

/// The secrets of an endpoint.
struct Secrets<'a>(&'a [SecretString]);

impl Secrets<'_> {
    /// Whether `fits` for one of them; all are tried, so that the time does not say which. Without one
    /// nothing is proven, and an empty one would be no secret.
    fn any(
        &self,
        what: &'static str,
        mut fits: impl FnMut(&str) -> Result<bool, Unproven>,
    ) -> Result<(), Unproven> {
        let mut secrets = self.0.iter().map(SecretString::expose_secret).peekable();
        if secrets.peek().is_none() {
            return Err(Unproven::NoSecret { problem: "the endpoint has no secret" });
        }
        let mut found = false;
        for secret in secrets {
            if secret.is_empty() {
                return Err(Unproven::NoSecret { problem: "the secret of the endpoint is empty" });
            }
            found |= fits(secret)?;
        }
        if found { Ok(()) } else { Err(Unproven::Wrong { what }) }
    }
}

/// The one header called `name`. Two would let whoever is between the sender and us, and us, look at
/// different ones.
fn sole<'a>(delivery: &Delivery<'a>, name: &str, what: &'static str) -> Result<&'a [u8], Unproven> {
    let mut found = delivery.headers(name);
    match (found.next(), found.next()) {
        (None, _) => Err(Unproven::Missing { what }),
        (Some(value), None) => Ok(value.trim_ascii()),
        (Some(_), Some(_)) => Err(Unproven::Malformed { what }),
    }
}

#[cfg(test)]
mod tests;
