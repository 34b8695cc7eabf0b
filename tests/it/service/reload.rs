//! A configuration that changes while the service runs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc::channel;
use std::time::Duration;

use synchroniser::base::{Fault, Side};
use synchroniser::queue::model::RunState;
use synchroniser::service::Received;
use synchroniser::service::view::{MirrorState, RequestKey};

use super::rig::Rig;
use crate::support::TestEnv;

const A: &str = "mirrors.a = { source = \"hg/a\", target = \"git/a\" }\n";
const B: &str = "mirrors.b = { source = \"hg/b\", target = \"git/b\" }\n";

#[test]
fn mirrors_come_change_and_go() {
    let rig = Rig::new(&format!("{A}{B}"));
    assert_eq!(rig.synced(), ["a", "b"]);
    rig.reload(&format!("{A}{B}"));
    assert_eq!(rig.synced(), [""; 0], "nothing has changed");

    let changed = B.replace("git/b", "git/other");
    rig.reload(&format!("{A}{changed}mirrors.c = {{ source = \"hg/c\", target = \"git/c\" }}\n"));
    assert_eq!(rig.synced(), ["b", "c"], "what has changed, and what is new");
    assert!(matches!(rig.hook("c"), Received::Accepted(_)));
    rig.settle();
    assert_eq!(rig.synced(), ["c"]);

    rig.reload(A);
    assert!(matches!(rig.hook("b"), Received::Unmatched { .. }));
    assert!(rig.actions().sync("b").is_err());
    assert!(rig.actions().mirror("b").unwrap().is_none());
    rig.pass(Duration::from_hours(30));
    assert_eq!(rig.synced(), ["a"], "nobody looks at what is gone");
    assert!(rig.env.path("cache/b").is_dir(), "its cache stays");

    rig.reload(&format!("{A}{B}"));
    assert_eq!(rig.synced(), ["b"], "it has come back");
    assert!(rig.mirror("b").runs.len() >= 3, "with its history");
}

#[test]
fn limits_are_those_of_the_new_configuration() {
    let rig = Rig::new(&format!("daemon.hooks_a_minute = 2\n{A}"));
    assert!(matches!(rig.hook("a"), Received::Accepted(_)));
    assert!(matches!(rig.hook("a"), Received::Accepted(_)));
    assert!(matches!(rig.hook("a"), Received::TooMany(_)));
    rig.reload(&format!("daemon.hooks_a_minute = 1000\n{A}"));
    rig.pass(Duration::from_secs(1));
    assert!(matches!(rig.hook("a"), Received::Accepted(_)));
}

#[test]
fn a_mirror_that_is_renamed_keeps_its_history_and_its_cache() {
    let rig = Rig::new(A);
    fs::write(rig.env.path("cache/a/map"), "kept").unwrap();
    let [before] = &*rig.mirror("a").runs else { panic!("one run") };
    let renamed = A.replace("mirrors.a = {", "mirrors.z = { was = \"a\",");
    rig.synced();
    for _ in 0..2 {
        rig.reload(&renamed);
        assert!(rig.actions().mirror("a").unwrap().is_none());
        let runs = rig.mirror("z").runs;
        assert_eq!(runs.last().unwrap().id, before.id);
        assert_eq!(fs::read_to_string(rig.env.path("cache/z/map")).unwrap(), "kept");
        assert!(!rig.env.path("cache/a").exists());
    }
    // Its configuration is another one.
    assert_eq!(rig.synced(), ["z"]);
    assert_eq!(rig.mirror("z").runs.len(), 2);
}

