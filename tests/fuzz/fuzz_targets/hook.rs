//! Deliveries of every hook format, and what should prove them.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use synchroniser::base::time::Timestamp;
use synchroniser::hook::{
    Delivery, Event, FORMATS, PublicKey, SOURCEHUT_KEY, Scheme, SchemeKind, form, verify,
};
use synchroniser_fuzz::{Input, told};

/// Nobody guesses it.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// What forges name events in, with names that there are.
const EVENTS: [(&str, &str); 7] = [
    ("x-event-key", "repo:push"),
    ("x-event-key", "repo:refs_changed"),
    ("x-github-event", "push"),
    ("x-gitea-event", "push"),
    ("x-forgejo-event", "push"),
    ("x-gogs-event", "push"),
    ("x-webhook-event", "repo:post-update"),
];

/// What must hold of an event, whoever sent it.
fn check(event: &Event) {
    let push = match event {
        Event::Ping => return,
        Event::Other(name) => return assert!(!name.chars().any(char::is_control)),
        Event::Push(push) => push,
    };
    let texts = [&push.mirror, &push.owner, &push.slug, &push.path];
    let mut texts = texts.into_iter().flatten().chain(&push.addresses);
    assert!(texts.all(|text| !text.trim().is_empty()));
    assert!(push.heads_hinted.len() <= 100 && !push.about().chars().any(char::is_control));
    for head in &push.heads_hinted {
        assert!((12..=40).contains(&head.len()));
        assert!(head.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    }
}

fn parse(delivery: &Delivery<'_>) {
    for format in FORMATS {
        match (format.parse)(delivery) {
            Ok(event) => check(&event),
            Err(error) => told(&error),
        }
        if let Some(id) = format.delivery_id(delivery) {
            assert!(!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}

fn schemes(header: &str) -> Vec<Scheme> {
    let tolerance = Duration::from_secs(300);
    let keys: Vec<PublicKey> = PublicKey::parse(SOURCEHUT_KEY).into_iter().collect();
    let header = header.to_owned();
    let scheme = |kind: SchemeKind| match kind {
        SchemeKind::HmacSha256 => Scheme::HmacSha256 { header: header.clone() },
        SchemeKind::HmacSha256Hex => Scheme::HmacSha256Hex { header: header.clone() },
        SchemeKind::HmacSha1 => Scheme::HmacSha1 { header: header.clone() },
        SchemeKind::TokenHeader => Scheme::TokenHeader { header: header.clone() },
        SchemeKind::StandardWebhooks => Scheme::StandardWebhooks { tolerance },
        SchemeKind::StandardWebhooksEd25519 => {
            Scheme::StandardWebhooksEd25519 { keys: keys.clone(), tolerance }
        }
        SchemeKind::SourceHut => Scheme::SourceHut { keys: keys.clone() },
        SchemeKind::TokenInBody => Scheme::TokenInBody,
        SchemeKind::TokenInQuery => Scheme::TokenInQuery,
        SchemeKind::Basic => Scheme::Basic,
    };
    SchemeKind::ALL.into_iter().map(|(_, kind)| scheme(kind)).collect()
}

/// Nothing that is made up is proven.
fn prove(value: &[u8], query: &str, body: &[u8]) {
    let parts: Vec<&[u8]> = value.splitn(3, |&byte| byte == 0).collect();
    let part = |place: usize| parts.get(place).copied().unwrap_or_default();
    let headers = [
        ("x-signature", part(0)),
        ("authorization", part(0)),
        ("webhook-id", part(1)),
        ("webhook-timestamp", part(2)),
        ("webhook-signature", part(0)),
        ("x-payload-nonce", part(1)),
        ("x-payload-signature", part(0)),
    ];
    let delivery = Delivery { headers: &headers, query, body };
    let secrets = [SecretString::from(SECRET)];
    for scheme in schemes("x-signature") {
        match verify(&scheme, &secrets, &delivery, Timestamp::from_seconds(1_614_265_330)) {
            Ok(proof) => panic!("{scheme:?} takes it: {proof:?}"),
            Err(unproven) => told(&unproven),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let mode = input.byte();
    let value = input.part();
    let body = input.rest();
    let is_form = mode & 1 == 1;
    let kind = if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
    let mut headers = vec![("content-type", kind.as_bytes()), ("idempotency-key", value)];
    headers.extend(match mode & 2 {
        0 => EVENTS.map(|(name, event)| (name, event.as_bytes())).to_vec(),
        _ => EVENTS.map(|(name, _)| (name, value)).to_vec(),
    });
    // A form is sent as it is, or is the payload itself, escaped as a sender may.
    let escaped = match is_form && mode & 4 != 0 {
        true => {
            let escape = |byte: &u8| format!("%{byte:02x}");
            let escaped: String = body.iter().map(escape).collect();
            let whole = format!("other=%&payload={escaped}&payload=x");
            assert_eq!(form::field(whole.as_bytes(), "payload").as_deref(), Some(body));
            Some(whole)
        }
        false => None,
    };
    let body = escaped.as_deref().map_or(body, str::as_bytes);
    let query = std::str::from_utf8(value).unwrap_or_default();
    parse(&Delivery { headers: &headers, query, body });
    prove(value, query, body);
});
