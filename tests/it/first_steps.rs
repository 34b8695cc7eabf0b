//! What an administrator types: `init`, `hook-config`, `test-hook`, `doctor`, `rebuild`, `backup` and `restore`.

// For clippy: helpers outside of `#[test]` functions are tests too.
#![cfg(test)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use synchroniser::hook::FORMATS;

use crate::adoption::refs;
use crate::support::serve::{Server, free_port};
use crate::support::{Fixture, Ran, TestEnv};

const CONFIG: &str = "etc/synchroniser.toml";

/// A folder with a source, an empty target, and a configuration that `init` has made.
struct Rig {
    env: TestEnv,
    port: u16,
}

impl Rig {
    fn new(hook: &str) -> Self {
        let rig = Self { env: TestEnv::new(), port: free_port() };
        fs::rename(Fixture::demo().unpack(&rig.env), rig.env.path("rocket")).unwrap();
        rig.env.run("git", ["init", "-q", "--bare", "rocket.git"]).ok().unwrap();
        rig.init(&["--hook", hook]).ok().unwrap();
        rig
    }

    fn init(&self, more: &[&str]) -> Ran {
        let listen = format!("127.0.0.1:{}", self.port);
        let args = ["init", "--source", "rocket", "--target", "rocket.git", "--listen", &listen];
        self.run(&[&args, more].concat())
    }

    /// Runs a command with the configuration of this test.
    fn run(&self, args: &[&str]) -> Ran {
        self.env.synchronise([args, &["--config", CONFIG]].concat())
    }

    fn serve(&self) -> Server {
        let mut command: Command = self.env.synchroniser();
        command.args(["serve", "--config", CONFIG]).stderr(Stdio::null());
        Server::start(&mut command, self.port)
    }

    fn add(&self, text: &str) {
        let config = fs::read_to_string(self.env.path(CONFIG)).unwrap();
        fs::write(self.env.path(CONFIG), config + text).unwrap();
    }