/// A run that is under way knows its cache by the old name.
#[test]
fn a_mirror_is_renamed_while_it_runs() {
    let rig = Rig::new(A);
    fs::write(rig.env.path("cache/a/map"), "kept").unwrap();
    rig.synced();
    let (end, ended) = channel();
    rig.substitute.hold("a", ended);
    let Received::Accepted(asked) = rig.hook("a") else { panic!("not accepted") };
    rig.until("a run", |rig| rig.row("a").running.is_some());
    rig.until("a sync", |rig| rig.synced().contains(&"a".to_owned()));
    let renamed = A.replace("mirrors.a = {", "mirrors.z = { was = \"a\",");
    rig.reload_only(&renamed);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(rig.synced(), [""; 0], "two runs of one mirror");
    assert!(rig.env.path("cache/a/map").exists(), "the run has its cache where it was");
    end.send(()).unwrap();
    rig.settle();
    assert_eq!(rig.synced(), ["z"]);
    assert_eq!(fs::read_to_string(rig.env.path("cache/z/map")).unwrap(), "kept");
    assert!(rig.env.path("cache/z/late").exists(), "what the run still wrote went with it");
    assert!(!rig.env.path("cache/a").exists());
    let run = rig.actions().run(asked[0].receipt.run).unwrap().unwrap();
    assert_eq!(run.summary.state, RunState::Done);
}

/// Another process may work with the cache, too.
#[test]
fn a_mirror_whose_cache_is_in_use_is_renamed_later() {
    let rig = Rig::new(A);
    fs::write(rig.env.path("cache/a/map"), "kept").unwrap();
    rig.synced();
    let lock = fs::File::open(rig.env.path("cache/a/lock")).unwrap();
    lock.lock().unwrap();
    rig.reload(&A.replace("mirrors.a = {", "mirrors.z = { was = \"a\","));
    assert_eq!(rig.synced(), [""; 0], "no run makes the cache again");
    let failure = rig.mirror("z").summary.failure.unwrap();
    assert_eq!((failure.fault, failure.side), (Fault::Unavailable, Side::Here));
    assert!(failure.message.contains("in use"), "{}", failure.message);
    drop(lock);
    rig.pass(Duration::from_mins(1));
    assert_eq!(rig.synced(), ["z"]);
    assert_eq!(fs::read_to_string(rig.env.path("cache/z/map")).unwrap(), "kept");
}

#[test]
fn what_a_program_asks_for_again_is_done_once() {
    let rig = Rig::new(&format!("{A}{B}"));
    rig.synced();
    let key = |id: &str| RequestKey { id: id.to_owned(), from: [192, 0, 2, 1].into() };
    let first = rig.actions().sync_once("a", &key("x")).unwrap();
    rig.settle();
    for _ in 0..3 {
        assert_eq!(rig.actions().sync_once("a", &key("x")).unwrap().run, first.run);
    }
    rig.settle();
    assert_eq!(rig.synced(), ["a"]);
    let other = rig.actions().sync_once("a", &key("y")).unwrap();
    assert_ne!(other.run, first.run);
    rig.settle();
    assert_eq!(rig.synced(), ["a"]);
    rig.pass(Duration::from_hours(23));
    rig.service.tidy().unwrap();
    rig.synced();
    assert_eq!(rig.actions().sync_once("a", &key("x")).unwrap().run, first.run);
    let deliveries = rig.actions().deliveries(None, 10).unwrap();
    assert_eq!((&*deliveries[0].endpoint, &*deliveries[0].from), ("api", "192.0.2.1"));
    assert!(rig.actions().sync_once("none", &key("x")).is_err());
}

#[test]
fn a_secret_that_has_changed_is_noticed() {
    let env = TestEnv::new();
    let token = env.path("token");
    let write = |text: &str| {
        fs::write(&token, text).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    };
    write("geheim-0");
    let text = "mirrors.a = { source = \"hg/a\", target = { url = \
                \"https://git.example/a/a.git\", token_file = \"token\" } }\n";
    let rig = Rig::in_env(env, text);
    rig.substitute.fails("a", Some((Fault::Auth, Side::Target)));
    rig.hook("a");
    rig.settle();
    for _ in 0..3 {
        assert_eq!(rig.state("a"), MirrorState::Failing);
        rig.pass(Duration::from_hours(2));
    }
    assert_eq!(rig.state("a"), MirrorState::Parked);
    rig.synced();
    rig.service.tidy().unwrap();
    rig.settle();
    assert_eq!(rig.synced(), [""; 0], "nothing has changed");

    write("geheim-number-1");
    rig.substitute.fails("a", None);
    rig.service.tidy().unwrap();
    rig.settle();
    assert_eq!(rig.synced(), ["a"]);
    assert_eq!(rig.state("a"), MirrorState::Good);
}

