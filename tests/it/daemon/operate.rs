//! What an administrator does to the daemon: signals, commands over the admin socket, and what systemd hears.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use rustix::process::Signal;

use super::program::{HEAD, LONG, Notified, Program, ask, configure};
use crate::support::TestEnv;
use crate::support::generator::{Generated, Shape};

/// A source with a few changesets, and an empty target.
pub(super) fn repositories(env: &TestEnv, name: &str) {
    Generated::new(Shape { seed: 5, changesets: 3, files: 3, heads: 1, ..Shape::PLAIN })
        .write(&env.path(name));
    git2::Repository::init_bare(env.path(format!("{name}.git"))).unwrap();
}

pub(super) fn mirror(name: &str) -> String {
    format!("mirrors.{name} = {{ source = {name:?}, target = \"{name}.git\" }}\n")
}

/// A mirror whose source takes connections and never says anything.
fn silent(name: &str, listener: &TcpListener) -> String {
    let port = listener.local_addr().unwrap().port();
    format!(
        "mirrors.{name} = {{ source = {{ url = \"http://127.0.0.1:{port}/x\", plain_http = true }}, target = \"{name}.git\" }}\n"
    )
}

#[test]
fn a_bad_file_changes_nothing_and_a_good_one_does() {
    let env = TestEnv::new();
    repositories(&env, "rocket");
    repositories(&env, "engine");
    let path = configure(&env, &mirror("rocket"));
    let mut program = Program::start(&env);
    program.until_state("rocket", "good");

    let bad = format!("{HEAD}{}\n[mirrors.engine]\nsurce = \"engine\"\n", mirror("rocket"));
    fs::write(&path, &bad).unwrap();
    program.signal(Signal::HUP);
    let line = program.until_log_says("the configuration stays as it is");
    let place = bad.lines().position(|line| line.starts_with("surce")).unwrap() + 1;
    let problem = format!(
        "synchroniser.toml:{place}: mirrors.engine.surce: no such key; did you mean \"source\"?"
    );
    assert!(line.contains(&problem), "{line}");
    assert_eq!(program.json("/api/v1/mirrors")["mirrors"].as_array().unwrap().len(), 1);
    program.hook("rocket");
    program.until_state("rocket", "good");

    configure(&env, &(mirror("rocket") + &mirror("engine")));
    program.signal(Signal::HUP);
    program.until_log_says("the configuration was read again");
    program.until_state("engine", "good");

    fs::remove_file(&path).unwrap();
    program.signal(Signal::HUP);
    program.until_log_says("No such file");
    configure(&env, &mirror("engine"));
    program.signal(Signal::HUP);
    program.until_log_says("the configuration was read again mirrors=1");
    assert_eq!(program.get("/api/v1/mirrors/rocket").status, 404);
    program.signal(Signal::TERM);
    assert!(program.ended().success());
}

#[test]
fn systemd_hears_how_it_is() {
    let env = TestEnv::new();
    repositories(&env, "rocket");
    configure(&env, &mirror("rocket"));
    let notified = Notified::new(&env);
    let mut program = Program::start_with(
        &env,
        &[("NOTIFY_SOCKET", notified.path()), ("WATCHDOG_USEC", "60000000")],
    );
    assert!(notified.until("READY=1").contains("STATUS=1 mirrors"));
    let beat = notified.until("WATCHDOG=1");
    assert!(beat.contains("STATUS=1 mirrors, "), "{beat}");
    // That it reads again, and when by the clock of the machine, as `Type=notify-reload` wants it.
    program.signal(Signal::HUP);
    assert!(notified.until("RELOADING=1").contains("MONOTONIC_USEC="));
    notified.until("READY=1");
    program.signal(Signal::TERM);
    notified.until("STOPPING=1");
    assert!(program.ended().success());
}

#[test]
fn a_second_signal_does_not_wait() {
    let env = TestEnv::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    configure(&env, &silent("hangs", &listener));
    let mut program = Program::start(&env);
    program.until_state("hangs", "running");
    program.signal(Signal::TERM);
    program.until_log_says("stopping");
    program.signal(Signal::TERM);
    assert!(program.ended().success());
    // It was interrupted, or left behind; both are begun again.
    let program = Program::start(&env);
    program.until_state("hangs", "running");
}

