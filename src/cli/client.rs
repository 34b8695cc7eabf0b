//! What a person asks of the daemon that runs on this machine, over its admin socket: one request of its API for
//! each connection.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::base::{Fault, faults};

/// No answer is larger, in bytes.
const LARGEST: u64 = 256 << 20;
/// How long the daemon may take for an answer, beside the time that it was asked to wait.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take for a copy of its queue before the first byte comes.
const DOWNLOAD_PATIENCE: Duration = Duration::from_mins(30);
/// No head of an answer is longer, in bytes.
const LONGEST_HEAD: u64 = 16 << 10;

/// Why the daemon did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// Nobody answers at the socket.
    #[error("reach the daemon at {}", socket.display())]
    Connect {
        socket: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The connection broke.
    #[error("talk to the daemon at {}", socket.display())]
    Talk {
        socket: PathBuf,
        #[source]
        source: io::Error,
    },
    /// What came back cannot be understood, as from another version.
    #[error("understand the answer of the daemon: {problem}")]
    Answer { problem: String },
    /// The daemon says no.
    #[error("get that from the daemon: {title}")]
    Refused { title: String, fault: Fault },
}

faults!(ClientError {
    Self::Connect { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Auth.hint(
        "its user and its group may use the socket: try as root, or as a member of that group"
    ),
    Self::Connect { .. } => Unavailable.hint(
        "start it with `systemctl start synchroniser`; if its configuration is elsewhere, name it with --config"
    ),
    Self::Talk { .. } => Unavailable,
    Self::Answer { .. } => Internal.hint("the daemon may be of another version: restart it"),
    Self::Refused { fault, .. } => *fault,
});

/// The daemon that runs on this machine.
#[derive(Clone, Debug)]
pub(super) struct Client {
    socket: PathBuf,
}

/// What the API says of an error (RFC 9457).
#[derive(Deserialize)]
struct Problem {
    title: String,
    #[serde(default)]
    detail: Option<String>,
}

impl Client {
    /// The daemon that listens at `socket`.
    pub(super) fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// What the daemon shows at `path` of its API, as text.
    pub(super) fn text(&self, path: &str) -> Result<String, ClientError> {
        self.request("GET", path, PATIENCE)
    }

    /// What the daemon shows at `path` of its API.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        read(&self.text(path)?)
    }

    /// The same, where the daemon may wait for `wait` before it answers.
    pub(super) fn wait<T: DeserializeOwned>(
        &self,
        path: &str,
        wait: Duration,
    ) -> Result<T, ClientError> {
        read(&self.request("GET", path, PATIENCE + wait)?)
    }

    /// Asks for what `path` of the API does.
    pub(super) fn post(&self, path: &str) -> Result<String, ClientError> {
        self.request("POST", path, PATIENCE)
    }

    /// The same, where the daemon may need `wait` for it.
    pub(super) fn post_and_wait(&self, path: &str, wait: Duration) -> Result<String, ClientError> {
        self.request("POST", path, PATIENCE + wait)
    }

    /// Writes what `path` of the API makes into `file`; how many bytes.
    pub(super) fn download(&self, path: &str, file: &mut File) -> Result<u64, ClientError> {
        let stream = self.ask("POST", path, DOWNLOAD_PATIENCE)?;
        let talk = |source| ClientError::Talk { socket: self.socket.clone(), source };
        let mut reader = BufReader::new(stream);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let line = reader.by_ref().take(LONGEST_HEAD).read_until(b'\n', &mut head);
            if line.map_err(talk)? == 0 || head.len() as u64 > LONGEST_HEAD {
                return Err(ClientError::Answer { problem: "it is no HTTP".to_owned() });
            }
        }
        let mut head = String::from_utf8_lossy(&head).into_owned();
        if !head.starts_with("HTTP/1.1 200 ") {
            reader.take(LARGEST).read_to_string(&mut head).map_err(talk)?;
            body_of(&head)?;
            return Err(ClientError::Answer { problem: "it is no file".to_owned() });
        }
        let lines = head.lines().filter_map(|line| line.split_once(':'));
        let mut lines = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let size = lines.next().and_then(|(_, size)| size.trim().parse::<u64>().ok());
        let copied = io::copy(&mut reader, file).map_err(talk)?;
        match size == Some(copied) {
            true => Ok(copied),
            false => Err(ClientError::Answer { problem: "it broke off".to_owned() }),
        }
    }

    fn request(&self, method: &str, path: &str, patience: Duration) -> Result<String, ClientError> {
        let stream = self.ask(method, path, patience)?;
        let talk = |source| ClientError::Talk { socket: self.socket.clone(), source };
        let mut answer = Vec::new();
        stream.take(LARGEST).read_to_end(&mut answer).map_err(talk)?;
        let text = String::from_utf8(answer)
            .map_err(|_| ClientError::Answer { problem: "it is no text".to_owned() })?;
        body_of(&text)
    }

    /// Sends a request; the answer is what can be read then.
    fn ask(&self, method: &str, path: &str, patience: Duration) -> Result<UnixStream, ClientError> {
        let connected = UnixStream::connect(&self.socket);
        let socket = || self.socket.clone();
        let mut stream =
            connected.map_err(|source| ClientError::Connect { socket: socket(), source })?;
        let talk = |source| ClientError::Talk { socket: socket(), source };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        stream.set_read_timeout(Some(patience)).map_err(talk)?;
        stream.write_all(head.as_bytes()).map_err(talk)?;
        Ok(stream)
    }
}

