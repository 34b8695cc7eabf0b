//! Standard Webhooks (<https://github.com/standard-webhooks/standard-webhooks>): an id, a time and the
//! body are signed, with a shared secret (`v1`) or a key pair (`v1a`).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

use super::hmac_sha256;
use super::public_key::{PublicKey, signature};
use super::{Delivery, Secrets, Unproven, sole};
use crate::base::time::Timestamp;
use crate::hook::delivery::is_id;

const SIGNATURE: &str = "the signature";
const TIME: &str = "the timestamp";
const ID: &str = "the id";
/// What a shared secret begins with.
const PREFIX: &str = "whsec_";
/// How many signatures of one delivery are looked at: a sender has one for each key that it has.
const MOST_SIGNATURES: usize = 16;

/// What is signed.
struct Signed<'a> {
    id: &'a str,
    time: &'a str,
    body: &'a [u8],
}

/// Whether the delivery is signed with one of `secrets`, and not too long ago; the result is its id.
pub(super) fn verify(
    secrets: &Secrets<'_>,
    tolerance: Duration,
    delivery: &Delivery<'_>,
    now: Timestamp,
) -> Result<String, Unproven> {
    let (signed, seconds) = read(delivery)?;
    let sent: Vec<[u8; 32]> =
        signatures(delivery, "v1", |text| STANDARD.decode(text).ok()?.try_into().ok())?;
    let parts = [signed.id.as_bytes(), b".", signed.time.as_bytes(), b".", signed.body];
    secrets.any(SIGNATURE, |secret| {
        let key = key_of(secret)?;
        Ok(sent.iter().fold(false, |found, sent| hmac_sha256::is_of(sent, &key, &parts) | found))
    })?;
    check_time(seconds, tolerance, now)?;
    Ok(signed.id.to_owned())
}

/// The key that a shared secret stands for.
fn key_of(secret: &str) -> Result<Zeroizing<Vec<u8>>, Unproven> {
    let key = STANDARD.decode(secret.strip_prefix(PREFIX).unwrap_or(secret));
    let problem = "the secret of the endpoint is not `whsec_` and base64";
    let key = Zeroizing::new(key.map_err(|_| Unproven::NoSecret { problem })?);
    match key.is_empty() {
        true => Err(Unproven::NoSecret { problem: "the secret of the endpoint is empty" }),
        false => Ok(key),
    }
}

/// The header `webhook-signature` of a message of ours, with this id (without a dot), sent at `seconds`
/// since 1970; `None` if the secret is not `whsec_` and base64.
pub fn sign(secret: &SecretString, id: &str, seconds: i64, body: &[u8]) -> Option<String> {
    let key = key_of(secret.expose_secret()).ok()?;
    let time = seconds.to_string();
    let parts = [id.as_bytes(), b".", time.as_bytes(), b".", body];
    let signature = hmac_sha256::sign(&key, &parts)?;
    Some(format!("v1,{}", STANDARD.encode(signature)))
}

/// The same with the key pair of the sender, of which `keys` are the public halves.
pub(super) fn verify_ed25519(
    keys: &[PublicKey],
    tolerance: Duration,
    delivery: &Delivery<'_>,
    now: Timestamp,
) -> Result<String, Unproven> {
    if keys.is_empty() {
        return Err(Unproven::NoSecret { problem: "the endpoint has no public key" });
    }
    let (signed, seconds) = read(delivery)?;
    let sent = signatures(delivery, "v1a", signature)?;
    let text = [signed.id.as_bytes(), b".", signed.time.as_bytes(), b".", signed.body].concat();
    if !keys.iter().any(|key| sent.iter().any(|sent| key.has_signed(&text, sent))) {
        return Err(Unproven::Wrong { what: SIGNATURE });
    }
    check_time(seconds, tolerance, now)?;
    Ok(signed.id.to_owned())
}

/// What is signed, and the signed time in seconds since 1970.
fn read<'a>(delivery: &Delivery<'a>) -> Result<(Signed<'a>, i64), Unproven> {
    let text = |name, what| {
        let value = std::str::from_utf8(sole(delivery, name, what)?).ok();
        value.filter(|value| is_id(value)).ok_or(Unproven::Malformed { what })
    };
    let id = text("webhook-id", ID)?;
    let time = text("webhook-timestamp", TIME)?;
    let is_number = time.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = time.parse().ok().filter(|_| is_number);
    let seconds = seconds.ok_or(Unproven::Malformed { what: TIME })?;
    Ok((Signed { id, time, body: delivery.body }, seconds))
}

/// The signatures of one version, of those that the header has: `v1,<base64> v1a,<base64> …`.
fn signatures<T>(
    delivery: &Delivery<'_>,
    version: &str,
    read: impl Fn(&[u8]) -> Option<T>,
) -> Result<Vec<T>, Unproven> {
    let malformed = Unproven::Malformed { what: SIGNATURE };
    let sent = sole(delivery, "webhook-signature", SIGNATURE)?;
    let mut found = Vec::new();
    for one in sent.split(|&byte| byte == b' ').filter(|one| !one.is_empty()).take(MOST_SIGNATURES)
    {
        let comma = one.iter().position(|&byte| byte == b',').ok_or(malformed)?;
        let (sent_version, text) = one.split_at_checked(comma).ok_or(malformed)?;
        if sent_version == version.as_bytes() {
            found.push(text.get(1..).and_then(&read).ok_or(malformed)?);
        }
    }
    if found.is_empty() { Err(Unproven::Missing { what: SIGNATURE }) } else { Ok(found) }
}

/// Refuses what was signed too far from now, in the past or in the future.
fn check_time(signed: i64, tolerance: Duration, now: Timestamp) -> Result<(), Unproven> {
    let seconds = signed.saturating_sub(now.seconds());
    match seconds.unsigned_abs() <= tolerance.as_secs() {
        true => Ok(()),
        false => Err(Unproven::Stale { seconds }),
    }
}
