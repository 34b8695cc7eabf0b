//! Servers that misbehave: each is an error with a name, in time.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use synchroniser::base::compress::Deflater;
use synchroniser::base::{Carried, Fault, HasFault as _, Interrupt, Limits};
use synchroniser::hg::peer::{Peer, PeerError, connect};
use synchroniser::hg::wire::{Capabilities, Command, GetBundle};
use synchroniser::net::{Access, NetError, SourceUrl, Timeouts, Token};

use crate::support::serve::{Web, free_port, head, script};
use crate::support::{TestEnv, for_all};

/// No part of it may turn up in any message.
const TOKEN: &str = "geheimgeheim";

/// No server that we meet here is worth more patience.
fn options() -> Access {
    let second = Duration::from_secs(1);
    Access {
        plain_http: true,
        timeouts: Timeouts { connect: second, first_byte: second, idle: second },
        ..Access::default()
    }
}

/// Small enough to be reached.
fn limits() -> Limits {
    Limits { metadata_bytes: 100_000, ..Limits::default() }
}

fn peer(url: &str, options: &Access) -> Result<Box<dyn Peer>, PeerError> {
    let url = SourceUrl::parse(url).unwrap();
    connect(&url, options, &limits(), &Interrupt::default())
}

/// A server that headers with arguments and new media types may be sent to.
fn modern() -> Capabilities {
    let text = b"httpheader=1024 httpmediatype=0.1rx,0.1tx,0.2tx";
    Capabilities::parse(text, &limits()).unwrap()
}

/// The name of the variant, and what is in it.
fn variant(error: &PeerError) -> String {
    match error {
        PeerError::Net(error) => format!("{error:?}"),
        other => format!("{other:?}"),
    }
}

/// What an error says, with its hint; never with the secret.
fn said(error: &PeerError) -> String {
    let text = format!("{error} {error:?} {:?}", error.hint());
    assert!(!text.contains(TOKEN), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    text
}

/// The error of asking for heads, which must come in time and be of this kind.
fn check(url: &str, options: &Access, fault: Fault, kind: &str, words: &str) -> Result<(), String> {
    let start = Instant::now();
    let result = peer(url, options).and_then(|mut peer| {
        if !url.starts_with("ssh") {
            peer.remember(modern());
        }
        peer.call(&Command::heads())
    });
    let error = result.err().ok_or("no error")?;
    let text = said(&error);
    if start.elapsed() > Duration::from_secs(8) {
        return Err(format!("after {:?}: {text}", start.elapsed()));
    }
    if error.fault() != fault || !variant(&error).starts_with(kind) || !text.contains(words) {
        return Err(format!("{:?} {text}", error.fault()));
    }
    Ok(())
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}").into_bytes()
}

const MERCURIAL: &str = "Content-Type: application/mercurial-0.1\r\n";
const FRAMED: &str = "Content-Type: application/mercurial-0.2\r\n";

