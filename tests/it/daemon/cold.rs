//! A mirror moves from one daemon to another, which takes its cache along; and whatever keeps it from that, the mirror is
//! synced from its source.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest as _, Sha256};
use synchroniser::base::hex;
use synchroniser::hook::hmac_sha256;

use super::killed::{Told, commits, repositories};
use super::program::{CONFIG, LONG, Program};
use crate::support::TestEnv;
use crate::support::generator::{Generated, Shape};
use crate::support::postgres::shared;
use crate::support::serve::{Web, free_port};

/// How many changesets a source has at first, and later.
const FIRST: usize = 30;
const ALL: usize = 40;

fn history() -> Generated {
    Generated::new(Shape { seed: 8, changesets: ALL, files: 5, heads: 1, ..Shape::PLAIN })
}

/// One machine: what a daemon there is configured with.
struct Machine {
    env: TestEnv,
    port: u16,
}

impl Machine {
    /// One that the others reach at `url`; or else where it listens.
    fn new(database: &str, mirrors: &str, secret: &str, url: Option<&str>) -> Self {
        let (env, port) = (TestEnv::new(), free_port());
        let own = format!("http://127.0.0.1:{port}");
        let url = url.unwrap_or(&own);
        let path = env.path("nodes-secret");
        std::fs::write(&path, secret).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let text = format!(
            "cache = \"cache\"\n\
             daemon = {{ listen = \"127.0.0.1:{port}\", socket = \"admin.sock\", state = \"state\", wait = 0, workers = 4, \
             long_workers = 4, hooks_a_minute = 1000000 }}\n\
             schedule.debounce = 0\nschedule.per_target_minute = 1000\nweb.read = \"open\"\n\
             hooks.hg = {{ format = \"synchroniser\", allow_unauthenticated = true }}\n\
             queue = {{ store = {database:?}, lease = 15 }}\n\
             nodes = {{ url = {url:?}, secret_file = \"nodes-secret\", plain_http = true }}\n{mirrors}"
        );
        std::fs::write(env.path(CONFIG), text).unwrap();
        Self { env, port }
    }
}

/// Sources of [`FIRST`] changesets, and how mirrors of them are configured.
fn sources(place: &TestEnv, history: &Generated, count: usize) -> (Vec<Told>, String) {
    let (mut all, mirrors) = repositories(place, history, count);
    for told in &mut all {
        history.add(&told.source, 1..FIRST);
        told.has = FIRST;
    }
    (all, mirrors)
}

fn until(what: &str, programs: &[&Program], holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        let logs: Vec<_> = programs.iter().map(|program| program.log()).collect();
        assert!(begin.elapsed() < 2 * LONG, "never {what}:\n{}", logs.join("\n\n"));
        thread::sleep(Duration::from_millis(50));
    }
}

/// The machine has synced all mirrors. From then on its daemon only has their caches.
fn synced_and_retired(machine: &Machine, all: &[Told]) -> Program {
    let mut program = Program::start(&machine.env);
    for told in all {
        program.until_state(&told.name(), "good");
    }
    program.signal(Signal::TERM);
    assert!(program.ended().success(), "{}", program.log());
    Program::start_as(&machine.env, "front")
}

/// Has `program` sync a mirror with new changesets. Returns what its run was.
fn moved(
    program: &Program,
    others: &[&Program],
    history: &Generated,
    told: &Told,
) -> serde_json::Value {
    history.add(&told.source, FIRST..ALL);
    let name = told.name();
    program.hook(&name);
    let all: Vec<_> = others.iter().copied().chain([program]).collect();
    until(&format!("{name} has all"), &all, || commits(&told.target) == ALL);
    program.until_state(&name, "good");
    let run = &program.json(&format!("/api/v1/runs?mirror={name}"))["runs"][0];
    program.json(&format!("/api/v1/runs/{}", run["id"].as_str().unwrap()))
}

fn log_of(run: &serde_json::Value) -> String {
    let lines = run["log"].as_array().unwrap().iter();
    lines.flat_map(|line| [line["text"].as_str().unwrap(), "\n"]).collect()
}

/// The id of the main branch.
fn head(target: &Path) -> String {
    let repository = git2::Repository::open_bare(target).unwrap();
    repository.refname_to_id("refs/heads/master").unwrap().to_string()
}

