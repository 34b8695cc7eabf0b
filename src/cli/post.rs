//! One POST over a plain socket, to a daemon of this machine, and its answer.

use std::io::{self, ErrorKind, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::base::{Interrupt, Interrupted, faults};

/// How long one look at the socket takes, at most.
const LOOK: Duration = Duration::from_millis(100);
/// More than any answer of our own daemon.
const MAX_ANSWER: u64 = 1 << 20;

/// Why a request gets no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    /// The connection failed.
    #[error("talk to the daemon at {address}")]
    Connection {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    /// What came back is not HTTP.
    #[error("understand the daemon's answer")]
    NotHttp { address: SocketAddr },
    /// A stop was requested.
    #[error("wait for the daemon")]
    Interrupted(#[from] Interrupted),
}

faults!(PostError {
    Self::Connection { source, .. } if source.kind() == ErrorKind::ConnectionRefused => {
        Unavailable.at(Here).hint(
            "nobody listens there: start the daemon with `systemctl start synchroniser`; if it listens elsewhere, \
             its configuration is another one, to be named with --config"
        )
    },
    Self::Connection { source, .. } => io(source),
    Self::NotHttp { address } => Config.at(Here).hint(format!(
        "something else than the daemon listens at {address}"
    )),
    Self::Interrupted(error) => of(error),
});

/// What is posted.
#[derive(Clone, Debug)]
pub(super) struct Post<'p> {
    /// From the first slash on.
    pub(super) target: String,
    /// Beside `Host`, `Connection` and `Content-Length`.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: &'p [u8],
}

/// What the daemon says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Sends it, and waits for the answer: for `patience`, or as long as it takes.
pub(super) fn post(
    address: SocketAddr,
    post: &Post<'_>,
    patience: Option<Duration>,
    interrupt: &Interrupt,
) -> Result<Answer, PostError> {
    let exchanged = exchange(address, post, patience, interrupt);
    let answer = exchanged.map_err(|error| match error.kind() {
        ErrorKind::Interrupted => PostError::Interrupted(Interrupted),
        _ => PostError::Connection { address, source: error },
    })?;
    parse(&answer).ok_or(PostError::NotHttp { address })
}

fn head(address: SocketAddr, post: &Post<'_>) -> String {
    let Post { target, headers, body } = post;
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    format!(
        "POST {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}Content-Length: \
         {}\r\n\r\n",
        body.len()
    )
}

/// One request and all that comes back until the other side closes.
fn exchange(
    address: SocketAddr,
    post: &Post<'_>,
    patience: Option<Duration>,
    interrupt: &Interrupt,
) -> io::Result<Vec<u8>> {
    let mut stream = match patience {
        Some(patience) => TcpStream::connect_timeout(&address, patience)?,
        None => TcpStream::connect(address)?,
    };
    stream.set_read_timeout(Some(LOOK))?;
    stream.write_all(head(address, post).as_bytes())?;
    stream.write_all(post.body)?;
    let began = Instant::now();
    let mut stream = stream.take(MAX_ANSWER);
    let mut answer = Vec::new();
    loop {
        interrupt.check().map_err(|_| io::Error::from(ErrorKind::Interrupted))?;
        match stream.read_to_end(&mut answer) {
            Ok(_) => return Ok(answer),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if patience.is_some_and(|patience| began.elapsed() > patience) {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut words = head.strip_prefix("HTTP/1.")?.split(' ');
    let status = words.nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::net::{Shutdown, TcpListener};

    use super::*;
    use crate::base::{Fault, HasFault};

    fn a_post() -> Post<'static> {
        let headers = vec![("X-Test".to_owned(), "1".to_owned())];
        Post { target: "/hook/x?a=b".to_owned(), headers, body: b"{}" }
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
        let answer = post(address, &a_post(), None, &Interrupt::default()).unwrap();
        assert_eq!(answer, Answer { status: 200, body: "first\nsecond\n".to_owned() });
        let request = server.join().unwrap();
        assert!(request.starts_with("POST /hook/x?a=b HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
        assert!(request.ends_with("X-Test: 1\r\nContent-Length: 2\r\n\r\n{}"), "{request}");
    }

    #[test]
    fn whoever_does_not_speak_http_and_whoever_is_not_there() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"SSH-2.0-nonsense\r\n\r\n").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let interrupt = Interrupt::default();
        let error = post(address, &a_post(), None, &interrupt).unwrap_err();
        assert!(matches!(error, PostError::NotHttp { .. }), "{error:?}");
        server.join().unwrap();
        let error = post(address, &a_post(), None, &interrupt).unwrap_err();
        assert_eq!(error.fault(), Fault::Unavailable);
        assert!(error.hint().unwrap().contains("systemctl start"), "{error:?}");
    }

    #[test]
    fn patience_ends_and_so_does_a_wait_that_is_interrupted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let patience = Some(Duration::from_millis(150));
        let error = post(address, &a_post(), patience, &Interrupt::default()).unwrap_err();
        assert!(matches!(error, PostError::Connection { .. }), "{error:?}");
        let interrupt = Interrupt::default();
        interrupt.raise();
        let error = post(address, &a_post(), None, &interrupt).unwrap_err();
        assert_eq!(error.fault(), Fault::Interrupted);
    }
}
