//! What goes wrong around one mirror, or around the daemon, keeps no other mirror from its source's newest changeset,
//! and log, pages and metrics name what it is and on which side.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::program::{HEAD, Program, ask};
use crate::support::generator::{Generated, Shape};
use crate::support::{TestEnv, skip};

/// So soon is a healthy mirror at its source's newest changeset, whatever else goes on. The machine may be busy.
const SOON: Duration = Duration::from_secs(10);

/// A source that grows, and its target.
struct Healthy<'a> {
    env: &'a TestEnv,
    name: String,
    history: Generated,
    has: usize,
}

impl<'a> Healthy<'a> {
    fn new(env: &'a TestEnv, name: &str) -> Self {
        let history =
            Generated::new(Shape { seed: 5, changesets: 40, files: 3, heads: 1, ..Shape::PLAIN });
        Generated::create(&env.path(name));
        history.add(&env.path(name), 0..2);
        git2::Repository::init_bare(env.path(format!("{name}.git"))).unwrap();
        Self { env, name: name.to_owned(), history, has: 2 }
    }

    fn text(&self) -> String {
        let name = &self.name;
        format!("mirrors.{name} = {{ source = {name:?}, target = \"{name}.git\" }}\n")
    }

    /// How many commits the target has.
    fn commits(&self) -> usize {
        let target = self.env.path(format!("{}.git", self.name));
        let repository = git2::Repository::open_bare(target).unwrap();
        let mut walk = repository.revwalk().unwrap();
        match walk.push_head() {
            Ok(()) => walk.count(),
            Err(_) => 0,
        }
    }

