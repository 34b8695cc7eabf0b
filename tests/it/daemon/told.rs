//! Notifications of several daemons: each receiver is told each thing by one of them.

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sha2::{Digest as _, Sha256};
use synchroniser::base::hex;

use super::program::{LONG, Program, configure};
use super::rig::send;
use crate::support::TestEnv;
use crate::support::postgres::shared;
use crate::support::serve::Web;

const TOKEN: &str = "a-token-of-this-test";

/// A web server that notes what it is told, and answers with a status that can be set.
struct Receiver {
    web: Web,
    told: Arc<Mutex<Vec<(String, serde_json::Value)>>>,
    status: Arc<AtomicU16>,
}

impl Receiver {
    fn start() -> Self {
        let (told, status) = (Arc::<Mutex<Vec<_>>>::default(), Arc::new(AtomicU16::new(204)));
        let (noted, answer) = (Arc::clone(&told), Arc::clone(&status));
        let web = Web::start(move |stream, head| {
            let head = head.to_lowercase();
            let header = |name: &str| {
                let mut lines = head.lines();
                lines.find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
            };
            let mut body = vec![0; header("content-length:").parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
            let json = serde_json::from_slice(&body).unwrap();
            noted.lock().unwrap().push((header("webhook-id:"), json));
            let status = answer.load(Ordering::Relaxed);
            write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n").unwrap();
        });
        Self { web, told, status }
    }

    /// All that came, each with its id.
    fn told(&self) -> Vec<(String, String)> {
        let told = self.told.lock().unwrap();
        let shown = |(id, it): &(String, serde_json::Value)| {
            (id.clone(), format!("{} {}", it["event"], it["mirror"]).replace('"', ""))
        };
        told.iter().map(shown).collect()
    }

    fn until(&self, count: usize, programs: &[&Program]) -> Vec<(String, String)> {
        let begin = Instant::now();
        loop {
            let told = self.told();
            if told.len() >= count {
                return told;
            }
            let logs: Vec<_> = programs.iter().map(|program| program.log()).collect();
            assert!(begin.elapsed() < LONG, "{told:?} {logs:#?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// What a daemon of this test is configured with: a mirror that cannot be synced.
fn text(address: &str, receiver: &Receiver, source: &str) -> String {
    format!(
        "queue = {{ store = {address:?}, lease = 5 }}\n\
         tokens.one = {{ sha256 = \"{}\", scope = \"admin\" }}\n\
         notify.x = {{ kind = \"webhook\", failures = 1, plain_http = true, url = \"{}\" }}\n\
         mirrors.m = {{ source = {source:?}, target = \"m.git\" }}\n",
        hex::encode(&Sha256::digest(TOKEN)),
        receiver.web.url("/hook")
    )
}

/// Has a daemon look at the mirror, whoever syncs it.
fn touch(program: &Program) {
    for what in ["pause", "resume"] {
        let request = format!(
            "POST /api/v1/mirrors/m/{what} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Length: 0\r\n\r\n"
        );
        let answer = send(program.address, request.as_bytes());
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
}

#[test]
fn one_of_several_daemons_tells_each_thing_once() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let receiver = Receiver::start();
    let [one_env, other_env] = [TestEnv::new(), TestEnv::new()];
    let source = one_env.path("source");
    let target = one_env.path("m.git");
    git2::Repository::init_bare(&target).unwrap();
    for env in [&one_env, &other_env] {
        let text = text(&address, &receiver, source.to_str().unwrap());
        configure(env, &text.replace("\"m.git\"", &format!("{target:?}")));
    }
    let [one, other] = [Program::start(&one_env), Program::start(&other_env)];
    let trouble = receiver.until(1, &[&one, &other]);
    assert_eq!(trouble[0].1, "trouble m");
    for program in [&one, &other] {
        touch(program);
        program.hook("m");
    }
    thread::sleep(Duration::from_secs(2));
    assert_eq!(receiver.told(), trouble, "by the other as well");

    // It is well again, and that is told once, whoever has synced it.
    std::fs::create_dir_all(source.join(".hg/store")).unwrap();
    std::fs::write(source.join(".hg/requires"), "revlogv1\nstore\n").unwrap();
    for program in [&one, &other] {
        program.hook("m");
    }
    let told = receiver.until(2, &[&one, &other]);
    assert_eq!(told[1].1, "recovered m");
    for program in [&one, &other] {
        program.until_state("m", "good");
        touch(program);
    }
    thread::sleep(Duration::from_secs(2));
    assert_eq!(receiver.told().len(), 2, "{:?}", receiver.told());
}

/// What a daemon was about to tell that was killed is told by another one, or by the next, with the id that it had.
#[test]
fn what_nobody_could_tell_is_told_by_another_daemon() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let receiver = Receiver::start();
    receiver.status.store(503, Ordering::Relaxed);
    let [one_env, other_env] = [TestEnv::new(), TestEnv::new()];
    for env in [&one_env, &other_env] {
        configure(env, &text(&address, &receiver, "nowhere"));
    }
    let one = Program::start(&one_env);
    let first = receiver.until(1, &[&one]);
    let mut other = Program::start(&other_env);
    one.kill();
    receiver.status.store(204, Ordering::Relaxed);
    let told = receiver.until(2, &[&other]);
    assert_eq!(told[1], first[0]);
    thread::sleep(Duration::from_secs(6));
    assert_eq!(receiver.told().len(), 2, "{:?}", receiver.told());

    // And after all have stopped.
    receiver.status.store(503, Ordering::Relaxed);
    for env in [&one_env, &other_env] {
        let more = "mirrors.n = { source = \"nowhere-too\", target = \"n.git\" }\n";
        configure(env, &(text(&address, &receiver, "nowhere") + more));
    }
    other.signal(Signal::HUP);
    let third = receiver.until(3, &[&other]);
    other.signal(Signal::TERM);
    assert!(other.ended().success());
    receiver.status.store(204, Ordering::Relaxed);
    let next = Program::start(&one_env);
    let fourth = receiver.until(4, &[&next]);
    assert_eq!(fourth[3], third[2]);
    assert_eq!(fourth[3].1, "trouble n");
}