/// A name, bytes that are sent, and the fault, kind and words of the error that they are.
type Case = (&'static str, Vec<u8>, Fault, &'static str, &'static str);

/// Answers that are no HTTP, or end too early, or never.
fn broken_answers() -> Vec<Case> {
    let head = |text: &str| format!("HTTP/1.1 200 OK\r\n{MERCURIAL}{text}\r\n").into_bytes();
    let endless = [head("").strip_suffix(b"\r\n").unwrap(), &b"X: y\r\n".repeat(50_000)].concat();
    let cut = [&head("Content-Length: 99\r\n")[..], b"abc"].concat();
    let long = answer("200 OK", MERCURIAL, &"x".repeat(100_001));
    let bad_chunk = head("Transfer-Encoding: chunked\r\n\r\nxyz\r\n");
    let (unavailable, corrupt) = (Fault::Unavailable, Fault::Corrupt);
    vec![
        ("nothing", Vec::new(), unavailable, "Cut", "heads"),
        ("garbage", b"\0\xffgarbage\r\n\r\n".to_vec(), corrupt, "Unintelligible", ""),
        ("endless headers", endless, corrupt, "Unintelligible", ""),
        ("half a head", b"HTTP/1.1 200 OK\r\nX:".to_vec(), unavailable, "Cut", ""),
        ("cut", cut, unavailable, "Cut", ""),
        ("huge", head("Content-Length: 99999999999\r\n"), corrupt, "TooLarge", "100000 bytes"),
        ("long", long, corrupt, "TooLarge", ""),
        ("bad chunk", bad_chunk, corrupt, "Unintelligible", ""),
    ]
}

/// Answers with status 200 that are none.
fn strange_answers() -> Vec<Case> {
    let framed = |name, body: &str, words| {
        (name, answer("200 OK", FRAMED, body), Fault::Corrupt, "Unintelligible", words)
    };
    let of_type = |name, headers: &str, words| {
        (name, answer("200 OK", headers, "x"), Fault::Corrupt, "Unintelligible", words)
    };
    let error = "Content-Type: application/hg-error\r\n";
    let error = answer("200 OK", error, "no\u{1b}[31m and more\n");
    vec![
        of_type("page", "Content-Type: text/html\r\n", "text/html"),
        of_type("no type", "", "heads"),
        of_type("encoded", &format!("{MERCURIAL}Content-Encoding: gzip\r\n"), "gzip"),
        ("its error", error, Fault::Refused, "Refused", r"no\\u{1b}[31m and more"),
        framed("unknown compression", "\u{3}xyz1", "xyz"),
        framed("damaged zlib", "\u{4}zlibabcdef", "decompress"),
        framed("damaged zstd", "\u{4}zstdabcdef", "decompress"),
        framed("cut frame", "\u{9}zstd", ""),
    ]
}

/// Answers with another status.
fn refusals() -> Vec<Case> {
    let with = |status: &'static str, fault, kind, words| {
        (status, answer(status, "", TOKEN), fault, kind, words)
    };
    let redirect = |name, to: &str, words| {
        let bytes = answer("302 Found", &format!("Location: {to}\r\n"), "");
        (name, bytes, Fault::Config, "Moved", words)
    };
    let later = "Retry-After: 7\r\nContent-Type: text/html\r\n";
    let later = answer("503 No", later, "page");
    vec![
        redirect("in circles", "?cmd=heads", "one redirect too many"),
        redirect("to another host", "http://localhost/?x", "another server"),
        redirect("to another port", "http://127.0.0.1:9/", "another way"),
        redirect("to ssh", "ssh://127.0.0.1/a", "another way"),
        redirect("to nowhere", "http://", "no address"),
        redirect("to a file", "file:///etc/passwd", "no address"),
        with("401 No", Fault::Auth, "Denied", "HTTP 401 Unauthorized; [secret]"),
        with("403 No", Fault::Auth, "Denied", "HTTP 403"),
        with("404 No", Fault::Auth, "Denied", "HTTP 404"),
        with("429 No", Fault::Unavailable, "Busy", "HTTP 429"),
        with("500 No", Fault::Unavailable, "Busy", "HTTP 500"),
        with("503 No", Fault::Unavailable, "Busy", "HTTP 503"),
        with("400 No", Fault::Refused, "Refused", "HTTP 400"),
        with("206 No", Fault::Refused, "Refused", "HTTP 206"),
        ("later", later, Fault::Unavailable, "Busy", "left alone for 7 seconds"),
    ]
}