#[test]
fn a_mirror_that_moves_takes_its_cache_along() {
    let Some(server) = shared() else { return };
    let (database, place, history) = (server.schema(), TestEnv::new(), history());
    let (all, mirrors) = sources(&place, &history, 3);
    let secret = "geheim-of-all-nodes-0123456789";
    let [first, second, foreign] = [secret, secret, "geheim-of-somebody-else-0123"]
        .map(|secret| Machine::new(&database, &mirrors, secret, None));
    let old = synced_and_retired(&first, &all);
    // One that has another secret gets nothing, and makes its cache from the source.
    let new = Program::start(&foreign.env);
    let run = moved(&new, &[&old], &history, &all[0]);
    assert_eq!((&run["cold"], &run["converted"]), (&"source".into(), &ALL.into()), "{run:#}");
    let log = log_of(&run);
    assert!(log.contains("could not be taken, and is made from the source"), "{log}");
    old.until_log_says("a token that is not known was given");
    new.kill();
    // One that has the same takes it.
    let new = Program::start(&second.env);
    let run = moved(&new, &[&old], &history, &all[1]);
    assert_eq!(
        (&run["cold"], &run["converted"]),
        (&"node".into(), &(ALL - FIRST).into()),
        "{run:#}"
    );
    let log = log_of(&run);
    assert!(log.contains("took the cache from ") && log.contains(" s\n"), "{log}");
    assert!(run["phases"][0]["stage"] == "taking_cache", "{run:#}");
    let metrics = new.get("/metrics").body;
    let counted = "synchroniser_cold_start_seconds_count{from=\"node\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    old.until_log_says("a cache was given");
    let nodes = &new.json("/api/v1/overview")["nodes"];
    assert!(nodes.as_array().unwrap().iter().all(|node| node["gives_caches"] == true), "{nodes:#}");
    assert_eq!(head(&all[1].target), head(&all[0].target), "the ids are the same");
    requests(&first, &old, secret);
    // Of one that is gone without a word nothing is asked, once that has been known for long enough.
    old.kill();
    let mut client = postgres::Client::connect(&database, postgres::NoTls).unwrap();
    client.execute("UPDATE node SET beat = 0 WHERE role = 'front'", &[]).unwrap();
    let run = moved(&new, &[], &history, &all[2]);
    assert_eq!(run["cold"], "source", "{run:#}");
    assert!(!log_of(&run).contains("could not be taken"), "{run:#}");
    assert_eq!(head(&all[2].target), head(&all[0].target), "the ids are the same");
}

/// What whoever knows the secret says to be given the cache of a mirror.
fn proof(secret: &str, mirror: &str) -> String {
    let parts: [&[u8]; 3] = [b"synchroniser: a cache is wanted\n", b"nonce\n", mirror.as_bytes()];
    format!("nonce.{}", hex::encode(&hmac_sha256(&Sha256::digest(secret).into(), &parts)))
}

