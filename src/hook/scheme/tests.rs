//! Each scheme with the vectors that others have computed, and against all others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};

use super::*;
use crate::base::hex;
use crate::base::testing::every_cut_and_flip;

const BODY: &[u8] = br#"{"ref":"refs/heads/branch/default"}"#;
const NOW: Timestamp = Timestamp::from_seconds(1_614_265_330);

/// A delivery that owns its parts.
#[derive(Clone)]
struct Sample {
    headers: Vec<(&'static str, Vec<u8>)>,
    query: String,
    body: Vec<u8>,
}

impl Sample {
    fn new(headers: &[(&'static str, &str)], body: &[u8]) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes().to_vec()));
        Self { headers: headers.collect(), query: String::new(), body: body.to_vec() }
    }

    fn verify_at(
        &self,
        scheme: &Scheme,
        secrets: &[&str],
        now: Timestamp,
    ) -> Result<Proof, Unproven> {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, &**value)).collect();
        let secrets: Vec<SecretString> = secrets.iter().map(|&text| text.into()).collect();
        let delivery = Delivery { headers: &headers, query: &self.query, body: &self.body };
        verify(scheme, &secrets, &delivery, now)
    }

    fn verify(&self, scheme: &Scheme, secrets: &[&str]) -> Result<Proof, Unproven> {
        self.verify_at(scheme, secrets, NOW)
    }
}

fn header(name: &str) -> String {
    name.to_owned()
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&std::array::from_fn(|place| u8::try_from(place).unwrap()))
}

fn public() -> PublicKey {
    PublicKey::parse("A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=").unwrap()
}

