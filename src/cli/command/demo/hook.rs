//! The sender's side of a Bitbucket POST hook, over a plain socket.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::json;

use crate::base::{Interrupt, Interrupted, faults};

/// How long one look at the socket takes, at most.
const LOOK: Duration = Duration::from_millis(100);
/// More than any answer of our own daemon.
const MAX_ANSWER: u64 = 1 << 20;

/// Why a hook gets no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HookError {
    /// The connection failed.
    #[error("talk to the daemon at {address}")]
    Connection {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    /// What came back is not HTTP.
    #[error("understand the daemon's answer")]
    NotHttp,
    /// A stop was requested.
    #[error("wait for the daemon")]
    Interrupted(#[from] Interrupted),
}

faults!(HookError {
    Self::Connection { source, .. } => io(source),
    Self::NotHttp => Internal,
    Self::Interrupted(error) => of(error),
});

/// What the daemon says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Sends the hook for `project` of `user`, and waits for the answer.
pub(super) fn deliver(
    address: SocketAddr,
    user: &str,
    project: &str,
    interrupt: &Interrupt,
) -> Result<Answer, HookError> {
    let request = post(address, user, project);
    let answer = exchange(address, &request, interrupt).map_err(|error| match error.kind() {
        ErrorKind::Interrupted => HookError::Interrupted(Interrupted),
        _ => HookError::Connection { address, source: error },
    })?;
    parse(&answer)
}

fn post(address: SocketAddr, user: &str, project: &str) -> String {
    let body = format!("payload={}", percent_encode(&payload(user, project)));
    format!(
        "POST /synchronise/?user={user}&project={project} HTTP/1.1\r\nHost: {address}\r\n\
         Connection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What Bitbucket sent after a push, without the commits: nobody believes them anyway.
fn payload(user: &str, project: &str) -> String {
    json!({
        "canon_url": "https://bitbucket.org",
        "user": user,
        "truncated": false,
        "commits": [],
        "repository": {
            "absolute_url": format!("/{user}/{project}/"),
            "fork": false,
            "is_private": false,
            "name": project,
            "owner": user,
            "scm": "hg",
            "slug": project,
            "website": "",
        },
    })
    .to_string()
}

fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// One request and all that comes back until the other side closes.
fn exchange(address: SocketAddr, request: &str, interrupt: &Interrupt) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LOOK))?;
    stream.write_all(request.as_bytes())?;
    let mut stream = stream.take(MAX_ANSWER);
    let mut answer = Vec::new();
    loop {
        interrupt.check().map_err(|_| io::Error::from(ErrorKind::Interrupted))?;
        match stream.read_to_end(&mut answer) {
            Ok(_) => return Ok(answer),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
}

fn parse(answer: &[u8]) -> Result<Answer, HookError> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or(HookError::NotHttp)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(Answer { status: status.ok_or(HookError::NotHttp)?, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::net::{Shutdown, TcpListener};

    use super::*;
    use crate::base::{Fault, HasFault};

    #[test]
    fn a_hook_is_form_encoded() {
        let address = SocketAddr::from(([127, 0, 0, 1], 80));
        let request = post(address, "demo", "lighthouse");
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
        assert!(body.starts_with("payload=%7B%22canon%5Furl%22"), "{body}");
        assert!(body.contains("%22slug%22%3A%22lighthouse%22"), "{body}");
    }

    #[test]
    fn a_slow_answer_is_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nfirst\n").unwrap();
            std::thread::sleep(LOOK * 3);
            stream.write_all(b"second\n").unwrap();
            // Closing with something unread would take the answer back.
            stream.shutdown(Shutdown::Write).unwrap();
            let mut request = Vec::new();
            stream.read_to_end(&mut request).unwrap();
            String::from_utf8(request).unwrap()
        });
        let answer = deliver(address, "demo", "x", &Interrupt::default()).unwrap();
        assert_eq!(answer, Answer { status: 200, body: "first\nsecond\n".to_owned() });
        assert!(server.join().unwrap().starts_with("POST /synchronise/?user=demo&project=x "));
    }

    #[test]
    fn an_interrupt_ends_the_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let interrupt = Interrupt::default();
        interrupt.raise();
        let error = deliver(listener.local_addr().unwrap(), "u", "p", &interrupt).unwrap_err();
        assert_eq!(error.fault(), Fault::Interrupted);
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        for answer in [&b""[..], b"hello", b"HTTP/1.1 abc\r\n\r\n"] {
            assert!(matches!(parse(answer), Err(HookError::NotHttp)));
        }
    }
}
