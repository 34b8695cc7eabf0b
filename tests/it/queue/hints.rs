//! What one process is asked for, another one begins at once, if it hears of it; and soon if it does not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use synchroniser::base::Interrupt;
use synchroniser::base::time::{Clock, SystemClock, Timestamp};
use synchroniser::queue::model::{Claim, Finish};
use synchroniser::queue::{JobStore, Pool, PostgresOptions, PostgresStore, Runner};

use super::support::*;
use crate::support::postgres::shared;

/// Notes when each run begins.
#[derive(Default)]
struct Noted {
    begun: Mutex<Option<Instant>>,
    runs: AtomicUsize,
}

impl Runner for Noted {
    fn run(&self, _claim: &Claim, _interrupt: &Interrupt) -> Option<Finish> {
        self.begun.lock().unwrap().get_or_insert_with(Instant::now);
        self.runs.fetch_add(1, Ordering::SeqCst);
        Some(done())
    }
}

fn open(address: &str) -> Arc<PostgresStore> {
    let clock: Option<Arc<dyn Clock>> = Some(Arc::new(SystemClock));
    Arc::new(
        PostgresStore::open(&PostgresOptions { clock, ..PostgresOptions::at(address) }).unwrap(),
    )
}

#[test]
fn what_one_is_asked_for_another_one_begins() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let front = open(&address);
    front.configure(&members(&["a"]), Timestamp::now()).unwrap();
    let worker = open(&address);
    let runner = Arc::new(Noted::default());
    let limits = synchroniser::queue::ClaimLimits { per_target_minute: 1000, ..limits() };
    let pool = Pool::start(worker.clone(), runner.clone(), Arc::new(SystemClock), limits).unwrap();
    let until_run = |runs: usize| {
        let begin = Instant::now();
        while runner.runs.load(Ordering::SeqCst) < runs {
            assert!(begin.elapsed() < Duration::from_secs(20), "run {runs} does not begin");
            thread::sleep(Duration::from_millis(1));
        }
    };
    until_run(1);
    let ask = |runs: usize| {
        thread::sleep(Duration::from_millis(300));
        *runner.begun.lock().unwrap() = None;
        let asked = Instant::now();
        front.enqueue(&[hook("a")], None, Timestamp::now()).unwrap();
        until_run(runs);
        runner.begun.lock().unwrap().unwrap().saturating_duration_since(asked)
    };
    let mut heard: Vec<_> = (2..12).map(ask).collect();
    heard.sort_unstable();
    eprintln!("begun elsewhere: half within {:?}, all within {:?}", heard[5], heard[9]);
    // By looking alone it would be more than a second.
    assert!(heard[5] < Duration::from_millis(500), "{heard:?}");
    // Whoever does not hear looks all the same.
    let mut client = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    for run in 12..15 {
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE query LIKE 'DO $$ BEGIN EXECUTE format(''LISTEN%'";
        client.query_one(end, &[]).unwrap();
        let took = ask(run);
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
    pool.close();
}
