//! The file: who may open it, what it is refused for, and what happens when it cannot be written.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use synchroniser::base::time::{SystemClock, Timestamp};
use synchroniser::base::{Fault, HasFault as _, Interrupt};
use synchroniser::queue::model::{Claim, DeliveryRecord, Finish, RunState};
use synchroniser::queue::{ClaimLimits, JobStore, Pool, Runner, SqliteStore, StoreError};

use super::support::*;
use crate::support::skip;

fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(&folder.join("queue")).unwrap()
}

fn refused(path: &Path) -> StoreError {
    match SqliteStore::open(path) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

#[test]
fn what_was_answered_is_there_after_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    settle(&store, &members(&["a", "b"]));
    store.pause("b", true, at(0)).unwrap();
    let noted = delivery("e", Some("1"));
    let receipt = store.enqueue(&[hook("a"), hook("b")], Some(&noted), at(1)).unwrap()[0].clone();
    let claimed = claim(&store, 2);
    let (rows, runs) = (store.rows().unwrap(), store.runs(None, None, 9).unwrap());
    let deliveries = store.deliveries(None, 9).unwrap();
    drop(store);
    let store = open(folder.path());
    let now = store.rows().unwrap();
    assert_eq!((&now[1], now[0].token), (&rows[1], rows[0].token));
    assert_eq!(store.runs(None, None, 9).unwrap(), runs);
    assert_eq!(store.deliveries(None, 9).unwrap(), deliveries);
    // The claim was that of a process that is gone: nobody waits until it runs out.
    let again = claim(&store, 3);
    assert_eq!((again.key.as_str(), again.requests, again.attempt), ("a", 1, 2));
    assert_eq!(store.run(receipt.run).unwrap().unwrap().state, RunState::Interrupted);
    assert!(!store.finish(&claimed, &done(), at(4)).unwrap());
    assert!(store.finish(&again, &done(), at(4)).unwrap());
    assert!(store.enqueue(&[hook("a")], Some(&noted), at(5)).unwrap()[0].folded);
}

#[test]
fn one_process_at_a_time_and_nobody_else_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.configure(&members(&["a"]), at(0)).unwrap();
    for name in ["queue", "queue-wal", "queue-shm", "queue.lock"] {
        let mode = folder.path().join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let error = refused(&folder.path().join("queue"));
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert_eq!(error.fault(), Fault::Config);
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.keys().unwrap(), ["a"]);
    let names = |folder: &Path| {
        let files = crate::support::files_below(folder);
        files.iter().map(|file| file.file_name().unwrap().to_owned()).collect::<Vec<_>>()
    };
    drop(store);
    assert_eq!(names(folder.path()), ["queue", "queue.lock"], "the log is empty and gone");
}

#[test]
fn other_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let make = |name: &str, sql: &str| {
        Connection::open(path(name)).unwrap().execute_batch(sql).unwrap();
        refused(&path(name))
    };
    let error = make("other", "CREATE TABLE other (a)");
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error}");
    let error = make("other-id", "PRAGMA application_id = 1");
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error}");
    drop(SqliteStore::open(&path("newer")).unwrap());
    let error = make("newer", "PRAGMA user_version = 1000");
    assert!(matches!(error, StoreError::Newer { .. }), "{error}");
    std::fs::write(path("text"), "no database at all, ".repeat(100)).unwrap();
    let error = refused(&path("text"));
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert_eq!(error.fault(), Fault::Corrupt);
    let error = refused(&path("missing/queue"));
    assert!(matches!(error, StoreError::File { .. }), "{error}");
    assert_eq!(error.fault(), Fault::Config);
}