    /// What `doctor` finds, by the name of the check.
    fn doctor(&self, code: i32) -> Vec<(String, String, String)> {
        let ran = self.run(&["doctor", "--json"]).with_code(code).unwrap();
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let wanted = |check: &&Value| {
            // How much room there is depends on the machine.
            matches!(text(&check["state"]).as_str(), "wrong" | "warning")
                && !text(&check["check"]).starts_with("disk of")
        };
        checks
            .filter(wanted)
            .map(|check| (text(&check["check"]), text(&check["message"]), text(&check["hint"])))
            .collect()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn init_writes_what_works_and_overwrites_nothing() {
    let rig = Rig::new("gitlab");
    let env = &rig.env;
    let config = env.path(CONFIG);
    assert_eq!(mode(&config), 0o640);
    assert_eq!(mode(&env.path("etc/secrets")), 0o700);
    assert_eq!(mode(&env.path("etc/secrets/hook-gitlab")), 0o600);
    let secret = fs::read_to_string(env.path("etc/secrets/hook-gitlab")).unwrap();
    assert!(secret.trim().len() == 64 && !fs::read_to_string(&config).unwrap().contains(&secret));
    let before = fs::read(&config).unwrap();
    let refused = rig.init(&[]).with_code(10).unwrap();
    assert!(refused.stderr.contains("it configures something already"), "{refused:?}");
    assert_eq!(fs::read(&config).unwrap(), before);
    rig.run(&["sync"]).ok().unwrap();
    assert!(!refs(&env.path("rocket.git")).is_empty());
    assert_eq!(env.leftovers(), Vec::<String>::new());
}

/// `init` at a terminal of its own, which `script` makes.
struct Terminal {
    child: Child,
    shown: Arc<Mutex<String>>,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Terminal {
    /// `None`, after saying so, where there is no `script`.
    fn init(env: &TestEnv) -> Option<Self> {
        let script = crate::support::env::program("script")?;
        // Where tests run in the background, a shell may have them ignore SIGINT, and so whatever they start.
        let command = format!(
            "env --default-signal=INT {} init --config {CONFIG}",
            env!("CARGO_BIN_EXE_synchroniser")
        );
        let mut child = env
            .command(script)
            .args(["-qec", &command, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut from, to) = (child.stdout.take().unwrap(), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = from.read(&mut bytes) {
                to.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        });
        Some(Self { child, shown })
    }

    /// Types once `question` is asked.
    fn answer(&mut self, question: &str, typed: &str) {
        let begin = Instant::now();
        while !self.shown.lock().unwrap().contains(question) {
            assert!(begin.elapsed() < Duration::from_mins(1), "no {question:?}: {}", self.shown());
            std::thread::sleep(Duration::from_millis(5));
        }
        // Asked again, it is found again.
        let mut shown = self.shown.lock().unwrap();
        *shown = shown.replacen(question, "(answered)", 1);
        self.child.stdin.as_mut().unwrap().write_all(typed.as_bytes()).unwrap();
    }

    fn shown(&self) -> String {
        self.shown.lock().unwrap().clone()
    }

    /// The exit code, once it has ended, and what was shown.
    fn ended(&mut self) -> (Option<i32>, String) {
        // `script` takes the end of its input for that of the typing, so it stays open until then.
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begin.elapsed() < Duration::from_mins(1), "it goes on: {}", self.shown());
            std::thread::sleep(Duration::from_millis(5));
        };
        std::thread::sleep(Duration::from_millis(100));
        (status.code(), self.shown())
    }
}

#[test]
fn init_asks_whoever_is_at_a_terminal() {
    let env = TestEnv::new();
    fs::rename(Fixture::demo().unpack(&env), env.path("rocket")).unwrap();
    env.run("git", ["init", "-q", "--bare", "there.git"]).ok().unwrap();
    let Some(mut terminal) = Terminal::init(&env) else { return };
    terminal.answer("The Mercurial repository", "rocket\n");
    terminal.answer("The Git repository to publish to", "there.git\n");
    terminal.answer("The name of the mirror [there]:", "falcon\n");
    terminal.answer("or none [synchroniser]:", "\n");
    let (code, shown) = terminal.ended();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("an empty repository") && shown.contains("plan falcon"), "{shown}");
    let written = fs::read_to_string(env.path(CONFIG)).unwrap();
    assert!(
        written.contains("[mirrors.falcon]") && written.contains("[hooks.synchroniser]"),
        "{written}"
    );
    env.synchronise(["sync", "falcon", "--config", CONFIG]).ok().unwrap();
    assert!(!refs(&env.path("there.git")).is_empty());
}

#[test]
fn whoever_gives_no_answer_has_nothing_written() {
    let env = TestEnv::new();
    let Some(mut terminal) = Terminal::init(&env) else { return };
    for _ in 0..3 {
        terminal.answer("The Mercurial repository", "\n");
    }
    let (code, shown) = terminal.ended();
    assert_eq!(code, Some(10), "{shown}");
    assert!(shown.contains("name it with --source"), "{shown}");

    // A target over a network wants a secret. Ctrl-C at a question is the end.
    let mut terminal = Terminal::init(&env).unwrap();
    terminal.answer("The Mercurial repository", "rocket\n");
    terminal.answer("The Git repository to publish to", "https://git.example.org/x.git\n");
    terminal.answer("A file with the token that may push there, or none [none]:", "\n");
    terminal.answer("The name of the mirror [x]:", "\u{3}");
    let (code, shown) = terminal.ended();
    assert_eq!(code, Some(130), "as a shell says of what SIGINT has ended: {shown}");
    assert!(!env.path("etc").exists());
}

/// `TOKEN=$(synchroniser config token)` is what a script types.
#[test]
fn a_new_token_is_all_of_the_output() {
    let ran = TestEnv::new().synchronise(["config", "token"]).with_code(0).unwrap();
    let token = ran.stdout.trim_end();
    assert!(token.starts_with("syn_") && token.lines().count() == 1, "{ran:?}");
    assert!(ran.stderr.contains("[tokens.NAME]\n") && !ran.stderr.contains(token), "{ran:?}");
}

#[test]
fn init_looks_before_it_writes() {
    let env = TestEnv::new();
    fs::create_dir(env.path("empty")).unwrap();
    fs::rename(Fixture::demo().unpack(&env), env.path("rocket")).unwrap();
    let init = |args: &[&str]| env.synchronise([&["init", "--config", CONFIG], args].concat());
    let asked = init(&[]).with_code(10).unwrap();
    assert!(asked.stderr.contains("name it with --source"), "{asked:?}");
    for (source, target, side) in [
        ("empty", "x.git", "source"),
        ("nowhere", "x.git", "source"),
        ("rocket", "x.git", "target"),
    ] {
        let ran = init(&["--source", source, "--target", target]).with_code(10).unwrap();
        assert!(ran.stderr.contains(&format!("error at the {side}: ")), "{ran:?}");
        assert!(ran.stderr.contains("hint: to write the configuration without looking"), "{ran:?}");
        assert!(!env.path("etc").exists());
    }
    let unknown = init(&["--source", "rocket", "--target", "x.git", "--hook", "githup"]);
    assert!(unknown.with_code(10).unwrap().stderr.contains("forges are "));
    // What cannot be looked at now is written if it is wanted so; what a package installs is kept.
    fs::create_dir(env.path("etc")).unwrap();
    let packaged = env.synchronise(["config", "default"]).ok().unwrap();
    fs::write(env.path(CONFIG), &packaged).unwrap();
    fs::write(env.path("token"), "a-token\n").unwrap();
    fs::set_permissions(env.path("token"), fs::Permissions::from_mode(0o600)).unwrap();
    let target = "https://github.com/acme/rocket.git";
    let args =
        ["--offline", "--source", "https://foss.heptapod.net/acme/rocket", "--target", target];
    let more = ["--public-url", "https://sync.example.org"];
    let told = init(&[&args[..], &more].concat()).with_code(10).unwrap();
    assert!(told.stderr.contains("`public_url` in [web] of that file"), "{told:?}");
    init(&[&args, &["--target-token-file", "token"][..]].concat()).ok().unwrap();
    let written = fs::read_to_string(env.path(CONFIG)).unwrap();
    assert!(written.starts_with(&packaged) && written.contains("[hooks.gitlab]"), "{written}");
    let copy = env.path("etc/secrets/rocket-target-token");
    assert_eq!((fs::read_to_string(&copy).unwrap().as_str(), mode(&copy)), ("a-token\n", 0o600));
    env.synchronise(["config", "check", "--config", CONFIG]).ok().unwrap();
}

/// What an end needs beside a secret is typed, copied where it is a file, and stands in the configuration.
#[test]
fn init_takes_all_that_servers_of_ones_own_need() {
    let env = TestEnv::new();
    for (file, text) in [("token", "a-token\n"), ("ca.pem", "a certificate\n")] {
        fs::write(env.path(file), text).unwrap();
        fs::set_permissions(env.path(file), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let init = |target: &str, more: &[&str]| {
        let args = ["init", "--config", CONFIG, "--offline", "--target", target];
        let source = ["--source", "http://hg.example.org/acme/rocket", "--source-plain-http"];
        env.synchronise([&args[..], &source, more].concat())
    };
    let named = init("https://mirror-bot@git.example.org/acme/rocket.git", &[]);
    let named = named.with_code(10).unwrap().stderr;
    assert!(named.contains("put it into `--target-token-user`"), "{named}");
    let ends = [
        ["--target-token-file", "token", "--target-token-user", "mirror-bot"],
        ["--target-ca-file", "ca.pem", "--hook", "none"],
    ];
    init("https://git.example.org/acme/rocket.git", &ends.concat()).ok().unwrap();
    let written = fs::read_to_string(env.path(CONFIG)).unwrap();
    for line in [
        "source = { url = \"http://hg.example.org/acme/rocket\", plain_http = true }\n",
        "target = { url = \"https://git.example.org/acme/rocket.git\", token_file = \
         \"secrets/rocket-target-token\", ca_file = \"secrets/rocket-target-ca\", token_user = \"mirror-bot\" }\n",
    ] {
        assert!(written.contains(line), "{written}");
    }
    let copy = fs::read_to_string(env.path("etc/secrets/rocket-target-ca")).unwrap();
    assert_eq!(copy, "a certificate\n");
}

/// The line for a server is the one that the page about hooks has, and one for all repositories of a pattern.
#[test]
fn the_hook_of_a_mercurial_server_is_printed_whole() {
    let rig = Rig::new("synchroniser");
    let one = rig.run(&["hook-config", "synchroniser", "rocket"]).ok().unwrap();
    assert!(one.contains("SECRET_FILE rocket\n"), "{one}");
    rig.add(
        "[patterns.hgweb]\nsource = \"https://hg.example.org/{path}\"\n\
         target = \"https://git.example.org/{path}.git\"\nallow = [\"*\"]\n",
    );
    let all = rig.run(&["hook-config", "synchroniser", "hgweb/rocket"]).ok().unwrap();
    assert!(all.contains("SECRET_FILE \"https://hg.example.org/${PWD#/srv/hg/}\"\n"), "{all}");
    for shown in [one, all] {
        assert!(shown.contains("  txnclose.synchroniser:run-with-plain = yes\n"), "{shown}");
    }
}

/// Every format says what to type, and what it sends is taken by the daemon and finds its mirror.
#[test]
fn every_format_can_be_set_up_and_tried() {
    let rig = Rig::new("none");
    let secret = rig.env.path("etc/secret");
    fs::write(&secret, "a secret of this test\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    for format in FORMATS {
        let name = format.name;
        let secret = if name == "sourcehut" { "" } else { "secret_file = \"secret\"\n" };
        rig.add(&format!("[hooks.{name}]\nformat = \"{name}\"\n{secret}"));
    }
    // The target says neither owner nor project that a hook of the source would.
    let config = fs::read_to_string(rig.env.path(CONFIG)).unwrap();
    let config =
        config.replace("\ntarget = ", "\nuser = \"acme\"\nproject = \"engine\"\ntarget = ");
    fs::write(rig.env.path(CONFIG), config + "[web]\npublic_url = \"https://sync.example.org\"\n")
        .unwrap();
    let _daemon = rig.serve();
    for format in FORMATS {
        let name = format.name;
        let shown = rig.run(&["hook-config", name, "rocket"]).ok().unwrap();
        assert!(shown.contains(&format!("https://sync.example.org/hook/{name}")), "{shown}");
        for event in format.setup.events {
            assert!(shown.contains(event), "{shown}");
        }
        assert!(!format.setup.page.is_empty() && !format.setup.events.is_empty(), "{name}");
        assert!(!shown.contains("a secret of this test"), "{shown}");
        let tried = rig.run(&["test-hook", name, "rocket"]);
        if name == "sourcehut" {
            let tried = tried.with_code(15).unwrap();
            assert!(tried.stderr.contains("only the forge has the private key"), "{tried:?}");
        } else {
            let told = tried.ok().unwrap();
            assert!(told.contains("answer: 202") && told.contains("rocket: done"), "{told}");
        }
    }
    let shown = rig.run(&["hook-config", "--show-secret", "gitlab", "rocket"]).ok().unwrap();
    assert!(shown.contains("Secret token  a secret of this test"), "{shown}");
    let query = rig.run(&["hook-config", "scm_manager", "rocket"]).ok().unwrap();
    assert!(query.contains("?token=SECRET&user=${repository.namespace}"), "{query}");
    for (forge, mirror, says) in [
        ("gitlap", "rocket", "is `gitlab` meant?"),
        ("nothing", "rocket", "forges are "),
        ("gitlab", "engine", "it has rocket"),
    ] {
        for command in ["hook-config", "test-hook"] {
            let ran = rig.run(&[command, forge, mirror]).with_code(10).unwrap();
            assert!(ran.stderr.contains(says), "{ran:?}");
        }
    }
}

/// What goes wrong with a hook is told in words that say what to do.
#[test]
fn an_answer_that_is_no_success_is_explained() {
    let rig = Rig::new("gitlab");
    let nobody = rig.run(&["test-hook", "gitlab", "rocket"]).with_code(12).unwrap();
    assert!(nobody.stderr.contains("systemctl start synchroniser"), "{nobody:?}");
    let daemon = rig.serve();
    rig.add("[hooks.github]\nformat = \"github\"\nsecret_file = \"secrets/hook-gitlab\"\n");
    let unknown = rig.run(&["test-hook", "github", "rocket"]).with_code(10).unwrap();
    assert!(unknown.stderr.contains("systemctl reload synchroniser"), "{unknown:?}");
    let listed = "mirrors = [\"rocket\"]\n[hooks.closed]\nformat = \"github\"\nnetworks = [\"192.0.2.0/24\"]\n\
                  secret_file = \"secrets/hook-gitlab\"\n";
    rig.add(listed);
    drop(daemon);
    let _daemon = rig.serve();
    let closed = rig.run(&["test-hook", "closed", "rocket"]).with_code(11).unwrap();
    assert!(closed.stderr.contains("in none of the networks"), "{closed:?}");
    // The mirror has no name that the hook could say.
    rig.env.run("mv", ["rocket.git", "r.git"]).ok().unwrap();
    let lost = rig.run(&["test-hook", "gitlab", "rocket"]);
    assert_ne!(lost.code, Some(0), "{lost:?}");
}

#[test]
fn doctor_finds_what_is_wrong_and_says_what_to_do() {
    let rig = Rig::new("gitlab");
    let found = rig.doctor(12);
    // Nothing runs yet, and nothing else is wrong.
    let wrong: Vec<_> = found.iter().map(|(check, _, _)| check.as_str()).collect();
    assert_eq!(wrong, ["daemon"], "{found:?}");
    let daemon = rig.serve();
    assert_eq!(rig.doctor(0), []);
    let told = rig.run(&["doctor"]).ok().unwrap();
    assert!(told.contains("source of rocket: ") && told.contains("target of rocket: "), "{told}");
    assert!(told.trim_end().ends_with(" 0 wrong"), "{told}");

    let secret = rig.env.path("etc/secrets/hook-gitlab");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(rig.env.path(CONFIG), fs::Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(rig.env.path("etc/state"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::rename(rig.env.path("rocket.git"), rig.env.path("gone.git")).unwrap();
    rig.add("[mirrors.other]\nsource = \"/nowhere/other\"\ntarget = \"../gone.git\"\nuser = \"a\"\nproject = \"b\"\n");
    let found = rig.doctor(10);
    let hint = |check: &str| {
        let of = found.iter().filter(|(name, _, _)| name.starts_with(check));
        of.map(|(_, message, hint)| format!("{message}; {hint}")).collect::<Vec<_>>().join("\n")
    };
    assert!(hint("configuration file").contains("chmod 640 "), "{found:?}");
    assert!(hint("secret ").contains("chmod 600 "), "{found:?}");
    assert_eq!(hint("files"), "", "a mode is told of once: {found:?}");
    assert!(hint("state").contains("chmod 700 "), "{found:?}");
    assert!(hint("daemon").contains("does not know other"), "{found:?}");
    assert!(hint("target of rocket").contains("rocket.git"), "{found:?}");
    assert!(hint("source of other").contains("/nowhere/other"), "{found:?}");
    drop(daemon);

    // A program that has the port, and a configuration that is none.
    let _other = std::net::TcpListener::bind(("127.0.0.1", rig.port)).unwrap();
    let found = rig.doctor(10);
    assert!(
        found.iter().any(|(check, _, hint)| check.starts_with("port") && hint.contains("listen"))
    );
    rig.add("[mirrors.other]\nnonsense = 1\n");
    let ran = rig.run(&["doctor"]).with_code(10).unwrap();
    assert!(ran.stdout.contains("wrong    configuration: "), "{ran:?}");
}

#[test]
fn a_cache_is_made_again_and_what_was_published_stays() {
    let rig = Rig::new("none");
    rig.run(&["sync"]).ok().unwrap();
    let target = rig.env.path("rocket.git");
    let cache = rig.env.path("etc/cache/rocket");
    let (before, ledger) = (refs(&target), fs::read(cache.join("ledger")).unwrap());
    // Something in it is damaged, and nobody knows what.
    fs::write(cache.join("branches"), "nonsense").unwrap();
    fs::write(cache.join("map"), "nonsense").unwrap();
    let ran = rig.run(&["rebuild", "rocket"]);
    assert!(ran.stderr.contains("writing commits: 300 changesets in "), "{ran:?}");
    let told = ran.ok().unwrap();
    assert!(told.contains("rocket: 300 changesets, 300 new"), "{told}");
    assert_eq!(refs(&target), before);
    assert_eq!(fs::read(cache.join("ledger")).unwrap(), ledger);
    let ran = rig.run(&["verify", "rocket"]);
    let compared = "comparing changesets with commits: 300 changesets in ";
    assert!(ran.stderr.contains(compared), "{ran:?}");
    ran.ok().unwrap();
    // Beside a daemon, which leaves it alone meanwhile and goes on afterwards.
    let _daemon = rig.serve();
    let status = || {
        let shown = rig.run(&["status", "rocket", "--json"]).ok().unwrap();
        serde_json::from_str::<Value>(&shown).unwrap()
    };
    let start = Instant::now();
    while status()["state"] != "good" {
        assert!(start.elapsed().as_secs() < 60, "{}", status());
    }
    let told = rig.run(&["rebuild", "rocket"]).ok().unwrap();
    assert!(
        told.contains("leaves it alone meanwhile") && told.contains("goes on with it"),
        "{told}"
    );
    assert_eq!((refs(&target), &status()["paused"]), (before, &Value::Bool(false)));
    let unknown = rig.run(&["rebuild", "engine"]).with_code(10).unwrap();
    assert!(unknown.stderr.contains("it has rocket"), "{unknown:?}");
}

#[test]
fn a_backup_is_restored_where_nothing_is_and_nowhere_else() {
    let rig = Rig::new("gitlab");
    let daemon = rig.serve();
    rig.run(&["sync", "--daemon", "--follow", "rocket"]).ok().unwrap();
    rig.run(&["backup", "backup.tar"]).ok().unwrap();
    let running = rig.run(&["restore", "backup.tar"]).with_code(13).unwrap();
    assert!(running.stderr.contains("systemctl stop synchroniser"), "{running:?}");
    let runs = rig.run(&["runs", "--json"]).ok().unwrap();
    drop(daemon);
    let there = rig.run(&["restore", "backup.tar"]).with_code(13).unwrap();
    assert!(there.stderr.contains("queue.sqlite is there"), "{there:?}");
    let (state, cache) = (rig.env.path("etc/state"), rig.env.path("etc/cache"));
    fs::remove_dir_all(&state).unwrap();
    let kept = rig.run(&["restore", "backup.tar"]).ok().unwrap();
    assert!(kept.contains("rocket: kept"), "{kept}");
    fs::remove_dir_all(&state).unwrap();
    fs::remove_dir_all(&cache).unwrap();
    let told = rig.run(&["restore", "backup.tar"]).ok().unwrap();
    assert!(told.contains("history of 1 mirror") && told.contains("from 1 cache"), "{told}");
    assert_eq!((mode(&state), mode(&state.join("queue.sqlite"))), (0o700, 0o600));
    assert_eq!(mode(&cache.join("rocket")), 0o700);
    let before = refs(&rig.env.path("rocket.git"));
    let _daemon = rig.serve();
    let runs: Value = serde_json::from_str(&runs).unwrap();
    let id = runs["runs"][0]["id"].as_str().unwrap();
    assert!(rig.run(&["runs", "--json"]).ok().unwrap().contains(id));
    rig.run(&["sync", "--daemon", "--follow", "rocket"]).ok().unwrap();
    assert_eq!(refs(&rig.env.path("rocket.git")), before);
}

/// A file from elsewhere is refused before anything is written, whatever it would be called.
#[test]
fn what_is_no_backup_is_not_restored() {
    let rig = Rig::new("none");
    let tar = |name: &str, entries: &[(&str, &str)]| {
        let mut tar = tar::Builder::new(fs::File::create(rig.env.path(name)).unwrap());
        for (path, text) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            // Past what the crate checks, as an attacker would.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            tar.append(&header, text.as_bytes()).unwrap();
        }
        tar.finish().unwrap();
    };
    fs::write(rig.env.path("text"), "nonsense").unwrap();
    tar("outside", &[("cache/../../x/ledger", "x"), ("state/queue.sqlite", "x")]);
    tar("absolute", &[("/state/queue.sqlite", "x")]);
    tar("other", &[("state/queue.sqlite", "x"), ("state/other", "x")]);
    tar("without", &[("cache/rocket/ledger", "x")]);
    tar("no-queue", &[("state/queue.sqlite", "no database")]);
    for name in ["text", "outside", "absolute", "other", "without", "no-queue", "nowhere"] {
        let ran = rig.run(&["restore", name]);
        assert!(ran.code.is_some_and(|code| code >= 10), "{name}: {ran:?}");
        let state = fs::read_dir(rig.env.path("etc/state"));
        let left: Vec<_> = state.into_iter().flatten().map(|it| it.unwrap().file_name()).collect();
        assert!(left.is_empty() && !rig.env.path("x").exists(), "{name}: {left:?}");
        assert!(!rig.env.path("etc/cache/rocket").exists(), "{name}");
    }
}
