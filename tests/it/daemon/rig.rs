//! A daemon whose syncer is a substitute, and a client that speaks just enough HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use synchroniser::base::{Diagnosis, Fault, HasFault, Interrupt, Side, Stage};
use synchroniser::config::Config;
use synchroniser::daemon::{Daemon, Setup};
use synchroniser::mirror::{Mirror, Observer, SyncContext, SyncEvent, SyncReport};
use synchroniser::queue::MemoryStore;
use synchroniser::service::Syncer;

/// Longer than anything here takes: whoever waits that long has found a mistake.
pub(super) const LONG: Duration = Duration::from_secs(20);
/// Short, and long enough for a request on loopback.
pub(super) const SHORT: Duration = Duration::from_millis(300);

/// How a run ends.
pub(super) enum End {
    Report(SyncReport),
    Fail(Fault, Side, &'static str),
    Panic,
    /// Once the interrupt is raised.
    Interrupted,
}

/// A run that has begun: which mirror, and where to say how it ends.
pub(super) type Begun = (String, Sender<End>);

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct SubstituteError {
    fault: Fault,
    side: Side,
    message: &'static str,
}

impl HasFault for SubstituteError {
    fn diagnosis(&self) -> Diagnosis {
        let hint = (self.fault == Fault::Refused).then(|| "pull\tthe strings".to_owned());
        Diagnosis { hint, ..self.fault.at(self.side) }
    }
}

pub(super) fn substitute() -> (Syncer, Receiver<Begun>) {
    let (begun_sender, begun) = channel();
    let begun_sender = Mutex::new(begun_sender);
    let syncer = move |mirror: &Mirror,
                       _: &SyncContext<'_>,
                       observer: &dyn Observer,
                       interrupt: &Interrupt| {
        let (end, ended) = channel();
        observer.event(&SyncEvent::StageBegun { stage: Stage::ConvertingFiles, total: Some(9) });
        observer.event(&SyncEvent::Advanced { stage: Stage::ConvertingFiles, done: 4 });
        let _ = begun_sender.lock().unwrap().send((mirror.name.clone(), end));
        let fail =
            |fault, side, message| Err(Box::new(SubstituteError { fault, side, message }) as _);
        // A test that has ended holds no more strings.
        match ended.recv_timeout(LONG).unwrap_or(End::Fail(Fault::Internal, Side::Here, "let go")) {
            End::Report(report) => {
                for note in &report.notes {
                    observer.event(&SyncEvent::Note { note: note.clone() });
                }
                Ok(report)
            }
            End::Fail(fault, side, message) => fail(fault, side, message),
            End::Panic => panic!("the test told it to"),
            End::Interrupted => {
                while !interrupt.is_raised() {
                    std::thread::yield_now();
                }
                fail(Fault::Interrupted, Side::Here, "interrupted")
            }
        }
    };
    (Arc::new(syncer), begun)
}

/// A daemon with the mirrors `rocket` (of acme) and `engine` (of ada) on a substitute.
pub(super) struct Rig {
    /// Stands first to be dropped first: runs that nobody looks at end, and the daemon need not
    /// wait for them.
    pub(super) begun: Receiver<Begun>,
    pub(super) daemon: Daemon,
}

pub(super) fn config() -> Config {
    let text = r#"
        daemon.listen = "127.0.0.1:0"
        daemon.socket = "none"
        hooks.synchronise = { format = "bitbucket_post", allow_unauthenticated = true }
        mirrors.m-rocket = { source = "hg/rocket", target = "git/Acme/Rocket.git" }
        mirrors.m-engine = { source = "hg/engine", target = "e.git", user = "ada", project = "rocket-core" }
    "#;
    let mut config = Config::parse(text, Path::new("/nowhere/x.toml"), None).unwrap();
    config.daemon.wait = LONG;
    config.schedule.debounce = Duration::ZERO;
    config
}

/// A daemon whose queue is lost with it.
pub(super) fn setup(config: Config, syncer: Syncer) -> Setup {
    let reload = config.clone();
    Setup {
        config,
        store: Arc::new(MemoryStore::default()),
        syncer,
        reload: Box::new(move || Ok(reload.clone())),
    }
}

pub(super) fn rig_with(change: impl FnOnce(&mut Config)) -> Rig {
    let mut config = config();
    change(&mut config);
    let (syncer, begun) = substitute();
    rig_of(setup(config, syncer), begun)
}

pub(super) fn rig_of(setup: Setup, begun: Receiver<Begun>) -> Rig {
    let mirrors = setup.config.mirrors.len();
    let rig = Rig { begun, daemon: Daemon::start(setup).unwrap() };
    // Mirrors that are new are synced without being asked for.
    for _ in 0..mirrors {
        rig.begun().1.send(End::Report(report())).unwrap();
    }
    rig.until_healthz_says("running: 0\nqueued: 0\n");
    rig
}

pub(super) fn rig() -> Rig {
    rig_with(|_| {})
}

impl Rig {
    /// The next run that begins.
    pub(super) fn begun(&self) -> Begun {
        self.begun.recv_timeout(LONG).unwrap()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.daemon.address()
    }