/// The body of an answer, if it tells of a success. The daemon sends no chunks: each answer is whole.
fn body_of(text: &str) -> Result<String, ClientError> {
    let not_http = || ClientError::Answer { problem: "it is no HTTP".to_owned() };
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(not_http)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
    let status = status.ok_or_else(not_http)?;
    if (200..300).contains(&status) {
        return Ok(body.to_owned());
    }
    let problem: Option<Problem> = serde_json::from_str(body).ok();
    let title = problem.map_or_else(
        || format!("it says {status}"),
        |problem| problem.detail.unwrap_or(problem.title),
    );
    let fault = match status {
        401 | 403 => Fault::Auth,
        404 => Fault::Config,
        503 => Fault::Unavailable,
        _ => Fault::Internal,
    };
    Err(ClientError::Refused { title, fault })
}

/// What an answer means.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, ClientError> {
    serde_json::from_str(text).map_err(|error| ClientError::Answer { problem: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::HasFault as _;

    #[test]
    fn answers_are_told_apart() {
        let answer = |status: &str, body: &str| format!("HTTP/1.1 {status}\r\nA: b\r\n\r\n{body}");
        assert_eq!(body_of(&answer("200 OK", "{}")).unwrap(), "{}");
        assert_eq!(body_of(&answer("204 No Content", "")).unwrap(), "");
        let problem = r#"{"title":"Not found","detail":"No mirror is called x."}"#;
        let error = body_of(&answer("404 Not Found", problem)).unwrap_err();
        assert_eq!(error.to_string(), "get that from the daemon: No mirror is called x.");
        assert_eq!(error.fault(), Fault::Config);
        let error = body_of(&answer("503 Service Unavailable", "later")).unwrap_err();
        assert_eq!(error.to_string(), "get that from the daemon: it says 503");
        assert_eq!(error.fault(), Fault::Unavailable);
        for text in ["", "HTTP/1.1 200 OK", "nonsense\r\n\r\n", "HTTP/1.1 x y\r\n\r\n"] {
            assert!(matches!(body_of(text), Err(ClientError::Answer { .. })), "{text}");
        }
    }

    #[test]
    fn nobody_at_the_socket() {
        let folder = tempfile::tempdir().unwrap();
        let client = Client::at(&folder.path().join("none.sock"));
        let error = client.text("/api/v1/overview").unwrap_err();
        assert_eq!(error.fault(), Fault::Unavailable);
        assert!(error.hint().unwrap().contains("systemctl start"));
    }
}