#[test]
fn an_operation_that_fails_undoes_none_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    settle(&store, &members(&["a"]));
    let good = thread::scope(|scope| {
        let threads: Vec<_> = (0..32)
            .map(|number| {
                let store = &store;
                let requests = match number % 2 {
                    0 => vec![hook("a")],
                    _ => vec![hook("a"), hook("unknown")],
                };
                scope.spawn(move || store.enqueue(&requests, None, at(0)).is_ok())
            })
            .collect();
        threads
            .into_iter()
            .filter(|_| true)
            .map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert_eq!(good.iter().filter(|good| **good).count(), 16);
    assert_eq!(row(&store, "a").requests(), 16, "what fails leaves nothing behind");
}

#[test]
fn a_database_that_somebody_has_locked_is_an_error_and_works_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    settle(&store, &members(&["a"]));
    let other = Connection::open(folder.path().join("queue")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begin = Instant::now();
    thread::scope(|scope| {
        let ask = || store.enqueue(&[hook("a")], None, at(0));
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        // Reading goes on.
        assert_eq!(row(&store, "a").requests(), 0);
        for thread in threads {
            let error = thread.join().unwrap().unwrap_err();
            assert!(matches!(error, StoreError::Locked { .. }), "{error}");
            assert_eq!(error.fault(), Fault::Unavailable);
        }
    });
    assert!(begin.elapsed() > Duration::from_secs(4), "it is waited for");
    other.execute_batch("ROLLBACK").unwrap();
    assert!(!ask(&store, hook("a"), 1).folded, "nothing of what failed was done");
}

#[test]
fn a_copy_is_made_while_work_goes_on_and_can_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    settle(&store, &members(&["a", "b"]));
    let asked = ask(&store, hook("a"), 0);
    let copy = folder.path().join("copy");
    thread::scope(|scope| {
        let work = scope.spawn(|| {
            for second in 0..200 {
                ask(&store, hook("b"), second);
            }
        });
        store.backup(&copy).unwrap();
        work.join().unwrap();
    });
    assert_eq!(copy.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let error = store.backup(&copy).unwrap_err();
    assert!(matches!(error, StoreError::File { .. }), "it is not written over: {error}");
    let copied = SqliteStore::open(&copy).unwrap();
    assert_eq!(copied.run(asked.run).unwrap().unwrap().state, RunState::Queued);
    let check: String = Connection::open(&copy)
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |columns| columns.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    // Tokens go on from the time, so that none is given out twice when the copy is put back.
    let last = claims(&store, 300).iter().map(|claim| claim.token).max().unwrap();
    assert!(claims(&copied, 301).iter().all(|claim| claim.token > last));
}

#[test]
fn the_log_is_emptied_when_nothing_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.configure(&members(&["a"]), at(0)).unwrap();
    assert!(store.log_size() > Some(0));
    let begin = Instant::now();
    while store.log_size() != Some(0) {
        assert!(begin.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(100));
    }
}

/// Runs nothing, and takes a while for it.
struct Quick;

impl Runner for Quick {
    fn run(&self, _claim: &Claim, _interrupt: &Interrupt) -> Option<Finish> {
        thread::sleep(Duration::from_millis(3));
        Some(done())
    }
}