/// A file with the token that nobody else can read.
fn token_file(env: &TestEnv) -> PathBuf {
    let path = env.path("token");
    std::fs::write(&path, format!("{TOKEN}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn with_token(env: &TestEnv) -> Access {
    let token = Token { user: Some("us".to_owned()), source: token_file(env).into() };
    Access { token: Some(token), ..options() }
}

#[test]
fn web_servers_that_answer_wrongly() {
    let env = TestEnv::new();
    let options = with_token(&env);
    let cases = [broken_answers(), strange_answers(), refusals()].into_iter().flatten();
    let cases = cases.map(|case| (case.0.to_owned(), case));
    for_all(cases, |(_, bytes, fault, kind, words)| {
        let web = Web::saying(bytes);
        check(&web.url("/repo"), &options, fault, kind, words)
    });
}

/// Does nothing for longer than anybody waits.
fn sleep() {
    std::thread::sleep(Duration::from_mins(1));
}

/// Sends `first`, and then a byte now and then.
fn drip(stream: &mut TcpStream, first: &[u8]) {
    let _ = stream.write_all(first);
    while stream.write_all(b"1").is_ok() {
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn web_servers_that_dawdle() {
    let url = |port| format!("http://127.0.0.1:{port}/repo");
    let late = |port, kind, words| check(&url(port), &options(), Fault::Unavailable, kind, words);
    let head = format!("HTTP/1.1 200 OK\r\n{MERCURIAL}");
    let body = format!("{head}Content-Length: 50000\r\n\r\n");
    let (half, whole) = (body.clone(), body.clone());
    let silent = Web::start(|_, _| sleep());
    late(silent.port, "TimedOut", "wait for the answer").unwrap();
    let stalled = Web::start(move |stream, _| {
        stream.write_all(half.as_bytes()).unwrap();
        sleep();
    });
    late(stalled.port, "TimedOut", "wait for the rest of the answer").unwrap();
    let drips = Web::start(move |stream, _| drip(stream, whole.as_bytes()));
    late(drips.port, "TimedOut", "wait for the rest of the answer").unwrap();
    let drips = Web::start(move |stream, _| drip(stream, head.as_bytes()));
    late(drips.port, "TimedOut", "wait for the answer").unwrap();
    late(free_port(), "Unreachable", "refused").unwrap();
    // Encryption is a part of connecting.
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("https://127.0.0.1:{}/", silent.local_addr().unwrap().port());
    check(&url, &options(), Fault::Unavailable, "TimedOut", "wait for a connection").unwrap();
    let plain = Web::saying(answer("200 OK", MERCURIAL, ""));
    let url = plain.url("/").replace("http:", "https:");
    // What it takes for a greeting is the answer to the beginning of a request that never ends.
    check(&url, &options(), Fault::Unavailable, "", "").unwrap();
}

/// An error of the connection is that and no damage, whatever decompressor it comes through.
#[test]
fn a_stream_that_stops_keeps_its_error() {
    let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_be_bytes).collect();
    let mut zlib = Vec::new();
    Deflater::default().append(&text, &mut zlib);
    let zstd = zstd::encode_all(&text[..], 3).unwrap();
    for (name, bytes) in [("none", text), ("zlib", zlib), ("zstd", zstd)] {
        let head = format!("HTTP/1.1 200 OK\r\n{FRAMED}Content-Length: 999999\r\n\r\n\x04{name}");
        let half = bytes[..bytes.len() / 2].to_vec();
        let web = Web::start(move |stream, _| {
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&half).unwrap();
            sleep();
        });
        let mut peer = peer(&web.url("/repo"), &options()).unwrap();
        peer.remember(modern());
        let mut stream = peer.stream(&Command::getbundle(&GetBundle::default())).unwrap();
        let mut bytes = Vec::new();
        let error = stream.read_to_end(&mut bytes).unwrap_err();
        assert!(bytes.starts_with(&[0, 0, 0, 0, 0, 0, 0, 1]), "{name}: {error}");
        assert_eq!(Carried::of(&error).unwrap().fault(), Fault::Unavailable, "{name}");
        let error: NetError = Carried::take(error).unwrap();
        assert!(matches!(error, NetError::TimedOut { .. }), "{error:?}");
    }
}

#[test]
fn whoever_wants_us_to_stop_need_not_wait() {
    let patient = Access { timeouts: Timeouts::default(), ..options() };
    let web = Web::start(|_, _| sleep());
    let env = TestEnv::new();
    let ssh_command = script(&env, "ssh", "exec sleep 60");
    let patient = Access { ssh_command, ..patient };
    for url in [web.url("/repo"), "ssh://host.example/repo".to_owned()] {
        let interrupt = Interrupt::default();
        let raised = interrupt.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            raised.raise();
        });
        let start = Instant::now();
        let url = SourceUrl::parse(&url).unwrap();
        let result = connect(&url, &patient, &limits(), &interrupt)
            .and_then(|mut peer| peer.call(&Command::heads()));
        assert!(matches!(result, Err(PeerError::Net(NetError::Interrupted(_)))), "{result:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
}

#[test]
fn what_is_sent() {
    let env = TestEnv::new();
    let web = Web::saying(answer("200 OK", MERCURIAL, "httpheader=80"));
    let mut peer = peer(&web.url("/a/b%20c/"), &with_token(&env)).unwrap();
    peer.call(&Command::lookup(&[b'x'; 100])).unwrap();
    let requests = web.requests();
    assert_eq!(requests.len(), 2, "{requests:?}");
    assert!(requests[0].starts_with("GET /a/b%20c/?cmd=capabilities HTTP/1.1\r\n"), "{requests:?}");
    assert!(requests[1].starts_with("GET /a/b%20c/?cmd=lookup HTTP/1.1\r\n"), "{requests:?}");
    let lower = requests[1].to_ascii_lowercase();
    assert!(lower.contains("user-agent: mercurial/proto-1.0 (synchroniser"), "{lower}");
    assert!(lower.contains("accept: application/mercurial-0.1\r\n"), "{lower}");
    assert!(lower.contains("vary: x-hgarg-1,x-hgarg-2\r\n"), "{lower}");
    assert!(!lower.contains("accept-encoding") && !lower.contains("cookie"), "{lower}");
    // `us:geheimgeheim`
    let authorization = "authorization: basic dXM6Z2VoZWltZ2VoZWlt\r\n".to_ascii_lowercase();
    assert!(requests.iter().all(|head| head.to_ascii_lowercase().contains(&authorization)));
}

#[test]
fn a_credential_needs_a_user_and_a_safe_file() {
    let env = TestEnv::new();
    let with = |user: Option<&str>, mode| {
        let token_file = token_file(&env);
        std::fs::set_permissions(&token_file, std::fs::Permissions::from_mode(mode)).unwrap();
        let token = Token { user: user.map(str::to_owned), source: token_file.into() };
        Access { token: Some(token), ..options() }
    };
    let web = Web::saying(answer("200 OK", MERCURIAL, ""));
    for (url, options, kind) in [
        (web.url("/"), with(None, 0o600), "Setting"),
        (web.url("/"), with(Some("u"), 0o644), "Secret"),
        (web.url("/"), Access { plain_http: false, ..options() }, "PlainHttp"),
        (web.url("/"), Access { ca_file: Some("/nowhere".into()), ..options() }, "File"),
        (web.url("/"), Access { ca_file: Some(env.path("token")), ..options() }, "Setting"),
        (web.url("/"), Access { proxy: Some("::".to_owned()), ..options() }, "Setting"),
    ] {
        let error = peer(&url, &options).err().unwrap();
        assert!(variant(&error).starts_with(kind), "{error:?}");
        said(&error);
    }
    assert_eq!(web.requests(), [""; 0]);
    let mut peer = peer(&web.url("/").replace("//", "//them@"), &with(None, 0o600)).unwrap();
    peer.capabilities().unwrap();
    let sent = web.requests().concat();
    assert!(sent.contains("Basic dGhlbTpnZWhlaW1nZWhlaW0="), "{sent}");
}

#[test]
fn a_redirect_on_the_same_server_is_remembered() {
    let moved = answer("301 Moved", "Location: /new/?cmd=heads\r\n", "");
    let there = answer("200 OK", MERCURIAL, &format!("{}\n", "11".repeat(20)));
    let web = Web::start(move |stream, head| {
        let bytes = if head.starts_with("GET /old") { &moved } else { &there };
        stream.write_all(bytes).unwrap();
    });
    let mut peer = peer(&web.url("/old"), &options()).unwrap();
    peer.remember(modern());
    for expected in [["/old", "/new/"].as_slice(), &["/new/"]] {
        assert_eq!(peer.call(&Command::heads()).unwrap().len(), 41);
        let requests = web.requests();
        let paths = requests.iter().map(|head| head.split(['?', ' ']).nth(1).unwrap());
        assert_eq!(paths.collect::<Vec<_>>(), expected);
    }
    // What is posted is not posted again elsewhere.
    let caps = Capabilities::parse(b"httppostargs", &limits()).unwrap();
    let web = Web::saying(answer("307 Moved", "Location: /new\r\n", ""));
    let mut peer = self::peer(&web.url("/old"), &options()).unwrap();
    peer.remember(caps);
    let error = peer.call(&Command::lookup(b"x")).unwrap_err();
    assert!(matches!(error, PeerError::Net(NetError::Moved { .. })), "{error:?}");
}

#[test]
fn bundles_from_elsewhere() {
    let env = TestEnv::new();
    let bundles = Web::saying(answer("200 OK", "Content-Type: text/plain\r\n", "HG20"));
    let web = Web::saying(answer("200 OK", MERCURIAL, ""));
    let elsewhere = bundles.url("/a.hg?x=y").replace("127.0.0.1", "localhost");
    let ssh_command = script(&env, "ssh", "printf 'capabilities: x\\n1\\n\\n'; exec cat");
    let options = Access { ssh_command, ..with_token(&env) };
    for url in [web.url("/"), "ssh://host.example/repo".to_owned()] {
        let mut refusing = peer(&url, &options).unwrap();
        let error = refusing.download(&elsewhere).err().unwrap();
        assert!(matches!(error, PeerError::Net(NetError::Refused { .. })), "{error:?}");
        assert!(said(&error).contains("of a private network"), "{error}");
        assert_eq!(error.fault(), Fault::Refused);
        assert_eq!(bundles.requests(), [""; 0]);

        let options = Access { private_downloads: true, ..options.clone() };
        let mut peer = peer(&url, &options).unwrap();
        let mut bytes = Vec::new();
        peer.download(&elsewhere).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"HG20");
        let requests = bundles.requests();
        assert!(requests[0].starts_with("GET /a.hg?x=y HTTP"), "{requests:?}");
        assert!(!requests[0].to_ascii_lowercase().contains("authorization"), "{requests:?}");
        // The same host, but another port.
        peer.download(&bundles.url("/")).unwrap();
        assert!(!bundles.requests()[0].to_ascii_lowercase().contains("authorization"));

        for address in ["10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:192.168.0.1]"] {
            let error = refusing.download(&format!("http://{address}/a.hg")).err().unwrap();
            assert!(said(&error).contains("of a private network"), "{error}");
        }
        for bad in ["file:///etc/passwd", "/etc/passwd", "ssh://h/a", "https://u:p@h/", ""] {
            let error = peer.download(bad).err().unwrap();
            let kinds = matches!(
                error,
                PeerError::Net(NetError::Unintelligible { .. } | NetError::Unsupported { .. })
            );
            assert!(kinds, "{error:?}");
        }
        let secure = Access { plain_http: false, ..options };
        if url.starts_with("ssh") {
            let error = self::peer(&url, &secure).unwrap().download(&elsewhere).err().unwrap();
            assert!(matches!(error, PeerError::Net(NetError::PlainHttp { .. })), "{error:?}");
        }
    }
}

#[test]
fn a_proxy_is_used_where_one_is_named() {
    let web = Web::saying(answer("200 OK", MERCURIAL, "known"));
    let target = web.port;
    let proxy = Web::start(move |stream, head| {
        assert!(head.starts_with(&format!("CONNECT 127.0.0.1:{target} HTTP/1.1\r\n")), "{head}");
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let mut to = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).unwrap();
        let inner = self::head(stream);
        to.write_all(inner.as_bytes()).unwrap();
        std::io::copy(&mut to, stream).unwrap();
    });
    let proxied = Access { proxy: Some(proxy.url("")), ..options() };
    assert!(peer(&web.url("/"), &proxied).unwrap().capabilities().unwrap().has("known"));
    assert_eq!(proxy.requests().len(), 1);
    let refusing = Web::saying(answer("403 No", "", ""));
    let proxied = Access { proxy: Some(refusing.url("")), ..options() };
    check(&web.url("/"), &proxied, Fault::Unavailable, "Unreachable", "403").unwrap();
}