#[test]
fn a_signal_lets_runs_come_to_a_safe_place() {
    let env = TestEnv::new();
    repositories(&env, "rocket");
    configure(&env, &mirror("rocket"));
    let mut program = Program::start(&env);
    program.until_state("rocket", "good");
    for _ in 0..20 {
        program.hook("rocket");
    }
    program.signal(Signal::TERM);
    assert!(program.ended().success());
    let log = program.log();
    assert!(log.contains("stopped") && !log.contains("left running syncs behind"), "{log}");
    assert!(!env.path("admin.sock").exists(), "the socket goes with it");
    let program = Program::start(&env);
    let mirror = program.until_state("rocket", "good");
    assert!(mirror["failure"].is_null(), "{mirror:#}");
}

#[test]
fn a_second_daemon_says_what_is_taken() {
    let env = TestEnv::new();
    repositories(&env, "rocket");
    let path = configure(&env, &mirror("rocket"));
    let program = Program::start(&env);
    program.until_state("rocket", "good");
    let second = |text: String| {
        fs::write(&path, text).unwrap();
        env.synchronise(["serve", "--config", "synchroniser.toml"])
    };
    let good = fs::read_to_string(&path).unwrap();
    let ran = second(good.clone());
    assert_ne!(ran.code, Some(0));
    assert!(ran.stderr.contains("queue.sqlite"), "{}", ran.stderr);
    assert!(ran.stderr.contains("another"), "{}", ran.stderr);
    let ran = second(good.replace("state = \"state\"", "state = \"other\""));
    assert_eq!(ran.code, Some(10), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("admin.sock") && ran.stderr.contains("a daemon answers there"),
        "{}",
        ran.stderr
    );
    let free =
        good.replace("state = \"state\"", "state = \"other\"").replace("admin.sock", "other.sock");
    let ran = second(free.replace("127.0.0.1:0", &program.address.to_string()));
    assert!(ran.stderr.contains("another program listens there"), "{}", ran.stderr);
    // The first one notices nothing.
    fs::write(&path, good).unwrap();
    program.hook("rocket");
    program.until_state("rocket", "good");
    assert!(ask(&env, &["status"]).code == Some(0));
}

/// The words of each line of a table.
fn table(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split_whitespace().collect()).collect()
}

/// A daemon with a mirror that is good and one that fails.
fn with_two(env: &TestEnv) -> Program {
    repositories(env, "rocket");
    let gone = "mirrors.gone = { source = \"nowhere\", target = \"gone.git\" }\n";
    configure(env, &(mirror("rocket") + gone));
    let program = Program::start(env);
    program.until_state("rocket", "good");
    program.until_state("gone", "failing");
    program
}

/// What a command prints that succeeds.
pub(super) fn said(env: &TestEnv, words: &[&str]) -> String {
    ask(env, words).ok().unwrap()
}

pub(super) fn json(env: &TestEnv, words: &[&str]) -> serde_json::Value {
    serde_json::from_str(&said(env, words)).unwrap()
}

#[test]
fn commands_that_show() {
    let env = TestEnv::new();
    let program = with_two(&env);
    program.hook("rocket");
    program.until_state("rocket", "good");
    let text = said(&env, &["status"]);
    let rows = table(&text);
    assert_eq!(rows[0][..2], ["MIRROR", "STATE"]);
    assert_eq!(
        (rows[1][0], rows[1][1], rows[2][0], rows[2][1]),
        ("gone", "failing", "rocket", "good")
    );
    assert!(text.lines().nth(1).unwrap().contains("source: "), "{text}");
    assert!(!said(&env, &["status", "--trouble"]).contains("rocket"));
    assert!(said(&env, &["status", "rocket"]).contains("state        good"));
    assert_eq!(json(&env, &["status", "--json"])["found"], 2);
    assert_eq!(json(&env, &["status", "rocket", "--json"])["state"], "good");
    let nobody = ask(&env, &["status", "nobody"]);
    assert_eq!(nobody.code, Some(10), "{}", nobody.stderr);
    assert!(nobody.stderr.contains("No mirror has this name"), "{}", nobody.stderr);

    let runs = said(&env, &["runs", "rocket"]);
    let rows = table(&runs);
    assert_eq!(rows[0][..4], ["RUN", "MIRROR", "STATE", "WHEN"]);
    assert!(
        rows.len() >= 3 && rows[1..].iter().all(|row| row[1] == "rocket" && row[2] == "done"),
        "{runs}"
    );
    assert_eq!(table(&said(&env, &["runs", "--count", "1"])).len(), 2);
    let first = &json(&env, &["runs", "--json"])["runs"][0];
    assert!(first["id"].is_string(), "{first}");

    let deliveries = said(&env, &["deliveries"]);
    let rows = table(&deliveries);
    assert_eq!(rows[0], ["WHEN", "ENDPOINT", "FROM", "VERDICT", "ABOUT", "MIRRORS"]);
    assert_eq!(rows.len(), 2);
    assert!(
        rows[1..].iter().all(|row| row.contains(&"accepted") && row.ends_with(&["rocket"])),
        "{deliveries}"
    );
    assert_eq!(json(&env, &["deliveries", "--json"])["deliveries"].as_array().unwrap().len(), 1);
    // Of the admin socket, nobody needs to prove who he is; others cannot use it.
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(env.path("admin.sock")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o660);
    drop(program);
    let nobody = ask(&env, &["status"]);
    assert_ne!(nobody.code, Some(0));
    assert!(nobody.stderr.contains("admin.sock"), "{}", nobody.stderr);
}

