//! The database: who is let in, several processes at once, wrong clocks, and connections that are lost.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use synchroniser::base::clean::with_causes;
use synchroniser::base::time::{Clock, SystemClock, Timestamp};
use synchroniser::base::{Fault, HasFault as _, Interrupt, Side};
use synchroniser::queue::model::{Cause, Claim, Finish, Row, RunState, Verdict};
use synchroniser::queue::{
    ClaimLimits, JobStore, Pool, PostgresOptions, PostgresStore, Problem, Runner, StoreError,
};

use super::support::*;
use crate::support::nginx::folder_with_certificate;
use crate::support::postgres::{Postgres, shared};

fn refused(options: &PostgresOptions) -> (Problem, StoreError) {
    match PostgresStore::open(options) {
        Err(error @ StoreError::Server { problem, .. }) => (problem, error),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("{} was opened", options.address),
    }
}

#[test]
fn who_is_not_let_in_is_told_why() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let missing = address.replace("/postgres?", "/nowhere?");
    let (problem, error) = refused(&PostgresOptions::at(&missing));
    assert_eq!(
        (problem, error.fault(), error.side()),
        (Problem::Missing, Fault::Config, Side::Here)
    );
    assert!(error.to_string().contains("\"nowhere\""), "{error}");
    let unknown = address.replace("synchroniser@", "nobody@");
    let (problem, error) = refused(&PostgresOptions::at(&unknown));
    assert_eq!((problem, error.fault()), (Problem::Login, Fault::Auth), "{error}");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = Postgres::address("127.0.0.1", port, "public");
    let (problem, error) = refused(&PostgresOptions::at(&nobody));
    assert_eq!((problem, error.fault()), (Problem::Unreachable, Fault::Unavailable), "{error}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    let password = Some(std::path::PathBuf::from("/nowhere/password").into());
    let unread = PostgresOptions { password, ..PostgresOptions::at(&address) };
    assert_eq!(refused(&unread).0, Problem::Password);
    // Ours, of a later version.
    drop(open_postgres(&address));
    let mut client = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    client.batch_execute("UPDATE schema_version SET version = 99").unwrap();
    let (problem, error) = refused(&PostgresOptions::at(&address));
    assert_eq!((problem, error.fault()), (Problem::Newer, Fault::Unsupported), "{error}");
    // One that may only look.
    let schema = address.rsplit("%3D").next().unwrap();
    client
        .batch_execute(&format!(
            "UPDATE schema_version SET version = 0; CREATE ROLE looker LOGIN; \
             GRANT USAGE ON SCHEMA {schema} TO looker; \
             GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO looker"
        ))
        .unwrap();
    let looker = address.replace("synchroniser@", "looker@");
    assert_eq!(refused(&PostgresOptions::at(&looker)).0, Problem::Forbidden);
}

#[test]
fn many_that_open_an_empty_database_give_it_one_schema() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    thread::scope(|scope| {
        for number in 0..6 {
            let address = &address;
            scope.spawn(move || {
                let store = open_postgres(address);
                store.configure(&members(&["a", "b"]), at(number)).unwrap();
            });
        }
    });
    assert_eq!(open_postgres(&address).keys().unwrap(), ["a", "b"]);
}

/// Runs each mirror for a moment, and looks that nobody else does.
struct Lone {
    running: Arc<Mutex<BTreeMap<String, usize>>>,
    overlaps: Arc<AtomicUsize>,
}

impl Runner for Lone {
    fn run(&self, claim: &Claim, _interrupt: &Interrupt) -> Option<Finish> {
        let change = |by: fn(usize) -> usize| {
            let mut running = self.running.lock().unwrap();
            let count = running.entry(claim.key.clone()).or_default();
            *count = by(*count);
            *count
        };
        if change(|count| count + 1) > 1 {
            self.overlaps.fetch_add(1, Ordering::SeqCst);
        }
        thread::sleep(Duration::from_millis(5));
        change(|count| count - 1);
        Some(done())
    }
}

