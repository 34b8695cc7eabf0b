//! What an administrator has to know and do over the years: backups, caches, credentials that end, and whether
//! notifications arrive.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use synchroniser::base::time::Timestamp;

use super::operate::{json, mirror, repositories, said};
use super::program::{LONG, Program, ask, configure};
use crate::support::github::FakeGitHub;
use crate::support::{TestEnv, secrets};

/// Every file below a folder, with its size.
fn files(folder: &Path) -> BTreeSet<(String, u64)> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
        if kind.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert((path.display().to_string(), fs::metadata(&path).unwrap().len()));
        }
    }
    found
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < LONG, "never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// As docs/service.md says that it is put back.
fn put_back(env: &TestEnv) {
    for name in ["state", "cache"] {
        fs::rename(env.path(name), env.path(format!("lost-{name}"))).unwrap();
        fs::create_dir(env.path(name)).unwrap();
        let args = ["-xf", "b.tar", "-C", name, "--strip-components=1", name];
        env.run("tar", args).ok().unwrap();
    }
}

#[test]
fn a_daemon_goes_on_from_its_backup() {
    let env = TestEnv::new();
    for name in ["rocket", "engine"] {
        repositories(&env, name);
    }
    configure(&env, &(mirror("rocket") + &mirror("engine")));
    let mut program = Program::start(&env);
    program.until_state("rocket", "good");
    program.until_state("engine", "good");
    said(&env, &["pause", "engine"]);
    program.hook("rocket");
    program.until_state("rocket", "good");
    let before = program.json("/api/v1/runs?mirror=rocket");
    let before: Vec<_> =
        before["runs"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    assert!(before.len() >= 2, "{before:?}");
    // Amid work.
    for _ in 0..5 {
        program.hook("rocket");
    }
    assert_eq!(env.synchronise(["backup", "b.tar", "--config", "synchroniser.toml"]).code, Some(0));
    program.until_state("rocket", "good");
    program.signal(Signal::TERM);
    assert!(program.ended().success());
    let ledger = fs::read(env.path("cache/rocket/ledger")).unwrap();
    let published = files(&env.path("rocket.git"));

    put_back(&env);
    assert_eq!(fs::read(env.path("cache/rocket/ledger")).unwrap(), ledger);
    let program = Program::start(&env);
    program.hook("rocket");
    let shown = program.until_state("rocket", "good");
    let runs = shown["runs"].as_array().unwrap();
    for id in &before {
        assert!(runs.iter().any(|run| run["id"] == *id), "{id} is not in the history");
    }
    // What was asked for when the backup was made is done, too: one of the runs makes the cache again.
    let later = || -> Vec<serde_json::Value> {
        let runs = program.json("/api/v1/runs?mirror=rocket")["runs"].clone();
        runs.as_array()
            .unwrap()
            .iter()
            .filter(|run| !before.contains(&run["id"]))
            .cloned()
            .collect()
    };
    let has_converted =
        |run: &serde_json::Value| run["converted"].as_u64().is_some_and(|it| it > 0);
    until("a new run", || later().iter().any(has_converted));
    program.until_state("rocket", "good");
    for run in later() {
        assert_eq!((&run["changed"], &run["refused"]), (&0.into(), &0.into()), "{run:#}");
    }
    assert_eq!(files(&env.path("rocket.git")), published, "something was pushed again");
    assert_eq!(fs::read(env.path("cache/rocket/ledger")).unwrap(), ledger);
    let engine = program.json("/api/v1/mirrors/engine");
    assert_eq!(engine["state"], "paused");
    assert!(!engine["runs"].as_array().unwrap().is_empty());
    assert!(!json(&env, &["deliveries", "--json"])["deliveries"].as_array().unwrap().is_empty());
}

#[test]
fn what_the_caches_take_is_seen() {
    let env = TestEnv::new();
    repositories(&env, "rocket");
    configure(&env, &mirror("rocket"));
    let program = Program::start(&env);
    program.until_state("rocket", "good");
    // A reload has them looked at.
    configure(&env, &format!("cache_quota = 3\n{}", mirror("rocket")));
    program.signal(Signal::HUP);
    until("a measured cache", || program.json("/api/v1/mirrors/rocket")["cache_bytes"].is_u64());
    let caches = program.json("/api/v1/caches");
    assert_eq!(caches["quota"], 3_u64 << 30);
    assert_eq!(caches["mirrors"][0]["mirror"], "rocket");
    let metrics = program.get("/metrics").body;
    for name in [
        "synchroniser_cache_bytes{mirror=\"rocket\"} ",
        "synchroniser_caches_unused_bytes 0",
        "synchroniser_caches_quota_bytes 3221225472",
        "synchroniser_caches_disk_free_bytes ",
    ] {
        assert!(metrics.contains(name), "{name} is not in\n{metrics}");
    }
    assert!(program.get("/mirrors/rocket").body.contains("The cache takes"));
}

#[test]
fn keys_that_need_a_restart_are_said() {
    let env = TestEnv::new();
    let path = configure(&env, "");
    let program = Program::start(&env);
    let text = fs::read_to_string(&path).unwrap().replace("admin.sock", "other.sock");
    fs::write(&path, format!("{text}web.metrics_listen = \"127.0.0.1:0\"\nschedule.stale = 7\n"))
        .unwrap();
    program.signal(Signal::HUP);
    let line = program.until_log_says("until a restart");
    assert!(line.ends_with("until a restart: web.metrics_listen, daemon.socket"), "{line}");
    program.until_log_says("the configuration was read again");
}

/// A configuration with a target on a GitHub whose token ends in some days, and a receiver that writes what it is
/// told into a file.
fn with_github(env: &TestEnv, github: &FakeGitHub) -> String {
    let token = env.path("token");
    fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    format!(
        "mirrors.rocket = {{ source = \"rocket\", target = {{ url = {:?}, api = {:?}, plain_http = true, token_file = \"token\" }} }}\n\
         notify.file = {{ kind = \"command\", command = [\"/bin/sh\", \"-c\", \"cat >> {told}; echo >> {told}\"] }}\n",
        github.url("acme/rocket.git"),
        github.api(),
        told = env.path("told").display()
    )
}

#[test]
fn a_credential_that_ends_soon_is_told_and_seen() {
    let env = TestEnv::new();
    repositories(&env, "rocket");
    let token = secrets::token("github_pat_");
    fs::write(env.path("token"), &token).unwrap();
    let github = FakeGitHub::with_bot(&token);
    github.repo_of_bot("acme/rocket");
    let ends = Timestamp::now().after(Duration::from_hours(5 * 24 + 1)).to_string();
    github.state().expires = Some(ends.replace(" UTC", ":00 +0000"));
    configure(&env, &with_github(&env, &github));
    let program = Program::start(&env);
    let shown = program.until_state("rocket", "good");
    let credential = &shown["credentials"][0];
    let name = "token in token";
    assert_eq!(credential["name"], name, "{shown:#}");
    assert_eq!(program.json("/api/v1/credentials")["credentials"][0]["mirrors"][0], "rocket");
    let metrics = program.get("/metrics").body;
    let line = format!("synchroniser_credential_expiry_timestamp_seconds{{name=\"{name}\"}} ");
    assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
    assert!(program.get("/mirrors/rocket").body.contains("Replace it before."));
    until("a notification", || env.path("told").exists());
    let told = || -> Vec<serde_json::Value> {
        let text = fs::read_to_string(env.path("told")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    until("all of it", || told().len() == 1);
    assert_eq!(told()[0]["event"], "expires");
    assert_eq!(told()[0]["credential"]["name"], name);
    assert_eq!(told()[0]["credential"]["mirrors"], serde_json::json!(["rocket"]));
    program.hook("rocket");
    program.until_state("rocket", "good");
    assert_eq!(told().len(), 1, "told again");

    // Another token takes its place, which has no end.
    github.state().expires = None;
    fs::write(env.path("token"), format!("{token}\n")).unwrap();
    program.hook("rocket");
    until("no end", || {
        let known = program.json("/api/v1/credentials");
        known["credentials"].as_array().unwrap().is_empty()
    });
}

#[test]
fn receivers_can_be_tried() {
    let env = TestEnv::new();
    let told = env.path("told");
    let nobody = ask(&env, &["notify-test"]);
    assert_ne!(nobody.code, Some(0), "there is no daemon");
    configure(
        &env,
        &format!(
            "notify.file = {{ kind = \"command\", command = [\"/bin/sh\", \"-c\", \"cat > {}\"] }}\n\
             notify.none = {{ kind = \"command\", command = [\"/nowhere/program\"] }}\n",
            told.display()
        ),
    );
    let program = Program::start(&env);
    let ran = ask(&env, &["notify-test"]);
    assert_eq!(ran.code, Some(10), "{}", ran.stderr);
    assert!(ran.stdout.contains("file      told"), "{}", ran.stdout);
    assert!(ran.stdout.contains("none      failed: config"), "{}", ran.stdout);
    assert!(ran.stderr.contains("tell the receiver none: run /nowhere/program"), "{}", ran.stderr);
    let message: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&told).unwrap()).unwrap();
    assert_eq!(message["event"], "test");
    assert!(ask(&env, &["notify-test", "file"]).code == Some(0));
    assert!(json(&env, &["notify-test", "file", "--json"])["receivers"][0]["failure"].is_null());
    let unknown = ask(&env, &["notify-test", "nobody"]);
    assert!(unknown.stderr.contains("No receiver is called"), "{}", unknown.stderr);
    // Nobody does that over the network.
    let answer = super::rig::request(program.address, "POST", "/api/v1/notify-test");
    assert_eq!(answer.status, 404);
}

/// What was told is not told again by the next daemon, and what was not is.
#[test]
fn what_was_told_is_known_after_a_restart() {
    let env = TestEnv::new();
    let told = env.path("told");
    let text = format!(
        "notify.file = {{ kind = \"command\", failures = 1, command = [\"/bin/sh\", \"-c\", \"cat >> {0}; echo >> {0}\"] }}\n\
         mirrors.gone = {{ source = \"nowhere\", target = \"gone.git\" }}\n",
        told.display()
    );
    configure(&env, &text);
    let events = || -> Vec<String> {
        let text = fs::read_to_string(&told).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        lines.map(|it: serde_json::Value| format!("{} {}", it["event"], it["mirror"])).collect()
    };
    let trouble = "\"trouble\" \"gone\"".to_owned();
    let memory = env.path("state/told.json");
    let mut program = Program::start(&env);
    until("trouble", || events() == [trouble.clone()]);
    // A stop while it is told would have it told twice.
    let is_told = |text: String| text.contains("gone") && !text.contains("waiting");
    until("a file", || fs::read_to_string(&memory).is_ok_and(is_told));
    for is_known in [true, false] {
        program.signal(Signal::TERM);
        assert!(program.ended().success());
        if !is_known {
            fs::write(&memory, r#"{"file":{"streaks":{},"expiries":{}}}"#).unwrap();
        }
        program = Program::start(&env);
        let failed = || {
            let found = program.json("/api/v1/mirrors/gone");
            found["failures"].as_u64().unwrap()
        };
        let before = failed();
        program.hook("gone");
        until("another failure", || failed() > before);
        if is_known {
            std::thread::sleep(Duration::from_millis(500));
            assert_eq!(events(), std::slice::from_ref(&trouble));
        } else {
            until("it to be told", || events().len() == 2);
        }
    }
}
