//! A daemon of ours, and the hooks that it gets.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::run::cpu_of;
use crate::server::{Ended, free_port, start};

/// What each configuration begins with: nothing waits for more, and nothing is held back.
const HEAD: &str = r#"
cache = "cache"
schedule.debounce = 0
schedule.per_target_minute = 1000
schedule.per_source_host = 1000
schedule.per_target_host = 1000
schedule.per_target_owner = 1000
web.read = "open"
hooks.synchronise = { format = "bitbucket_post", allow_unauthenticated = true }
"#;

/// `synchroniser serve`.
pub(crate) struct Daemon {
    port: u16,
    process: Ended,
}

/// A mirror: its name, its source, and its target.
pub(crate) type Mirror = (String, String, String);

impl Daemon {
    /// Starts one in `folder` with these mirrors.
    pub(crate) fn start(program: &Path, folder: &Path, mirrors: &[Mirror]) -> Outcome<Self> {
        let port = free_port()?;
        let of = |address: &str| match address.starts_with("http://") {
            true => format!("{{ url = {address:?}, plain_http = true }}"),
            false => format!("{address:?}"),
        };
        let lines = mirrors.iter().map(|(name, source, target)| {
            let (source, target) = (of(source), of(target));
            format!("mirrors.{name} = {{ source = {source}, target = {target}, user = \"bench\", project = {name:?} }}\n")
        });
        let lines: String = lines.collect();
        let text = format!(
            "daemon = {{ listen = \"127.0.0.1:{port}\", socket = \"none\", state = \"state\", wait = 600, \
             hooks_a_minute = 1000000, connections = 1000 }}\n{HEAD}{lines}"
        );
        let config = folder.join("synchroniser.toml");
        std::fs::create_dir_all(folder)?;
        std::fs::write(&config, text)?;
        let log = std::fs::File::create(folder.join("daemon.log"))?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(&config).current_dir(folder);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        Ok(Self { port, process: start(&mut command, port)? })
    }

    pub(crate) fn cpu(&self) -> Duration {
        cpu_of(self.process.0.id())
    }

    fn request(&self, request: &str) -> Outcome<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_nodelay(true)?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Sends the hook of a mirror and waits until its sync is done.
    pub(crate) fn sync(&self, mirror: &str) -> Outcome<Duration> {
        let body =
            "payload=%7B%22repository%22%3A%7B%22owner%22%3A%22x%22%2C%22slug%22%3A%22y%22%7D%7D";
        let request = format!(
            "POST /synchronise/?user=bench&project={mirror} HTTP/1.1\r\nHost: 127.0.0.1\r\n\
             Connection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let begin = Instant::now();
        let answer = self.request(&request)?;
        let took = begin.elapsed();
        match answer.contains(" 200 OK") {
            true => Ok(took),
            false => Err(format!("the daemon answered {answer}").into()),
        }
    }

    /// Waits until nothing runs and nothing waits.
    pub(crate) fn until_idle(&self, most: Duration) -> Outcome<()> {
        let begin = Instant::now();
        loop {
            let request = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
            if self.request(request)?.contains("running: 0\nqueued: 0\n") {
                return Ok(());
            }
            if begin.elapsed() > most {
                return Err("the daemon still has work".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
