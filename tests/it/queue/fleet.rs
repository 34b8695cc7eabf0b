//! The processes that share a database, and whether a claim still holds.

use std::time::Duration;

use synchroniser::base::time::{Clock as _, SystemClock, Timestamp};
use synchroniser::queue::{
    Fleet as _, JobStore as _, MemoryStore, NodeReport, PostgresOptions, PostgresStore, SqliteStore,
};

use super::support::*;
use crate::support::postgres::shared;

fn report(name: &str) -> NodeReport {
    NodeReport {
        name: name.to_owned(),
        role: "all".to_owned(),
        version: "1.2.3".to_owned(),
        draining: false,
        free: Some(7),
        url: "https://one.example.org".to_owned(),
    }
}

#[test]
fn processes_see_each_other_and_what_they_run() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let [one, other] = [0, 1].map(|_| open_postgres(&address));
    settle(&one, &members(&["a", "b"]));
    one.beat(&report("one")).unwrap();
    other.beat(&report("other")).unwrap();
    let run = ask(&one, hook("b"), 0).run;
    let claim = claim(&other, 1);
    assert_eq!(claim.run, run);
    let long_ago = SystemClock.now().before(Duration::from_mins(1));
    let nodes = one.nodes(long_ago).unwrap();
    let [first, second] = &*nodes else { panic!("{nodes:?}") };
    assert_eq!((&first.report, &*first.id), (&report("one"), one.id()));
    assert!(first.runs.is_empty() && first.id != second.id && second.id == other.id());
    assert_eq!(second.runs, [("b".to_owned(), run)]);
    assert!(second.beat.since(long_ago) > Duration::from_secs(50), "{second:?}");
    assert_eq!(one.nodes_of(&[run]).unwrap()[&run], "other");
    other.beat(&NodeReport { draining: true, free: None, ..report("other") }).unwrap();
    let nodes = one.nodes(long_ago).unwrap();
    assert!(nodes[1].report.draining && nodes[1].started == second.started);
    assert!(nodes[1].beat >= second.beat);
    // Who has not been heard of for long is nobody's business any more.
    assert_eq!(one.nodes(SystemClock.now().after(Duration::from_mins(1))).unwrap(), []);
    other.leave().unwrap();
    assert_eq!(one.nodes(long_ago).unwrap().len(), 1);
    // Its name is known for as long as there are runs of it.
    let idle = open_postgres(&address);
    idle.beat(&report("idle")).unwrap();
    assert_eq!(one.nodes(long_ago).unwrap().len(), 2);
    let later = Timestamp::now().after(Duration::from_hours(1));
    one.trim(later, 5).unwrap();
    assert_eq!(one.nodes_of(&[run]).unwrap()[&run], "other");
    assert_eq!(one.nodes(long_ago).unwrap().len(), 1, "another one has run nothing");
}

#[test]
fn who_comes_after_a_process_in_its_folder_ends_it() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let folder = Some(folder.path().to_owned());
        let options = PostgresOptions { folder, ..PostgresOptions::at(&address) };
        PostgresStore::open(&options).unwrap()
    };
    let store = open();
    store.beat(&report("here")).unwrap();
    let before = store.id().to_owned();
    drop(store);
    let store = open();
    let long_ago = SystemClock.now().before(Duration::from_mins(1));
    assert!(store.id() != before && store.nodes(long_ago).unwrap().is_empty());
}

#[test]
fn whose_cache_it_is_is_known_to_whoever_has_the_claim() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let folders = [0, 1].map(|_| tempfile::tempdir().unwrap());
    let open = |number: usize, has_caches| {
        let folder = Some(folders[number].path().to_owned());
        PostgresStore::open(&PostgresOptions {
            folder,
            has_caches,
            ..PostgresOptions::at(&address)
        })
        .unwrap()
    };
    let (one, other) = (open(0, true), open(1, true));
    settle(&one, &members(&["a"]));
    one.beat(&report("one")).unwrap();
    other.beat(&report("other")).unwrap();
    ask(&one, hook("a"), 0);
    let first = claim(&one, 1);
    // It was synced there when it was made known.
    assert_eq!(one.cache_of(&first).unwrap(), None, "its own");
    one.finish(&first, &done(), at(2)).unwrap();
    ask(&one, hook("a"), 3);
    let moved = claim(&other, 100);
    let home = other.cache_of(&moved).unwrap().unwrap();
    assert_eq!((&*home.name, &*home.url), ("one", "https://one.example.org"));
    // Started anew to take hooks alone, it still has what it had.
    drop(one);
    let front = open(0, false);
    front.beat(&NodeReport { role: "front".to_owned(), ..report("again") }).unwrap();
    assert_eq!(other.cache_of(&moved).unwrap().unwrap().name, "again");
    front.leave().unwrap();
    assert_eq!(other.cache_of(&moved).unwrap(), None);
    other.finish(&moved, &done(), at(101)).unwrap();
    ask(&other, hook("a"), 102);
    let again = claim(&other, 103);
    assert_eq!(other.cache_of(&again).unwrap(), None, "it is at home there now");
}

#[test]
fn a_claim_holds_until_it_runs_out_or_another_one_has_its_mirror() {
    let folder = tempfile::tempdir().unwrap();
    let mut stores: Vec<Box<dyn synchroniser::queue::JobStore>> = vec![
        Box::new(MemoryStore::default()),
        Box::new(SqliteStore::open(&folder.path().join("queue")).unwrap()),
    ];
    if let Some(server) = shared() {
        stores.push(Box::new(open_postgres(&server.schema())));
    }
    for store in &stores {
        let store = &**store;
        store.configure(&members(&["a", "b"]), at(0)).unwrap();
        let mut both = claims(store, 0);
        let (second, first) = (both.pop().unwrap(), both.pop().unwrap());
        assert!(store.holds(&first, at(1)).unwrap() && store.holds(&second, at(1)).unwrap());
        assert!(!store.holds(&first, at(60)).unwrap(), "it has run out");
        assert!(store.renew(&first, at(100)).unwrap());
        assert!(store.holds(&first, at(60)).unwrap());
        // It goes on as it began, whatever becomes of its mirror.
        store.configure(&members(&["b"]), at(2)).unwrap();
        assert!(store.holds(&first, at(3)).unwrap());
        assert!(store.finish(&first, &done(), at(4)).unwrap());
        assert!(!store.holds(&first, at(5)).unwrap());
        let later = claim(store, 1000);
        assert_eq!((&later.key, later.token > second.token), (&second.key, true));
        assert!(!store.holds(&second, at(1)).unwrap());
        assert!(store.holds(&later, at(1001)).unwrap());
    }
}
