//! Servers that answer before they have heard everything, or in a strange way: fakes, because no real
//! one does so when it is told to.

use super::*;
use crate::support::serve::head;

/// An HTTP server that lists no refs, and does with the push what it is told to.
fn server(answer: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                loop {
                    let request = head(&mut stream);
                    if request.starts_with("GET ") {
                        stream.write_all(&list()).unwrap();
                    } else {
                        if !request.is_empty() {
                            answer(&mut stream);
                        }
                        return;
                    }
                }
            });
        }
    });
    port
}

/// The refs of an empty repository.
fn list() -> Vec<u8> {
    let line = format!(
        "{} capabilities^{{}}\0report-status side-band-64k delete-refs agent=x\n",
        "0".repeat(40)
    );
    let body = format!("001f# service=git-receive-pack\n0000{:04x}{line}0000", line.len() + 4);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-receive-pack-advertisement";
    format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// What a push of much ends with there.
fn failure_at(port: u16) -> PublishError {
    failure_under(port, &Interrupt::default())
}

fn failure_under(port: u16, interrupt: &Interrupt) -> PublishError {
    let (history, commit) = noise();
    let url = format!("http://127.0.0.1:{port}/x.git");
    let url = TargetUrl::parse(&url, PlainHttp::Allow).unwrap();
    let second = Duration::from_secs(1);
    let timeouts = Timeouts { connect: 5 * second, first_byte: 5 * second, idle: 5 * second };
    let target = Target::new(url, Access { timeouts, ..Access::default() });
    let update = RefUpdate { name: MASTER.to_owned(), old: None, new: Some(commit) };
    let mut opened = destination::open(&target, &history.path()).unwrap();
    opened.push(&[update], &NoProgress, interrupt).unwrap_err()
}

/// Says no as soon as something comes, and hangs up, or goes on reading without an end in sight.
fn refusing(status: &'static str, text: &'static str, reads: bool) -> u16 {
    server(move |stream| {
        stream.read_exact(&mut [0; 1000]).unwrap();
        let length = text.len();
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nConnection: close\r\n");
        // In one piece: what the system still holds back is lost when the connection ends while there is
        // something to read. Web servers wait a little for that.
        let answer = format!("{head}Content-Length: {length}\r\n\r\n{text}");
        stream.write_all(answer.as_bytes()).unwrap();
        if reads {
            let _ = std::io::copy(stream, &mut std::io::sink());
        }
    })
}

#[test]
fn a_server_that_says_no_early_is_heard() {
    for reads in [false, true] {
        let error = failure_at(refusing("413 Too Large", "", reads));
        let PublishError::PackRefused { kind, .. } = &error else { panic!("{error:?}") };
        assert_eq!(*kind, RefusalKind::TooLarge);
        let text = "Permission to o/r.git denied to somebody.\n";
        let error = failure_at(refusing("403 Forbidden", text, reads));
        assert!(matches!(error, PublishError::Denied { .. }), "{error:?}");
        assert!(said(&error).contains(text.trim()), "{}", said(&error));
        let text = "This repository was archived so it is read-only.";
        let error = failure_at(refusing("403 Forbidden", text, reads));
        assert!(error.hint().unwrap().contains("archive"), "{error:?}");
        let error = failure_at(refusing("401 Who", "", reads));
        assert!(matches!(error, PublishError::Rejected { .. }), "{error:?}");
        let error = failure_at(refusing("503 Later", "", reads));
        assert!(matches!(error, PublishError::Busy { .. }), "{error:?}");
    }
}

#[test]
fn a_push_is_not_sent_elsewhere() {
    let port = server(|stream| {
        stream.read_exact(&mut [0; 1000]).unwrap();
        let head = "HTTP/1.1 307 There\r\nLocation: https://elsewhere.example/x.git\r\n";
        write!(stream, "{head}Content-Length: 0\r\n\r\n").unwrap();
        let _ = std::io::copy(stream, &mut std::io::sink());
    });
    let error = failure_at(port);
    assert!(matches!(error, PublishError::Moved { .. }), "{error:?}");
    assert!(said(&error).contains("https://elsewhere.example/x.git"), "{}", said(&error));
}

/// A server that reads nothing costs little more than what is configured, and no time after an interrupt.
#[test]
fn a_server_that_stops_reading() {
    let hung = || {
        server(|stream| {
            let _ = stream.read_exact(&mut [0; 1000]);
            std::thread::sleep(Duration::from_secs(90));
        })
    };
    let start = Instant::now();
    let error = failure_at(hung());
    assert_eq!(error.fault(), Fault::Unavailable, "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
    let interrupt = Interrupt::default();
    let raised = interrupt.clone();
    let at = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&at);
    // As soon as something has come, all that the connection holds is soon full.
    let port = server(move |stream| {
        let _ = stream.read_exact(&mut [0; 1000]);
        std::thread::sleep(Duration::from_secs(1));
        *seen.lock().unwrap() = Some(Instant::now());
        raised.raise();
        std::thread::sleep(Duration::from_secs(90));
    });
    let error = failure_under(port, &interrupt);
    assert!(matches!(error, PublishError::Interrupted(_)), "{error:?}");
    let since = at.lock().unwrap().unwrap().elapsed();
    assert!(since < Duration::from_secs(3), "{since:?}");
}

/// The whole request, whose end is an empty chunk.
fn read_all(stream: &mut TcpStream) {
    let (mut last, mut piece) = (Vec::new(), vec![0; 1 << 16]);
    while !last.ends_with(b"0\r\n\r\n") {
        let count = stream.read(&mut piece).unwrap();
        assert!(count > 0);
        last.extend_from_slice(&piece[..count]);
        last = last.split_off(last.len().saturating_sub(5));
    }
}

/// Reads everything, and answers with these bytes.
fn answering(bytes: &'static [u8]) -> u16 {
    server(move |stream| {
        read_all(stream);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-receive-pack-result\r\n";
        // libgit2 takes an answer for an empty one whose end is only that of the connection.
        let length = bytes.len();
        write!(stream, "{head}Connection: close\r\nContent-Length: {length}\r\n\r\n").unwrap();
        stream.write_all(bytes).unwrap();
    })
}

#[test]
fn strange_answers() {
    let error = failure_at(answering(b"000f\x03disk full\n"));
    assert!(matches!(error, PublishError::Busy { .. }), "{error:?}");
    assert!(said(&error).contains("disk full"), "{}", said(&error));
    // It says why before it hangs up.
    let text = b"0036\x02fatal: pack exceeds maximum allowed size (2 GiB)\n";
    let error = failure_at(answering(text));
    let PublishError::PackRefused { kind, reason, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*kind, RefusalKind::TooLarge);
    assert!(reason.contains("2 GiB"), "{reason}");
    for bytes in [&b"HTTP/1.1 200 OK"[..], b"0006\x07x", b"0010\x01000bunpack"] {
        let error = failure_at(answering(bytes));
        let is_clear =
            matches!(error, PublishError::Unintelligible { .. } | PublishError::Unreachable { .. });
        assert!(is_clear, "{error:?}");
    }
    let error = failure_at(answering(b""));
    assert!(matches!(error, PublishError::Unreachable { .. }), "{error:?}");
}
