//! As many mirrors as a fleet has, as rows of a database: what a claim costs there, whose turn it is, and whether all
//! are looked at in time.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use postgres::Client;
use synchroniser::base::Interrupt;
use synchroniser::base::time::{Clock, Timestamp};
use synchroniser::queue::model::{Claim, End, EndState, Finish};
use synchroniser::queue::{ClaimLimits, Closed, JobStore, Pool, PostgresStore, Runner};

use super::support::*;
use crate::support::postgres::{Postgres, shared};

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
        per_target_owner: usize::MAX,
        per_target_minute: usize::MAX,
        lease: 2 * MINUTE,
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
    let hosts = [0, 1, 2, 4, 5, 6].map(|host| format!("hg{host}.example")).to_vec();
    let closed = Closed { hosts, ..Closed::default() };
    let limits = ClaimLimits { closed, ..no_limits(8) };
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
            (claimed.claims.len(), claimed.again.map(Timestamp::millis)),
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

/// Each owner has its limit at a target, and those who are below theirs are found beside the many of who is not.
#[test]
fn an_owner_at_its_limit_hides_nothing() {
    let Some(server) = shared() else { return };
    let count = mirrors().min(100_000);
    let now = at(0).millis();
    let scheduled = format!("{now} - CASE n % 10 WHEN 0 THEN 1 ELSE 100000 END");
    let (store, _client) = with(&server.schema(), count, &scheduled);
    let limits = ClaimLimits { per_target_owner: 4, ..no_limits(64) };
    let (mut rounds, mut claimed) = (0, 0);
    let mut of_owner: HashMap<String, usize> = HashMap::new();
    while claimed < 64 {
        rounds += 1;
        for claim in store.claim(&limits, at(0)).unwrap().claims {
            claimed += 1;
            *of_owner.entry(row(&store, &claim.key).member.owner).or_default() += 1;
        }
        assert!(rounds < 100, "{claimed} of 64");
    }
    assert!(of_owner.values().all(|runs| *runs <= 4), "{of_owner:?}");
    assert_eq!(of_owner.get("giant"), Some(&4));
}

/// How many statements a server whose log has them has done so far.
fn statements(server: &Postgres) -> usize {
    let log = server.log();
    log.lines().filter(|line| line.contains("  execute ") || line.contains("  statement: ")).count()
}

/// Looks that find nothing, as a pool has them end: what they cost together, and one by one.
#[test]
fn looks_that_find_nothing_end_together() {
    let finish = Finish { unremarkable: true, changed: false, ..done() };
    runs_end_together("looks that find nothing", &finish);
}

/// The same of syncs whose history is kept.
#[test]
fn syncs_that_find_something_end_together() {
    runs_end_together("syncs that find something", &done());
}

fn runs_end_together(kind: &str, finish: &Finish) {
    const LOOKS: usize = 400;
    let Some(server) = Postgres::start() else { return };
    let address = server.schema() + "%20-clog_statement%3Dall";
    let now = at(0).millis();
    let (store, mut client) = with(&address, mirrors(), &format!("{now} - n % 1000"));
    let end = |claim: Claim| {
        let due = Some(at(100_000));
        End { claim, finish: Finish { due, ..finish.clone() } }
    };
    // One by one is as each look was noted by itself, before a claim for its worker.
    for (what, together) in [("one by one", 1), ("8 together", 8), ("50 together", 50)] {
        let limits = no_limits(together);
        let mut ends: Vec<End> =
            store.claim(&limits, at(0)).unwrap().claims.into_iter().map(end).collect();
        let (statements_before, (_, busy_before)) =
            (statements(&server), cost(&store, &mut client));
        let begin = Instant::now();
        let mut looks = 0;
        while looks < LOOKS {
            looks += ends.len();
            let claims = if together == 1 {
                for End { claim, finish } in ends.drain(..) {
                    assert!(store.finish(&claim, &finish, at(1)).unwrap());
                }
                store.claim(&limits, at(1)).unwrap().claims
            } else {
                let (states, claimed) = store.turn(&ends, Some(&limits), at(1)).unwrap();
                assert!(states.iter().all(|state| *state == EndState::Noted));
                claimed.claims
            };
            assert_eq!(claims.len(), together);
            ends = claims.into_iter().map(end).collect();
        }
        let took = begin.elapsed();
        store.turn(&ends, None, at(1)).unwrap();
        let (_, busy) = cost(&store, &mut client);
        let each = |number: usize| f64::from(u32::try_from(number).unwrap());
        let asked = each(statements(&server) - statements_before) / each(looks);
        let busy = (busy - busy_before) / each(looks);
        eprintln!(
            "{} mirrors, {kind} {what}: {asked:.2} statements and {busy:.2} ms of the database for \
             each, {:.0} a second",
            mirrors(),
            each(looks) / took.as_secs_f64()
        );
        // Two begin and commit; whatever else, there are at most a few for all together.
        let most = if together == 1 { 20.0 } else { 14.0 / each(together) + 0.1 };
        assert!(asked <= most, "{asked} statements");
        // Much else may be going on.
        assert!(busy < 20.0, "{busy} ms");
    }
}

