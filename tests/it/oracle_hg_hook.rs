//! `packaging/hg-hook`: what Mercurial runs, and what arrives of it.

// For clippy: helpers outside of `#[test]` functions are tests too.
#![cfg(test)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use synchroniser::base::time::Timestamp;
use synchroniser::hook::{Delivery, Event, Format, PushEvent, Scheme, verify};

use crate::support::{Hg, TestEnv, env, skip};

const SECRET: &str = "geheim 'It\"s' %d \\n \\045 $x";
/// How long a hook that runs in the background may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/hg-hook")
}

/// One request.
struct Request {
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        loop {
            let mut part = [0; 4096];
            let count = stream.read(&mut part).unwrap();
            bytes.extend(&part[..count]);
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                assert!(count > 0, "the head ends early");
                continue;
            };
            let head = std::str::from_utf8(&bytes[..end]).unwrap();
            let (first, rest) = head.split_once("\r\n").unwrap();
            let headers: Vec<_> = rest
                .lines()
                .map(|line| line.split_once(": ").unwrap())
                .map(|(name, value)| (name.to_ascii_lowercase(), value.as_bytes().to_vec()))
                .collect();
            let length = headers.iter().find(|(name, _)| name == "content-length").unwrap();
            let length: usize = std::str::from_utf8(&length.1).unwrap().parse().unwrap();
            let body = bytes[end + 4..].to_vec();
            if body.len() == length {
                return Self { target: first.to_owned(), headers, body };
            }
            assert!(count > 0, "the body ends early");
        }
    }

    /// The push that it tells of, if it is proven with `secret`.
    fn push(&self, secret: &str) -> PushEvent {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let delivery = Delivery { headers: &headers, query: "", body: &self.body };
        let format = Format::named("synchroniser").unwrap();
        let scheme = Scheme::HmacSha256 { header: "x-hub-signature-256".to_owned() };
        let proof = verify(&scheme, &[secret.into()], &delivery, Timestamp::now());
        assert!(proof.is_ok(), "{proof:?}: {}", self.text());
        assert!(format.delivery_id(&delivery).is_some());
        match (format.parse)(&delivery) {
            Ok(Event::Push(push)) => push,
            other => panic!("{other:?}: {}", self.text()),
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Takes one request after the other, and answers each with 202.
fn listener() -> (SocketAddr, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let request = Request::read(&mut stream);
            let _ = stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
            if tell.send(request).is_err() {
                return;
            }
        }
    });
    (address, told)
}

fn secret_file(env: &TestEnv, secret: &str) -> PathBuf {
    let path = env.path("secret");
    fs::write(&path, format!("{secret}\n")).unwrap();
    path
}