/// What stands in for `ssh`, and what it leads to.
const SSH: &[(&str, &str, Fault, &str, &str)] = &[
    ("silent", "exec sleep 60", Fault::Unavailable, "TimedOut", "a greeting"),
    (
        "no host",
        "echo 'ssh: Could not resolve hostname x' >&2; exit 255",
        Fault::Unavailable,
        "Unreachable",
        "resolve",
    ),
    (
        "no key",
        "echo 'u@h: Permission denied (publickey).' >&2; exit 255",
        Fault::Auth,
        "Denied",
        "publickey",
    ),
    (
        "no trust",
        "echo 'Host key verification failed.' >&2; exit 255",
        Fault::Config,
        "Untrusted",
        "ssh-keyscan",
    ),
    (
        "no hg",
        "echo 'sh: 1: hg: not found' >&2; exit 127",
        Fault::Refused,
        "Refused",
        "hg: not found",
    ),
    (
        "no repository",
        "echo 'abort: repository /x not found' >&2; exit 255",
        Fault::Auth,
        "Denied",
        "/x",
    ),
    ("killed", "kill -9 $$", Fault::Unavailable, "Cut", ""),
    ("endless greeting", "yes hello", Fault::Corrupt, "Unintelligible", "greets without end"),
    (
        "endless line",
        "tr '\\0' x </dev/zero",
        Fault::Corrupt,
        "Unintelligible",
        "greets without end",
    ),
    ("dripping", "while echo x; do sleep 0.2; done", Fault::Unavailable, "TimedOut", "a greeting"),
    (
        "strange words",
        "printf 'capabilities: a\\tb\\n1\\n\\n'; cat",
        Fault::Corrupt,
        "Capabilities",
        "Malformed",
    ),
    ("no answer", "GREET; exec sleep 60", Fault::Unavailable, "TimedOut", "the answer"),
    (
        "half an answer",
        "GREET; printf '41\\n00'; exec sleep 60",
        Fault::Unavailable,
        "TimedOut",
        "the rest",
    ),
    (
        "dripping answer",
        "GREET; echo 9999; while printf 0; do sleep 0.2; done",
        Fault::Unavailable,
        "TimedOut",
        "the rest",
    ),
    ("cut answer", "GREET; printf '41\\n00'", Fault::Unavailable, "Cut", "heads"),
    ("cut length", "GREET; printf 4", Fault::Unavailable, "Cut", "heads"),
    (
        "no length",
        "GREET; echo hello; exec sleep 60",
        Fault::Corrupt,
        "Unintelligible",
        "no length",
    ),
    (
        "long length",
        "GREET; echo 000000000000000000000000; exec sleep 60",
        Fault::Corrupt,
        "Unintelligible",
        "",
    ),
    (
        "huge length",
        "GREET; echo 99999999999999999999; exec sleep 60",
        Fault::Corrupt,
        "Unintelligible",
        "cannot be",
    ),
    ("large answer", "GREET; echo 100001; exec sleep 60", Fault::Corrupt, "TooLarge", "100000"),
    (
        "its error",
        "GREET; printf 'a\\033[31mb\\n-\\n' >&2; echo; exec sleep 60",
        Fault::Refused,
        "Refused",
        "a\\\\u{1b}[31mb",
    ),
];

