//! As many mirrors as a fleet has, as rows of a database: what a claim costs there, whose turn it is, and whether all
//! are looked at in time.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use postgres::Client;
use synchroniser::queue::{ClaimLimits, JobStore, PostgresStore};

use super::support::*;
use crate::support::postgres::shared;

/// So many mirrors; a million before a release (`SYNCHRONISER_MIRRORS=1000000`).
fn mirrors() -> i64 {
    let number = std::env::var("SYNCHRONISER_MIRRORS").ok();
    number.map_or(20_000, |number| number.parse().unwrap())
}

/// A database with so many mirrors that were synced before, and are due at `scheduled`, an SQL expression of `n`.
fn with(address: &str, count: i64, scheduled: &str) -> (PostgresStore, Client) {
    let store = open_postgres(address);
    let mut client = Client::connect(address, postgres::NoTls).unwrap();
    let begin = Instant::now();
    client
        .batch_execute(&format!(
            "INSERT INTO mirror (name, owner, source_host, target_host, target, fingerprint, wanted, taken, \
             weight, token, attempts, scheduled, attention) SELECT 'm' || n, \
             CASE n % 10 WHEN 0 THEN 'owner' || n % 1000 ELSE 'giant' END, 'hg' || n % 7 || '.example', \
             'git.example', 'git.example/m' || n, '1', 1, 1, 'short', 1, 0, at, at \
             FROM (SELECT n, ({scheduled})::bigint AS at FROM generate_series(1, {count}) AS n) AS mirrors; \
             ANALYZE mirror"
        ))
        .unwrap();
    eprintln!("{count} mirrors: {:?}", begin.elapsed());
    (store, client)
}

fn no_limits(workers: usize) -> ClaimLimits {
    ClaimLimits {
        short: workers,
        per_source_host: usize::MAX,
        per_target_host: usize::MAX,
        ..limits()
    }
}

/// How many rows of mirrors the database has read so far, and for how many milliseconds it has worked.
fn cost(store: &PostgresStore, client: &mut Client) -> (i64, f64) {
    // A connection tells of what it has done a second later, when it does something again.
    thread::sleep(Duration::from_millis(1100));
    store.probe(at(0)).unwrap();
    thread::sleep(Duration::from_millis(100));
    let select = "SELECT seq_tup_read + idx_tup_fetch, \
         (SELECT active_time FROM pg_stat_database WHERE datname = current_database()) \
         FROM pg_stat_user_tables WHERE relname = 'mirror' AND schemaname = current_schema()";
    let row = client.query_one(select, &[]).unwrap();
    (row.get(0), row.get(1))
}

#[test]
fn a_claim_reads_so_much_however_much_is_due() {
    const CLAIMS: i64 = 20;
    let Some(server) = shared() else { return };
    let count = mirrors();
    // All are due, those of the giant for longest.
    let now = at(0).millis();
    let scheduled = format!("CASE n % 10 WHEN 0 THEN {now} - 1 ELSE {now} - 500000 + n % 1000 END");
    let (store, mut client) = with(&server.schema(), count, &scheduled);
    let limits = no_limits(8);
    let (rows_before, _) = cost(&store, &mut client);
    let mut owners = BTreeSet::new();
    let begin = Instant::now();
    for round in 0..CLAIMS {
        let claims = store.claim(&limits, at(round)).unwrap().claims;
        assert_eq!(claims.len(), 8);
        for claim in claims {
            owners.insert(row(&store, &claim.key).member.owner);
            assert!(store.finish(&claim, &done(), at(round)).unwrap());
        }
    }
    let took = begin.elapsed() / u32::try_from(CLAIMS).unwrap();
    let (rows_after, _) = cost(&store, &mut client);
    let read = (rows_after - rows_before) / CLAIMS;
    eprintln!("{count} due: {read} rows read for 8 claims and their ends, {took:?}");
    assert!(read < 2000, "{read} rows for 8 claims");
    // Of 101 owners, one of whom has nine of ten mirrors: nearly each claim is of another one.
    assert!(owners.len() > 80, "{} owners", owners.len());
}

#[test]
fn what_nobody_may_ask_hides_nothing() {
    let Some(server) = shared() else { return };
    let count = mirrors().min(100_000);
    let now = at(0).millis();
    let scheduled = format!("{now} - CASE n % 7 WHEN 3 THEN 1 ELSE 100000 END");
    let (store, _client) = with(&server.schema(), count, &scheduled);
    let closed_hosts = [0, 1, 2, 4, 5, 6].map(|host| format!("hg{host}.example")).to_vec();
    let limits = ClaimLimits { closed_hosts, ..no_limits(8) };
    let mut rounds = 0;
    let mut claimed = 0;
    while claimed < 64 {
        rounds += 1;
        let found = store.claim(&limits, at(0)).unwrap();
        claimed += found.claims.len();
        for claim in &found.claims {
            assert!(store.finish(claim, &done(), at(0)).unwrap());
        }
        assert!(found.again == Some(at(0)) || found.claims.len() == 8, "{:?}", found.again);
        assert!(rounds < 100, "{claimed} of 64");
    }
    eprintln!("64 of a host that is not closed, beside {count} mirrors: {rounds} claims");
}

#[test]
fn an_empty_probe_costs_next_to_nothing() {
    const PROBES: u32 = 100;
    let Some(server) = shared() else { return };
    let count = mirrors();
    let later = at(1000).millis();
    let (store, mut client) = with(&server.schema(), count, &format!("{later} + n"));
    let limits = no_limits(8);
    assert_eq!(claim_with(&store, &limits, 0), [""; 0]);
    let (rows_before, busy_before) = cost(&store, &mut client);
    let begin = Instant::now();
    for _ in 0..PROBES {
        let claimed = store.claim(&limits, at(0)).unwrap();
        assert_eq!(
            (claimed.claims.len(), claimed.again.map(|at| at.millis())),
            (0, Some(later + 1))
        );
    }
    let took = begin.elapsed() / PROBES;
    let (rows_after, busy_after) = cost(&store, &mut client);
    let (rows, busy) = (rows_after - rows_before, (busy_after - busy_before) / f64::from(PROBES));
    eprintln!(
        "{count} mirrors, none due: {busy:.2} ms of the database for a probe, {took:?} in all, {rows} rows"
    );
    assert!(rows < 1000, "{rows} rows for {PROBES} probes");
    // Others use the server too, while all tests run.
    assert!(busy < 20.0, "{busy} ms");
}
