//! The sender's side of a Bitbucket POST hook, over a plain socket.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::json;

use crate::base::fault::io_fault;
use crate::base::{Fault, HasFault, Interrupt, Interrupted, Progress};
use crate::cli::ui::Ui;

/// How long one look at the socket takes, at most.
const LOOK: Duration = Duration::from_millis(100);
/// How long to wait before asking again how a sync goes on.
const ASK_AGAIN: Duration = Duration::from_millis(200);
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
    /// Somebody asked us to stop.
    #[error("wait for the daemon")]
    Interrupted(#[from] Interrupted),
}

impl HasFault for HookError {
    fn fault(&self) -> Fault {
        match self {
            Self::Connection { source, .. } => io_fault(source),
            Self::NotHttp => Fault::Internal,
            Self::Interrupted(error) => error.fault(),
        }
    }
}

/// What the daemon says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    location: Option<String>,
}

/// Sends the hook for `project` of `user`; follows the link of a 202 until the sync has ended.
pub(super) fn deliver(
    address: SocketAddr,
    user: &str,
    project: &str,
    ui: &Ui,
    interrupt: &Interrupt,
) -> Result<Answer, HookError> {
    ui.begin("waiting for the sync", None, "");
    let exchange = |request: &str| {
        exchange(address, request, ui, interrupt).map_err(|error| match error.kind() {
            ErrorKind::Interrupted => HookError::Interrupted(Interrupted),
            _ => HookError::Connection { address, source: error },
        })
    };
    let mut answer = parse(&exchange(&post(address, user, project))?)?;
    while let (202, Some(link)) = (answer.status, answer.location.as_deref()) {
        std::thread::sleep(ASK_AGAIN);
        answer = parse(&exchange(&get(address, link))?)?;
    }
    ui.end();
    Ok(answer)
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

fn get(address: SocketAddr, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
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
fn exchange(
    address: SocketAddr,
    request: &str,
    ui: &Ui,
    interrupt: &Interrupt,
) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LOOK))?;
    stream.write_all(request.as_bytes())?;
    let mut stream = stream.take(MAX_ANSWER);
    let mut answer = Vec::new();
    loop {
        interrupt.check().map_err(|_| io::Error::from(ErrorKind::Interrupted))?;
        match stream.read_to_end(&mut answer) {
            Ok(_) => return Ok(answer),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                ui.advance(0);
            }
            Err(error) => return Err(error),
        }
    }
}

fn parse(answer: &[u8]) -> Result<Answer, HookError> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or(HookError::NotHttp)?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let location = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
    });
    Ok(Answer { status: status.ok_or(HookError::NotHttp)?, body: body.to_owned(), location })
}

#[cfg(test)]
mod tests {
    use std::net::{Shutdown, TcpListener};

    use super::*;

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
    fn the_link_of_a_202_is_followed_to_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let answers = ["202 Accepted\r\nLocation: /jobs/1", "200 OK"];
            answers.map(|answer| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 5];
                stream.read_exact(&mut request).unwrap();
                let answer = format!("HTTP/1.1 {answer}\r\n\r\nsaid {answer}");
                stream.write_all(answer.as_bytes()).unwrap();
                // Closing with something unread would take the answer back.
                stream.shutdown(Shutdown::Write).unwrap();
                stream.read_to_end(&mut Vec::new()).unwrap();
                String::from_utf8_lossy(&request).into_owned()
            })
        });
        let interrupt = Interrupt::default();
        let answer = deliver(address, "demo", "x", &Ui::new(true), &interrupt).unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "said 200 OK"));
        assert_eq!(server.join().unwrap(), ["POST ", "GET /"]);
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        for answer in [&b""[..], b"hello", b"HTTP/1.1 abc\r\n\r\n"] {
            assert!(matches!(parse(answer), Err(HookError::NotHttp)));
        }
    }
}
