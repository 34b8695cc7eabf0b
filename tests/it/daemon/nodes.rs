//! Several daemons on one database: any takes any hook, one that is killed loses nothing, and no two sync one mirror.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::killed::{LONGEST, commits};
use super::program::{Program, ask, configure};
use crate::support::generator::{Generated, Shape};
use crate::support::postgres::shared;
use crate::support::{Ran, TestEnv};

const MIRRORS: usize = 6;
const NODES: usize = 3;
/// More than any source gets.
const CHANGESETS: usize = 300;

struct Told {
    source: PathBuf,
    target: PathBuf,
    has: usize,
    answered: usize,
}

/// What each daemon has in its configuration, all the same.
fn repositories(env: &TestEnv, history: &Generated) -> (Vec<Told>, String) {
    let (mut all, mut text) = (Vec::new(), String::new());
    for number in 0..MIRRORS {
        let (source, target) = (env.path(format!("m{number}")), env.path(format!("t{number}.git")));
        Generated::create(&source);
        history.add(&source, 0..1);
        git2::Repository::init_bare(&target).unwrap();
        text += &format!("mirrors.m{number} = {{ source = {source:?}, target = {target:?} }}\n");
        all.push(Told { source, target, has: 1, answered: 1 });
    }
    (all, text)
}

/// Adds changesets, and tells whichever daemon answers.
fn push(
    history: &Generated,
    told: &mut [Told],
    programs: &[std::sync::RwLock<Option<Program>>],
    stop: &AtomicBool,
    answered: &AtomicUsize,
) {
    for turn in 0.. {
        let place = turn % told.len();
        let told = &mut told[place];
        if stop.load(Ordering::Relaxed) || told.has == CHANGESETS {
            return;
        }
        history.add(&told.source, told.has..told.has + 1);
        told.has += 1;
        let name = told.source.file_name().unwrap().to_str().unwrap();
        let program = programs[turn % NODES].read().unwrap();
        match program.as_ref().and_then(|program| program.try_hook(name)) {
            Some(202) => {
                told.answered = told.has;
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Some(other) => panic!("answered {other}:\n{}", program.as_ref().unwrap().log()),
            // It was killed meanwhile; the next one is asked next time.
            None => {}
        }
        drop(program);
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn three_daemons_share_one_queue_and_may_be_killed() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let place = TestEnv::new();
    let history = Generated::new(Shape {
        seed: 5,
        changesets: CHANGESETS,
        files: 4,
        heads: 1,
        ..Shape::PLAIN
    });
    let (mut all, mirrors) = repositories(&place, &history);
    let envs: Vec<_> = (0..NODES).map(|_| TestEnv::new()).collect();
    for env in &envs {
        configure(env, &format!("queue.store = {address:?}\n{mirrors}"));
    }
    let start = |node: usize| std::sync::RwLock::new(Some(Program::start(&envs[node])));
    let programs: Vec<_> = (0..NODES).map(start).collect();
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for told in all.chunks_mut(MIRRORS / 2) {
            let (history, programs, stop, answered) = (&history, &programs, &stop, &answered);
            scope.spawn(move || push(history, told, programs, stop, answered));
        }
        for node in [0, 1, 2, 0] {
            let (before, begin) = (answered.load(Ordering::Relaxed), Instant::now());
            while answered.load(Ordering::Relaxed) < before + 12 {
                assert!(begin.elapsed() < LONGEST);
                thread::sleep(Duration::from_millis(10));
            }
            programs[node].read().unwrap().as_ref().unwrap().signal(Signal::KILL);
            programs[node].write().unwrap().take().unwrap().kill();
            *programs[node].write().unwrap() = Some(Program::start(&envs[node]));
        }
        stop.store(true, Ordering::Relaxed);
    });
    // No hook any more: what any of them has answered is done, whoever was killed.
    let begin = Instant::now();
    while let Some(told) = all.iter().find(|told| commits(&told.target) < told.answered) {
        let logs: Vec<_> = programs
            .iter()
            .map(|program| program.read().unwrap().as_ref().unwrap().log())
            .collect();
        assert!(begin.elapsed() < LONGEST, "{}: {}", told.source.display(), logs.join("\n\n"));
        thread::sleep(Duration::from_millis(100));
    }
    for (number, program) in programs.iter().enumerate() {
        let program = program.read().unwrap();
        for mirror in 0..MIRRORS {
            program.as_ref().unwrap().until_state_within(&format!("m{mirror}"), "good", LONGEST);
        }
        let listed = ask(&envs[number], &["queue"]).ok().unwrap();
        assert!(!listed.contains("running"), "{listed}");
    }
    check_runs(&address);
}

/// Several processes have synced, and no two of them one mirror at the same time.
fn check_runs(address: &str) {
    let mut client = postgres::Client::connect(address, postgres::NoTls).unwrap();
    let nodes = client.query_one("SELECT count(DISTINCT node) FROM run", &[]);
    let nodes: i64 = nodes.unwrap().get(0);
    assert!(nodes > 3, "{nodes} processes have synced");
    // Times are taken a little before what they are the times of.
    let overlaps = "SELECT count(*) FROM (SELECT started, lag(ended) OVER (PARTITION BY mirror \
         ORDER BY number) AS before, lag(token) OVER (PARTITION BY mirror ORDER BY number) AS lower, \
         token FROM run) AS runs WHERE started < before - 1000 OR token <= lower";
    let overlaps: i64 = client.query_one(overlaps, &[]).unwrap().get(0);
    assert_eq!(overlaps, 0);
}

fn take_along(env: &TestEnv, old: &str) -> Ran {
    env.synchronise(["queue", "move", "--config", "synchroniser.toml", old])
}

#[test]
fn a_queue_is_moved_to_a_database_and_back() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let env = TestEnv::new();
    let history =
        Generated::new(Shape { seed: 6, changesets: 3, files: 2, heads: 1, ..Shape::PLAIN });
    let (_, mirrors) = repositories(&env, &history);
    configure(&env, &mirrors);
    let program = Program::start(&env);
    program.until_state("m0", "good");
    let refused = take_along(&env, "sqlite");
    assert!(format!("{refused:?}").contains("the daemon runs"));
    let before = program.json("/api/v1/runs?mirror=m0");
    program.kill();
    configure(&env, &format!("queue.store = {address:?}\n{mirrors}"));
    let said = take_along(&env, "sqlite");
    let said = format!("{said:?}");
    assert!(said.contains("6 mirrors"), "{said}");
    let program = Program::start(&env);
    assert_eq!(program.json("/api/v1/runs?mirror=m0")["runs"], before["runs"]);
    program.hook("m0");
    program.until_state("m0", "good");
    let looked = format!("{:?}", ask(&env, &["doctor", "--offline"]));
    assert!(looked.contains("PostgreSQL") && looked.contains("on this machine"), "{looked}");
    program.kill();
    std::fs::rename(env.path("state/queue.sqlite"), env.path("state/old")).unwrap();
    for name in ["queue.sqlite-wal", "queue.sqlite-shm"] {
        drop(std::fs::remove_file(env.path("state").join(name)));
    }
    configure(&env, &mirrors);
    let said = format!("{:?}", take_along(&env, &address));
    assert!(said.contains("6 mirrors"), "{said}");
    Program::start(&env).until_state("m5", "good");
}
