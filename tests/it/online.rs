//! `config check --online`: every source and target is tried, and nothing is written.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use std::io::Write as _;

use crate::support::generator::{Generated, Shape};
use crate::support::github::FakeGitHub;
use crate::support::serve::{Web, free_port};
use crate::support::{Ran, TestEnv, secrets};

fn repositories(env: &TestEnv, name: &str) {
    Generated::new(Shape { seed: 5, changesets: 3, files: 3, heads: 1, ..Shape::PLAIN })
        .write(&env.path(name));
    git2::Repository::init_bare(env.path(format!("{name}.git"))).unwrap();
}

fn check(env: &TestEnv, flags: &[&str]) -> Ran {
    let command = ["config", "check", "--config", "x.toml", "--online"];
    env.synchronise(command.iter().chain(flags))
}

#[test]
fn both_ends_of_each_mirror_are_tried() {
    let env = TestEnv::new();
    repositories(&env, "good");
    let token = secrets::token("github_pat_");
    fs::write(env.path("token"), &token).unwrap();
    fs::set_permissions(env.path("token"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    let github = FakeGitHub::with_bot(&token);
    let text = format!(
        "cache = \"cache\"\n\
         mirrors.good = {{ source = \"good\", target = \"good.git\" }}\n\
         mirrors.new = {{ source = \"good\", target = {{ url = {:?}, api = {:?}, plain_http = true, token_file = \"token\", create = true }} }}\n\
         mirrors.nowhere = {{ source = \"nowhere\", target = \"nowhere.git\" }}\n\
         mirrors.refused = {{ source = {{ url = \"http://127.0.0.1:{}/x\", plain_http = true }}, target = \"other.git\" }}\n",
        github.url("acme/rocket.git"),
        github.api(),
        free_port()
    );
    git2::Repository::init_bare(env.path("other.git")).unwrap();
    fs::write(env.path("x.toml"), text).unwrap();
    let ran = check(&env, &[]);
    // That of the first one that failed.
    assert_eq!(ran.code, Some(10), "{}{}", ran.stdout, ran.stderr);
    let rows: Vec<Vec<&str>> =
        ran.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    let row = |mirror: &str, end: &str| {
        let found = rows.iter().find(|row| row.starts_with(&[mirror, end]));
        found.unwrap_or_else(|| panic!("{mirror} {end} is not in\n{}", ran.stdout))[2..].join(" ")
    };
    assert!(row("good", "source").starts_with("ok "), "{}", ran.stdout);
    assert!(row("good", "target").starts_with("ok, 0 refs"), "{}", ran.stdout);
    assert!(row("new", "target").starts_with("not there yet"), "{}", ran.stdout);
    assert!(row("nowhere", "source").starts_with("failed: config"), "{}", ran.stdout);
    assert!(row("refused", "source").starts_with("failed: unavailable"), "{}", ran.stdout);
    assert!(row("refused", "target").starts_with("ok"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("error at the source: failed to use the source of the mirror refused"),
        "{}",
        ran.stderr
    );
    assert!(github.state().repositories.is_empty(), "nothing is made");
    assert!(!env.path("cache").exists(), "nothing is written");
    assert!(env.leftovers().is_empty());

    let ran = check(&env, &["--json", "good"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found["checks"].as_array().unwrap().len(), 2);
    assert_eq!(found["checks"][1]["side"], "target");
    assert_eq!(found["checks"][1]["refs"], 0);
    assert!(found["checks"][0]["failure"].is_null());
    let ran = check(&env, &["--json", "refused"]);
    assert_eq!(ran.code, Some(12), "{}", ran.stderr);
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found["checks"][0]["failure"]["side"], "source");
}

#[test]
fn one_host_is_asked_no_more_often_than_it_may() {
    let env = TestEnv::new();
    let now = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (counted, peak) = (Arc::clone(&now), Arc::clone(&most));
    let web = Web::start(move |stream, _| {
        let busy = counted.fetch_add(1, Ordering::SeqCst) + 1;
        peak.fetch_max(busy, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(100));
        counted.fetch_sub(1, Ordering::SeqCst);
        let _ = stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    let mut text = "cache = \"cache\"\nschedule.per_source_host = 2\n".to_owned();
    for number in 0..8 {
        git2::Repository::init_bare(env.path(format!("{number}.git"))).unwrap();
        text += &format!(
            "mirrors.m{number} = {{ source = {{ url = {:?}, plain_http = true }}, target = \"{number}.git\" }}\n",
            web.url(&format!("/{number}"))
        );
    }
    fs::write(env.path("x.toml"), text).unwrap();
    let ran = check(&env, &[]);
    let is_row = |line: &&str| line.contains(" source ") || line.contains(" target ");
    assert_eq!(ran.stdout.lines().filter(is_row).count(), 16, "{}", ran.stdout);
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

const PATTERN: &str = "cache = \"cache\"\n\
    [daemon]\nstate = \"state\"\nsocket = \"none\"\n\
    [patterns.hgweb]\nsource = \"hg/{path}\"\ntarget = \"git/{path}.git\"\nallow = [\"rocket\", \"engine\", \"tools-*\"]\n";

/// A mirror of a pattern is as good as any other, for whoever types its name.
#[test]
fn commands_know_the_mirrors_of_patterns() {
    let env = TestEnv::new();
    for name in ["rocket", "engine", "tools-a"] {
        repositories(&env, name);
        for (from, to) in [(name.to_owned(), "hg"), (format!("{name}.git"), "git")] {
            fs::create_dir_all(env.path(to)).unwrap();
            fs::rename(env.path(&from), env.path(to).join(&from)).unwrap();
        }
    }
    fs::write(env.path("x.toml"), PATTERN).unwrap();
    let run = |words: &[&str]| {
        let ran = env.synchronise(words.iter().chain(&["--config", "x.toml"]));
        assert_eq!(ran.code, Some(0), "{words:?}\n{}{}", ran.stdout, ran.stderr);
        ran.stdout + &ran.stderr
    };
    for name in ["hgweb/rocket", "hgweb/tools-a"] {
        assert!(run(&["plan", name]).contains("3 to convert"));
        run(&["sync", name]);
        assert!(run(&["verify", name]).contains("no difference"));
        let doctor = run(&["doctor", name, "--offline"]);
        assert!(doctor.contains(&format!("ok       target of {name}")), "{doctor}");
        assert!(run(&["config", "check", "--online", name]).contains("ok, 2 refs"));
    }
    // Those that are named in full are known without being named again.
    let checked = run(&["config", "check", "--online"]);
    assert!(checked.contains("0 mirrors, 1 pattern (2 names)"), "{checked}");
    assert!(checked.contains("hgweb/engine  target"), "{checked}");
    assert!(checked.contains("hgweb/NAME: from hg/{path} to git/{path}.git"), "{checked}");
    assert!(!checked.contains("tools-a"), "{checked}");
    let doctor = run(&["doctor", "--offline"]);
    assert!(doctor.contains("ok       source of hgweb/engine"), "{doctor}");
    assert!(doctor.contains("pattern hgweb: what its `allow` does not name"), "{doctor}");
    assert!(run(&["plan"]).contains("hgweb/engine: "));
    for (name, expected) in
        [("hgweb/other", "its pattern does not allow it"), ("rocket", "hint: it has hgweb/NAME")]
    {
        let ran = env.synchronise(["plan", name, "--config", "x.toml"]);
        assert!(ran.code == Some(10) && ran.stderr.contains(expected), "{}", ran.stderr);
    }
}
