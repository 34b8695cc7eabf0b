//! Deliveries of every hook format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use synchroniser::hook::{Delivery, FORMATS, form};
use synchroniser_fuzz::{Input, told};

fn deliver(headers: &[(&str, &[u8])], body: &[u8]) {
    for format in FORMATS {
        match (format.parse)(&Delivery { headers, body }) {
            Ok(event) => {
                assert!(!event.owner.is_empty() && !event.slug.is_empty());
                for head in &event.heads_hinted {
                    assert!((12..=40).contains(&head.len()));
                    assert!(head.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
                }
            }
            Err(error) => told(&error),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let mode = input.byte();
    let value = input.part();
    let headers = [("content-type", &b"application/x-www-form-urlencoded"[..]), ("x-event", value)];
    let body = input.rest();
    if mode.is_multiple_of(2) {
        return deliver(&headers, body);
    }
    // The rest is the payload itself, escaped as a sender may.
    let escape = |byte: &u8| format!("%{byte:02x}");
    let escaped: String = body.iter().map(escape).collect();
    let whole = format!("other=%&payload={escaped}&payload=x");
    assert_eq!(form::field(whole.as_bytes(), "payload").as_deref(), Some(body));
    deliver(&headers, whole.as_bytes());
});
