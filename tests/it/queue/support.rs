//! What tests of the queue are made of.

use std::time::Duration;

use synchroniser::base::time::Timestamp;
use synchroniser::base::{Fault, Side};
use synchroniser::queue::model::{
    Cause, Claim, Class, DeliveryRecord, Finish, Member, Receipt, Request, Row, RunState, Verdict,
    Weight,
};
use synchroniser::queue::{ClaimLimits, Closed, Failure, JobStore, PostgresOptions, PostgresStore};

pub(super) const MINUTE: Duration = Duration::from_mins(1);
pub(super) const LEASE: Duration = MINUTE;

/// The queue in the database at `address`, with times as they come.
pub(super) fn open_postgres(address: &str) -> PostgresStore {
    PostgresStore::open(&PostgresOptions::at(address)).unwrap()
}

/// A time so many seconds after the one at which each test begins.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds)
}

pub(super) fn member(key: &str) -> Member {
    Member {
        key: key.to_owned(),
        was: None,
        owner: "somebody".to_owned(),
        source_host: "hg.example".to_owned(),
        target_host: "git.example".to_owned(),
        target: format!("git.example/{key}"),
        pin: String::new(),
        fingerprint: "1".to_owned(),
    }
}

pub(super) fn members(keys: &[&str]) -> Vec<Member> {
    keys.iter().map(|key| member(key)).collect()
}

pub(super) fn limits() -> ClaimLimits {
    ClaimLimits {
        short: 100,
        long: 100,
        per_source_host: 100,
        per_target_host: 100,
        per_target_owner: 100,
        per_target_minute: 100,
        pins: Vec::new(),
        closed: Closed::default(),
        lease: LEASE,
        attempts: 3,
    }
}

pub(super) fn request(key: &str, cause: Cause) -> Request {
    let class = match cause {
        Cause::Person => Class::Interactive,
        Cause::Hook => Class::Hook,
        _ => Class::Schedule,
    };
    let key = key.to_owned();
    Request { key, class, cause, delay: Duration::ZERO, longest_delay: Duration::ZERO }
}

pub(super) fn hook(key: &str) -> Request {
    request(key, Cause::Hook)
}

pub(super) fn debounced(key: &str, delay: u64, longest: u64) -> Request {
    let delay = Duration::from_secs(delay);
    Request { delay, longest_delay: Duration::from_secs(longest), ..hook(key) }
}

pub(super) fn failure(fault: Fault) -> Failure {
    let message = format!("failed by {}", fault.name());
    Failure { fault, side: Side::Target, message, hint: None }
}

pub(super) fn done() -> Finish {
    Finish {
        state: RunState::Done,
        failure: None,
        changed: true,
        unremarkable: false,
        details: "{}".to_owned(),
        due: None,
        not_before: None,
        park: false,
        weight: Weight::Short,
    }
}

pub(super) fn failed(fault: Fault, due: Option<Timestamp>) -> Finish {
    Finish {
        state: RunState::Failed,
        failure: Some(failure(fault)),
        changed: false,
        due,
        park: due.is_none(),
        ..done()
    }
}

pub(super) fn delivery(endpoint: &str, sender_id: Option<&str>) -> DeliveryRecord {
    DeliveryRecord {
        at: at(0),
        endpoint: endpoint.to_owned(),
        sender_id: sender_id.map(str::to_owned),
        from: "192.0.2.1".to_owned(),
        verdict: Verdict::Accepted,
        about: "a push".to_owned(),
    }
}

/// A store with these mirrors, none of which is due, as after a first run that has ended well.
pub(super) fn settle(store: &dyn JobStore, members: &[Member]) {
    store.configure(members, at(-1000)).unwrap();
    for claim in claims(store, -1000) {
        assert!(store.finish(&claim, &done(), at(-1000)).unwrap());
    }
}

pub(super) fn ask(store: &dyn JobStore, request: Request, seconds: i64) -> Receipt {
    store.enqueue(&[request], None, at(seconds)).unwrap().remove(0)
}

pub(super) fn claims(store: &dyn JobStore, seconds: i64) -> Vec<Claim> {
    store.claim(&limits(), at(seconds)).unwrap().claims
}

pub(super) fn claim_with(store: &dyn JobStore, limits: &ClaimLimits, seconds: i64) -> Vec<String> {
    let claims = store.claim(limits, at(seconds)).unwrap().claims;
    claims.into_iter().map(|claim| claim.key).collect()
}

/// The one claim that there is.
pub(super) fn claim(store: &dyn JobStore, seconds: i64) -> Claim {
    let mut claims = claims(store, seconds);
    assert_eq!(claims.len(), 1, "{claims:?}");
    claims.remove(0)
}

/// Asserts that nothing is due, and says when something may be.
pub(super) fn idle(store: &dyn JobStore, seconds: i64) -> Option<i64> {
    let claimed = store.claim(&limits(), at(seconds)).unwrap();
    assert_eq!(claimed.claims, [], "at {seconds}");
    claimed.again.map(|again| again.seconds() - at(0).seconds())
}

pub(super) fn row(store: &dyn JobStore, key: &str) -> Row {
    store.row(key).unwrap().unwrap()
}
