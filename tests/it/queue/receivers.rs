//! What several processes keep of those whom they tell.

use std::time::Duration;

use synchroniser::queue::{Fleet as _, JobStore as _, Kept, NodeReport};

use super::support::*;
use crate::support::postgres::shared;

fn report() -> NodeReport {
    let [name, role, version] = ["here", "all", "0"].map(str::to_owned);
    NodeReport { name, role, version, draining: false, free: None, url: String::new() }
}

#[test]
fn of_two_who_change_the_same_one_does() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let stores = [open_postgres(&address), open_postgres(&address)];
    let [one, other] = stores.each_ref().map(|store| store.receivers().unwrap());
    let kept = |version, contents: &str| Kept { version, contents: contents.to_owned(), ahead: 0 };
    assert_eq!(one.kept("x").unwrap(), kept(0, ""));
    assert!(one.keep("x", 0, "first").unwrap());
    assert!(!other.keep("x", 0, "second").unwrap(), "there is something already");
    assert_eq!(other.kept("x").unwrap(), kept(1, "first"));
    assert!(other.keep("x", 1, "second").unwrap());
    assert!(!one.keep("x", 1, "third").unwrap(), "it has changed");
    assert_eq!(one.kept("x").unwrap(), kept(2, "second"));
    assert!(!one.keep("y", 1, "").unwrap(), "there is nothing");
}

#[test]
fn one_sends_as_long_as_it_is_there() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let stores = [0; 3].map(|_| open_postgres(&address));
    for store in &stores {
        store.beat(&report()).unwrap();
    }
    let [one, other, third] = stores.each_ref().map(|store| store.receivers().unwrap());
    assert!(!one.take("x").unwrap(), "nothing is kept of it");
    assert!(one.keep("x", 0, "").unwrap());
    assert!(one.take("x").unwrap() && one.take("x").unwrap());
    assert!(!other.take("x").unwrap());
    other.leave("x").unwrap();
    assert!(!other.take("x").unwrap(), "only who sends may leave");
    one.leave("x").unwrap();
    assert!(other.take("x").unwrap());
    assert!(!one.take("x").unwrap());
    // One that ends is no more, and nor is one that nobody has heard of for long.
    stores[1].leave().unwrap();
    assert!(third.take("x").unwrap());
    let mut client = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    let silent = format!("UPDATE node SET beat = beat - {}", Duration::from_secs(21).as_millis());
    client.batch_execute(&silent).unwrap();
    stores[0].beat(&report()).unwrap();
    assert!(one.take("x").unwrap());
}