const PATTERN: &str = r#"
    [patterns.forge]
    source = "https://hg.example.org/{owner}/{slug}"
    target = { url = "https://git.example/{owner}/{slug}.git" }
    allow = ["acme/*"]
"#;

#[test]
fn a_pattern_makes_mirrors_that_are_there_after_a_restart() {
    let mut rig = Rig::new(PATTERN);
    let name = "forge/acme/engine";
    assert!(matches!(rig.hook("https://hg.example.org/eve/engine"), Received::Unmatched { .. }));
    let Received::Accepted(asked) = rig.hook("https://hg.example.org/acme/engine") else {
        panic!("not accepted")
    };
    assert_eq!(asked[0].receipt.key, name);
    rig.settle();
    assert_eq!(rig.synced_at_all(), [name]);
    assert_eq!(rig.mirror(name).summary.owner, "acme");

    rig.restart(PATTERN);
    assert_eq!(rig.synced(), [""; 0]);
    assert_eq!(rig.state(name), MirrorState::Good);
    rig.actions().sync(name).unwrap();
    rig.settle();
    assert_eq!(rig.synced(), [name]);

    rig.reload("");
    assert!(rig.actions().mirror(name).unwrap().is_none(), "its pattern is gone");
    rig.reload(&PATTERN.replace("acme/*", "ada/*"));
    assert!(rig.actions().mirror(name).unwrap().is_none(), "its pattern allows it no more");
    rig.reload(PATTERN);
    assert_eq!(rig.synced(), [name]);
}

#[test]
fn a_person_can_ask_for_a_mirror_of_a_pattern_that_no_hook_told_of() {
    let rig = Rig::new(PATTERN);
    let name = "forge/acme/engine";
    rig.actions().sync(name).unwrap();
    rig.settle();
    assert_eq!(rig.synced_at_all(), [name]);
    for refused in ["forge/eve/engine", "forge/acme", "other/acme/engine", "forge/acme/../x"] {
        assert!(rig.actions().sync(refused).is_err(), "{refused}");
    }
    assert_eq!(rig.synced(), [""; 0]);
}

#[test]
fn what_a_pattern_names_in_full_is_synced_without_being_asked_for() {
    let with = |allow: &str| PATTERN.replace("\"acme/*\"", allow);
    let rig = Rig::new(&with("\"acme/engine\", \"ada/*\""));
    rig.settle();
    assert_eq!(rig.synced_at_all(), ["forge/acme/engine"]);
    rig.reload(&with("\"acme/engine\", \"acme/rocket\", \"ada/*\""));
    assert_eq!(rig.synced(), ["forge/acme/rocket"]);
    rig.reload(&with("\"acme/rocket\""));
    assert!(rig.actions().mirror("forge/acme/engine").unwrap().is_none());
    assert_eq!(rig.synced(), [""; 0]);
}

#[test]
fn mirrors_that_patterns_give_at_the_same_time_are_all_there() {
    const MIRRORS: usize = 40;
    let rig = Rig::new(PATTERN);
    std::thread::scope(|scope| {
        for number in 0..MIRRORS {
            let rig = &rig;
            scope.spawn(move || {
                let repository = format!("https://hg.example.org/acme/r{number}");
                assert!(matches!(rig.hook(&repository), Received::Accepted(_)), "{repository}");
                rig.service.tidy().unwrap();
            });
        }
    });
    rig.settle();
    assert_eq!(rig.synced_at_all().len(), MIRRORS);
    for number in 0..MIRRORS {
        assert_eq!(rig.state(&format!("forge/acme/r{number}")), MirrorState::Good);
    }
}
