//! The daemon over real HTTP on loopback. Its syncer is a puppet: each run tells the test that it
//! has begun, and ends as the test says, so that nothing here waits for a guess.

// For clippy: helpers outside of `#[test]` functions are tests too.
#![cfg(test)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use synchroniser::base::{Fault, HasFault, Interrupt};
use synchroniser::config::Config;
use synchroniser::daemon::{Daemon, DaemonError, Syncer};
use synchroniser::mirror::{MirrorOptions, SyncReport};

/// Longer than anything here takes: whoever waits that long has found a mistake.
const LONG: Duration = Duration::from_secs(20);
/// Short, and long enough for a request on loopback.
const SHORT: Duration = Duration::from_millis(300);

// ---- the puppet ------------------------------------------------------------------------------

/// How a run ends.
enum End {
    Report(SyncReport),
    Fail(Fault, &'static str),
    Panic,
    /// Once the interrupt is raised.
    Interrupted,
}

/// A run that has begun: which mirror, and where to say how it ends.
type Begun = (String, Sender<End>);

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct PuppetError {
    fault: Fault,
    message: &'static str,
}

impl HasFault for PuppetError {
    fn fault(&self) -> Fault {
        self.fault
    }

    fn hint(&self) -> Option<String> {
        (self.fault == Fault::Refused).then(|| "pull\tthe strings".to_owned())
    }
}

fn puppet() -> (Syncer, Receiver<Begun>) {
    let (begun_sender, begun) = channel();
    let begun_sender = Mutex::new(begun_sender);
    let syncer = move |mirror: &MirrorOptions, interrupt: &Interrupt| {
        let (end, ended) = channel();
        let _ = begun_sender.lock().unwrap().send((mirror.name.clone(), end));
        let fail = |fault, message| Err(Box::new(PuppetError { fault, message }) as _);
        // A test that has ended holds no more strings.
        match ended.recv_timeout(LONG).unwrap_or(End::Fail(Fault::Internal, "let go")) {
            End::Report(report) => Ok(report),
            End::Fail(fault, message) => fail(fault, message),
            End::Panic => panic!("the puppet was told to"),
            End::Interrupted => {
                while !interrupt.is_raised() {
                    std::thread::yield_now();
                }
                fail(Fault::Interrupted, "interrupted")
            }
        }
    };
    (Arc::new(syncer), begun)
}

/// A daemon with the mirrors `rocket` (of acme) and `engine` (of ada) on a puppet.
struct Rig {
    /// Stands first to be dropped first: runs that nobody looks at end, and the daemon need not
    /// wait for them.
    begun: Receiver<Begun>,
    daemon: Daemon,
}

fn config() -> Config {
    let text = r#"
        daemon.listen = "127.0.0.1:0"
        mirrors.m-rocket = { source = "hg/rocket", target = "git/Acme/Rocket.git" }
        mirrors.m-engine = { source = "hg/engine", target = "e.git", user = "ada", project = "rocket-core" }
    "#;
    let mut config = Config::parse(text, Path::new("/nowhere/x.toml"), None).unwrap();
    config.daemon.wait = LONG;
    config
}

fn rig_with(change: impl FnOnce(&mut Config)) -> Rig {
    let mut config = config();
    change(&mut config);
    let (syncer, begun) = puppet();
    Rig { begun, daemon: Daemon::start(config, syncer).unwrap() }
}

fn rig() -> Rig {
    rig_with(|_| {})
}

impl Rig {
    /// The next run that begins.
    fn begun(&self) -> Begun {
        self.begun.recv_timeout(LONG).unwrap()
    }

    fn address(&self) -> SocketAddr {
        self.daemon.address()
    }

    /// Asks until the daemon is in a certain state. No test waits for a state that may pass.
    fn until_healthz_says(&self, text: &str) {
        let begin = Instant::now();
        while !get(self.address(), "/healthz").body.contains(text) {
            assert!(begin.elapsed() < LONG, "healthz never said {text:?}");
        }
    }