/// What is signed is what the daemon verifies, whatever the secret and the names, by either program.
#[test]
fn what_it_sends_is_proven() {
    if !env::has("curl") && !env::has("wget") {
        return skip("neither curl nor wget is installed");
    }
    let env = TestEnv::new();
    let (address, requests) = listener();
    let url = format!("http://{address}/hook/hg");
    let block = "geheim".repeat(11)[..64].to_owned();
    let longer = format!("{block}x");
    for secret in ["geheim", SECRET, "größe geheim", &block, &longer] {
        let mut command = env.command(script());
        let file = secret_file(&env, secret);
        command.arg(&url).arg(&file).arg("a \"b\\c\" ü\n%s\u{7}");
        command.env("HG_NODE_LAST", "3f9c1d20ab7755e0c1a4b2d9e8f7061524334251");
        command.env("HG_PHASES_MOVED", "1").env("HG_TXNID", "TXN:5b1e");
        assert!(command.status().unwrap().success());
        let request = requests.recv_timeout(PATIENCE).unwrap();
        assert!(request.target.starts_with("POST /hook/hg HTTP/1.1"), "{}", request.target);
        let push = request.push(secret);
        assert_eq!(push.mirror.as_deref(), Some("a \"b\\c\" ü%s"));
        assert_eq!(push.heads_hinted, ["3f9c1d20ab7755e0c1a4b2d9e8f7061524334251"]);
        let text = request.text();
        assert!(text.ends_with(r#""bookmark_moved":false,"phases_moved":true}"#), "{text}");
    }
    if !env::has("wget") {
        return skip("wget is not installed");
    }
    // Without curl, it is wget.
    let folder = env.path("bin");
    fs::create_dir(&folder).unwrap();
    for program in ["wget", "sha256sum", "od", "tr", "cut", "sed", "sh"] {
        std::os::unix::fs::symlink(env::program(program).unwrap(), folder.join(program)).unwrap();
    }
    let mut command = env.command(script());
    command.env("PATH", &folder).arg(&url).arg(secret_file(&env, SECRET));
    assert!(command.status().unwrap().success());
    let push = requests.recv_timeout(PATIENCE).unwrap().push(SECRET);
    assert_eq!(push.addresses, [env.path("").to_str().unwrap().trim_end_matches('/')]);
}

/// Whatever is wrong, no push fails by it.
#[test]
fn it_always_ends_well() {
    let env = TestEnv::new();
    let secret = secret_file(&env, SECRET);
    let secret = secret.to_str().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let hangs = format!("http://{}/hook/hg", silent.local_addr().unwrap());
    for args in [
        &[][..],
        &["http://127.0.0.1:1/"],
        &["http://127.0.0.1:1/", "/nonexistent/secret"],
        &["http://127.0.0.1:1/", secret],
        &["--output=x", secret],
        &["nonsense", secret],
        &[&hangs, secret],
    ] {
        let start = Instant::now();
        let ran = env.run(script(), args).with_code(0).unwrap();
        assert!(start.elapsed() < Duration::from_secs(5), "{args:?}");
        assert_eq!(ran.stderr.contains("usage: hg-hook"), args.len() < 2, "{ran:?}");
    }
    assert!(!env.path("x").exists());
}

/// A push of changesets, of a bookmark alone, and of phases alone: each is told once it is over, and
/// none waits for it.
#[test]
fn mercurial_tells_of_every_push() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let (address, requests) = listener();
    let secret = secret_file(&env, SECRET);
    let (server, client) = (env.path("server"), env.path("client"));
    let hg = Hg { env: &env, program };
    for folder in [&server, &client] {
        env.run(&hg.program, [Path::new("init"), folder]).ok().unwrap();
    }
    let hook = format!("{} http://{address}/hook/hg {}", script().display(), secret.display());
    let config = format!(
        "[phases]\npublish = False\n[hooks]\ntxnclose.synchroniser = {hook}\n\
         txnclose.synchroniser:run-with-plain = yes\n"
    );
    fs::write(server.join(".hg/hgrc"), config).unwrap();
    let there = server.to_str().unwrap();
    let user = ["--config", "ui.username=ada"];
    let run = |args: &[&str]| hg.run(&client, &[args, &user].concat()).ok().unwrap();
    let arrives = || {
        let request = requests.recv_timeout(PATIENCE).unwrap();
        let push = request.push(SECRET);
        assert_eq!(push.addresses, [there], "{}", request.text());
        (push, request.text())
    };

    fs::write(client.join("f"), "1\n").unwrap();
    run(&["commit", "-A", "-m", "one"]);
    let node = run(&["log", "-r", "tip", "-T", "{node}"]);
    run(&["push", there]);
    let (push, text) = arrives();
    assert_eq!(push.heads_hinted, [node.trim()]);
    assert!(text.contains(r#""source":"push""#), "{text}");

    run(&["bookmark", "-r", "tip", "pad"]);
    hg.run(&client, &["push", "-B", "pad", there]);
    let (push, text) = arrives();
    assert!(push.heads_hinted.is_empty() && text.contains(r#""bookmark_moved":true"#), "{text}");

    run(&["phase", "--public", "tip"]);
    hg.run(&client, &["push", there]);
    let (_, text) = arrives();
    assert!(text.contains(r#""phases_moved":true"#), "{text}");
    assert!(requests.recv_timeout(Duration::from_millis(300)).is_err(), "told of nothing");
}
