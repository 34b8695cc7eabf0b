//! Servers on the loopback interface: `hg serve`, and `git http-backend` behind a few lines of HTTP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;

/// A port that nobody listens on.
pub(crate) fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A child that ends with what started it.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server and waits until it listens.
pub(crate) fn start(command: &mut Command, port: u16) -> Outcome<Ended> {
    let server = Ended(command.spawn()?);
    let begin = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if begin.elapsed() > Duration::from_secs(60) {
            return Err(format!("{command:?} does not listen").into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(server)
}

/// `hg serve`.
pub(crate) struct HgServe {
    pub(crate) url: String,
    log: std::path::PathBuf,
    _process: Ended,
}

impl HgServe {
    pub(crate) fn start(hg: &Path, repository: &Path, log: &Path) -> Outcome<Self> {
        let port = free_port()?;
        let _ = std::fs::remove_file(log);
        let mut command = Command::new(hg);
        command.env("HGRCPATH", "/dev/null").env("HGPLAIN", "1");
        command.arg("-R").arg(repository).args(["serve", "-a", "127.0.0.1", "-p"]);
        command.arg(port.to_string()).arg("-A").arg(log);
        command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
        let process = start(&mut command, port)?;
        Ok(Self {
            url: format!("http://127.0.0.1:{port}/"),
            log: log.to_owned(),
            _process: process,
        })
    }

    /// How many requests it has answered.
    pub(crate) fn requests(&self) -> usize {
        std::fs::read_to_string(&self.log).unwrap_or_default().lines().count()
    }
}

/// A web server that knows one thing: to run `git http-backend`.
pub(crate) struct GitServe {
    port: u16,
    requests: Arc<AtomicUsize>,
}

impl GitServe {
    /// Serves the repositories below `root`, until the program ends.
    pub(crate) fn start(root: &Path) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let requests = Arc::new(AtomicUsize::new(0));
        let (seen, root) = (Arc::clone(&requests), root.to_owned());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, root) = (Arc::clone(&seen), root.clone());
                thread::spawn(move || {
                    if let Err(error) = answer(stream, &root, &seen) {
                        eprintln!("the server of Git: {error}");
                    }
                });
            }
        });
        Ok(Self { port, requests })
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

/// What of a body goes where.
enum Body {
    Length(u64),
    Chunked,
}

/// Answers one request through CGI.
fn answer(mut stream: TcpStream, root: &Path, seen: &AtomicUsize) -> Outcome<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(());
    }
    seen.fetch_add(1, Ordering::Relaxed);
    let mut words = first.split_whitespace();
    let (method, uri) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let mut backend = Command::new("git");
    backend.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
    backend.env("REQUEST_METHOD", method).env("PATH_INFO", path).env("QUERY_STRING", query);
    backend.env("REMOTE_USER", "bench").env("GIT_CONFIG_GLOBAL", "/dev/null");
    let mut body = Body::Length(0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? < 3 {
            break;
        }
        let (name, value) = line.trim_end().split_once(": ").unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => body = Body::Length(value.parse()?),
            "transfer-encoding" => body = Body::Chunked,
            "content-type" => drop(backend.env("CONTENT_TYPE", value)),
            "content-encoding" => drop(backend.env("HTTP_CONTENT_ENCODING", value)),
            "git-protocol" => drop(backend.env("GIT_PROTOCOL", value)),
            "expect" => stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?,
            _ => {}
        }
    }
    if let Body::Length(length) = body {
        backend.env("CONTENT_LENGTH", length.to_string());
    }
    backend.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = backend.spawn()?;
    let mut input = child.stdin.take().ok_or("no input")?;
    let mut output = child.stdout.take().ok_or("no output")?;
    let writer = thread::spawn(move || -> Outcome<()> {
        match body {
            Body::Length(length) => drop(std::io::copy(&mut reader.take(length), &mut input)?),
            Body::Chunked => chunks(&mut reader, &mut input)?,
        }
        Ok(())
    });
    let mut said = Vec::new();
    output.read_to_end(&mut said)?;
    let head = said.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or_default() + 4;
    let first = String::from_utf8_lossy(said.split(|byte| *byte == b'\r').next().unwrap_or(&[]));
    let status = first.strip_prefix("Status: ").unwrap_or("200 OK");
    // libgit2 does not read a body that ends with the connection.
    let length = said.len().saturating_sub(head);
    let mut whole =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n")
            .into_bytes();
    whole.extend(said);
    stream.write_all(&whole)?;
    let _ = child.wait();
    let _ = writer.join();
    Ok(())
}

/// Copies a body that comes in chunks.
fn chunks(reader: &mut impl std::io::BufRead, to: &mut impl std::io::Write) -> Outcome<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let length = u64::from_str_radix(line.trim().split(';').next().unwrap_or_default(), 16)?;
        std::io::copy(&mut reader.by_ref().take(length), to)?;
        reader.read_line(&mut String::new())?;
        if length == 0 {
            return Ok(());
        }
    }
}