/// Three processes, as far as the database can tell.
#[test]
fn several_share_the_work_and_no_two_run_one_mirror() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let keys: Vec<String> = (0..12).map(|number| format!("m{number:02}")).collect();
    let all: Vec<_> = keys.iter().map(|key| member(key)).collect();
    let stores: Vec<_> = (0..3).map(|_| Arc::new(open_postgres(&address))).collect();
    settle(&*stores[0], &all);
    let running = Arc::new(Mutex::new(BTreeMap::new()));
    let overlaps = Arc::new(AtomicUsize::new(0));
    let limits = ClaimLimits { short: 3, per_target_minute: usize::MAX, ..limits() };
    let pools: Vec<_> = stores
        .iter()
        .map(|store| {
            let runner = Lone { running: Arc::clone(&running), overlaps: Arc::clone(&overlaps) };
            let clock = Arc::new(SystemClock);
            Pool::start(store.clone(), Arc::new(runner), clock, limits.clone()).unwrap()
        })
        .collect();
    let (keys, pools) = (&keys, &pools);
    let asked: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = stores
            .iter()
            .enumerate()
            .map(|(front, store)| {
                scope.spawn(move || {
                    let ask = |number: usize| {
                        let request = hook(&keys[(front + number) % keys.len()]);
                        let id = format!("{front}-{number}");
                        let noted = delivery("e", Some(&id));
                        let receipts = store.enqueue(&[request], Some(&noted), Timestamp::now());
                        // Whoever is asked, another one may run it.
                        pools[number % 3].wake();
                        receipts.unwrap()[0].run
                    };
                    (0..60).map(ask).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let begin = Instant::now();
    let is_at_work = |row: &Row| row.requests() > 0 || row.running.is_some();
    let is_busy = || stores[0].rows().unwrap().iter().any(is_at_work);
    while is_busy() {
        assert!(begin.elapsed() < MINUTE);
        pools.iter().for_each(Pool::wake);
        thread::sleep(Duration::from_millis(20));
    }
    for id in asked {
        assert_eq!(stores[1].run(id).unwrap().unwrap().state, RunState::Done);
    }
    assert_eq!(overlaps.load(Ordering::SeqCst), 0);
    for key in keys {
        for pair in stores[2].runs(Some(key), None, 1000).unwrap().windows(2) {
            assert!(pair[0].token > pair[1].token, "{key}");
        }
    }
    let mut client = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    let nodes = client.query_one("SELECT count(DISTINCT node) FROM run", &[]).unwrap();
    assert!(nodes.get::<_, i64>(0) >= 2, "more than one worked");
    pools.iter().for_each(Pool::close);
}

#[test]
fn who_comes_back_ends_the_claims_of_who_was_there_before() {
    let Some(server) = shared() else { return };
    let (mine, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let address = server.schema();
    let open = |folder: &tempfile::TempDir| {
        let folder = Some(folder.path().to_owned());
        PostgresStore::open(&PostgresOptions { folder, ..PostgresOptions::at(&address) })
    };
    let other = open(&others).unwrap();
    settle(&other, &members(&["a", "b"]));
    let store = open(&mine).unwrap();
    ask(&store, hook("a"), 0);
    let lost = claim(&store, 0);
    ask(&store, hook("b"), 1);
    let kept = claim(&other, 1);
    assert!(matches!(open(&mine), Err(StoreError::InUse { .. })), "two have one folder");
    drop(store);
    let store = open(&mine).unwrap();
    let again = claim(&store, 2);
    assert_eq!((again.key.as_str(), again.attempt), ("a", 2));
    assert!(again.token > lost.token);
    assert!(other.renew(&kept, at(100)).unwrap(), "that of the other one holds");
}

/// Runs nothing, and finds nothing new if it is unremarkable.
struct Quick {
    unremarkable: bool,
    ended: AtomicUsize,
}

impl Runner for Quick {
    fn run(&self, _claim: &Claim, _interrupt: &Interrupt) -> Option<Finish> {
        Some(Finish { unremarkable: self.unremarkable, changed: !self.unremarkable, ..done() })
    }

    fn over(&self, _claim: &Claim, _finish: Option<&Finish>) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// What it can do, printed with `--nocapture`; the bound is for a slow machine and a build without optimisation.
#[test]
fn runs_are_begun_and_ended_fast() {
    const CYCLES: usize = 400;
    let Some(server) = shared() else { return };
    let store = open_postgres(&server.schema());
    let keys: Vec<String> = (0..CYCLES).map(|number| format!("m{number:03}")).collect();
    let all: Vec<_> = keys.iter().map(|key| member(key)).collect();
    let free = ClaimLimits {
        long: usize::MAX,
        per_source_host: usize::MAX,
        per_target_host: usize::MAX,
        per_target_owner: usize::MAX,
        ..limits()
    };
    store.configure(&all, at(0)).unwrap();
    for claim in store.claim(&free, at(0)).unwrap().claims {
        assert!(store.finish(&claim, &done(), at(0)).unwrap());
    }
    let store = Arc::new(store);
    for (workers, unremarkable) in [(8, false), (8, true), (32, true)] {
        thread::scope(|scope| {
            for part in keys.chunks(50) {
                scope.spawn(|| part.iter().for_each(|key| store.schedule(key, at(2)).unwrap()));
            }
        });
        let limits = ClaimLimits { short: workers, long: 1, ..free.clone() };
        let runner = Arc::new(Quick { unremarkable, ended: AtomicUsize::new(0) });
        let begin = Instant::now();
        let pool =
            Pool::start(store.clone(), runner.clone(), Arc::new(SystemClock), limits).unwrap();
        while runner.ended.load(Ordering::Relaxed) < CYCLES {
            assert!(begin.elapsed() < Duration::from_mins(1));
            thread::sleep(Duration::from_millis(5));
        }
        let rate = 400.0 / begin.elapsed().as_secs_f64();
        eprintln!("{CYCLES} claims, each finished, by {workers} workers: {rate:.0} a second");
        pool.close();
        assert_eq!(pool.wait_idle(Duration::from_mins(1)), 0);
    }
}

#[test]
fn a_delivery_that_two_accept_asks_once() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let stores: Vec<_> = (0..4).map(|_| open_postgres(&address)).collect();
    settle(&stores[0], &members(&["a"]));
    for round in 0..10 {
        let noted = delivery("e", Some(&round.to_string()));
        let runs: Vec<_> = thread::scope(|scope| {
            let send = |store| {
                let noted = &noted;
                scope.spawn(move || JobStore::enqueue(store, &[hook("a")], Some(noted), at(round)))
            };
            let threads: Vec<_> = stores.iter().map(send).collect();
            threads.into_iter().map(|thread| thread.join().unwrap().unwrap()[0].run).collect()
        });
        assert!(runs.iter().all(|run| *run == runs[0]), "{runs:?}");
    }
    assert_eq!(row(&stores[0], "a").requests(), 10);
    let all = stores[0].deliveries(None, 100).unwrap();
    let accepted = all.iter().filter(|entry| entry.record.verdict == Verdict::Accepted).count();
    assert_eq!((all.len(), accepted), (40, 10));
}

/// A clock that is wrong by so many milliseconds.
struct Wrong(i64);

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(Timestamp::now().millis() + self.0)
    }
}

#[test]
fn a_wrong_clock_changes_nothing() {
    const HOUR: i64 = 3_600_000;
    let Some(server) = shared() else { return };
    let address = server.schema();
    let open = |by: i64| {
        let clock: Arc<dyn Clock> = Arc::new(Wrong(by));
        let options =
            PostgresOptions { clock: Some(Arc::clone(&clock)), ..PostgresOptions::at(&address) };
        (PostgresStore::open(&options).unwrap(), clock)
    };
    let (right, right_clock) = open(0);
    let (late, late_clock) = open(-HOUR);
    let (early, early_clock) = open(HOUR);
    let limits = limits();
    right.configure(&members(&["a"]), right_clock.now()).unwrap();
    let claim = right.claim(&limits, right_clock.now()).unwrap().claims.remove(0);
    // To one that is ahead by an hour, the claim has run out long ago; it has not.
    for (store, clock) in [(&early, &early_clock), (&late, &late_clock)] {
        let claimed = store.claim(&limits, clock.now()).unwrap();
        assert_eq!(claimed.claims, []);
        let again = claimed.again.unwrap().since(clock.now());
        assert!(again > Duration::ZERO && again <= LEASE, "{again:?}");
        let until = store.row("a").unwrap().unwrap().running.unwrap().until;
        assert!(until.since(clock.now()) > LEASE / 2);
    }
    // What is due in a moment is, whoever says so, and is for all.
    assert!(right.finish(&claim, &done(), right_clock.now()).unwrap());
    let mut last = claim.token;
    for (asks, asks_clock) in [(&early, &early_clock), (&late, &late_clock)] {
        for (runs, clock) in [(&late, &late_clock), (&early, &early_clock)] {
            asks.enqueue(&[hook("a")], None, asks_clock.now()).unwrap();
            let claim = runs.claim(&limits, clock.now()).unwrap().claims.remove(0);
            assert!(claim.token > last);
            last = claim.token;
            assert_eq!(right.claim(&limits, right_clock.now()).unwrap().claims, []);
            assert!(runs.renew(&claim, clock.now().after(LEASE)).unwrap());
            let due = Some(clock.now().after(MINUTE));
            assert!(runs.finish(&claim, &Finish { due, ..done() }, clock.now()).unwrap());
            let due = right.row("a").unwrap().unwrap().due().unwrap().since(right_clock.now());
            assert!(due > MINUTE / 2 && due <= MINUTE, "{due:?}");
        }
    }
    let run = right.runs(Some("a"), None, 1).unwrap().remove(0);
    let age = right_clock.now().since(run.started.unwrap());
    assert!(run.cause == Cause::Hook && age < MINUTE, "{age:?}");
}

#[test]
fn a_server_that_goes_away_and_comes_back_loses_no_answer() {
    let Some(server) = Postgres::start() else { return };
    let address = server.schema();
    let store = open_postgres(&address);
    settle(&store, &members(&["a"]));
    let is_over = AtomicBool::new(false);
    let (answered, refused) = thread::scope(|scope| {
        let hooks = scope.spawn(|| {
            let (mut answered, mut refused) = (0, 0);
            while !is_over.load(Ordering::SeqCst) {
                let id = (answered + refused).to_string();
                match store.enqueue(&[hook("a")], Some(&delivery("e", Some(&id))), at(0)) {
                    Ok(_) => answered += 1,
                    Err(error) => {
                        refused += 1;
                        assert_eq!(error.fault(), Fault::Unavailable, "{error}");
                        thread::sleep(Duration::from_millis(50));
                    }
                }
            }
            (answered, refused)
        });
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(300));
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE application_name = 'synchroniser'";
            server.client().execute(end, &[]).unwrap();
        }
        server.control(&["stop", "-m", "immediate"]);
        thread::sleep(Duration::from_millis(600));
        let error = store.rows().unwrap_err();
        assert_eq!(error.fault(), Fault::Unavailable, "{error}");
        server.control(&["start"]);
        let begin = Instant::now();
        while store.rows().is_err() {
            assert!(begin.elapsed() < Duration::from_secs(30));
            thread::sleep(Duration::from_millis(50));
        }
        thread::sleep(Duration::from_millis(700));
        is_over.store(true, Ordering::SeqCst);
        hooks.join().unwrap()
    });
    assert!(answered > 3 && refused > 0, "{answered} answered, {refused} refused");
    let noted = store.deliveries(None, 1_000_000).unwrap().len();
    // What was refused may have been noted all the same, if its answer was lost.
    assert!((answered..=answered + refused).contains(&noted), "{answered}, {refused}, {noted}");
    let wanted = row(&store, "a").requests();
    assert!(wanted >= answered as u64, "{wanted} of {answered}");
    assert!(server.log().contains("starting PostgreSQL"));
}

