//! What the store in a file can do. The bounds are for a slow machine and a build without optimisation;
//! the figures are printed (`--nocapture`).

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use synchroniser::queue::{ClaimLimits, JobStore, SqliteStore};

use super::support::*;

fn mirrors(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("mirror-{number:05}")).collect()
}

fn many(count: usize) -> (tempfile::TempDir, SqliteStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("queue")).unwrap();
    let all: Vec<_> = mirrors(count).iter().map(|key| member(key)).collect();
    store.configure(&all, at(0)).unwrap();
    (folder, store)
}

fn no_limits() -> ClaimLimits {
    ClaimLimits {
        short: usize::MAX,
        long: usize::MAX,
        per_source_host: usize::MAX,
        per_target_host: usize::MAX,
        per_target_owner: usize::MAX,
        ..limits()
    }
}

/// Runs `work`, says how long that took, and returns it.
fn time(what: &str, work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    let took = begin.elapsed();
    eprintln!("{what}: {took:?}");
    took
}

#[test]
fn hooks_of_many_connections_share_commits() {
    const THREADS: usize = 200;
    const EACH: usize = 50;
    let (_folder, store) = many(500);
    let keys = mirrors(500);
    let times = Mutex::new(Vec::new());
    let took = time("10,000 hooks of 200 connections", || {
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (store, keys, times) = (&store, &keys, &times);
                scope.spawn(move || {
                    for number in 0..EACH {
                        let id = format!("{thread}-{number}");
                        let key = &keys[(thread * 7 + number * 13) % keys.len()];
                        let begin = Instant::now();
                        let noted = delivery("e", Some(&id));
                        store.enqueue(&[hook(key)], Some(&noted), at(1)).unwrap();
                        times.lock().unwrap().push(begin.elapsed());
                    }
                });
            }
        });
    });
    let mut times = times.into_inner().unwrap();
    times.sort_unstable();
    eprintln!("99 of 100 within {:?}, all within {:?}", times[9899], times[9999]);
    let wanted: u64 = store.rows().unwrap().iter().map(|row| row.wanted - 1).sum();
    assert_eq!(wanted, 10_000);
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn runs_are_begun_and_ended_fast() {
    const CYCLES: usize = 400;
    let (_folder, store) = many(CYCLES);
    let one = ClaimLimits { long: 1, short: 1, ..no_limits() };
    let took = time("400 claims, each finished, one after another", || {
        for _ in 0..CYCLES {
            let claim = store.claim(&one, at(1)).unwrap().claims.remove(0);
            assert!(store.finish(&claim, &done(), at(1)).unwrap());
        }
    });
    assert!(took < Duration::from_mins(1), "{took:?}");
    for key in mirrors(CYCLES) {
        store.schedule(&key, at(2)).unwrap();
    }
    let eight = ClaimLimits { short: 8, ..no_limits() };
    let left = AtomicUsize::new(CYCLES);
    let took = time("400 claims, each finished, by eight workers", || {
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while left.load(Ordering::Relaxed) > 0 {
                        for claim in store.claim(&eight, at(3)).unwrap().claims {
                            assert!(store.finish(&claim, &done(), at(3)).unwrap());
                            left.fetch_sub(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
    });
    assert!(took < Duration::from_mins(1), "{took:?}");
}

#[test]
fn ten_thousand_mirrors_are_no_burden() {
    let begin = Instant::now();
    let (folder, store) = many(10_000);
    eprintln!("10,000 new mirrors: {:?}", begin.elapsed());
    let all: Vec<_> = mirrors(10_000).iter().map(|key| member(key)).collect();
    let again = time("the same configuration again", || store.configure(&all, at(0)).unwrap());
    let rows = time("all rows", || assert_eq!(store.rows().unwrap().len(), 10_000));
    let rows_again = time("all rows again", || assert_eq!(store.rows().unwrap().len(), 10_000));
    let eight = ClaimLimits { short: 1, long: 8, ..no_limits() };
    let busiest = time("eight claims while all are due", || {
        assert_eq!(store.claim(&eight, at(1)).unwrap().claims.len(), 8);
    });
    let one_more = ClaimLimits { long: 9, ..eight.clone() };
    let next = time("the next claim while all are due", || {
        assert_eq!(store.claim(&one_more, at(1)).unwrap().claims.len(), 1);
    });
    let full = time("a claim while no worker is free", || {
        assert_eq!(store.claim(&eight, at(1)).unwrap().claims.len(), 0);
    });
    drop(store);
    // As after the first runs, which would take long here.
    let path = folder.path().join("queue");
    let change = "UPDATE mirror SET waiting_run = NULL, attention = NULL, taken = wanted, \
         weight = 'short'";
    rusqlite::Connection::open(&path).unwrap().execute_batch(change).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    ask(&store, hook("mirror-00017"), 3);
    let one = time("a claim of the one that is due", || {
        assert_eq!(claim_with(&store, &eight, 4), ["mirror-00017"]);
    });
    let none = time("a claim while nothing is due", || {
        assert_eq!(claim_with(&store, &eight, 4), [""; 0]);
    });
    let page = time("the last 50 runs", || {
        assert_eq!(store.runs(None, None, 50).unwrap().len(), 10);
    });
    for (took, bound) in [
        (again, 5000),
        (rows, 1000),
        (rows_again, 1000),
        (busiest, 2000),
        (next, 1000),
        (full, 500),
        (one, 100),
        (none, 50),
        (page, 100),
    ] {
        assert!(took < Duration::from_millis(bound), "{took:?} of {bound} ms");
    }
}

#[test]
fn reading_does_not_wait_for_writing() {
    let (_folder, store) = many(1000);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                ask(&store, hook("mirror-00001"), 1);
            }
        });
        let took = time("100 times one row while hooks arrive", || {
            for _ in 0..100 {
                assert!(store.row("mirror-00001").unwrap().is_some());
            }
        });
        is_over.store(true, Ordering::Relaxed);
        assert!(took < Duration::from_secs(2), "{took:?}");
    });
}