/// Each run has found something, and ends at once; so many are counted.
struct Counted {
    left: Mutex<usize>,
    over: Condvar,
}

impl Runner for Counted {
    fn run(&self, _: &Claim, _: &Interrupt) -> Option<Finish> {
        Some(Finish { due: Some(at(100_000)), ..done() })
    }

    fn over(&self, _: &Claim, _: Option<&Finish>) {
        let mut left = self.left.lock().unwrap();
        *left = left.saturating_sub(1);
        self.over.notify_all();
    }
}

/// Times stand.
struct Stands;

impl Clock for Stands {
    fn now(&self) -> Timestamp {
        at(0)
    }
}

/// Syncs whose history is kept, as a pool has them begin and end: what they cost together, and one by one.
#[test]
fn syncs_that_are_kept_end_together() {
    const RUNS: usize = 800;
    let Some(server) = Postgres::start() else { return };
    let address = server.schema() + "%20-clog_statement%3Dall";
    let now = at(0).millis();
    let (store, mut client) = with(&address, mirrors(), &format!("{now} - n % 1000"));
    let store = Arc::new(store);
    let each = |number: usize| f64::from(u32::try_from(number).unwrap());
    let mut asked_for_each = Vec::new();
    for workers in [1, 8, 50] {
        let runs = if workers == 1 { RUNS / 8 } else { RUNS };
        let (statements_before, (_, busy_before)) =
            (statements(&server), cost(&store, &mut client));
        let runner = Arc::new(Counted { left: Mutex::new(runs), over: Condvar::new() });
        let begin = Instant::now();
        let (shared, ran) = (Arc::clone(&store) as Arc<_>, Arc::clone(&runner) as Arc<_>);
        let limits = ClaimLimits { long: 0, ..no_limits(workers) };
        let pool = Pool::start(shared, ran, Arc::new(Stands), limits).unwrap();
        let left = runner.over.wait_while(runner.left.lock().unwrap(), |left| *left > 0).unwrap();
        let took = begin.elapsed();
        drop(left);
        pool.drain();
        assert_eq!(pool.wait_idle(LEASE), 0);
        let (_, busy) = cost(&store, &mut client);
        let kept: i64 = client.query_one("SELECT count(*) FROM run", &[]).unwrap().get(0);
        client.batch_execute("TRUNCATE run CASCADE").unwrap();
        let kept = usize::try_from(kept).unwrap();
        assert!(kept >= runs, "{kept} of {runs}");
        let asked = each(statements(&server) - statements_before) / each(kept);
        eprintln!(
            "{} mirrors, syncs that are kept, by {workers} workers: {asked:.2} statements and {:.2} ms of the database \
             for each, {:.0} a second",
            mirrors(),
            (busy - busy_before) / each(kept),
            each(runs) / took.as_secs_f64()
        );
        asked_for_each.push(asked);
    }
    // However busy the machine is: many are noted and begun with one commit.
    assert!(asked_for_each[1] < asked_for_each[0] / 3.0, "{asked_for_each:?}");
    assert!(asked_for_each[2] < asked_for_each[0] / 8.0, "{asked_for_each:?}");
}

/// What workers do who take some seconds for each look at a source, of which one in a hundred finds something.
struct Simulated {
    store: PostgresStore,
    workers: usize,
    /// The runs that are under way, each with when it ends.
    running: Vec<(i64, Claim)>,
}

