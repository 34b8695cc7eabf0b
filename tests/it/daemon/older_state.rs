//! What older versions have left on the disk, and what newer ones have: `fixtures/state/make.py` says what is in
//! an archive.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;

use super::program::{Program, ask};
use super::rig::answer_of;
use crate::support::fixture::folder;
use crate::support::{Fixture, TestEnv};

/// The archives, one for each version.
fn archives() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder().join("state")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut archives: Vec<_> =
        paths.filter(|path| path.to_string_lossy().ends_with(".tar.zst")).collect();
    archives.sort();
    assert!(!archives.is_empty());
    archives
}

/// What a version has left. Whoever looks at the pages needs no token.
fn left_by(archive: &PathBuf) -> TestEnv {
    let env = TestEnv::new();
    let file = zstd::Decoder::new(File::open(archive).unwrap()).unwrap();
    tar::Archive::new(file).unpack(env.path("")).unwrap();
    let config = env.path("synchroniser.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(config, format!("web.read = \"open\"\n{text}")).unwrap();
    env
}

/// What the older daemon said.
fn said(env: &TestEnv, what: &str) -> Vec<Value> {
    let text = fs::read_to_string(env.path(format!("said/{what}.json"))).unwrap();
    let said: Value = serde_json::from_str(&text).unwrap();
    said[what].as_array().unwrap().clone()
}

/// The history of the source grows.
fn grow(env: &TestEnv) {
    let whole = TestEnv::new();
    let repository = Fixture::named("halves-whole").unpack(&whole);
    fs::remove_dir_all(env.path("source/repository")).unwrap();
    fs::rename(repository, env.path("source/repository")).unwrap();
}

/// A request with the token of the older version.
fn post(program: &Program, env: &TestEnv, path: &str) -> u16 {
    let token = fs::read_to_string(env.path("token")).unwrap();
    let mut stream = TcpStream::connect(program.address).unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    answer_of(&mut stream).status
}

/// The tables and indexes of a queue.
fn schema(env: &TestEnv) -> Vec<String> {
    let queue = Connection::open(env.path("state/queue.sqlite")).unwrap();
    let mut select = queue.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").unwrap();
    let mut all: Vec<String> =
        select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    all.sort();
    all
}

fn commit(env: &TestEnv, repository: &str, name: &str) -> String {
    let found = env.git(&env.path(repository), &["rev-parse", name]).ok().unwrap();
    found.trim().to_owned()
}

#[test]
fn each_version_has_left_its_state() {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(manifest.join("packaging").join(name)).unwrap();
    // `## [1.2.3] - 2027-01-31` and `synchroniser (1.2.3-1) unstable; urgency=medium`
    let changelog = read("CHANGELOG.md");
    let headings = changelog.lines().filter_map(|line| line.strip_prefix("## ["));
    let of_users = headings.filter_map(|line| line.split(']').next());
    let debian = read("debian/changelog");
    let entries = debian.lines().filter_map(|line| line.strip_prefix("synchroniser ("));
    let of_packages = entries.filter_map(|line| line.split(['-', ')']).next());
    let named: BTreeSet<_> =
        of_users.filter(|version| *version != "Unreleased").chain(of_packages).collect();
    assert!(named.contains(env!("CARGO_PKG_VERSION")), "{named:?}");
    let files = archives();
    let there: BTreeSet<_> = files
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().trim_end_matches(".tar.zst"))
        .collect();
    assert_eq!(there, named, "fixtures/state/make.py makes what is missing");
}