#[test]
fn ssh_servers_that_misbehave() {
    let env = TestEnv::new();
    let greet = "printf 'capabilities: x\\n1\\n\\n'; head -c 110 >/dev/null";
    let cases = SSH.iter().map(|case| (case.0.to_owned(), case));
    for_all(cases, |(name, text, fault, kind, words)| {
        let text = text.replace("GREET", greet);
        let ssh_command = script(&env, &name.replace(' ', "-"), &text);
        let options = Access { ssh_command, ..options() };
        check("ssh://host.example/repo", &options, *fault, kind, words)
    });
    let missing = Access { ssh_command: env.path("nowhere"), ..options() };
    check("ssh://host.example/repo", &missing, Fault::Config, "Program", "nowhere").unwrap();
}

#[test]
fn ssh_greetings_are_passed_over() {
    let env = TestEnv::new();
    for (name, greeting, known) in [
        ("banner", "Welcome!\\r\\n1\\n\\n17\\ncapabilities: known\\n1\\n\\n", true),
        ("old", "0\\n1\\n\\n", false),
    ] {
        let ssh_command = script(&env, name, &format!("printf '{greeting}'; exec cat >/dev/null"));
        let mut peer = peer("ssh://host.example/a", &Access { ssh_command, ..options() }).unwrap();
        assert_eq!(peer.capabilities().unwrap().has("known"), known, "{name}");
    }
}

#[test]
fn an_ssh_stream_that_was_not_read_is_noticed() {
    let env = TestEnv::new();
    let text = "printf 'capabilities: x\\n1\\n\\nHG20more'; exec cat >/dev/null";
    let ssh_command = script(&env, "ssh", text);
    let mut peer = peer("ssh://host.example/a", &Access { ssh_command, ..options() }).unwrap();
    let command = Command::getbundle(&GetBundle::default());
    // The greeting and what follows may come together.
    let result = peer.stream(&command).map(|mut stream| {
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"HG20");
    });
    let error = result.and_then(|()| peer.call(&Command::heads())).unwrap_err();
    assert!(matches!(error, PeerError::OutOfStep { .. }), "{error:?}");
    assert_eq!(error.fault(), Fault::Internal);
}
