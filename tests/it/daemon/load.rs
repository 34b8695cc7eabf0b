//! Many connections that post hooks for many mirrors at once, over a queue on the disk.
//!
//! `SYNCHRONISER_LOAD_HOOKS` says how many hooks; what was measured is printed.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use synchroniser::base::Interrupt;
use synchroniser::config::Config;
use synchroniser::daemon::{Daemon, Setup};
use synchroniser::mirror::{Mirror, Observer, SyncContext, SyncReport};
use synchroniser::queue::model::{Row, RunId, RunState};
use synchroniser::queue::{JobStore, SqliteStore};
use synchroniser::service::Syncer;

use super::rig::{LONG, report, send};
use crate::support::TestEnv;

const SECRET: &str = "geheim-load";
const MIRRORS: usize = 500;
const CONNECTIONS: usize = 200;

/// What the substitute has seen of one mirror.
#[derive(Default)]
struct Watched {
    runs: bool,
    /// When its last sync began.
    began: Option<Instant>,
    syncs: usize,
}

#[derive(Default)]
struct Syncs {
    mirrors: Mutex<HashMap<String, Watched>>,
    overlap: AtomicBool,
    all: AtomicUsize,
}

impl Syncs {
    fn syncer(self: &Arc<Self>) -> Syncer {
        let this = Arc::clone(self);
        Arc::new(move |mirror: &Mirror, _: &SyncContext<'_>, _: &dyn Observer, _: &Interrupt| {
            let with = |change: &dyn Fn(&mut Watched)| {
                change(this.mirrors.lock().unwrap().entry(mirror.name.clone()).or_default());
            };
            with(&|watched| {
                if std::mem::replace(&mut watched.runs, true) {
                    this.overlap.store(true, Ordering::Relaxed);
                }
                watched.began = Some(Instant::now());
                watched.syncs += 1;
            });
            thread::sleep(Duration::from_millis(2));
            with(&|watched| watched.runs = false);
            this.all.fetch_add(1, Ordering::Relaxed);
            Ok(SyncReport { elapsed: Duration::ZERO, ..report() })
        })
    }
}

/// A hook for one mirror, signed.
fn hook(mirror: usize, id: usize) -> Vec<u8> {
    let body = format!(r#"{{"schema":"synchroniser/1","event":"push","mapping":"m{mirror}"}}"#);
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let signed = synchroniser::base::hex::encode(&mac.finalize().into_bytes());
    let head = format!(
        "POST /hook/hg HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Idempotency-Key: {id}\r\nX-Hub-Signature-256: sha256={signed}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

fn config(env: &TestEnv) -> Config {
    fs::write(env.path("secret"), SECRET).unwrap();
    fs::set_permissions(env.path("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    let mirrors = (0..MIRRORS).map(|number| {
        format!("mirrors.m{number} = {{ source = \"hg/{number}\", target = \"t{number}\" }}\n")
    });
    let text = r#"
        cache = "cache"
        daemon = { listen = "127.0.0.1:0", socket = "none", workers = 4, long_workers = 4, hooks_a_minute = 1048576 }
        hooks.hg = { format = "synchroniser", secret_file = "secret" }
    "#;
    let text = format!("{text}{}", mirrors.collect::<String>());
    let mut config = Config::parse(&text, &env.path("x.toml"), None).unwrap();
    config.schedule.debounce = Duration::from_millis(300);
    config
}

/// A line of `/proc/self/status`, in MiB.
fn memory(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    digits.parse::<usize>().unwrap_or_default() / 1024
}

/// What one sender knows of each of its hooks.
struct Sent {
    mirror: usize,
    at: Instant,
    took: Duration,
    run: RunId,
}

fn send_one(daemon: &Daemon, number: usize) -> Sent {
    // A stride, so that each connection asks for all of them.
    let mirror = number * 7 % MIRRORS;
    let request = hook(mirror, number);
    let at = Instant::now();
    let answer = send(daemon.address(), &request);
    let took = at.elapsed();
    assert_eq!(answer.status, 202, "{}", answer.body);
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(json["result"], "accepted");
    let [run] = json["runs"].as_array().unwrap().as_slice() else { panic!("{json}") };
    assert_eq!(run["mirror"], format!("m{mirror}"));
    Sent { mirror, at, took, run: run["run"].as_str().unwrap().parse().unwrap() }
}

/// All of them, over all connections.
fn send_all(daemon: &Daemon, hooks: usize) -> Vec<Sent> {
    let next = AtomicUsize::new(0);
    let sender = || {
        let mut sent = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= hooks {
                return sent;
            }
            sent.push(send_one(daemon, number));
        }
    };
    thread::scope(|scope| {
        let senders: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(sender)).collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    })
}

/// Waits until nothing runs, and nothing that was asked for waits.
fn until_idle(store: &SqliteStore) {
    let begin = Instant::now();
    let is_busy = |row: &Row| row.waiting.is_some() || row.running.is_some();
    while store.rows().unwrap().iter().any(is_busy) {
        assert!(begin.elapsed() < LONG * 3, "it never rests");
        thread::sleep(Duration::from_millis(20));
    }
}

fn measured(sent: &[Sent], took: Duration, runs: usize) {
    let hooks = sent.len();
    let mut times: Vec<_> = sent.iter().map(|sent| sent.took).collect();
    times.sort_unstable();
    let part = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    eprintln!(
        "{hooks} hooks over {CONNECTIONS} connections in {took:.2?}, {runs} runs; answered within {:.1?} \
         (half), {:.1?} (90 %), {:.1?} (99 %), {:.1?} (all); memory {} MiB, at most {} MiB",
        part(50),
        part(90),
        part(99),
        part(100),
        memory("VmRSS:"),
        memory("VmHWM:")
    );
}

#[test]
fn many_hooks_at_once() {
    let hooks = std::env::var("SYNCHRONISER_LOAD_HOOKS").ok();
    let hooks: usize = hooks.map_or(2000, |hooks| hooks.parse().unwrap());
    let env = TestEnv::new();
    let store = Arc::new(SqliteStore::open(&env.path("queue")).unwrap());
    let syncs = Arc::new(Syncs::default());
    let setup = Setup {
        config: config(&env),
        store: Arc::<SqliteStore>::clone(&store),
        syncer: syncs.syncer(),
        reload: Box::new(|| panic!("nobody asks for that")),
    };
    let daemon = Daemon::start(setup).unwrap();
    until_idle(&store);
    let first = syncs.all.load(Ordering::Relaxed);
    assert_eq!(first, MIRRORS, "each was synced once since it was new");

    let begin = Instant::now();
    let sent = send_all(&daemon, hooks);
    let took = begin.elapsed();
    assert_eq!(sent.len(), hooks);
    // The hooks of the last moments wait for others.
    until_idle(&store);

    let mirrors = syncs.mirrors.lock().unwrap();
    assert!(!syncs.overlap.load(Ordering::Relaxed), "two runs of one mirror");
    for Sent { mirror, at, .. } in &sent {
        let last = mirrors[&format!("m{mirror}")].began.unwrap();
        assert!(last >= *at, "m{mirror} was not synced after its last hook");
    }
    for Sent { mirror, run, .. } in &sent {
        let run = store.run(*run).unwrap().expect("what was answered is known");
        assert_eq!((run.state, run.key), (RunState::Done, format!("m{mirror}")));
    }
    let runs = syncs.all.load(Ordering::Relaxed) - first;
    assert!(runs >= MIRRORS.min(hooks));
    assert!(runs <= hooks / 2, "{runs} runs for {hooks} hooks");

    measured(&sent, took, runs);
    daemon.shut_down().unwrap();
}
