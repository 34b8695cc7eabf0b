//! Several daemons on one database: any takes any hook, one that is killed loses nothing, and no two sync one mirror.

use std::ops::ControlFlow;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::killed::{CHANGESETS, LONGEST, commits, push, repositories};
use super::program::{Program, ask, configure};
use crate::support::generator::{Generated, Shape};
use crate::support::postgres::shared;
use crate::support::{Ran, TestEnv};

const MIRRORS: usize = 6;
const NODES: usize = 3;

/// Asks one daemon after the other. One that was killed meanwhile is asked again later.
fn hook(programs: &[RwLock<Option<Program>>], turn: usize, name: &str) -> ControlFlow<(), bool> {
    let program = programs[turn % NODES].read().unwrap();
    let answer = program.as_ref().and_then(|program| program.try_hook(name));
    assert!(matches!(answer, Some(202) | None), "{}", program.as_ref().unwrap().log());
    drop(program);
    thread::sleep(Duration::from_millis(20));
    ControlFlow::Continue(answer.is_some())
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
    let (mut all, mirrors) = repositories(&place, &history, MIRRORS);
    let envs: Vec<_> = (0..NODES).map(|_| TestEnv::new()).collect();
    for env in &envs {
        configure(env, &format!("queue.store = {address:?}\n{mirrors}"));
    }
    let start = |node: usize| RwLock::new(Some(Program::start(&envs[node])));
    let programs: Vec<_> = (0..NODES).map(start).collect();
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for told in all.chunks_mut(MIRRORS / 2) {
            let (history, programs, stop, answered) = (&history, &programs, &stop, &answered);
            let hook = move |turn, name: &str| hook(programs, turn, name);
            scope.spawn(move || push(history, told, stop, answered, hook));
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
    // How many depends on who has the caches when somebody is killed.
    assert!(nodes > 1, "{nodes} processes have synced");
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
    let (_, mirrors) = repositories(&env, &history, MIRRORS);
    configure(&env, &mirrors);
    let program = Program::start(&env);
    for mirror in 0..MIRRORS {
        program.until_state(&format!("m{mirror}"), "good");
    }
    let refused = take_along(&env, "sqlite");
    assert!(format!("{refused:?}").contains("the daemon runs"));
    let before = program.json("/api/v1/runs?mirror=m0");
    program.kill();
    configure(&env, &format!("queue.store = {address:?}\n{mirrors}"));
    let said = take_along(&env, "sqlite");
    let said = format!("{said:?}");
    assert!(said.contains("6 mirrors") && said.contains("published of 6 mirrors"), "{said}");
    let refused = format!("{:?}", ask(&env, &["restore", "/dev/null"]));
    assert!(refused.contains("queue move sqlite"), "{refused}");
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
    // What was published is known as before, and where it was known before.
    let ledger =
        |name: &str| std::fs::read_to_string(env.path("cache").join(name).join("ledger")).unwrap();
    assert!(ledger("m0").contains("published"), "{}", ledger("m0"));
}

/// A name of the source ends that another daemon has published, which then is gone with its cache.
#[test]
fn what_one_daemon_has_published_another_one_removes() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let place = TestEnv::new();
    let shape = Shape { seed: 13, changesets: 3, files: 2, heads: 1, ..Shape::PLAIN };
    let history = Generated::new(shape);
    let (source, target) = (place.path("source"), place.path("target.git"));
    Generated::create(&source);
    history.add(&source, 0..2);
    let bookmarks = source.join(".hg/bookmarks");
    let tip = |number: usize| history.nodes().nth(number).unwrap().to_string();
    std::fs::write(&bookmarks, format!("{} old\n{} kept\n", tip(0), tip(1))).unwrap();
    let repository = git2::Repository::init_bare(&target).unwrap();
    let has = |name: &str| repository.find_reference(&format!("refs/heads/{name}")).is_ok();
    let envs = [TestEnv::new(), TestEnv::new()];
    for env in &envs {
        configure(
            env,
            &format!(
                "queue.store = {address:?}\n[mirrors.m]\nsource = {source:?}\ntarget = {target:?}\n"
            ),
        );
    }
    let first = Program::start(&envs[0]);
    first.until_state("m", "good");
    assert!(has("old") && has("kept"));
    first.kill();
    // Somebody else's, at a commit of ours.
    let head = repository.find_reference("refs/heads/kept").unwrap().target().unwrap();
    repository.reference("refs/heads/theirs", head, false, "").unwrap();
    std::fs::write(&bookmarks, format!("{} kept\n", tip(2))).unwrap();
    history.add(&source, 2..3);
    let second = Program::start(&envs[1]);
    second.hook("m");
    second.until_state("m", "good");
    let begin = Instant::now();
    while has("old") {
        assert!(begin.elapsed() < LONGEST, "{}", second.log());
        thread::sleep(Duration::from_millis(50));
    }
    assert!(has("kept") && has("theirs"), "{}", second.log());
    // A cache that was there before knows it too.
    second.kill();
    std::fs::write(&bookmarks, "").unwrap();
    let first = Program::start(&envs[0]);
    first.hook("m");
    let begin = Instant::now();
    while has("kept") {
        assert!(begin.elapsed() < LONGEST, "{}", first.log());
        thread::sleep(Duration::from_millis(50));
    }
    assert!(has("theirs"));
}

/// Who has no claim cannot write what was published to where all daemons read it: what does that is named, and does it.
#[test]
fn without_a_daemon_nothing_is_published_that_others_would_not_know_of() {
    let Some(server) = shared() else { return };
    let place = TestEnv::new();
    let shape = Shape { seed: 14, changesets: 3, files: 2, heads: 1, ..Shape::PLAIN };
    let (all, mirrors) = repositories(&place, &Generated::new(shape), 1);
    let env = TestEnv::new();
    configure(&env, &format!("queue.store = {:?}\n{mirrors}", server.schema()));
    let program = Program::start(&env);
    program.until_state("m0", "good");
    let before = commits(&all[0].target);
    let command = |words: &[&str]| format!("{:?}", ask(&env, words));
    let said = command(&["sync", "m0"]);
    assert!(said.contains("`queue.store` is a database"), "{said}");
    assert!(said.contains("synchroniser sync --daemon"), "{said}");
    let said = command(&["rebuild", "m0"]);
    assert!(said.contains("remove cache/m0 once nothing runs"), "{said}");
    // What it says.
    let cache = env.path("cache/m0");
    ask(&env, &["pause", "m0"]).ok().unwrap();
    std::fs::remove_dir_all(&cache).unwrap();
    ask(&env, &["resume", "m0"]).ok().unwrap();
    ask(&env, &["sync", "--daemon", "--follow", "m0"]).ok().unwrap();
    program.until_state("m0", "good");
    assert!(cache.join("map").exists(), "{}", program.log());
    assert_eq!(commits(&all[0].target), before);
}