/// A scheme, a secret for it, and a delivery that is proven by them.
#[expect(clippy::too_many_lines, reason = "a table")]
fn samples() -> Vec<(Scheme, &'static str, Sample)> {
    let webhooks = |signature: &str| {
        Sample::new(
            &[
                ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                ("webhook-timestamp", "1614265330"),
                ("webhook-signature", signature),
            ],
            br#"{"test": 2432232314}"#,
        )
    };
    let text = br#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#;
    let v1a = format!("v1,AAAA v1a,{}", STANDARD.encode(key().sign(text).to_bytes()));
    let query = |query: &str| Sample { query: query.to_owned(), ..Sample::new(&[], BODY) };
    vec![
        (
            Scheme::HmacSha256 { header: header("x-hub-signature-256") },
            "It's a Secret to Everybody",
            Sample::new(
                &[(
                    "x-hub-signature-256",
                    "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
                )],
                b"Hello, World!",
            ),
        ),
        (
            Scheme::HmacSha256Hex { header: header("x-gitea-signature") },
            "topsecret",
            Sample::new(
                &[(
                    "x-gitea-signature",
                    "e49bc8822625708b7c62a22444b8bbc1f1e84f3eb9ba95686fb873433450c301",
                )],
                BODY,
            ),
        ),
        (
            Scheme::HmacSha1 { header: header("x-allura-signature") },
            "topsecret",
            Sample::new(
                &[("x-allura-signature", "sha1=a904db9a002a85f1135de74a1b09f2bbdb775e87")],
                BODY,
            ),
        ),
        (
            Scheme::TokenHeader { header: header("x-gitlab-token") },
            "topsecret",
            Sample::new(&[("x-gitlab-token", "topsecret")], BODY),
        ),
        (
            Scheme::StandardWebhooks { tolerance: DEFAULT_TOLERANCE },
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            webhooks("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ),
        (
            Scheme::StandardWebhooksEd25519 { keys: vec![public()], tolerance: DEFAULT_TOLERANCE },
            "",
            webhooks(&v1a),
        ),
        (
            Scheme::SourceHut { keys: vec![PublicKey::parse(SOURCEHUT_KEY).unwrap(), public()] },
            "",
            Sample::new(
                &[
                    ("x-payload-nonce", "0102030405060708"),
                    (
                        "x-payload-signature",
                        "1K1HIbin7LofDDAYNJJuZreeEkkvRJwclyZcRH1GSpDbqxPmqOKjqVbDQ/pRCLnL1as8ZXVC\
                         z+/mis1Y3LRaAw==",
                    ),
                ],
                BODY,
            ),
        ),
        (
            Scheme::TokenInBody,
            "topsecret",
            Sample::new(&[], br#"{"x": [{"token": 1}], "token": "topsecret"}"#),
        ),
        (Scheme::TokenInQuery, "top secret", query("user=a&token=top%20secret")),
        (
            Scheme::Basic,
            "topsecret",
            Sample::new(&[("authorization", "Basic bWlycm9yOnRvcHNlY3JldA==")], BODY),
        ),
    ]
}

#[test]
fn what_is_proven() {
    for (scheme, secret, sample) in samples() {
        let proof = sample.verify(&scheme, &[secret]).unwrap();
        let signs_a_nonce = matches!(
            scheme,
            Scheme::StandardWebhooks { .. }
                | Scheme::StandardWebhooksEd25519 { .. }
                | Scheme::SourceHut { .. }
        );
        assert_eq!(proof.nonce.is_some(), signs_a_nonce, "{scheme:?}");
        if secret.is_empty() {
            continue;
        }
        // While senders change over, the old one and the next are good, wherever they stand.
        assert!(sample.verify(&scheme, &["whsec_b3RoZXI=", secret]).is_ok(), "{scheme:?}");
        assert!(sample.verify(&scheme, &[secret, "whsec_b3RoZXI="]).is_ok(), "{scheme:?}");
        let other = sample.verify(&scheme, &["whsec_b3RoZXI="]);
        assert!(matches!(other, Err(Unproven::Wrong { .. })), "{scheme:?}: {other:?}");
    }
}

/// An endpoint whose secret is not there refuses all; so does one whose secret is an empty file.
#[test]
fn without_a_secret_nothing_is_proven() {
    for (scheme, secret, sample) in samples() {
        let without_keys = match scheme {
            Scheme::StandardWebhooksEd25519 { tolerance, .. } => {
                Scheme::StandardWebhooksEd25519 { keys: Vec::new(), tolerance }
            }
            Scheme::SourceHut { .. } => Scheme::SourceHut { keys: Vec::new() },
            other => other,
        };
        for secrets in [&[][..], &[""], &["", secret]] {
            let found = sample.verify(&without_keys, secrets);
            assert!(matches!(found, Err(Unproven::NoSecret { .. })), "{without_keys:?} {found:?}");
        }
    }
    let empty = Sample::new(&[("x-gitlab-token", "")], BODY);
    let scheme = Scheme::TokenHeader { header: header("x-gitlab-token") };
    assert!(empty.verify(&scheme, &["topsecret"]).is_err());
}

/// A delivery that one scheme proves is nothing to any other, though the secret were the same.
#[test]
fn what_another_scheme_proves_is_not_proven() {
    for (scheme, _, _) in samples() {
        for (other, secret, sample) in samples() {
            if scheme != other {
                let found = sample.verify(&scheme, &[secret, "topsecret"]);
                assert!(found.is_err(), "{scheme:?} takes what is for {other:?}");
            }
        }
    }
}

#[test]
fn what_is_missing_is_told_from_what_is_wrong() {
    for (scheme, secret, sample) in samples() {
        let bare = Sample { headers: Vec::new(), query: String::new(), body: b"{}".to_vec() };
        let found = bare.verify(&scheme, &[secret]);
        assert!(matches!(found, Err(Unproven::Missing { .. })), "{scheme:?}: {found:?}");
        for place in 0..sample.headers.len() {
            let mut less = sample.clone();
            less.headers.remove(place);
            let found = less.verify(&scheme, &[secret]);
            assert!(matches!(found, Err(Unproven::Missing { .. })), "{scheme:?}: {found:?}");
            let mut more = sample.clone();
            more.headers.push(more.headers[place].clone());
            let found = more.verify(&scheme, &[secret]);
            assert!(matches!(found, Err(Unproven::Malformed { .. })), "{scheme:?}: {found:?}");
        }
    }
}

/// The digits of a signature are the same in upper and lower case; the word `Basic` and the user before
/// the password too. Nothing else may change.
#[test]
fn every_cut_and_flip_of_a_proof_is_refused() {
    let mut tried = 0;
    for (scheme, secret, sample) in samples() {
        for place in 0..sample.headers.len() {
            let genuine = sample.headers[place].1.clone();
            every_cut_and_flip(genuine.clone(), |bytes| {
                let mut forged = sample.clone();
                forged.headers[place].1 = bytes.to_vec();
                let is_same = bytes.eq_ignore_ascii_case(&genuine)
                    && !matches!(scheme, Scheme::TokenHeader { .. });
                let is_hex = matches!(
                    scheme,
                    Scheme::HmacSha256 { .. }
                        | Scheme::HmacSha256Hex { .. }
                        | Scheme::HmacSha1 { .. }
                );
                let is_blank = bytes.trim_ascii() == genuine;
                let is_first_version = matches!(scheme, Scheme::StandardWebhooksEd25519 { .. })
                    && sample.headers[place].0 == "webhook-signature"
                    && bytes.ends_with(&genuine[8..]);
                let is_user = scheme == Scheme::Basic && {
                    let word =
                        bytes.get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"basic "));
                    word && bytes.get(14..) == Some(&genuine[14..])
                };
                let may_pass = is_same && is_hex
                    || is_blank
                    || is_first_version
                    || is_user
                    || scheme == Scheme::Basic && is_same && bytes[6..] == genuine[6..];
                let found = forged.verify(&scheme, &[secret]);
                assert!(
                    may_pass || found.is_err(),
                    "{scheme:?} {:?}",
                    String::from_utf8_lossy(bytes)
                );
                tried += 1;
            });
        }
        let is_of_the_body = !matches!(
            scheme,
            Scheme::TokenHeader { .. } | Scheme::TokenInBody | Scheme::TokenInQuery | Scheme::Basic
        );
        every_cut_and_flip(sample.body.clone(), |bytes| {
            let forged = Sample { body: bytes.to_vec(), ..sample.clone() };
            let found = forged.verify(&scheme, &[secret]);
            assert!(!is_of_the_body || found.is_err(), "{scheme:?}");
        });
    }
    assert!(tried > 1000, "{tried}");
}

#[test]
fn signed_times_are_near_now() {
    let (scheme, secret, sample) = samples().swap_remove(4);
    for (seconds, expected) in [(0, true), (300, true), (-300, true), (301, false), (-301, false)] {
        let now = Timestamp::from_seconds(1_614_265_330 + seconds);
        let found = sample.verify_at(&scheme, &[secret], now);
        assert_eq!(found.is_ok(), expected, "{seconds}");
        if !expected {
            assert_eq!(found, Err(Unproven::Stale { seconds: -seconds }));
        }
        // What is forged is not told how our clock goes.
        let found = sample.verify_at(&scheme, &["whsec_b3RoZXI="], now);
        assert_eq!(found, Err(Unproven::Wrong { what: "the signature" }));
    }
    for time in ["", "-1", "+1614265330", "1614265330.0", "99999999999999999999", " 1"] {
        let mut sample = sample.clone();
        sample.headers[1].1 = time.as_bytes().to_vec();
        assert!(sample.verify(&scheme, &[secret]).is_err(), "{time:?}");
    }
}

#[test]
fn several_signatures_are_for_rotation() {
    let (scheme, secret, sample) = samples().swap_remove(4);
    let good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let other = format!("v1,{}", STANDARD.encode([7; 32]));
    for (text, expected) in [
        (format!("{other} {good}"), Ok(())),
        (format!("{good} {other}"), Ok(())),
        (format!("v2,x {good}"), Ok(())),
        (other.clone(), Err(Unproven::Wrong { what: "the signature" })),
        ("v1a,AAAA".to_owned(), Err(Unproven::Missing { what: "the signature" })),
        (format!("v1 {good}"), Err(Unproven::Malformed { what: "the signature" })),
        (
            format!("{}{good}", format!("{other} ").repeat(50)),
            Err(Unproven::Wrong { what: "the signature" }),
        ),
    ] {
        let mut sample = sample.clone();
        sample.headers[2].1 = text.clone().into_bytes();
        assert_eq!(sample.verify(&scheme, &[secret]).map(drop), expected, "{text}");
    }
    let found = sample.verify(&scheme, &["not base64!"]);
    assert!(matches!(found, Err(Unproven::NoSecret { .. })), "{found:?}");
}

/// A nonce that is empty, as senders of old sent it, or that is no text could not be remembered.
#[test]
fn nonces_can_be_remembered() {
    let (scheme, _, sample) = samples().swap_remove(6);
    let proof = sample.verify(&scheme, &[]).unwrap();
    assert_eq!(proof.nonce.as_deref(), Some("0102030405060708"));
    for nonce in [&b""[..], b"a b", b"\xff", &[b'a'; 129]] {
        let signed = key().sign(&[BODY, nonce].concat()).to_bytes();
        let mut sample = sample.clone();
        sample.headers[0].1 = nonce.to_vec();
        sample.headers[1].1 = STANDARD.encode(signed).into_bytes();
        assert_eq!(sample.verify(&scheme, &[]), Err(Unproven::Malformed { what: "the nonce" }));
    }
}

#[test]
fn no_message_repeats_what_was_sent() {
    for (scheme, secret, mut sample) in samples() {
        for header in &mut sample.headers {
            header.1.extend(b"geheim");
        }
        sample.body.extend(b"geheim");
        sample.query.push_str("geheim");
        if let Err(unproven) = sample.verify(&scheme, &[secret]) {
            assert!(!format!("{unproven} {unproven:?}").contains("geheim"));
        }
    }
}

#[test]
fn names_are_those_of_kinds() {
    for (name, kind) in SchemeKind::ALL {
        assert_eq!((SchemeKind::named(name), kind.name()), (Some(kind), name));
    }
    assert_eq!(SchemeKind::named("none"), None);
    assert_eq!(hex::decode::<2>(b"0aFF"), Some([10, 255]));
}