    /// Sends a hook from a thread of its own.
    fn hook(&self, query: &str, body: &[u8]) -> JoinHandle<Answer> {
        let (address, request) = (self.address(), post(query, body));
        std::thread::spawn(move || send(address, &request))
    }
}

fn report() -> SyncReport {
    SyncReport {
        changesets: 345,
        converted: 12,
        elapsed: Duration::from_millis(1234),
        ..SyncReport::default()
    }
}

// ---- a client --------------------------------------------------------------------------------

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    /// The first line whole, and the headers, names in lower case.
    head: String,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The body with the id of the job taken out.
    fn redacted(&self) -> String {
        let mut text = self.body.clone();
        while let Some(at) = text.find("state/").map(|at| at + "state/".len()) {
            let id: String = text[at..].chars().take_while(char::is_ascii_hexdigit).collect();
            assert_eq!(id.len(), 32, "{text}");
            text = text.replace(&format!("state/{id}"), "STATE");
        }
        text.replace("STATE", "state/ID")
    }
}

/// Sends `request` as it is and reads until the daemon closes the connection.
fn send(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = connect(address);
    stream.write_all(request).unwrap();
    answer_of(&mut stream)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

fn answer_of(stream: &mut TcpStream) -> Answer {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path)
}

fn request(address: SocketAddr, method: &str, path: &str) -> Answer {
    send(address, format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
}

/// A POST to the place for hooks.
fn post(query: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /synchronise/{query} HTTP/1.1\r\nHost: x\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A payload that says that the repository of `owner` and `slug` was pushed to.
fn payload(owner: &str, slug: &str) -> Vec<u8> {
    format!(r#"payload={{"repository":{{"owner":"{owner}","slug":"{slug}"}}}}"#).into_bytes()
}

fn rocket() -> Vec<u8> {
    payload("acme", "rocket")
}

// ---- the contract ----------------------------------------------------------------------------

#[test]
fn a_converted_hook_is_answered_once_it_is_converted() {
    let rig = rig();
    let hook = rig.hook("", &rocket());
    let (mirror, end) = rig.begun();
    assert_eq!(mirror, "m-rocket");
    assert!(!hook.is_finished(), "answered before the sync was over");
    end.send(End::Report(report())).unwrap();
    let answer = hook.join().unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("connection"), Some("close"));
    insta::assert_snapshot!(answer.redacted(), @r"
    Converted Rocket successfully
    changesets: 345, new: 12
    references: 0, changed: 0
    seconds: 1.2
    state: /synchronise/state/ID
    status: 200 OK
    ");
}

#[test]
fn what_was_left_out_is_said_and_not_named() {
    let rig = rig();
    let hook = rig.hook("", &rocket());
    let notes = vec!["left out secret/.git".to_owned()];
    rig.begun().1.send(End::Report(SyncReport { notes, ..report() })).unwrap();
    let answer = hook.join().unwrap();
    assert!(answer.body.contains("\nnotes: 1, see the log of the daemon\n"), "{}", answer.body);
    assert!(!answer.body.contains("secret"), "{}", answer.body);
}

#[test]
fn bad_payloads_are_refused_with_the_reasons_of_old() {
    let rig = rig();
    let deep = format!("payload={}", "[".repeat(200_000));
    for (body, reason) in [
        ("", "No JSON payload."),
        ("nothing=here", "No JSON payload."),
        (r#"{"repository":{"owner":"acme","slug":"rocket"}}"#, "No JSON payload."),
        ("payload=", "Invalid JSON payload."),
        ("payload=%zz%", "Invalid JSON payload."),
        ("payload=%7B%22repository%22", "Invalid JSON payload."),
        ("payload=%ff%fe", "Invalid JSON payload."),
        (&deep, "Invalid JSON payload."),
        ("payload={}", "No proper JSON in payload."),
        ("payload=[]", "No proper JSON in payload."),
        (r#"payload={"repository":{"owner":"acme"}}"#, "No proper JSON in payload."),
    ] {
        let answer = send(rig.address(), &post("?user=acme&project=rocket", body.as_bytes()));
        assert_eq!(answer.status, 400);
        assert_eq!(answer.body, format!("{reason}\nstatus: 400 Bad Request\n"));
        let status_line = answer.head.lines().next().unwrap();
        assert_eq!(status_line, format!("HTTP/1.1 400 {reason}"), "as the old service had it");
    }
    assert!(rig.begun.try_recv().is_err(), "nothing was synced");
}

#[test]
fn hooks_select_among_mirrors_and_name_no_target() {
    let rig = rig();
    for (query, body, mirror) in [
        ("", payload("ACME", "rocket"), "m-rocket"),
        ("?user=ada&project=Rocket-Core", rocket(), "m-engine"),
        ("?project=rocket&user=acme", payload("somebody", "else"), "m-rocket"),
        ("?user=acme", payload("somebody", "rocket"), "m-rocket"),
    ] {
        let hook = rig.hook(query, &body);
        let (begun, end) = rig.begun();
        assert_eq!(begun, mirror, "{query}");
        end.send(End::Report(report())).unwrap();
        assert_eq!(hook.join().unwrap().status, 200);
    }
    for (query, body) in [
        ("?user=victim", rocket()),
        ("?user=acme&project=rocket-core", rocket()),
        ("", payload("acme", "m-rocket")),
        ("", payload("", "")),
    ] {
        assert_eq!(send(rig.address(), &post(query, &body)).status, 400, "{query}");
    }
    let query = "?user=victim%1b%5b31m&project=%e2%80%aex%0d%0aSet-Cookie:%20a";
    let answer = send(rig.address(), &post(query, &rocket()));
    insta::assert_snapshot!(answer.body, @r#"
    No mirror is configured for user "victim[31m", project "x  Set-Cookie: a".
    status: 400 Bad Request
    "#);
    assert!(rig.begun.try_recv().is_err(), "nothing was synced");
}

#[test]
fn a_target_that_does_not_let_us_in_is_the_senders_to_mend() {
    let rig = rig();
    let hook = rig.hook("", &rocket());
    rig.begun().1.send(End::Fail(Fault::Auth, "push to https://x: 404")).unwrap();
    let answer = hook.join().unwrap();
    assert_eq!(answer.status, 400);
    insta::assert_snapshot!(answer.redacted(), @r"
    Target project Acme/Rocket does not exist or gives no access.
    reason: push to https://x: 404
    state: /synchronise/state/ID
    status: 400 Bad Request
    ");
}

#[test]
fn every_other_failure_is_ours_and_never_a_success() {
    let rig = rig();
    for fault in Fault::ALL.into_iter().filter(|fault| *fault != Fault::Auth) {
        let hook = rig.hook("", &rocket());
        rig.begun().1.send(End::Fail(fault, "read a\u{1b}[2J b")).unwrap();
        let answer = hook.join().unwrap();
        assert_eq!(answer.status, 500, "{fault:?}");
        assert!(answer.body.starts_with("Converting Rocket failed: read a[2J b\n"), "{fault:?}");
        assert!(!answer.body.contains("successfully"));
        if fault == Fault::Refused {
            insta::assert_snapshot!(answer.redacted(), @r"
        Converting Rocket failed: read a[2J b
        hint: pull the strings
        state: /synchronise/state/ID
        status: 500 Internal Server Error
        ");
        }
    }
}

#[test]
fn a_panic_is_answered_and_survived() {
    let rig = rig();
    let hook = rig.hook("", &rocket());
    rig.begun().1.send(End::Panic).unwrap();
    let answer = hook.join().unwrap();
    assert_eq!(answer.status, 500);
    insta::assert_snapshot!(answer.redacted(), @r"
    Converting Rocket failed: panicked: the puppet was told to
    hint: this is a mistake in synchroniser; please report it
    state: /synchronise/state/ID
    status: 500 Internal Server Error
    ");
    let hook = rig.hook("", &rocket());
    rig.begun().1.send(End::Report(report())).unwrap();
    assert_eq!(hook.join().unwrap().status, 200);
}

// ---- long syncs ------------------------------------------------------------------------------

#[test]
fn a_long_sync_goes_on_and_its_state_can_be_asked_for() {
    let rig = rig_with(|config| config.daemon.wait = Duration::ZERO);
    let answer = send(rig.address(), &post("", &rocket()));
    let (_, end) = rig.begun();
    assert_eq!(answer.status, 202);
    let path = answer.header("location").unwrap();
    assert!(answer.body.contains(path), "{}", answer.body);

    let state = |path: &str| -> serde_json::Value {
        let answer = get(rig.address(), path);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        serde_json::from_str(&answer.body).unwrap()
    };
    let running = state(path);
    assert_eq!(running["state"], "running");
    assert_eq!(running["mirror"], "m-rocket");
    assert!(path.ends_with(running["id"].as_str().unwrap()));
    assert!(running["since"].as_u64().unwrap() > 1_700_000_000);
    assert!(running.get("summary").is_none() && running.get("error").is_none());

    let waiting = send(rig.address(), &post("", &rocket()));
    let waiting_path = waiting.header("location").unwrap();
    assert_ne!(waiting_path, path, "a further run");
    assert_eq!(state(waiting_path)["state"], "queued");
    insta::assert_snapshot!(waiting.redacted(), @r"
    The sync of Rocket is waiting for its turn and goes on.
    state: /synchronise/state/ID
    status: 202 Accepted
    ");

    end.send(End::Report(report())).unwrap();
    // The second run begins only once the first is over.
    let (_, end) = rig.begun();
    let done = state(path);
    assert_eq!(done["state"], "done");
    assert!(done["elapsed"].is_f64());
    insta::assert_snapshot!(done["summary"].to_string(), @r#"{"changed":0,"changesets":345,"converted":12,"notes":0,"references":0}"#);

    end.send(End::Fail(Fault::Refused, "push refs/heads/x: protected")).unwrap();
    let third = send(rig.address(), &post("", &rocket()));
    rig.begun();
    let failed = state(waiting_path);
    assert_eq!(failed["state"], "failed");
    assert_eq!(failed["fault"], "refused");
    assert_eq!(failed["error"], "push refs/heads/x: protected");
    assert_eq!(failed["hint"], "pull the strings");
    assert_eq!(third.status, 202);
}

#[test]
fn jobs_that_nobody_knows_have_no_state() {
    let rig = rig();
    let unknown = format!("/synchronise/state/{}", "0".repeat(32));
    for path in
        [&*unknown, "/synchronise/state/x", "/synchronise/state/1", "/synchronise/state/%00"]
    {
        let answer = get(rig.address(), path);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.body, "{\"error\":\"no such job, or not any more\"}\n");
    }
    assert_eq!(request(rig.address(), "POST", &unknown).status, 405);
}

#[test]
fn hooks_during_a_run_share_one_further_run() {
    let rig = rig_with(|config| {
        config.daemon.wait = Duration::ZERO;
        config.daemon.workers = 1.try_into().unwrap();
    });
    let location = |owner, slug| {
        let answer = send(rig.address(), &post("", &payload(owner, slug)));
        assert_eq!(answer.status, 202);
        answer.header("location").unwrap().to_owned()
    };
    let first = location("acme", "rocket");
    let (_, end) = rig.begun();
    let others = [0; 3].map(|_| location("acme", "rocket"));
    assert!(others.iter().all(|other| *other == others[0] && *other != first), "{others:?}");
    end.send(End::Report(report())).unwrap();
    let (mirror, end) = rig.begun();
    assert_eq!(mirror, "m-rocket");
    location("ada", "rocket-core");
    end.send(End::Report(report())).unwrap();
    // The only worker takes what is asked for in its order: a run too many would come before this.
    let (mirror, end) = rig.begun();
    assert_eq!(mirror, "m-engine");
    end.send(End::Report(report())).unwrap();
}

#[test]
fn a_hook_during_a_run_waits_for_the_run_after_it() {
    let rig = rig();
    let first = rig.hook("", &rocket());
    let (_, end_first) = rig.begun();
    let second = rig.hook("", &rocket());
    rig.until_healthz_says("running: 1\nqueued: 1\n");
    end_first.send(End::Report(report())).unwrap();
    assert_eq!(first.join().unwrap().status, 200);
    let (_, end_second) = rig.begun();
    assert!(!second.is_finished(), "answered by a run that began before the hook");
    end_second.send(End::Fail(Fault::Corrupt, "broken")).unwrap();
    assert_eq!(second.join().unwrap().status, 500);
}

#[test]
fn different_mirrors_are_synced_side_by_side() {
    let rig = rig();
    let hooks = [rig.hook("", &rocket()), rig.hook("", &payload("ada", "rocket-core"))];
    let begun = [rig.begun(), rig.begun()];
    let mut names = begun.each_ref().map(|(name, _)| &**name);
    names.sort_unstable();
    assert_eq!(names, ["m-engine", "m-rocket"]);
    for (_, end) in &begun {
        end.send(End::Report(report())).unwrap();
    }
    for hook in hooks {
        assert_eq!(hook.join().unwrap().status, 200);
    }
}

// ---- HTTP ------------------------------------------------------------------------------------

#[test]
fn the_slash_at_the_end_is_optional() {
    let rig = rig_with(|config| config.daemon.wait = Duration::ZERO);
    for path in
        ["/synchronise", "/synchronise/", "/synchronise?user=acme", "/synchronise/?user=acme"]
    {
        let body = rocket();
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        assert_eq!(send(rig.address(), &[head.as_bytes(), &body].concat()).status, 202, "{path}");
    }
}

#[test]
fn other_methods_and_paths_say_what_there_is() {
    let rig = rig();
    let answer = get(rig.address(), "/synchronise/");
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), Some("POST"));
    insta::assert_snapshot!(answer.body, @r#"
    This is where hooks arrive, by POST.
    usage: POST /synchronise/[?user=USER&project=PROJECT]
           with the form field "payload", JSON as Bitbucket's POST hook sends it
    status: 405 Method Not Allowed
    "#);
    assert_eq!(request(rig.address(), "DELETE", "/synchronise").status, 405);
    insta::assert_snapshot!(get(rig.address(), "/healthz").body, @r"
    alive
    running: 0
    queued: 0
    status: 200 OK
    ");
    assert_eq!(request(rig.address(), "POST", "/healthz").status, 405);
    for path in ["/", "/hook", "/synchronise/x", "/synchronise/state/", "//", "/synchronise//"] {
        assert_eq!(get(rig.address(), path).status, 404, "{path}");
    }
}

#[test]
fn recorded_deliveries_are_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hooks/bitbucket_post");
    let rig = rig();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let hook = rig.hook("", &std::fs::read(&path).unwrap());
        let (mirror, end) = rig.begun();
        assert_eq!(mirror, "m-engine", "{}", path.display());
        end.send(End::Report(report())).unwrap();
        assert_eq!(hook.join().unwrap().status, 200);
        seen += 1;
    }
    assert!(seen >= 2);
}

/// `body` in chunks of `size` bytes, without a declared length.
fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut request =
        b"POST /synchronise/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(size) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

#[test]
fn bodies_need_no_declared_length() {
    let rig = rig_with(|config| config.daemon.wait = Duration::ZERO);
    assert_eq!(send(rig.address(), &chunked(&rocket(), 7)).status, 202);
}

#[test]
fn bodies_are_capped_whether_declared_or_not() {
    let rig = rig_with(|config| config.daemon.max_body = 2000);
    let fits = [b"payload=".to_vec(), vec![b'x'; 1992]].concat();
    let too_large = [b"payload=".to_vec(), vec![b'x'; 1993]].concat();
    for (body, status) in [(&fits, 400), (&too_large, 413)] {
        for request in [post("", body), chunked(body, 100), chunked(body, 100_000)] {
            assert_eq!(send(rig.address(), &request).status, status);
        }
    }
    // Far more than the cap is not read at all, and certainly not without end.
    let mut stream = connect(rig.address());
    let request = post("", &vec![b'x'; 5000]);
    stream.write_all(&request).unwrap();
    let answer = answer_of(&mut stream);
    assert_eq!(answer.status, 413);
    insta::assert_snapshot!(answer.body, @r"
    The body is larger than 2000 bytes.
    status: 413 Payload Too Large
    ");
    let endless = "POST /synchronise/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
    let mut stream = connect(rig.address());
    stream.write_all(endless.as_bytes()).unwrap();
    stream.write_all(&[b'x'; 5000]).unwrap();
    assert_eq!(answer_of(&mut stream).status, 413);
}

#[test]
fn a_slow_head_ends_the_connection_and_frees_its_place() {
    let rig = rig_with(|config| {
        config.daemon.request_timeout = SHORT;
        config.daemon.connections = 1.try_into().unwrap();
    });
    let begin = Instant::now();
    let mut slow = connect(rig.address());
    slow.write_all(b"POST /synchronise/ HT").unwrap();
    let mut silent = connect(rig.address());
    assert_eq!(get(rig.address(), "/healthz").status, 200);
    assert!(begin.elapsed() >= SHORT * 2, "the place was not free before");
    assert!(begin.elapsed() < LONG / 2);
    let mut rest = Vec::new();
    assert_eq!(
        (slow.read_to_end(&mut rest).unwrap(), silent.read_to_end(&mut rest).unwrap()),
        (0, 0)
    );
}

#[test]
fn a_slow_body_is_not_waited_for() {
    let rig = rig_with(|config| config.daemon.request_timeout = SHORT);
    let mut stream = connect(rig.address());
    stream
        .write_all(b"POST /synchronise/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\npayl")
        .unwrap();
    let answer = answer_of(&mut stream);
    assert_eq!(answer.status, 408);
    insta::assert_snapshot!(answer.body, @r"
    The body did not arrive within 0.3 seconds.
    status: 408 Request Timeout
    ");
}

#[test]
fn bytes_that_are_no_http_harm_nobody() {
    let rig = rig();
    for bytes in [&b"\0\xff\xfe\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n\r\n\r\n"]
    {
        let mut stream = connect(rig.address());
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(!rest.starts_with(b"HTTP/1.1 2"));
    }
    assert_eq!(get(rig.address(), "/healthz").status, 200);
}

// ---- start and stop --------------------------------------------------------------------------

#[test]
fn stopping_interrupts_what_runs_and_drops_what_waits() {
    let rig = rig();
    let running = rig.hook("", &rocket());
    let (_, end) = rig.begun();
    let pending = rig.hook("", &rocket());
    let other = rig.hook("", &payload("ada", "rocket-core"));
    let (_, end_other) = rig.begun();
    rig.until_healthz_says("running: 2\nqueued: 1\n");
    end.send(End::Interrupted).unwrap();
    end_other.send(End::Interrupted).unwrap();
    let address = rig.address();
    let shutdown = rig.daemon.shut_down().unwrap();
    assert_eq!(shutdown.abandoned, 0);
    for hook in [running, other] {
        let answer = hook.join().unwrap();
        assert_eq!(answer.status, 500);
        assert!(answer.body.contains("failed: interrupted\n"), "{}", answer.body);
    }
    let answer = pending.join().unwrap();
    assert_eq!(answer.status, 500);
    insta::assert_snapshot!(answer.redacted(), @r"
    Converting Rocket failed: dropped before it began: the daemon is stopping
    hint: ask again once the daemon is back
    state: /synchronise/state/ID
    status: 500 Internal Server Error
    ");
    assert!(TcpStream::connect(address).is_err(), "it still listens");
}

#[test]
fn stopping_does_not_wait_for_connections_without_a_request() {
    let rig = rig();
    let _idle = connect(rig.address());
    assert_eq!(get(rig.address(), "/healthz").status, 200);
    let begin = Instant::now();
    assert_eq!(rig.daemon.shut_down().unwrap().abandoned, 0);
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[test]
fn stopping_does_not_wait_without_end() {
    let rig = rig_with(|config| {
        config.daemon.stop_timeout = SHORT;
        config.daemon.wait = Duration::ZERO;
    });
    assert_eq!(send(rig.address(), &post("", &rocket())).status, 202);
    let (_, end) = rig.begun();
    assert_eq!(rig.daemon.shut_down().unwrap().abandoned, 1);
    end.send(End::Report(report())).unwrap();
}

#[test]
fn an_address_that_is_taken_is_an_error_that_names_it() {
    let rig = rig();
    let mut config = config();
    config.daemon.listen = rig.address();
    let error = Daemon::start(config, puppet().0).unwrap_err();
    assert!(matches!(error, DaemonError::Listen { .. }));
    assert_eq!(error.fault(), Fault::Unavailable);
    assert_eq!(error.to_string(), format!("listen on {}", rig.address()));
    insta::assert_snapshot!(error.hint().unwrap(), @"is another daemon running? `listen` in [daemon] sets the address; port 0 takes a free one");
}
