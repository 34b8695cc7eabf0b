//! Deliveries that come again, too often, or from who knows no secret.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use synchroniser::queue::JobStore as _;
use synchroniser::queue::model::Verdict;
use synchroniser::service::Received;

use super::rig::Rig;
use crate::support::TestEnv;

const A: &str = "mirrors.a = { source = \"hg/a\", target = \"git/a\" }\n";

#[test]
fn a_delivery_that_comes_again_asks_for_nothing() {
    let mut rig = Rig::new(A);
    rig.synced();
    let id: [(&str, &[u8]); 1] = [("idempotency-key", b"one")];
    let Received::Accepted(first) = rig.deliver("hg", "a", &id) else { panic!("not accepted") };
    rig.settle();
    assert_eq!(rig.synced(), ["a"]);
    for round in 0..2 {
        let Received::Accepted(again) = rig.deliver("hg", "a", &id) else { panic!("not accepted") };
        assert_eq!(again[0].receipt.run, first[0].receipt.run);
        rig.settle();
        assert_eq!(rig.synced(), [""; 0], "{round}");
        rig.restart(A);
    }
    let other: [(&str, &[u8]); 1] = [("idempotency-key", b"two")];
    rig.deliver("hg", "a", &other);
    rig.settle();
    assert_eq!(rig.synced(), ["a"]);
    let verdicts = rig.actions().deliveries(None, 10).unwrap();
    let verdicts: Vec<_> = verdicts.iter().map(|delivery| delivery.verdict).collect();
    let [accepted, repeated] = [Verdict::Accepted, Verdict::Repeated];
    assert_eq!(verdicts, [accepted, repeated, repeated, accepted]);
}

#[test]
fn an_address_that_sends_too_much_is_told_when_to_come_again() {
    let rig = Rig::new(&format!("daemon.hooks_a_minute = 30\n{A}"));
    for _ in 0..30 {
        assert!(matches!(rig.hook("a"), Received::Accepted(_)));
    }
    let Received::TooMany(wait) = rig.hook("a") else { panic!("one too many") };
    assert_eq!(wait, Duration::from_secs(2));
    let other = IpAddr::from(Ipv4Addr::new(192, 0, 2, 1));
    assert!(matches!(rig.deliver_from(other, "hg", "a", &[]), Received::Accepted(_)));
    // What leads nowhere counts, too.
    let third = IpAddr::from(Ipv4Addr::new(192, 0, 2, 3));
    for _ in 0..30 {
        assert!(matches!(rig.deliver_from(third, "nowhere", "a", &[]), Received::NoEndpoint));
    }
    assert!(matches!(rig.deliver_from(third, "hg", "a", &[]), Received::TooMany(_)));
    rig.pass(wait);
    assert!(matches!(rig.hook("a"), Received::Accepted(_)));
    assert!(matches!(rig.hook("a"), Received::TooMany(_)));
}

/// Anybody can send what proves nothing: it must not fill the journal, nor push out what is of use.
#[test]
fn what_is_not_proven_takes_a_bounded_place() {
    let env = TestEnv::new();
    fs::write(env.path("secret"), "geheim-7").unwrap();
    fs::set_permissions(env.path("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "daemon.hooks_a_minute = 1000000\nhooks.proven = {{ format = \"synchroniser\", secret_file = \
         \"secret\" }}\n{A}"
    );
    let rig = Rig::in_env(env, &text);
    rig.synced();
    let noted = || rig.store.deliveries(None, usize::MAX).unwrap().len();
    for number in 0..2000 {
        let signature = format!("sha256={number:064x}");
        let headers = [("x-hub-signature-256", signature.as_bytes())];
        assert!(matches!(rig.deliver("proven", "a", &headers), Received::Unproven));
    }
    assert_eq!(noted(), 60);
    // An endpoint more does not suffer for it.
    assert!(matches!(rig.hook("nobody"), Received::Unmatched { .. }));
    assert_eq!(noted(), 61);
    assert!(matches!(rig.hook("a"), Received::Accepted(_)));
    assert_eq!(noted(), 62);
    rig.settle();
    assert_eq!(rig.synced(), ["a"]);
    rig.pass(Duration::from_mins(10));
    for _ in 0..200 {
        rig.deliver("proven", "a", &[]);
    }
    assert_eq!(noted(), 62 + 60);
    let entries = rig.actions().deliveries(None, 1).unwrap();
    assert_eq!(entries[0].verdict, Verdict::Unverified);
}