impl Simulated {
    /// Ends what is over by `now`, and begins what there are workers for. Tells `begun` of each mirror, and when it is
    /// due again.
    fn step(&mut self, now: i64, every: i64, begun: &mut impl FnMut(&str, i64)) {
        let (over, running) = self.running.drain(..).partition(|(ends, _)| *ends <= now);
        self.running = running;
        let over: Vec<(i64, Claim)> = over;
        let end = |(ends, claim): (i64, Claim)| {
            let due = Some(at(next(ends, every, &claim)));
            let finish = Finish { unremarkable: true, changed: false, due, ..done() };
            End { claim, finish }
        };
        let ends: Vec<_> = over.into_iter().map(end).collect();
        let limits = no_limits(self.workers);
        let (states, claimed) = self.store.turn(&ends, Some(&limits), at(now)).unwrap();
        assert!(states.iter().all(|state| *state == EndState::Noted));
        for claim in claimed.claims {
            let ends = now + 1 + i64::try_from(claim.token % 3).unwrap();
            begun(&claim.key, next(ends, every, &claim));
            self.running.push((ends, claim));
        }
    }
}

/// When a mirror is due again whose run ends then: after an hour, or up to a tenth more or less.
fn next(ends: i64, every: i64, claim: &Claim) -> i64 {
    ends + every + every * (i64::try_from(claim.token * 7919 % 201).unwrap() - 100) / 1000
}

/// What so many of a hundred are below.
fn part(late: &mut [i64], part: usize) -> i64 {
    late.sort_unstable();
    late[(late.len() * part / 100).min(late.len() - 1)]
}

/// Bytes of the table of mirrors and of its indexes, and how many of its rows are dead.
fn sizes(client: &mut Client) -> [i64; 3] {
    let select = "SELECT pg_relation_size('mirror'), pg_indexes_size('mirror'), n_dead_tup \
         FROM pg_stat_user_tables WHERE relid = 'mirror'::regclass";
    let sizes = client.query_one(select, &[]).unwrap();
    [0, 1, 2].map(|column| sizes.get(column))
}

/// Whose mirror that is.
fn owner(key: &str) -> String {
    let number: i64 = key[1..].parse().unwrap();
    if number % 10 == 0 { format!("owner{}", number % 1000) } else { "giant".to_owned() }
}

/// What was seen of runs that began.
#[derive(Default)]
struct History {
    /// How late each was.
    late: Vec<i64>,
    /// For each owner, how many runs it got, and how late the latest of them was.
    of_owner: HashMap<String, (i64, i64)>,
    /// How many runs began at each time.
    by_step: Vec<(i64, i64)>,
}

impl History {
    fn begun(&mut self, key: &str, late: i64) {
        self.late.push(late);
        let (runs, latest) = self.of_owner.entry(owner(key)).or_default();
        *runs += 1;
        *latest = late.max(*latest);
    }

    fn runs(&self) -> i64 {
        i64::try_from(self.late.len()).unwrap()
    }

    /// The latest of all runs of owners that have few mirrors.
    fn latest_of_small(&self) -> i64 {
        let small = self.of_owner.iter().filter(|(owner, _)| *owner != "giant");
        small.map(|(_, (_, latest))| *latest).max().unwrap()
    }

    /// The most runs that began in one step of that time.
    fn most_begun(&self, times: &Range<i64>) -> i64 {
        let steps = self.by_step.iter().filter(|(time, _)| times.contains(time));
        steps.map(|(_, runs)| *runs).max().unwrap()
    }

    /// Each owner has its part of all runs, however few mirrors it has, and none waits for longer: nobody starves.
    fn nobody_starves(&self, due: &HashMap<String, i64>, longest: i64) {
        let mut mirrors_of: HashMap<String, i64> = HashMap::new();
        for key in due.keys() {
            *mirrors_of.entry(owner(key)).or_default() += 1;
        }
        for (owner, mirrors) in mirrors_of {
            let (runs, latest) = self.of_owner.get(&owner).copied().unwrap_or_default();
            let part = self.runs() * mirrors / i64::try_from(due.len()).unwrap();
            assert!(runs >= part - part / 4 - 2, "{owner}: {runs} runs of {part}");
            assert!(latest <= longest, "{owner}: {latest} s late");
        }
    }
}