#[test]
fn a_daemon_goes_on_with_what_an_older_one_has_left() {
    for archive in archives() {
        let env = left_by(&archive);
        let mut program = Program::start(&env);

        // What ran when it was killed is done again; the server of the pattern is gone.
        program.until_state("cut", "good");
        program.until_state("broken", "failing");
        program.until_state("forge%2Fengine", "failing");

        // Its history.
        let runs = program.json("/api/v1/runs?limit=100");
        let runs = runs["runs"].as_array().unwrap();
        for old in said(&env, "runs") {
            let new = runs.iter().find(|run| run["id"] == old["id"]);
            let new = new.unwrap_or_else(|| panic!("no {old} in {runs:?}"));
            for key in ["mirror", "cause", "requests", "asked", "started", "converted", "changed"] {
                assert_eq!(new[key], old[key], "{key} of {old}");
            }
            let state = if old["state"] == "running" {
                "interrupted"
            } else {
                old["state"].as_str().unwrap()
            };
            assert_eq!(new["state"], state, "{old}");
        }
        let deliveries = program.json("/api/v1/deliveries?limit=100");
        assert_eq!(deliveries["deliveries"].as_array().unwrap(), &said(&env, "deliveries"));

        // What it knew of the mirrors, that of a pattern too, which no file names.
        for old in said(&env, "mirrors") {
            let name = old["name"].as_str().unwrap();
            let new = program.json(&format!("/api/v1/mirrors/{}", name.replace('/', "%2F")));
            assert_eq!(new["paused"], old["paused"], "{name}");
            assert!(new["last_good"].as_i64() >= old["last_good"].as_i64(), "{name}: {new}");
        }

        // The caches: what is new is converted, and nothing else.
        let before = commit(&env, "rocket.git", "master");
        let tool = commit(&env, "tool.git", "master");
        grow(&env);
        let (half, whole) =
            (Fixture::named("halves-first").truth, Fixture::named("halves-whole").truth);
        let new = whole.changesets.len() - half.changesets.len();
        for mirror in ["rocket", "tool"] {
            assert_eq!(post(&program, &env, &format!("/api/v1/mirrors/{mirror}/sync")), 202);
            // A look may have been under way already.
            let run = until_converted(&program, mirror);
            assert_eq!(run["converted"], new, "{run}");
        }
        assert_eq!(post(&program, &env, "/api/v1/mirrors/resting/resume"), 204);
        program.until_state("resting", "good");
        program.signal(Signal::TERM);
        assert!(program.ended().success());
        for (target, old) in [("rocket.git", before), ("tool.git", tool)] {
            assert_ne!(commit(&env, target, "master"), old);
            let is_ancestor = ["merge-base", "--is-ancestor", &old, "master"];
            env.git(&env.path(target), &is_ancestor).ok().unwrap();
        }
        for mirror in ["rocket", "tool", "bundle", "resting"] {
            let said = ask(&env, &["verify", mirror]).ok().unwrap();
            assert!(said.contains("no difference"), "{said}");
        }

        // Its queue has the tables of a new one.
        let fresh = TestEnv::new();
        let head = "cache = \"cache\"\ndaemon = { listen = \"127.0.0.1:0\", socket = \"none\", state = \"state\" }\n";
        fs::write(fresh.path("synchroniser.toml"), head).unwrap();
        drop(Program::start(&fresh));
        assert_eq!(schema(&env), schema(&fresh));
    }
}

/// The last run of a mirror, once one has converted something.
fn until_converted(program: &Program, mirror: &str) -> Value {
    let begin = std::time::Instant::now();
    loop {
        let runs = program.json(&format!("/api/v1/runs?mirror={mirror}"));
        let runs = runs["runs"].as_array().unwrap();
        // The first sync of all was by the older version.
        if let Some(run) = runs.iter().find(|run| run["converted"].as_u64() > Some(0))
            && run["cause"] != "configuration"
        {
            return run.clone();
        }
        assert!(begin.elapsed() < super::program::LONG, "{mirror}: {runs:?}\n{}", program.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_backup_of_an_older_version_is_put_back() {
    for archive in archives() {
        let env = left_by(&archive);
        let ledger = fs::read(env.path("cache/rocket/ledger")).unwrap();
        fs::remove_dir_all(env.path("state")).unwrap();
        fs::remove_dir_all(env.path("cache")).unwrap();
        let said_now = ask(&env, &["restore", "backup.tar"]).ok().unwrap();
        assert!(said_now.contains("what was published from 4 caches"), "{said_now}");
        assert_eq!(fs::read(env.path("cache/rocket/ledger")).unwrap(), ledger);
        let program = Program::start(&env);
        program.until_state("rocket", "good");
        let runs = program.json("/api/v1/runs?limit=100");
        let has = |id: &Value| runs["runs"].as_array().unwrap().iter().any(|run| run["id"] == *id);
        assert!(said(&env, "runs").iter().all(|run| has(&run["id"])), "{runs}");
    }
}

#[test]
fn what_a_newer_version_has_written_is_refused_and_stays() {
    let env = left_by(archives().last().unwrap());
    let config = ["--config", "synchroniser.toml"];
    let refused = |words: &[&str], file: &str| {
        let ran = ask(&env, words).with_code(15).unwrap();
        assert!(ran.stderr.contains(file), "{words:?}: {}", ran.stderr);
        assert!(
            ran.stderr.contains("a later version of synchroniser"),
            "{words:?}: {}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains("hint: install that version again"),
            "{words:?}: {}",
            ran.stderr
        );
    };

    let ledger = env.path("cache/rocket/ledger");
    let text = fs::read_to_string(&ledger).unwrap();
    let newer = text.replace("\"version\": 1", "\"version\": 2").replace("\"refs\"", "\"names\"");
    assert_ne!(newer, text);
    fs::write(&ledger, &newer).unwrap();
    for words in [["sync", "rocket"], ["plan", "rocket"]] {
        refused(&words, "cache/rocket/ledger");
    }
    assert_eq!(fs::read_to_string(&ledger).unwrap(), newer);

    let files = || crate::support::files_below(&env.path("cache/tool"));
    fs::write(env.path("cache/tool/format"), "2\n").unwrap();
    let before = files();
    for words in [["sync", "tool"], ["plan", "tool"], ["verify", "tool"], ["rebuild", "tool"]] {
        refused(&words, "cache/tool/format");
    }
    assert_eq!(files(), before);

    let queue = env.path("state/queue.sqlite");
    Connection::open(&queue).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let before = fs::read(&queue).unwrap();
    let ran = env.synchronise(["serve"].iter().chain(&config)).with_code(15).unwrap();
    assert!(ran.stderr.contains("state/queue.sqlite: a later version of synchroniser"), "{ran:?}");
    assert_eq!(fs::read(&queue).unwrap(), before);
}
