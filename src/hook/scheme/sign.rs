//! The other side of [`super::verify`]: what a sender adds to a delivery that knows the secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{Scheme, hmac_sha1, hmac_sha256, standard_webhooks};
use crate::base::time::Timestamp;
use crate::base::{faults, hex};

/// The user of Basic authentication, whom nobody looks at.
const USER: &str = "synchroniser";

/// What proves a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// Headers to send beside the others.
    pub headers: Vec<(String, String)>,
    /// What stands behind the `?` of the address; empty if nothing has to.
    pub query: String,
    /// What to send: the body, with what the scheme puts into it.
    pub body: Vec<u8>,
}

/// A delivery that cannot be signed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// Only the forge has the private key.
    #[error("sign the delivery: only the forge has the private key")]
    PublicKeys,
    /// The secret is none that the scheme can use.
    #[error("sign the delivery: the secret of the endpoint is not `whsec_` and base64")]
    Secret,
    /// The secret has to go into the body, which is no JSON object.
    #[error("sign the delivery: its body is no JSON, into which the secret could go")]
    Body,
}

faults!(Unsigned {
    Self::PublicKeys => Unsupported.at(Here).hint("let the forge send one: push something, or use its button for a test"),
    Self::Secret => Config.at(Here),
    Self::Body => Internal.at(Here),
});

/// Proves a delivery with `body` by `scheme`, as one that is called `id` and sent at `now`.
pub fn sign(
    scheme: &Scheme,
    secret: &SecretString,
    id: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<Signed, Unsigned> {
    let key = secret.expose_secret();
    let hmac = |prefix: &str| {
        // No key is refused.
        let mac = hmac_sha256::sign(key.as_bytes(), &[body]).unwrap_or_default();
        format!("{prefix}{}", hex::encode(&mac))
    };
    let mut signed = Signed { body: body.to_owned(), ..Signed::default() };
    let mut header = |name: &str, value: String| signed.headers.push((name.to_owned(), value));
    match scheme {
        Scheme::HmacSha256 { header: name } => header(name, hmac("sha256=")),
        Scheme::HmacSha256Hex { header: name } => header(name, hmac("")),
        Scheme::HmacSha1 { header: name } => {
            let mac = hmac_sha1::mac(key.as_bytes(), body);
            header(name, format!("sha1={}", hex::encode(&mac)));
        }
        Scheme::TokenHeader { header: name } => header(name, key.to_owned()),
        Scheme::StandardWebhooks { .. } => {
            let seconds = now.seconds();
            let signature = standard_webhooks::sign(secret, id, seconds, body);
            header("webhook-id", id.to_owned());
            header("webhook-timestamp", seconds.to_string());
            header("webhook-signature", signature.ok_or(Unsigned::Secret)?);
        }
        Scheme::StandardWebhooksEd25519 { .. } | Scheme::SourceHut { .. } => {
            return Err(Unsigned::PublicKeys);
        }
        Scheme::TokenInBody => {
            let mut json: Value = serde_json::from_slice(body).map_err(|_| Unsigned::Body)?;
            let object = json.as_object_mut().ok_or(Unsigned::Body)?;
            object.insert("token".to_owned(), key.into());
            signed.body = json.to_string().into_bytes();
        }
        Scheme::TokenInQuery => {
            signed.query = format!("token={}", utf8_percent_encode(key, NON_ALPHANUMERIC));
        }
        Scheme::Basic => {
            let pair = STANDARD.encode(format!("{USER}:{key}"));
            header("authorization", format!("Basic {pair}"));
        }
        Scheme::Unauthenticated => {}
    }
    Ok(signed)
}

#[cfg(test)]
mod tests {
    use super::super::{DEFAULT_TOLERANCE, Delivery, verify};
    use super::*;
    use crate::hook::FORMATS;
    use crate::hook::SampleRepository;

    /// What is signed here is proven there, and with another secret it is not.
    #[test]
    fn what_is_signed_is_proven() {
        let tolerance = DEFAULT_TOLERANCE;
        let named = |name: &str| name.to_owned();
        let now = Timestamp::from_seconds(1_770_091_506);
        for scheme in [
            Scheme::HmacSha256 { header: named("x-hub-signature-256") },
            Scheme::HmacSha256Hex { header: named("x-gitea-signature") },
            Scheme::HmacSha1 { header: named("x-allura-signature") },
            Scheme::TokenHeader { header: named("x-gitlab-token") },
            Scheme::StandardWebhooks { tolerance },
            Scheme::TokenInBody,
            Scheme::TokenInQuery,
            Scheme::Basic,
            Scheme::Unauthenticated,
        ] {
            let secret: SecretString = "whsec_czNjcmV0czNjcmV0czNjcmV0".into();
            let signed = sign(&scheme, &secret, "id-1", b"{\"a\": 1}", now).unwrap();
            let headers: Vec<_> =
                signed.headers.iter().map(|(name, value)| (&name[..], value.as_bytes())).collect();
            let delivery = Delivery { headers: &headers, query: &signed.query, body: &signed.body };
            let proven = |secret: SecretString| verify(&scheme, &[secret], &delivery, now).is_ok();
            assert!(proven(secret), "{scheme:?}");
            let is_open = scheme == Scheme::Unauthenticated;
            assert_eq!(proven("whsec_AAAA".into()), is_open, "{scheme:?}");
        }
        let keys = Vec::new();
        let unsigned = sign(&Scheme::SourceHut { keys }, &"s".into(), "id", b"{}", now);
        assert_eq!(unsigned, Err(Unsigned::PublicKeys));
        let unsigned = sign(&Scheme::TokenInBody, &"s".into(), "id", b"payload=x", now);
        assert_eq!(unsigned, Err(Unsigned::Body));
    }

    /// Each format has a sample that its own reader takes, and that names what it is to be about.
    #[test]
    fn every_sample_tells_of_its_repository() {
        let repository = SampleRepository {
            mirror: "engine",
            path: "space/engine",
            server: Some("https://hg.example.org"),
        };
        for format in FORMATS {
            let sample = format.sample(&repository, "id-1");
            let lower: Vec<_> = sample
                .headers
                .iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value.as_bytes()))
                .collect();
            let headers: Vec<_> = lower.iter().map(|(name, value)| (&name[..], *value)).collect();
            let delivery = Delivery { headers: &headers, query: "", body: &sample.body };
            let crate::hook::Event::Push(push) = (format.parse)(&delivery).unwrap() else {
                panic!("{}", format.name)
            };
            let at = "https://hg.example.org/space/engine";
            let is_at = |address: &String| address.trim_end_matches('/') == at;
            assert!(push.addresses.iter().all(is_at), "{}: {push:?}", format.name);
            if !matches!(format.name, "phorge" | "scm_manager" | "synchroniser") {
                assert_eq!(push.path.as_deref(), Some("space/engine"), "{}", format.name);
            }
            if format.name == "synchroniser" {
                assert_eq!(push.mirror.as_deref(), Some("engine"));
            }
            if let Some(id) = format.delivery_id(&delivery) {
                assert_eq!(id, "id-1", "{}", format.name);
            }
        }
    }
}
