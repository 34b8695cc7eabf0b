//! The program itself as a child, as systemd runs it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::rig::{Answer, answer_of};
use crate::support::{Ran, TestEnv};

/// Longer than anything here takes, however busy the machine is.
pub(super) const LONG: Duration = Duration::from_mins(1);

/// Where the configuration of a test is.
pub(super) const CONFIG: &str = "synchroniser.toml";

/// What each configuration begins with.
pub(super) const HEAD: &str = r#"
cache = "cache"
daemon = { listen = "127.0.0.1:0", socket = "admin.sock", state = "state", wait = 0, workers = 4, long_workers = 4, hooks_a_minute = 1000000 }
schedule.debounce = 0
schedule.per_target_minute = 1000
web.read = "open"
hooks.hg = { format = "synchroniser", allow_unauthenticated = true }
"#;

/// `synchroniser serve` as a child. It is killed with what started it.
pub(super) struct Program {
    child: Child,
    log: Arc<Mutex<String>>,
    pub(super) address: SocketAddr,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes the configuration of `env`.
pub(super) fn configure(env: &TestEnv, text: &str) -> PathBuf {
    let path = env.path(CONFIG);
    std::fs::write(&path, format!("{HEAD}{text}")).unwrap();
    path
}

impl Program {
    /// Starts it with the configuration that `env` has, and returns once it listens.
    pub(super) fn start(env: &TestEnv) -> Self {
        Self::start_with(env, &[])
    }

    /// The same with variables.
    pub(super) fn start_with(env: &TestEnv, variables: &[(&str, &str)]) -> Self {
        let mut command = env.synchroniser();
        command.args(["serve", "--config", CONFIG]).envs(variables.iter().copied());
        Self::spawn(command)
    }

    /// The same with a role of its own.
    pub(super) fn start_as(env: &TestEnv, role: &str) -> Self {
        let mut command = env.synchroniser();
        command.args(["serve", "--config", CONFIG, "--role", role]);
        Self::spawn(command)
    }

    /// Starts what becomes the program.
    pub(super) fn spawn(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, kept) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                crate::support::secrets::assert_none("the log", &line);
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut program = Self { child, log, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let line = program.until_log_says("listening address=");
        let address = line.split("address=").nth(1).unwrap().split(' ').next().unwrap();
        program.address = address.parse().unwrap();
        program
    }

    /// How much memory it has, in MiB.
    pub(super) fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        let digits: String = line.chars().filter(char::is_ascii_digit).collect();
        digits.parse::<usize>().unwrap() / 1024
    }

    pub(super) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The first line of the log that has `text`, once there is one.
    pub(super) fn until_log_says(&self, text: &str) -> String {
        let begin = Instant::now();
        loop {
            let log = self.log();
            if let Some(line) = log.lines().find(|line| line.contains(text)) {
                return line.to_owned();
            }
            assert!(begin.elapsed() < LONG, "the log never said {text:?}:\n{log}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended.
    pub(super) fn ended(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begin.elapsed() < LONG, "it does not end:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends it at once, wherever it is.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// A hook for a mirror; `None` if there was no answer.
    pub(super) fn try_hook(&self, mirror: &str) -> Option<u16> {
        self.try_hook_within(mirror, LONG)
    }

    /// The same; neither a connection nor an answer may take longer than `time`.
    pub(super) fn try_hook_within(&self, mirror: &str, time: Duration) -> Option<u16> {
        let mut stream = TcpStream::connect_timeout(&self.address, time).ok()?;
        stream.set_read_timeout(Some(time)).ok()?;
        stream.write_all(hook(mirror).as_bytes()).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        text.split(' ').nth(1)?.parse().ok()
    }

    pub(super) fn hook(&self, mirror: &str) {
        assert_eq!(self.try_hook(mirror), Some(202), "{}", self.log());
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        answer_of(&mut stream)
    }

    /// What the API says.
    pub(super) fn json(&self, path: &str) -> serde_json::Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    /// Waits until a mirror is in a state.
    pub(super) fn until_state(&self, mirror: &str, state: &str) -> serde_json::Value {
        self.until_state_within(mirror, state, LONG)
    }

    pub(super) fn until_state_within(
        &self,
        mirror: &str,
        state: &str,
        time: Duration,
    ) -> serde_json::Value {
        let begin = Instant::now();
        loop {
            let found = self.json(&format!("/api/v1/mirrors/{mirror}"));
            if found["state"] == state {
                return found;
            }
            assert!(begin.elapsed() < time, "{mirror} is never {state}: {found:#}\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The body of a hook for a mirror.
pub(super) fn body(mirror: &str) -> String {
    format!(r#"{{"schema":"synchroniser/1","event":"push","mapping":"{mirror}"}}"#)
}

/// A request that asks for a mirror.
fn hook(mirror: &str) -> String {
    let body = body(mirror);
    let head = format!(
        "POST /hook/hg HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    head + &body
}

/// A command that talks to the daemon of `env`.
pub(super) fn ask(env: &TestEnv, words: &[&str]) -> Ran {
    let (name, rest) = words.split_first().unwrap();
    let config = ["--config", CONFIG];
    env.synchronise([name].into_iter().chain(&config).chain(rest))
}

/// A socket that stands for systemd's.
pub(super) struct Notified(UnixDatagram, PathBuf);

impl Notified {
    pub(super) fn new(env: &TestEnv) -> Self {
        let path = env.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        Self(socket, path)
    }

    pub(super) fn path(&self) -> &str {
        self.1.to_str().unwrap()
    }

    /// The next message that has `text`.
    pub(super) fn until(&self, text: &str) -> String {
        let begin = Instant::now();
        loop {
            let mut bytes = [0; 4096];
            let length = self.0.recv(&mut bytes).unwrap();
            let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if message.contains(text) {
                return message;
            }
            assert!(begin.elapsed() < LONG, "nobody says {text}");
        }
    }
}
