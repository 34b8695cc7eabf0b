//! A daemon whose claim has run out while it was stopped, or while it could not reach the database, is kept from
//! publishing, whatever another one has done meanwhile.

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::killed::commits;
use super::program::{LONG, Program, configure};
use crate::support::TestEnv;
use crate::support::generator::{Generated, Shape};
use crate::support::postgres::{Postgres, shared};
use crate::support::relay::Relay;

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < LONG, "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The number of changesets that the cache of `env` has converted.
fn converted(env: &TestEnv) -> u64 {
    std::fs::metadata(env.path("cache/m/map")).map_or(0, |found| found.len() / 40)
}

/// What keeps the first daemon from its claim.
enum Away {
    /// It is stopped.
    Stopped,
    /// Nothing that it sends reaches the database, and nobody says so.
    Cut,
}

/// The first daemon has converted, and waits before its push until another mirror is done with the target. Meanwhile
/// it is away for longer than its lease, and a second one publishes what is newer.
fn check(away: &Away) {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let relay = Relay::to(server.port);
    let by_relay =
        Postgres::address("127.0.0.1", relay.port, address.rsplit("%3D").next().unwrap());
    let place = TestEnv::new();
    let shape = Shape { seed: 9, changesets: 8, files: 3, heads: 1, ..Shape::PLAIN };
    let history = Generated::new(shape);
    let (source, target) = (place.path("source"), place.path("target.git"));
    Generated::create(&source);
    history.add(&source, 0..1);
    git2::Repository::init_bare(&target).unwrap();
    let envs = [TestEnv::new(), TestEnv::new()];
    for (env, address) in envs.iter().zip([&by_relay, &address]) {
        configure(
            env,
            &format!(
                "queue = {{ store = {address:?}, lease = 5 }}\n\
                 [mirrors.m]\nsource = {source:?}\ntarget = {target:?}\ndivergence = \"overwrite\"\n"
            ),
        );
    }
    let first = Program::start(&envs[0]);
    first.until_state("m", "good");
    assert_eq!(commits(&target), 1);
    let mut locks = std::fs::read_dir(envs[0].path("cache/.targets")).unwrap();
    let at_work = File::open(locks.next().unwrap().unwrap().path()).unwrap();
    at_work.lock().unwrap();
    history.add(&source, 1..2);
    first.hook("m");
    until("it has converted", || converted(&envs[0]) == 2);
    match away {
        Away::Stopped => first.signal(Signal::STOP),
        Away::Cut => relay.swallow(true),
    }

    history.add(&source, 2..4);
    let second = Program::start(&envs[1]);
    second.hook("m");
    until("the second has published", || commits(&target) == 4);
    let nodes = second.json("/api/v1/overview");
    assert_eq!(nodes["nodes"].as_array().unwrap().len(), 2, "{nodes:#}");
    drop(at_work);
    match away {
        Away::Stopped => first.signal(Signal::CONT),
        // It is over long ago, and still the database is out of reach.
        Away::Cut => drop(first.until_log_says("nothing is published")),
    }
    // If it had not stopped it would have published long before.
    thread::sleep(Duration::from_millis(500));
    assert_eq!(commits(&target), 4);
    relay.swallow(false);
    first.until_log_says("a run ended whose claim was lost");
    assert_eq!(commits(&target), 4);
    let runs = second.json("/api/v1/runs?mirror=m");
    let states: Vec<_> =
        runs["runs"].as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["done", "interrupted", "done"], "{}", first.log());

    // Its cache is as good as before, and it does what comes next when the other one is gone.
    second.kill();
    history.add(&source, 4..6);
    until("it takes hooks again", || first.try_hook("m") == Some(202));
    until("the first has published", || commits(&target) == 6);
    first.until_state("m", "good");
}

#[test]
fn a_daemon_that_was_stopped_for_longer_than_its_lease_publishes_nothing() {
    check(&Away::Stopped);
}

#[test]
fn a_daemon_that_has_lost_the_database_stops_before_its_lease_runs_out() {
    check(&Away::Cut);
}