#[test]
fn commands_that_do() {
    let env = TestEnv::new();
    let program = with_two(&env);
    let followed = ask(&env, &["sync", "--daemon", "--follow", "rocket"]);
    assert_eq!(followed.code, Some(0), "{}", followed.stderr);
    assert!(
        followed.stdout.contains("rocket: done, 0 of 3 changesets converted"),
        "{}",
        followed.stdout
    );
    let failed = ask(&env, &["retry", "--follow", "gone"]);
    assert_eq!(failed.code, Some(10), "{}", failed.stderr);
    assert!(failed.stderr.contains("nowhere"), "{}", failed.stderr);
    let asked = ask(&env, &["sync", "--daemon", "rocket"]);
    assert!(asked.stdout.contains("rocket: asked for, run "), "{}", asked.stdout);
    program.until_state("rocket", "good");

    assert!(ask(&env, &["pause", "rocket"]).stdout.contains("rocket: paused"));
    assert_eq!(json(&env, &["status", "rocket", "--json"])["state"], "paused");
    program.hook("rocket");
    let queue = said(&env, &["queue"]);
    let rows = table(&queue);
    assert_eq!(rows[0], ["MIRROR", "STATE", "REQUESTS", "DUE", "RUN"]);
    let waits = rows.iter().find(|row| row[0] == "rocket").unwrap();
    assert_eq!(waits[1..3], ["waiting", "1"]);
    assert!(json(&env, &["queue", "--json"])["queue"].is_array());
    assert!(ask(&env, &["resume", "rocket"]).stdout.contains("rocket: goes on"));
    program.until_state("rocket", "good");
}

/// A source that hangs costs its mirror alone, and says on which side.
#[test]
fn a_source_that_hangs_holds_up_nobody_else() {
    let env = TestEnv::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut text = String::new();
    for number in 0..3 {
        text += &silent(&format!("hangs{number}"), &listener);
        repositories(&env, &format!("m{number}"));
        text += &mirror(&format!("m{number}"));
    }
    // A server that answers nonsense, for the words.
    let refused = super::super::support::serve::free_port();
    text += &format!(
        "mirrors.refused = {{ source = {{ url = \"http://127.0.0.1:{refused}/x\", plain_http = true }}, target = \"refused.git\" }}\n"
    );
    configure(&env, &text);
    let program = Program::start(&env);
    for number in 0..3 {
        program.until_state(&format!("m{number}"), "good");
    }
    let failed = program.until_state("refused", "failing");
    assert_eq!(failed["failure"]["fault"], "unavailable");
    assert_eq!(failed["failure"]["side"], "source");
    let line = program.until_log_says("a run failed");
    for part in ["fault=\"unavailable\"", "side=\"source\"", "mirror=\"refused\""] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    let metrics = program.get("/metrics").body;
    let counted = metrics.lines().find(|line| {
        line.starts_with("synchroniser_runs_total") && line.contains("mirror=\"refused\"")
    });
    let counted = counted.unwrap_or_else(|| panic!("not counted:\n{metrics}"));
    assert!(
        counted.contains("fault=\"unavailable\"") && counted.contains("side=\"source\""),
        "{counted}"
    );
    // All that while the others hang, and hooks are taken and done.
    for number in 0..3 {
        program.hook(&format!("m{number}"));
        program.until_state(&format!("m{number}"), "good");
    }
    assert_eq!(program.get("/readyz").status, 200);
    let hanging = program.json("/api/v1/overview");
    assert!(hanging["running"].as_u64().unwrap() >= 1, "{hanging}");
    let _ = (LONG, Path::new("/"));
}
