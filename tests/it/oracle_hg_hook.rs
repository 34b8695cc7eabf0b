//! `packaging/hg-hook`, `packaging/hg-hook.py` and `synchroniser notify`: what Mercurial runs, and what arrives of it.

// For clippy: helpers outside of `#[test]` functions are tests too.
#![cfg(test)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use synchroniser::base::time::Timestamp;
use synchroniser::hook::{Delivery, Event, Format, PushEvent, Scheme, verify};

use crate::support::hg_server::HgServe;
use crate::support::{Hg, Ran, TestEnv, env, skip};

const SECRET: &str = "geheim 'It\"s' %d \\n \\045 $x";
/// How long a hook that runs in the background may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/hg-hook")
}

/// The words before the arguments of all that sends the same.
fn senders() -> Vec<Vec<String>> {
    let program = env!("CARGO_BIN_EXE_synchroniser").to_owned();
    let mut senders =
        vec![vec![script().display().to_string()], vec![program, "notify".to_owned()]];
    match env::has("python3") {
        true => senders.push(vec![format!("{}.py", script().display())]),
        false => skip("there is no python3"),
    }
    senders
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
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
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

/// All three send the same, byte for byte, so that one page describes them.
#[test]
fn all_senders_send_the_same() {
    let env = TestEnv::new();
    let (address, requests) = listener();
    let url = format!("http://{address}/hook/hg?x=y");
    let file = secret_file(&env, SECRET);
    let mut bodies = Vec::new();
    for sender in senders() {
        let mut command = env.command(&sender[0]);
        command.args(&sender[1..]).arg(&url).arg(&file).arg("größe \"b\\c\"");
        command.env("HG_NODE", "3f9c1d20ab7755e0c1a4b2d9e8f7061524334251");
        command.env("HG_NODE_LAST", "9a8b7c6d5e4f30211203f4e5d6c7b8a990817263");
        command.env("HG_BOOKMARK_MOVED", "1").env("HG_TXNID", "TXN:5b1e").env("HG_SOURCE", "serve");
        assert!(command.status().unwrap().success());
        let request = requests.recv_timeout(PATIENCE).unwrap();
        assert!(request.target.starts_with("POST /hook/hg?x=y HTTP/1.1"), "{}", request.target);
        request.push(SECRET);
        let id = request.headers.iter().find(|(name, _)| name == "idempotency-key").unwrap();
        bodies.push((request.text(), String::from_utf8(id.1.clone()).unwrap()));
    }
    assert!(bodies.len() > 1 && bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
}

/// Without a mapping it is the path of the repository; by hand, the answer is told.
#[test]
fn notify_tells_whoever_tries_it_by_hand() {
    let env = TestEnv::new();
    let (address, requests) = listener();
    let url = format!("http://{address}/hook/hg");
    let file = secret_file(&env, SECRET);
    let file = file.to_str().unwrap();
    let told = env.synchronise(["notify", "--wait", &url, file]).ok().unwrap();
    assert!(told.contains("the endpoint answers 202"), "{told}");
    let push = requests.recv_timeout(PATIENCE).unwrap().push(SECRET);
    assert_eq!(push.addresses, [env.path("").to_str().unwrap().trim_end_matches('/')]);
    for (args, code, says) in [
        (["nonsense", file], 10, "read the address of the endpoint"),
        (["http://127.0.0.1:1/", "/nowhere/secret"], 10, "read the secret of the endpoint"),
    ] {
        let ran = env.synchronise([&["notify", "--wait"], &args[..]].concat());
        assert!(ran.with_code(code).unwrap().stderr.contains(says), "{says}");
    }
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = env.synchronise(["notify", "--wait", &url, file]).with_code(10).unwrap();
    assert!(ran.stderr.contains("chmod 600 "), "{ran:?}");
}

/// A push to a server over HTTP, to an endpoint that never answers: nobody waits for it.
#[test]
fn a_push_to_a_server_waits_for_nobody() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let (address, requests) = listener();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let secret = secret_file(&env, SECRET);
    let (server, client) = (env.path("server"), env.path("client"));
    let hg = Hg { env: &env, program: program.clone() };
    for folder in [&server, &client] {
        env.run(&program, [Path::new("init"), folder]).ok().unwrap();
    }
    let mut hooks = String::from("[web]\nallow_push = *\npush_ssl = False\n[hooks]\n");
    for (number, sender) in senders().iter().enumerate() {
        let (sender, secret) = (sender.join(" "), secret.display());
        hooks += &format!(
            "txnclose.told{number} = {sender} http://{address}/hook/hg {secret} m{number}\n"
        );
        let silent = silent.local_addr().unwrap();
        hooks += &format!("txnclose.silent{number} = {sender} http://{silent}/ {secret}\n");
        hooks += &format!("txnclose.wrong{number} = {sender}\n");
    }
    fs::write(server.join(".hg/hgrc"), hooks).unwrap();
    let serving = HgServe::start(&env, &program, &server, &[]);
    fs::write(client.join("f"), "1\n").unwrap();
    let user = ["--config", "ui.username=ada"];
    hg.run(&client, &[&["commit", "-A", "-m", "one"], &user[..]].concat()).ok().unwrap();
    let start = Instant::now();
    hg.run(&client, &["push", &serving.url]).ok().unwrap();
    // A try alone would take ten seconds; a machine that is busy starts nine programs in less.
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    let told = senders().into_iter().map(|_| requests.recv_timeout(PATIENCE).unwrap());
    let mut told: Vec<_> = told
        .map(|request| {
            assert!(request.text().contains(r#""source":"serve""#), "{}", request.text());
            request.push(SECRET).mirror.unwrap()
        })
        .collect();
    told.sort();
    let expected: Vec<_> = (0..senders().len()).map(|number| format!("m{number}")).collect();
    assert_eq!(told, expected);
}

/// Whatever is wrong, no push fails by it.
#[test]
fn it_always_ends_well() {
    let env = TestEnv::new();
    let secret = secret_file(&env, SECRET);
    let secret = secret.to_str().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let hangs = format!("http://{}/hook/hg", silent.local_addr().unwrap());
    for (args, sender) in [
        &[][..],
        &["http://127.0.0.1:1/"],
        &["http://127.0.0.1:1/", "/nonexistent/secret"],
        &["http://127.0.0.1:1/", secret],
        &["--output=x", secret],
        &["nonsense", secret],
        &[&hangs, secret],
    ]
    .iter()
    .flat_map(|args| senders().into_iter().map(move |sender| (args, sender)))
    {
        let start = Instant::now();
        let mut command = env.command(&sender[0]);
        command.args(&sender[1..]).args(*args).env("HG_HOOKTYPE", "txnclose");
        let ran = Ran::from(&command.output().unwrap()).with_code(0).unwrap();
        assert!(start.elapsed() < Duration::from_secs(5), "{args:?}");
        let usage = ran.stderr.to_lowercase().contains("usage: ");
        assert_eq!(
            usage,
            args.len() < 2 || args[0].starts_with("--") && sender.len() > 1,
            "{ran:?}"
        );
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