/// What is answered to whom.
fn requests(machine: &Machine, program: &Program, secret: &str) {
    let ask = |method: &str, mirror: &str, bearer: Option<&str>| {
        let mut stream = TcpStream::connect(program.address).unwrap();
        let bearer = bearer.map(|bearer| format!("Authorization: Bearer {bearer}\r\n"));
        let request = format!(
            "{method} /nodes/cache?mirror={mirror} HTTP/1.1\r\nHost: x\r\n{}\r\n",
            bearer.unwrap_or_default()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let status = String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap().to_owned();
        (status.parse::<u16>().unwrap(), answer.len())
    };
    let sound = proof(secret, "m1");
    let (status, bytes) = ask("GET", "m1", Some(&sound));
    assert!(status == 200 && bytes > 1000, "{status} {bytes}");
    assert_eq!(ask("GET", "%6d1", Some(&sound)).0, 200);
    // A proof is for one mirror, and nobody is told which mirrors there are.
    for (method, mirror, bearer, status) in [
        ("GET", "m2", Some(&*sound), 401),
        ("GET", "m1", None, 401),
        ("GET", "m1", Some(secret), 401),
        ("GET", "m1", Some(&*proof("geheim-guess", "m1")), 401),
        ("GET", "../m1", Some(&*sound), 401),
        ("GET", "nothing", Some(&*proof(secret, "nothing")), 404),
        ("GET", "../m1", Some(&*proof(secret, "../m1")), 404),
        ("GET", "%zz", Some(&*sound), 404),
        ("POST", "m1", Some(&*sound), 405),
    ] {
        assert_eq!(ask(method, mirror, bearer).0, status, "{method} {mirror} {bearer:?}");
    }
    // Whoever guesses on has to wait, even with the right one.
    let guessed =
        (0..100).map(|_| ask("GET", "m1", Some("nonce.00")).0).find(|status| *status != 401);
    assert_eq!(guessed, Some(429));
    assert_eq!(ask("GET", "m1", Some(&sound)).0, 429);
    let leftovers = machine.env.path("cache/m1/arriving");
    assert!(!leftovers.exists() && machine.port == program.address.port());
}

/// A daemon that only syncs is told to stop while its caches are wanted.
#[test]
fn who_ends_sends_what_it_is_sending() {
    let Some(server) = shared() else { return };
    let (database, place, history) = (server.schema(), TestEnv::new(), history());
    let (all, mirrors) = sources(&place, &history, 2);
    let secret = "geheim-of-all-nodes-0123456789";
    let machine = Machine::new(&database, &mirrors, secret, None);
    let mut program = Program::start_as(&machine.env, "work");
    let both = || all.iter().all(|told| commits(&told.target) == FIRST);
    until("both are synced", &[&program], both);
    // More than what networks keep for who is slow.
    let large = vec![b'x'; 30 << 20];
    std::fs::write(machine.env.path("cache/m0/told"), &large).unwrap();
    let asked = |mirror: &str| {
        let mut stream = TcpStream::connect(program.address).unwrap();
        let bearer = proof(secret, mirror);
        let head = format!(
            "GET /nodes/cache?mirror={mirror} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bearer}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let mut slow = asked("m0");
    let mut begun = [0; 100];
    slow.read_exact(&mut begun).unwrap();
    program.signal(Signal::TERM);
    program.until_log_says("stopping");
    let answer = |mut stream: TcpStream| {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    };
    let other = answer(asked("m1"));
    assert!(other.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&other[..50]));
    let rest = answer(slow);
    assert!(rest.len() > large.len() && rest.ends_with(b"\r\n0\r\n\r\n"), "{}", rest.len());
    assert!(program.ended().success(), "{}", program.log());
}

/// What stands in front of a machine answers for it, to each mirror in a way of its own. `port` is that of the
/// daemon behind, `victim` what is killed in the midst of the last one.
fn strange_answer(
    stream: &mut TcpStream,
    request: &str,
    port: u16,
    victim: &Mutex<Option<Pid>>,
) -> Vec<u8> {
    let ok = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n";
    let mirror = request.split("mirror=").nth(1).unwrap().split(' ').next().unwrap();
    let whole = || {
        let mut there = TcpStream::connect(("127.0.0.1", port)).unwrap();
        there.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        there.read_to_end(&mut answer).unwrap();
        answer
    };
    match mirror {
        "m0" => [&ok[..], &vec![7; 100_000]].concat(),
        "m1" => {
            let announced = u64::MAX.to_be_bytes();
            let begin = [&ok[..], b"synchroniser cache 1\n", &announced, &announced].concat();
            [begin, vec![1; 100_000]].concat()
        }
        "m2" => {
            let mut answer = whole();
            answer.truncate(answer.len() / 2);
            answer
        }
        "m3" => {
            let mut answer = whole();
            let middle = answer.len() / 2;
            answer[middle] ^= 1;
            answer
        }
        "m4" => {
            thread::sleep(Duration::from_mins(2));
            Vec::new()
        }
        _ => {
            let answer = whole();
            drop(stream.write_all(&answer[..answer.len() / 3]));
            kill_process(victim.lock().unwrap().unwrap(), Signal::KILL).unwrap();
            Vec::new()
        }
    }
}

/// A peer that sends what it should not, or nothing.
#[test]
fn whatever_a_peer_sends_the_mirror_is_synced() {
    let Some(server) = shared() else { return };
    let (database, place, history) = (server.schema(), TestEnv::new(), history());
    let (all, mirrors) = sources(&place, &history, 6);
    let secret = "geheim-of-all-nodes-0123456789";
    let (behind, killed) = (Arc::new(Mutex::new(0_u16)), Arc::new(Mutex::new(None::<Pid>)));
    let (port, victim) = (Arc::clone(&behind), Arc::clone(&killed));
    let web = Web::start(move |stream, request| {
        let port = *port.lock().unwrap();
        let answer = strange_answer(stream, request, port, &victim);
        drop(stream.write_all(&answer));
    });
    let first = Machine::new(&database, &mirrors, secret, Some(&web.url("")));
    let second = Machine::new(&database, &mirrors, secret, None);
    *behind.lock().unwrap() = first.port;
    let old = synced_and_retired(&first, &all);
    *killed.lock().unwrap() = Some(old.pid());
    let new = Program::start(&second.env);
    thread::scope(|scope| {
        let (new, old, history) = (&new, &old, &history);
        let silent = &all[4];
        let begin = Instant::now();
        let slow = scope.spawn(move || (moved(new, &[old], history, silent), begin.elapsed()));
        for (told, reason) in [
            (&all[0], "none that this version knows"),
            (&all[1], "there is room for"),
            (&all[2], "read the cache that another daemon sends"),
            (&all[3], ""),
        ] {
            let run = moved(new, &[old], history, told);
            let log = log_of(&run);
            assert_eq!(run["cold"], "source", "{run:#}");
            assert!(log.contains("could not be taken") && log.contains(reason), "{log}");
            assert_eq!(run["converted"], ALL, "{run:#}");
        }
        let (run, took) = slow.join().unwrap();
        assert!(log_of(&run).contains("nothing for 30 seconds"), "{run:#}");
        assert!(took < LONG, "{took:?}");
    });
    // The last one dies of it.
    let run = moved(&new, &[&old], &history, &all[5]);
    assert!(log_of(&run).contains("could not be taken"), "{run:#}");
    let ids: Vec<_> = all.iter().map(|told| head(&told.target)).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    for told in &all {
        let cache = second.env.path("cache").join(told.name());
        assert!(!cache.join("arriving").exists(), "{}", cache.display());
    }
    let metrics = new.get("/metrics").body;
    assert!(
        metrics.contains("synchroniser_cold_start_seconds_count{from=\"source\"} 6"),
        "{metrics}"
    );
}