/// Passes everything on, until it is told to let it vanish.
fn black_hole(to: u16) -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let is_hole = Arc::new(AtomicBool::new(false));
    let hole = Arc::clone(&is_hole);
    thread::spawn(move || {
        for here in listener.incoming() {
            let here = here.unwrap();
            let there = TcpStream::connect(("127.0.0.1", to)).unwrap();
            let pairs = [(here.try_clone().unwrap(), there.try_clone().unwrap()), (there, here)];
            for (mut from, mut to) in pairs {
                let hole = Arc::clone(&hole);
                thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    while let Ok(count @ 1..) = from.read(&mut bytes) {
                        while hole.load(Ordering::SeqCst) {
                            thread::sleep(Duration::from_millis(10));
                        }
                        if to.write_all(&bytes[..count]).is_err() {
                            break;
                        }
                    }
                    drop(to.shutdown(std::net::Shutdown::Both));
                });
            }
        }
    });
    (port, is_hole)
}

#[test]
fn a_network_that_swallows_everything_is_waited_for() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let schema = address.rsplit("%3D").next().unwrap();
    let (port, is_hole) = black_hole(server.port);
    let store = open_postgres(&Postgres::address("127.0.0.1", port, schema));
    settle(&store, &members(&["a"]));
    let other = open_postgres(&address);
    is_hole.store(true, Ordering::SeqCst);
    thread::scope(|scope| {
        let asked = scope.spawn(|| store.enqueue(&[hook("a")], None, at(0)));
        // Others do not wait for it.
        thread::sleep(Duration::from_secs(1));
        ask(&other, hook("a"), 1);
        is_hole.store(false, Ordering::SeqCst);
        asked.join().unwrap().unwrap();
    });
    assert_eq!(row(&other, "a").requests(), 2);
}

/// Encrypted, the server must prove its name with a certificate of the authority that is named.
#[test]
fn the_server_proves_its_name() {
    let Some(server) = shared() else { return };
    let Some(folder) = folder_with_certificate() else { return };
    server.encrypt(folder.path());
    let look = |host: &str, folder: &Path| {
        let address = Postgres::address(host, server.port, "public") + "&sslmode=verify-full";
        let ca = Some(folder.join("cert.pem"));
        PostgresStore::look(&PostgresOptions { ca, ..PostgresOptions::at(&address) })
    };
    assert!(look("127.0.0.1", folder.path()).unwrap().is_encrypted);
    let other = folder_with_certificate().unwrap();
    for (what, refused) in [
        ("another name", look("localhost", folder.path())),
        ("another authority", look("127.0.0.1", other.path())),
    ] {
        let told = with_causes(&refused.expect_err(what));
        assert!(told.contains("certificate"), "{what}: {told}");
    }
}