    /// Asks until the daemon is in a certain state. No test waits for a state that may pass.
    pub(super) fn until_healthz_says(&self, text: &str) {
        let begin = Instant::now();
        while !get(self.address(), "/healthz").body.contains(text) {
            assert!(begin.elapsed() < LONG, "healthz never said {text:?}");
        }
    }

    /// Sends a hook from a thread of its own.
    pub(super) fn hook(&self, query: &str, body: &[u8]) -> JoinHandle<Answer> {
        let (address, request) = (self.address(), post(query, body));
        std::thread::spawn(move || send(address, &request))
    }
}

pub(super) fn report() -> SyncReport {
    SyncReport {
        changesets: 345,
        converted: 12,
        elapsed: Duration::from_millis(1234),
        ..SyncReport::default()
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The first line whole, and the headers, names in lower case.
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The body with the id of the job taken out.
    pub(super) fn redacted(&self) -> String {
        let mut text = self.body.clone();
        while let Some(at) = text.find("state/").map(|at| at + "state/".len()) {
            let id: String = text[at..].chars().take_while(char::is_ascii_hexdigit).collect();
            assert_eq!(id.len(), 32, "{text}");
            text = text.replace(&format!("state/{id}"), "STATE");
        }
        let text = text.replace("STATE", "state/ID");
        // However busy the machine is, these runs take no second.
        let seconds = |line: &str| line.starts_with("seconds: 0.").then_some("seconds: 0.N");
        let lines: Vec<_> = text.lines().map(|line| seconds(line).unwrap_or(line)).collect();
        lines.join("\n") + "\n"
    }
}

/// Sends `request` as it is and reads until the daemon closes the connection.
pub(super) fn send(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = connect(address);
    stream.write_all(request).unwrap();
    answer_of(&mut stream)
}

pub(super) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

pub(super) fn answer_of(stream: &mut TcpStream) -> Answer {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    crate::support::secrets::assert_none("an answer", &text);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

pub(super) fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path)
}

pub(super) fn request(address: SocketAddr, method: &str, path: &str) -> Answer {
    send(address, format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
}

/// A POST to the place for hooks.
pub(super) fn post(query: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /synchronise/{query} HTTP/1.1\r\nHost: x\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A payload that says that the repository of `owner` and `slug` was pushed to.
pub(super) fn payload(owner: &str, slug: &str) -> Vec<u8> {
    format!(r#"payload={{"repository":{{"owner":"{owner}","slug":"{slug}"}}}}"#).into_bytes()
}

pub(super) fn rocket() -> Vec<u8> {
    payload("acme", "rocket")
}
