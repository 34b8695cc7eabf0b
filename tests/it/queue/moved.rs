//! A queue that goes from one store to another, with all that is in it.

use std::sync::Arc;

use synchroniser::base::Fault;
use synchroniser::queue::model::{Cause, DeliveryEntry, Finish, Member, Row, Run};
use synchroniser::queue::{JobStore, Portable, Problem, SqliteStore, StoreError};

use super::support::*;
use crate::support::postgres::shared;

/// All that can be asked of a store.
fn contents(store: &dyn JobStore) -> (Vec<Row>, Vec<String>, Vec<Run>, Vec<DeliveryEntry>) {
    let runs = store.runs(None, None, 10_000).unwrap();
    let deliveries = store.deliveries(None, 10_000).unwrap();
    (store.rows().unwrap(), store.keys().unwrap(), runs, deliveries)
}

/// Something of everything, more than one piece of some.
fn fill(store: &dyn JobStore) {
    settle(store, &members(&["a", "b", "c", "gone", "Ärger"]));
    for number in 0..1200 {
        let noted = delivery("e", Some(&number.to_string()));
        store.enqueue(&[hook("a"), hook("b")], Some(&noted), at(number)).unwrap();
    }
    for claim in claims(store, 1200) {
        let finish = match &*claim.key {
            "a" => failed(Fault::Auth, Some(at(5000))),
            _ => Finish { due: Some(at(9000)), ..done() },
        };
        assert!(store.finish(&claim, &finish, at(1201)).unwrap());
    }
    store.pause("b", true, at(1300)).unwrap();
    store.park("c", Some(&failure(Fault::Config)), at(1300)).unwrap();
    let kept: Vec<Member> = members(&["a", "b", "c", "Ärger"]);
    store.configure(&kept, at(1301)).unwrap();
    ask(store, request("Ärger", Cause::Person), 1302);
    ask(store, debounced("b", 100, 500), 1302);
    store.record(&delivery("f\0g", Some("a\0b"))).unwrap();
}

#[test]
fn a_queue_goes_to_a_database_and_back_and_nothing_is_lost() {
    let Some(server) = shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| Arc::new(SqliteStore::open(&folder.path().join(name)).unwrap());
    let first = open("first");
    fill(&*first);
    let removed = first.removed().unwrap();
    assert_eq!(removed.len(), 1);
    let (rows, keys, runs, mut deliveries) = contents(&*first);
    // What PostgreSQL cannot keep in a text.
    deliveries[0].record.endpoint = "f\u{fffd}g".to_owned();
    deliveries[0].record.sender_id = Some("a\u{fffd}b".to_owned());
    let before = (rows, keys, runs, deliveries);

    let second = Arc::new(open_postgres(&server.schema()));
    let giver: Arc<dyn Portable> = Arc::<SqliteStore>::clone(&first);
    let moved = second.take_over(Arc::clone(&giver)).unwrap();
    assert_eq!((moved.mirrors, moved.deliveries), (5, 1201));
    assert_eq!(moved.runs, before.2.len() as u64);
    assert!(before == contents(&*second), "something is another");
    assert_eq!(second.removed().unwrap(), removed);
    // Not twice, and nothing is written over.
    let error = second.take_over(giver).unwrap_err();
    assert!(matches!(error, StoreError::Server { problem: Problem::Taken, .. }), "{error}");

    let third = open("third");
    assert_eq!(third.take_over(second.clone()).unwrap(), moved);
    assert!(before == contents(&*third), "something is another");
    assert_eq!(third.removed().unwrap(), removed);
    let error = third.take_over(second.clone()).unwrap_err();
    assert!(matches!(error, StoreError::Taken { .. }), "{error}");

    // Both go on from there: with what waits, with numbers and with tokens.
    for store in [&*second as &dyn JobStore, &*third] {
        let last = store.deliveries(None, 1).unwrap()[0].number;
        let again = store.enqueue(&[hook("a")], Some(&delivery("e", Some("7"))), at(2000)).unwrap();
        assert!(again.iter().all(|receipt| receipt.folded), "it came before");
        assert!(store.deliveries(None, 1).unwrap()[0].number > last);
        let claim = claim(store, 2000);
        assert_eq!((claim.key.as_str(), claim.cause), ("Ärger", Cause::Person));
        assert!(before.0.iter().all(|row| claim.token > row.token));
    }
}