    fn until_there(&self, program: &Program) {
        let begin = Instant::now();
        while self.commits() < self.has {
            assert!(begin.elapsed() < SOON, "{} is behind:\n{}", self.name, program.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Adds a changeset, tells of it, and waits until the target has it.
    fn push(&mut self, program: &Program) {
        self.history.add(&self.env.path(&self.name), self.has..self.has + 1);
        self.has += 1;
        let begin = Instant::now();
        // Whoever sends hooks sends them again if nobody answers.
        while program.try_hook(&self.name) != Some(202) {
            assert!(begin.elapsed() < SOON, "no hook is taken:\n{}", program.log());
            thread::sleep(Duration::from_millis(10));
        }
        self.until_there(program);
    }
}

fn configure(env: &TestEnv, head: &str, text: &str) {
    fs::write(env.path("synchroniser.toml"), format!("{head}{text}")).unwrap();
}

/// Panics unless a line of the metrics has all of `parts`.
fn measured(program: &Program, parts: &[&str]) {
    let metrics = program.get("/metrics").body;
    let is_there = metrics.lines().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(is_there, "no line has {parts:?}:\n{metrics}");
}

/// A page as text.
fn page(program: &Program, path: &str) -> String {
    let answer = program.get(path);
    assert_eq!(answer.status, 200, "{path}");
    answer.body
}

/// Keeps one connection busy in a bad manner until `stop`, again and again.
fn bad_client(address: SocketAddr, kind: usize, stop: &AtomicBool, rounds: &AtomicUsize) {
    let heads = [
        // A head that never ends.
        "POST /hook/hg HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        // Bodies that never come.
        "POST /hook/hg HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n",
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n",
        "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n",
        // Bodies that never end.
        "POST /hook/hg HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /api/v1/mirrors/m/sync HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    ];
    let is_endless = kind % heads.len() >= 4;
    let chunk = [b"8000\r\n".as_slice(), &vec![b'x'; 0x8000], b"\r\n"].concat();
    while !stop.load(Ordering::Relaxed) {
        rounds.fetch_add(1, Ordering::Relaxed);
        let Ok(mut stream) = TcpStream::connect(address) else { continue };
        drop(stream.set_write_timeout(Some(Duration::from_secs(1))));
        let mut sent = stream.write_all(heads[kind % heads.len()].as_bytes());
        while sent.is_ok() && !stop.load(Ordering::Relaxed) {
            if is_endless {
                sent = stream.write_all(&chunk);
            } else {
                thread::sleep(Duration::from_millis(50));
                sent = stream.write_all(b"a");
            }
        }
    }
}

/// More bad clients than there are connections, and not a moment without them.
#[test]
fn slow_and_endless_clients_hold_up_no_mirror() {
    let env = TestEnv::new();
    let mut mirror = Healthy::new(&env, "m");
    let head = HEAD.replace("wait = 0", "wait = 0, connections = 8, request_timeout = 1");
    configure(&env, &head, &mirror.text());
    let program = Program::start(&env);
    mirror.until_there(&program);
    let (stop, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for kind in 0..12 {
            let (address, stop, rounds) = (program.address, &stop, &rounds);
            scope.spawn(move || bad_client(address, kind, stop, rounds));
        }
        while rounds.load(Ordering::Relaxed) < 12 {
            thread::sleep(Duration::from_millis(5));
        }
        mirror.push(&program);
        mirror.push(&program);
        // Who looks after it has a way of his own.
        let began = Instant::now();
        assert_eq!(ask(&env, &["status"]).code, Some(0));
        assert!(began.elapsed() < SOON);
        assert_eq!(program.get("/readyz").status, 200);
        stop.store(true, Ordering::Relaxed);
    });
    assert!(program.memory() < 150, "{} MiB", program.memory());
    assert!(program.log().contains("a hook did not arrive: The body"), "{}", program.log());
}

/// A server that takes connections and never says anything.
fn silent(listener: &TcpListener) -> String {
    let port = listener.local_addr().unwrap().port();
    format!("{{ url = \"http://127.0.0.1:{port}/x\", plain_http = true, answer_timeout = 1 }}")
}

#[test]
fn servers_that_hang_hold_up_no_mirror() {
    let env = TestEnv::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut healthy = Healthy::new(&env, "healthy");
    let source = Healthy::new(&env, "source");
    let mut text = healthy.text();
    text +=
        &format!("mirrors.left = {{ source = {}, target = \"left.git\" }}\n", silent(&listener));
    text += &format!(
        "mirrors.right = {{ source = {:?}, target = {} }}\n",
        source.name,
        silent(&listener)
    );
    configure(&env, HEAD, &text);
    let program = Program::start(&env);
    healthy.until_there(&program);
    healthy.push(&program);
    for (mirror, side) in [("left", "source"), ("right", "target")] {
        let failed = program.until_state(mirror, "failing");
        assert_eq!(failed["failure"]["side"], side, "{failed:#}");
        assert_eq!(failed["failure"]["fault"], "unavailable", "{failed:#}");
        healthy.push(&program);
        let log = program.log();
        let is_told = |line: &&str| {
            let parts = ["a run failed", &format!("mirror={mirror:?}"), &format!("side={side:?}")];
            parts.iter().all(|part| line.contains(part)) && line.contains("fault=\"unavailable\"")
        };
        assert!(log.lines().any(|line| is_told(&line)), "{mirror}:\n{log}");
        let parts =
            ["runs_total", &format!("mirror={mirror:?}"), "unavailable", &format!("side={side:?}")];
        measured(&program, &parts);
        let shown = page(&program, &format!("/mirrors/{mirror}"));
        let said = failed["failure"]["message"].as_str().unwrap();
        assert!(shown.contains(&said.replace('"', "&quot;")), "{said} is not in {shown}");
        assert!(shown.to_lowercase().contains(side), "{shown}");
    }
    assert!(page(&program, "/").contains("Failing"));
}

/// Whether log, pages, metrics and probes say that the queue cannot be written, in these words.
fn says_why(program: &Program, words: &str) {
    let line = program.until_log_says(words);
    for part in ["fault=\"unavailable\"", "side=\"here\""] {
        assert!(line.contains(part), "{line}");
    }
    for path in ["/", "/mirrors/m"] {
        let shown = page(program, path);
        assert!(shown.contains("Hooks are refused, and nothing begins."), "{path}: {shown}");
        assert!(shown.contains(words), "{path}: {shown}");
    }
    measured(program, &["queue_failing{fault=\"unavailable\",side=\"here\"} 1"]);
    let ready = program.get("/readyz");
    assert_eq!((ready.status, ready.body.contains('/')), (503, false), "{}", ready.body);
    assert_eq!(program.get("/healthz").status, 200);
}

/// Waits until nothing is said of that any more.
fn until_it_is_over(program: &Program) {
    let begin = Instant::now();
    while program.get("/readyz").status != 200 {
        assert!(begin.elapsed() < SOON, "{}", program.log());
        thread::sleep(Duration::from_millis(20));
    }
    measured(program, &["queue_failing{fault=\"\",side=\"\"} 0"]);
    assert!(!page(program, "/").contains("Hooks are refused"));
}

#[test]
fn a_queue_that_is_locked_refuses_hooks_says_so_and_goes_on() {
    let env = TestEnv::new();
    let mut mirror = Healthy::new(&env, "m");
    configure(&env, HEAD, &mirror.text());
    let program = Program::start(&env);
    mirror.until_there(&program);
    program.until_state("m", "good");
    let other = Connection::open(env.path("state/queue.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(program.try_hook("m"), Some(503));
    says_why(&program, "another program has locked it");
    other.execute_batch("ROLLBACK").unwrap();
    until_it_is_over(&program);
    mirror.push(&program);
}

/// The script of a process with a small disk of its own at `$1`, which is filled once `$2/fill` is there and emptied
/// once that is gone.
const SMALL_DISK: &str = r#"
    mount -t tmpfs -o size=3m none "$1" || exit 77
    disk=$1 signs=$2
    (
        while kill -0 $$ 2>/dev/null; do
            if [ -e "$signs/fill" ]; then
                [ -e "$disk/ballast" ] || cat /dev/zero >"$disk/ballast" 2>/dev/null
                touch "$signs/full"
            else
                rm -f "$disk/ballast" "$signs/full"
            fi
            sleep 0.02
        done
    ) >/dev/null 2>&1 &
    shift 2
    exec "$@"
"#;

/// The program with a small disk at `folder`; `None` if such a disk cannot be had here.
fn with_small_disk(env: &TestEnv, folder: &str) -> Option<Program> {
    fs::create_dir_all(env.path(folder)).unwrap();
    let can = env.command("unshare").args(["--mount", "--map-root-user", "true"]).output();
    if !can.is_ok_and(|ran| ran.status.success()) {
        skip("a disk of a test's own cannot be made here");
        return None;
    }
    let mut command = env.command("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", SMALL_DISK, "sh"]);
    command.arg(env.path(folder)).arg(env.path("."));
    command.arg(env.synchroniser().get_program());
    command.args(["serve", "--config", "synchroniser.toml"]);
    Some(Program::spawn(command))
}

fn fill(env: &TestEnv) {
    fs::write(env.path("fill"), "").unwrap();
    until(|| env.path("full").exists());
}

fn empty(env: &TestEnv) {
    fs::remove_file(env.path("fill")).unwrap();
    until(|| !env.path("full").exists());
}

fn until(is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < SOON);
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_queue_on_a_full_disk_refuses_hooks_says_so_and_goes_on() {
    let env = TestEnv::new();
    let mut mirror = Healthy::new(&env, "m");
    configure(&env, HEAD, &mirror.text());
    let Some(program) = with_small_disk(&env, "state") else { return };
    mirror.until_there(&program);
    program.until_state("m", "good");
    fill(&env);
    // What is written over needs no room.
    let begin = Instant::now();
    while program.try_hook("m") != Some(503) {
        assert!(begin.elapsed() < SOON, "{}", program.log());
    }
    says_why(&program, "the disk is full");
    empty(&env);
    until_it_is_over(&program);
    mirror.push(&program);
}

#[test]
fn caches_on_a_full_disk_fail_say_so_and_go_on() {
    let env = TestEnv::new();
    let (mut grows, mut rests) = (Healthy::new(&env, "grows"), Healthy::new(&env, "rests"));
    // A sync begins, and meets the full disk.
    let text = format!("cache_reserve = 0\n{}{}", grows.text(), rests.text());
    configure(&env, HEAD, &text);
    let Some(program) = with_small_disk(&env, "cache") else { return };
    grows.until_there(&program);
    rests.until_there(&program);
    for name in ["grows", "rests"] {
        program.until_state(name, "good");
    }
    fill(&env);
    grows.history.add(&env.path("grows"), grows.has..grows.has + 1);
    grows.has += 1;
    program.hook("grows");
    let failed = program.until_state("grows", "failing");
    assert_eq!(failed["failure"]["side"], "here", "{failed:#}");
    assert_eq!(failed["failure"]["fault"], "unavailable", "{failed:#}");
    let line = program.until_log_says("a run failed");
    for part in ["mirror=\"grows\"", "fault=\"unavailable\"", "side=\"here\"", "No space left"] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    measured(&program, &["runs_total", "mirror=\"grows\"", "unavailable", "side=\"here\""]);
    assert!(page(&program, "/mirrors/grows").contains("No space left"));
    // Who has nothing new is well, and hooks are taken.
    assert_eq!(program.json("/api/v1/mirrors/rests")["state"], "good");
    assert_eq!(program.get("/readyz").status, 200);
    empty(&env);
    grows.push(&program);
    rests.push(&program);
    program.until_state("grows", "good");
}
