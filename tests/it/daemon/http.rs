//! Paths, methods, bodies and deadlines.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::path::Path;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use synchroniser::config::{Read as MayRead, Scope, StoredToken};

use super::rig::{
    End, LONG, SHORT, answer_of, connect, get, post, report, request, rig, rig_with, rocket, send,
};

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
    for path in ["/hook", "/synchronise/x", "/synchronise/state/", "//", "/synchronise//"] {
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
fn a_client_that_closes_its_half_is_answered() {
    let rig = rig();
    let mut stream = connect(rig.address());
    stream.write_all(&post("", &rocket())).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    rig.begun().1.send(End::Report(report())).unwrap();
    assert_eq!(answer_of(&mut stream).status, 200);
}

#[test]
fn a_client_that_asks_before_it_sends_is_told_to_go_on() {
    let rig = rig_with(|config| config.daemon.wait = Duration::ZERO);
    let request = String::from_utf8(post("", &rocket())).unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut stream = connect(rig.address());
    stream.write_all(format!("{head}\r\nExpect: 100-continue\r\n\r\n").as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(go_on.as_slice(), b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).unwrap();
    assert_eq!(answer_of(&mut stream).status, 202);
}

#[test]
fn bytes_that_are_no_http_harm_nobody() {
    let rig = rig();
    for bytes in [&b"\0\xff\xfe\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\r\n\r\n\r\n"]
    {
        let mut stream = connect(rig.address());
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(!rest.starts_with(b"HTTP/1.1 2"));
    }
    assert_eq!(get(rig.address(), "/healthz").status, 200);
}

#[test]
fn metrics_name_mirrors_and_so_need_a_token_or_a_listener_of_their_own() {
    let rig = rig_with(|config| {
        config.web.access.tokens.push(StoredToken {
            name: "watch".to_owned(),
            // SHA-256 of "abc" (FIPS 180-2, B.1).
            sha256: *b"\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23\
                       \xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad",
            scope: Scope::Read,
        });
        config.web.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
    });
    let answer = get(rig.address(), "/metrics");
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Bearer")));
    assert!(!answer.body.contains("m-rocket"), "{}", answer.body);
    let with = |token: &str| {
        let head = format!(
            "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text\r\n\
             Authorization: Bearer {token}\r\n\r\n"
        );
        send(rig.address(), head.as_bytes())
    };
    assert_eq!(with("abd").status, 401);
    let answer = with("abc");
    assert_eq!(answer.status, 200);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(kind));
    for line in [
        "synchroniser_mirrors{state=\"good\"} 2\n",
        "synchroniser_runs_total{mirror=\"m-rocket\",state=\"done\",fault=\"\",side=\"\"} 1\n",
        "synchroniser_last_success_timestamp_seconds{mirror=\"m-engine\"} ",
    ] {
        assert!(answer.body.contains(line), "{line} is not in\n{}", answer.body);
    }
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
}

const TOKEN: &str = "token-to-trigger";

fn token() -> StoredToken {
    let sha256 = Sha256::digest(TOKEN).into();
    StoredToken { name: "ops".to_owned(), sha256, scope: Scope::Trigger }
}

/// A request whose body is too large is not taken for one without a body.
#[test]
fn a_request_of_the_api_with_a_large_body_is_refused() {
    let rig = rig_with(|config| config.web.access.tokens = vec![token()]);
    let head = |length: &str| {
        format!(
            "POST /api/v1/mirrors/m-rocket/sync HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n{length}\r\n\r\n"
        )
    };
    let large = "x".repeat((16 << 10) + 1);
    let declared = head(&format!("Content-Length: {}", large.len())) + &large;
    let chunked =
        head("Transfer-Encoding: chunked") + &format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    for request in [declared, chunked] {
        let answer = send(rig.address(), request.as_bytes());
        assert_eq!(answer.status, 413, "{}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(answer.body.contains("larger than 16384 bytes"), "{}", answer.body);
    }
    assert!(rig.begun.try_recv().is_err(), "nothing was synced");
    let fits = head("Transfer-Encoding: chunked") + "2\r\n{}\r\n0\r\n\r\n";
    assert_eq!(send(rig.address(), fits.as_bytes()).status, 202);
    rig.begun().1.send(End::Report(report())).unwrap();
}

#[test]
fn a_request_with_a_key_is_answered_with_the_same_run() {
    let rig = rig_with(|config| config.web.access.tokens = vec![token()]);
    let ask = |mirror: &str, key: &str| {
        let request = format!(
            "POST /api/v1/mirrors/{mirror}/sync HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nIdempotency-Key: {key}\r\nContent-Length: 0\r\n\r\n"
        );
        send(rig.address(), request.as_bytes())
    };
    let run = |mirror: &str, key: &str| {
        let answer = ask(mirror, key);
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.header("location").unwrap().to_owned()
    };
    let first = run("m-rocket", "abc");
    rig.begun().1.send(End::Report(report())).unwrap();
    rig.until_healthz_says("running: 0\nqueued: 0\n");
    assert_eq!(run("m-rocket", "abc"), first);
    assert!(rig.begun.recv_timeout(SHORT).is_err(), "synced twice");
    for (mirror, key) in [("m-rocket", "abd"), ("m-engine", "abc")] {
        assert_ne!(run(mirror, key), first);
        rig.begun().1.send(End::Report(report())).unwrap();
    }
    for wrong in ["", &"x".repeat(256)] {
        assert_eq!(ask("m-rocket", wrong).status, 400);
    }
}

/// Proxies that are trusted say who guesses and who follows events; others say nothing.
#[test]
fn proxies_that_are_trusted_say_who_it_is() {
    let rig = rig_with(|config| {
        config.web.access.read = MayRead::Open;
        config.web.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    });
    let log_in = |from: &str| {
        let head = format!(
            "POST /login HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\
             X-Forwarded-For: 10.0.0.1, {from}\r\nContent-Length: 7\r\n\r\ntoken=x"
        );
        send(rig.address(), head.as_bytes()).status
    };
    for _ in 0..10 {
        assert_eq!(log_in("192.0.2.1"), 422);
    }
    assert_eq!((log_in("192.0.2.1"), log_in("192.0.2.2")), (429, 422));

    let follow = |from: &str| {
        let mut stream = connect(rig.address());
        let head =
            format!("GET /api/v1/events HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {from}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).unwrap();
        (String::from_utf8_lossy(&begin[9..]).into_owned(), stream)
    };
    let mut elsewhere = follow("2001:db8:0:1::1").1;
    let mut open: Vec<_> = (0..6).map(|_| follow("2001:db8::1").1).collect();
    // One too many of the same network ends the oldest of it, and nobody else's.
    assert_eq!(follow("2001:db8::2").0, "200");
    let mut rest = Vec::new();
    open[0].read_to_end(&mut rest).unwrap();
    elsewhere.set_read_timeout(Some(SHORT)).unwrap();
    assert!(elsewhere.read_to_end(&mut rest).is_err(), "it goes on");
}

/// Thousands of streams of events take the places of others, but not all of them.
#[test]
fn streams_of_many_leave_places_to_others() {
    let rig = rig_with(|config| {
        config.web.access.read = MayRead::Open;
        config.web.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.daemon.connections = 1000.try_into().unwrap();
    });
    let mut open = Vec::new();
    let mut taken = 0;
    for number in 0..250 {
        let mut stream = connect(rig.address());
        let head = format!(
            "GET /api/v1/events HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.{number}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).unwrap();
        taken += usize::from(begin.ends_with(b"200"));
        open.push(stream);
    }
    assert_eq!(taken, 200);
    assert_eq!(get(rig.address(), "/healthz").status, 200);
}

/// A path that only looks like that of a stream does not make its connection last longer.
#[test]
fn what_is_no_stream_does_not_last() {
    let rig = rig_with(|config| {
        config.daemon.request_timeout = SHORT;
        config.daemon.connections = 1.try_into().unwrap();
    });
    for path in ["/api/v1/events", "/hook/events", "/events"] {
        let mut slow = connect(rig.address());
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n");
        slow.write_all(head.as_bytes()).unwrap();
        let begin = Instant::now();
        assert_eq!(get(rig.address(), "/healthz").status, 200);
        assert!(begin.elapsed() < LONG / 2);
    }
}

/// What the alert rules and the dashboard ask for is there.
#[test]
fn metrics_have_what_alerts_and_dashboard_name() {
    let rig = rig_with(|config| config.web.access.read = MayRead::Open);
    let hook = rig.hook("", &rocket());
    rig.begun().1.send(End::Report(report())).unwrap();
    assert_eq!(hook.join().unwrap().status, 200);
    let metrics = get(rig.address(), "/metrics");
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let mut named = std::collections::BTreeSet::new();
    for file in ["packaging/alerts.yml", "packaging/grafana.json"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(path).unwrap();
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let words = text.split(|c: char| !is_part(c));
        let metrics = words.filter(|word| word.starts_with("synchroniser_"));
        named.extend(metrics.map(str::to_owned));
    }
    assert!(named.len() > 8, "{named:?}");
    for name in named {
        // Some have no values here, such as ends of credentials.
        let kind = format!("# TYPE {name} ");
        let is_of =
            |line: &str| line.strip_prefix(&*name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let is_there = metrics.body.lines().any(|line| line.starts_with(&kind) || is_of(line));
        assert!(is_there, "{name} is not in\n{}", metrics.body);
    }
}

/// What a proxy before us could read otherwise than we do gets no second answer, and ends nothing of ours.
#[test]
fn requests_that_can_be_read_in_two_ways_are_refused() {
    let rig = rig();
    let post = "POST /hook/hg HTTP/1.1\r\nHost: x\r\n";
    let next = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    for (request, status) in [
        (format!("{next}{next}"), 200),
        (
            format!("{post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{next}"),
            404,
        ),
        (format!("{post}Content-Length: 4\r\nContent-Length: 5\r\n\r\n12345"), 400),
        (format!("{post}Content-Length: 5, 5\r\n\r\n12345"), 400),
        (format!("{post}Content-Length: +5\r\n\r\n12345"), 400),
        (format!("{post}Transfer-Encoding: identity\r\n\r\n12345"), 400),
        (format!("{post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"), 400),
        (format!("{post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"), 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nX-A: b\0c\r\n\r\n".to_owned(), 400),
        ("CONNECT example.org:80 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 405),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 404),
        (format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(66_000)), 414),
        (format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: a\r\n".repeat(500)), 431),
    ] {
        let mut stream = connect(rig.address());
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // Where more was sent than is read, the connection may be reset after the answer.
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let begin: String = request.chars().take(120).collect();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{begin:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{begin:?}: {answer}");
    }
    assert_eq!(get(rig.address(), "/healthz").status, 200);
}