/// A mirror is looked at again after so many seconds, or a tenth more or less.
const EVERY: i64 = 3600;

/// What three daemons with so many workers each do during `times`, in steps of so many seconds. All of them end when
/// `gone` begins, and are back when it is over. `due` is when each mirror is due.
fn simulate(
    address: &str,
    workers: usize,
    (times, step): (Range<i64>, i64),
    gone: &Range<i64>,
    due: &mut HashMap<String, i64>,
) -> History {
    let open = || Simulated { store: open_postgres(address), workers, running: Vec::new() };
    let mut daemons = Vec::new();
    let mut seen = History::default();
    for now in times.step_by(usize::try_from(step).unwrap()) {
        if gone.contains(&now) {
            // What they had is claimed again when it has run out.
            daemons.clear();
            continue;
        }
        if daemons.is_empty() {
            daemons = (0..3).map(|_| open()).collect();
        }
        let before = seen.runs();
        for daemon in &mut daemons {
            daemon.step(now, EVERY, &mut |key, next| {
                let was_due = due.insert(key.to_owned(), next).unwrap();
                seen.begun(key, now - was_due);
            });
        }
        seen.by_step.push((now, seen.runs() - before));
    }
    seen
}

/// A clock that goes as fast as the database can: every mirror is looked at once an hour or so. In the middle all
/// daemons end at once, and are gone for a while.
#[test]
fn all_mirrors_are_looked_at_in_time() {
    let Some(server) = shared() else { return };
    let count = mirrors() / if mirrors() > 100_000 { 1 } else { 10 };
    let (simulated, step, gone) = match count > 100_000 {
        // So many take their time.
        true => (EVERY, 5, 1200..1500),
        false => (2 * EVERY, 60, 2400..3000),
    };
    let address = server.schema();
    // As after long work: what is due is spread over the hour.
    let start = at(0).millis();
    let scheduled = format!("{start} + (n::bigint * 7919) % {EVERY} * 1000");
    let (_, mut client) = with(&address, count, &scheduled);
    let mut due: HashMap<String, i64> =
        (1..=count).map(|n| (format!("m{n}"), n * 7919 % EVERY)).collect();
    // A quarter more than what is due in a step.
    let workers = usize::try_from(count * step / EVERY * 5 / 4 / 3 + 2).unwrap();
    let begin = Instant::now();
    let mut seen = simulate(&address, workers, (0..simulated, step), &gone, &mut due);
    let (took, runs) = (begin.elapsed(), seen.runs());
    let [half, most, all] = [50, 99, 100].map(|share| part(&mut seen.late, share));
    // One of ten mirrors is of somebody with few.
    let small = seen.latest_of_small();
    let [usually, after] =
        [step..gone.start, gone.end..simulated].map(|times| seen.most_begun(&times));
    let [table, indexes, dead] = sizes(&mut client);
    eprintln!(
        "{count} mirrors for {simulated} s, {} s of them without daemons: {runs} runs by {} workers in {took:?}; begun \
         half within {half} s, 99 of 100 within {most} s, all within {all} s, those of the small within {small} s; \
         at most {usually} began in {step} s before all ended, and {after} afterwards; \
         table {table} bytes, indexes {indexes}, {dead} dead rows",
        gone.end - gone.start,
        3 * workers
    );
    let away = gone.end - gone.start;
    // What became due meanwhile waits until they are back, and a little for what is before it.
    assert!(all <= away + away / 2 + 2 * step, "{all}");
    // In a short time, most have waited for them.
    assert!(simulated < 2 * EVERY || half <= away / 2, "{half}");
    assert!(small <= away + 4 * step, "{small}");
    seen.nobody_starves(&due, away + away / 2 + 2 * step);
    // What was missed is made up for by the workers that there are, a quarter more than are needed, and not at once.
    assert!(after <= usually * 3 / 2 + 1, "{after} after {usually}");
    // None is left out, and none is looked at because of the restart.
    let due_by =
        |time: i64| i64::try_from(due.values().filter(|due| **due < time).count()).unwrap();
    assert!(due_by(simulated - away - away / 2 - 2 * step) == 0, "some were left out");
    let expected = count * simulated / EVERY;
    assert!(runs <= expected + expected / 10, "{runs} of {expected}");
}
