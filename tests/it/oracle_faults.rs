//! A server that cannot be relied on: whatever a connection does, a fetch ends with the right copy
//! or with an error that has a name, and the copy is never a wrong one.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use synchroniser::base::{Fault, HasFault, Interrupt, Limits, NoProgress};
use synchroniser::hg::pull::{Copy, PullError, Pulled, Source, pull};
use synchroniser::net::{Access, SourceUrl, Timeouts};

use crate::support::hg_server::HgServe;
use crate::support::{Fixture, Hg, TestEnv, env, skip};

/// What happens to the bytes that a server sends.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    /// Nothing.
    None,
    /// The connection ends after so many bytes.
    Ends(u64),
    /// Nothing comes any more after so many bytes.
    Stalls(u64),
    /// The lowest bit of this byte is another.
    Flips(u64),
    /// At most so many bytes at a time, with a pause between them.
    Drips(usize),
}

/// Stands between a client and a server, and does something to what the server says.
struct Proxy {
    port: u16,
    /// How many bytes the server has sent through.
    sent: Arc<AtomicU64>,
}

impl Proxy {
    fn start(upstream: &str, mishap: Mishap) -> Self {
        let address = upstream.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let sent = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&sent);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&address)) else {
                    return;
                };
                let (mut from_client, mut to_server) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from_client, &mut to_server);
                    let _ = to_server.shutdown(Shutdown::Write);
                });
                let count = Arc::clone(&count);
                std::thread::spawn(move || pass_on(server, client, mishap, &count));
            }
        });
        Self { port, sent }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