#[test]
fn a_pool_runs_what_many_ask_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()));
    let keys = ["a", "b", "c", "d", "e"];
    settle(&*store, &members(&keys));
    let limits = ClaimLimits { short: 3, per_target_minute: usize::MAX, ..limits() };
    let clock = Arc::new(SystemClock);
    let pool = Pool::start(store.clone(), Arc::new(Quick), clock, limits).unwrap();
    let asked: Vec<_> = thread::scope(|scope| {
        let (store, pool) = (&store, &pool);
        let threads: Vec<_> = (0..20)
            .map(|thread| {
                scope.spawn(move || {
                    let ask = |number: usize| {
                        let request = hook(keys[(thread + number) % keys.len()]);
                        let receipts = store.enqueue(&[request], None, Timestamp::now());
                        pool.wake();
                        receipts.unwrap()[0].run
                    };
                    (0..50).map(ask).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let begin = Instant::now();
    while store.rows().unwrap().iter().any(|row| row.requests() > 0 || row.running.is_some()) {
        assert!(begin.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(5));
    }
    for id in asked {
        assert_eq!(store.run(id).unwrap().unwrap().state, RunState::Done);
    }
    // No two runs of one mirror overlap.
    for key in keys {
        let runs = store.runs(Some(key), None, 1000).unwrap();
        for pair in runs.windows(2) {
            assert!(pair[0].token > pair[1].token && pair[0].started >= pair[1].ended);
        }
        assert!(runs.len() < 202, "{} runs for 200 requests", runs.len());
    }
    pool.close();
    assert_eq!(pool.wait_idle(Duration::from_secs(20)), 0);
}

#[test]
fn a_damaged_file_is_an_error_wherever_it_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    settle(&store, &members(&["a", "b", "c"]));
    store.enqueue(&[hook("a")], Some(&delivery("e", Some("1"))), at(0)).unwrap();
    let failing = claim(&store, 1);
    store.finish(&failing, &failed(Fault::Auth, Some(at(5))), at(2)).unwrap();
    drop(store);
    let whole = std::fs::read(folder.path().join("queue")).unwrap();
    let path = folder.path().join("damaged");
    let mut damaged = 0;
    // Most of it is empty.
    let used: Vec<_> = (0..whole.len()).filter(|position| whole[*position] != 0).collect();
    for position in used.iter().step_by(used.len() / 150).copied() {
        let mut bytes = whole.clone();
        bytes[position] ^= 0xff;
        std::fs::write(&path, bytes).unwrap();
        let used = SqliteStore::open(&path).and_then(|store| {
            store.rows()?;
            store.runs(None, None, 10)?;
            store.deliveries(None, 10)?;
            let claims = store.claim(&limits(), at(10))?.claims;
            claims.iter().try_for_each(|claim| store.finish(claim, &done(), at(11)).map(drop))
        });
        if let Err(error) = used {
            damaged += 1;
            assert!(!error.to_string().contains("panicked"), "at {position}: {error}");
        }
        for name in ["damaged-wal", "damaged-shm"] {
            drop(std::fs::remove_file(folder.path().join(name)));
        }
    }
    assert!(damaged > 10, "{damaged} of 150 were noticed");
}

/// The folder in which a child works.
const FOLDER: &str = "SYNCHRONISER_TEST_FULL";

/// Not a test of its own: what the next one runs, with a disk of two megabytes.
#[test]
#[ignore = "it needs a small disk"]
fn child_on_a_small_disk() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![1; 300_000]).unwrap();
    let store = open(&folder);
    settle(&store, &members(&["a", "b"]));
    let mut noted = 0;
    let error = loop {
        let about = "x".repeat(10_000);
        let record = DeliveryRecord { about, ..delivery("e", Some(&noted.to_string())) };
        match store.enqueue(&[hook("a")], Some(&record), at(0)) {
            Ok(_) => noted += 1,
            Err(error) => break error,
        }
        assert!(noted < 1000);
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(error.hint().unwrap().contains("room"));
    // Nothing of what failed is there, all that was answered is, and it can be read.
    assert_eq!(row(&store, "a").requests(), noted);
    assert_eq!(store.deliveries(None, 10_000).unwrap().len() as u64, noted);
    std::fs::remove_file(ballast).unwrap();
    store.enqueue(&[hook("b")], None, at(1)).unwrap();
    drop(store);
    assert_eq!(row(&open(&folder), "a").requests(), noted);
    eprintln!("passed");
}

#[test]
fn a_full_disk_is_an_error_and_loses_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    // A mount of its own, which ends with the process.
    let script = "mount -t tmpfs -o size=2m none \"$1\" || exit 77; exec \"$2\" --exact \
                  queue::sqlite::child_on_a_small_disk --include-ignored --nocapture";
    let ran = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .output();
    match ran {
        Ok(ran) if ran.status.success() => {
            assert!(String::from_utf8_lossy(&ran.stderr).contains("passed"), "{ran:?}");
        }
        Ok(ran) if ran.status.code() == Some(101) => panic!("{ran:?}"),
        _ => skip("a disk of a test's own cannot be made here"),
    }
}