/// Passes on what the server says. Offsets count all connections together.
fn pass_on(mut server: TcpStream, mut client: TcpStream, mishap: Mishap, sent: &AtomicU64) {
    let room = if let Mishap::Drips(room) = mishap { room } else { 4096 };
    let mut block = vec![0; room];
    while let Ok(read @ 1..) = server.read(&mut block) {
        let bytes = &mut block[..read];
        let start = sent.fetch_add(read as u64, Ordering::SeqCst);
        // Each mishap happens once; what comes on later connections is left alone.
        let within = |at: u64| match at.checked_sub(start) {
            Some(offset) => usize::try_from(offset).unwrap().min(read),
            None => read,
        };
        let kept = match mishap {
            Mishap::Ends(at) | Mishap::Stalls(at) => within(at),
            Mishap::Flips(at) => {
                if within(at) < read {
                    bytes[within(at)] ^= 1;
                }
                read
            }
            Mishap::None => read,
            Mishap::Drips(_) => {
                std::thread::sleep(Duration::from_millis(1));
                read
            }
        };
        if client.write_all(&bytes[..kept]).is_err() {
            break;
        }
        if kept < read {
            if matches!(mishap, Mishap::Stalls(_)) {
                std::thread::sleep(Duration::from_secs(20));
            }
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

fn fetch(url: &str, root: &Path, retries: &[Duration]) -> Result<Pulled, PullError> {
    let limits = Limits::default();
    let options = Access {
        plain_http: true,
        timeouts: Timeouts {
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(3),
            idle: Duration::from_secs(1),
        },
        retries: retries.to_vec(),
        ..Access::default()
    };
    let url = SourceUrl::parse(url).unwrap();
    let source = Source::Server { url, access: Box::new(options) };
    pull(&source, &Copy::at(root, &limits), &limits, &NoProgress, &Interrupt::default())
}

/// A server, and what a copy of it must say.
struct Bench<'e> {
    hg: Hg<'e>,
    env: &'e TestEnv,
    server: HgServe,
    expected: String,
}

impl<'e> Bench<'e> {
    fn new(env: &'e TestEnv, program: &Path, settings: &[&str]) -> Self {
        let source = Fixture::demo().unpack(env);
        let hg = Hg { env, program: program.to_owned() };
        let server = HgServe::start(env, program, &source, settings);
        let expected = said(&hg, &source);
        Self { hg, env, server, expected }
    }

    /// How many bytes a whole first fetch takes.
    fn length(&self) -> u64 {
        let proxy = Proxy::start(&self.server.url, Mishap::None);
        fetch(&proxy.url(), &self.env.path("whole"), &[]).unwrap();
        assert_eq!(said(&self.hg, &self.env.path("whole")), self.expected);
        proxy.sent.load(Ordering::SeqCst)
    }

    /// Fetches into an empty folder through `mishap`, once. Whatever came of it, the next fetch over
    /// a good connection makes it right.
    fn survives(&self, mishap: Mishap, name: &str) -> Result<(), Fault> {
        let root = self.env.path(name);
        let proxy = Proxy::start(&self.server.url, mishap);
        let result = fetch(&proxy.url(), &root, &[]);
        let done = result.map(|_| ()).map_err(|error| {
            let fault = error.fault();
            assert!(!error.to_string().is_empty());
            let named = [
                Fault::Unavailable,
                Fault::Corrupt,
                Fault::Refused,
                Fault::Unsupported,
                Fault::Auth,
            ];
            assert!(named.contains(&fault), "{mishap:?}: {error} {error:?}");
            fault
        });
        if done.is_ok() {
            self.check(&root, mishap);
        } else if root.exists() {
            self.hg.run(&root, &["verify", "-q"]).ok().unwrap();
        }
        fetch(&self.server.url, &root, &[]).unwrap_or_else(|error| panic!("{mishap:?}: {error:?}"));
        self.check(&root, mishap);
        std::fs::remove_dir_all(&root).unwrap();
        done
    }

    fn check(&self, root: &Path, mishap: Mishap) {
        assert_eq!(said(&self.hg, root), self.expected, "{mishap:?}");
    }
}

/// All nodes and how they hang together.
fn said(hg: &Hg<'_>, repository: &Path) -> String {
    let template = "{node} {p1.node} {p2.node} {manifest}\\n";
    hg.run(repository, &["log", "-T", template]).ok().unwrap()
}

/// `count` places in `0..length`, evenly spread.
fn places(length: u64, count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |i| length * i / count)
}

/// In so many places a fetch is cut.
const CUTS: u64 = 16;
/// So many bytes are changed, each in a fetch of its own.
const FLIPS: u64 = 24;
const WAYS: [(&str, &[&str]); 2] =
    [("files", &["server.uncompressed=yes"]), ("revisions", &["server.uncompressed=no"])];

#[test]
fn a_connection_that_ends_anywhere() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    for (way, settings) in WAYS {
        let env = TestEnv::new();
        let bench = Bench::new(&env, &program, settings);
        let length = bench.length();
        let mut faults = Vec::new();
        for at in places(length, CUTS) {
            faults.push(bench.survives(Mishap::Ends(at), "ends"));
        }
        assert!(faults.iter().any(Result::is_err), "{way}: nothing was cut");
    }
}

#[test]
fn a_byte_that_is_another_anywhere() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    for (_, settings) in WAYS {
        let env = TestEnv::new();
        let bench = Bench::new(&env, &program, settings);
        let length = bench.length();
        let wrong =
            places(length, FLIPS).filter(|at| bench.survives(Mishap::Flips(*at), "flips").is_err());
        assert!(wrong.count() > 0);
    }
}

#[test]
fn a_connection_that_stalls_or_drips() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let bench = Bench::new(&env, &program, &["server.uncompressed=no"]);
    let length = bench.length();
    for at in places(length, 6) {
        assert_eq!(bench.survives(Mishap::Stalls(at), "stalls"), Err(Fault::Unavailable));
    }
    assert_eq!(bench.survives(Mishap::Drips(97), "drips"), Ok(()));
}

/// What breaks is tried again, and goes on.
#[test]
fn a_broken_connection_is_tried_again() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let bench = Bench::new(&env, &program, &["server.uncompressed=no"]);
    let length = bench.length();
    let proxy = Proxy::start(&bench.server.url, Mishap::Ends(length / 2));
    let root = env.path("again");
    fetch(&proxy.url(), &root, &[Duration::ZERO]).unwrap();
    bench.check(&root, Mishap::Ends(length / 2));
    assert!(proxy.sent.load(Ordering::SeqCst) > length * 5 / 4, "all came at once");
}
