//! A PostgreSQL server of the tests' own: Debian's, started for the process that asks for it first, and ended with
//! that one, also when it is killed. Each test gets a schema of its own in its one database.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::skip;

/// Makes a server in a folder, says where that is, and waits until nobody holds the other end of its input any more.
/// `$1` is the folder of the programs, `$2` the port, and the rest goes to the server.
const SCRIPT: &str = r#"
set -eu
trap '' INT TERM HUP
bin=$1 port=$2
shift 2
folder=$(mktemp -d /tmp/synchroniser-postgres-XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"$bin/initdb" -D data -A trust -U synchroniser --no-locale -E UTF8 --no-sync >initdb.log 2>&1 || {
  cat initdb.log >&2
  exit 1
}
cat >>data/postgresql.conf <<END
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$folder'
max_connections = 300
shared_buffers = 64MB
END
"$bin/pg_ctl" -D data -w -l log start >/dev/null || {
  cat log >&2
  exit 1
}
echo "$folder"
cat >/dev/null
"$bin/pg_ctl" -D data -m immediate stop >/dev/null 2>&1
"#;

/// A server that runs.
pub(crate) struct Postgres {
    pub(crate) port: u16,
    /// Its folder, with its socket, and its data in `data`.
    pub(crate) folder: PathBuf,
    bin: PathBuf,
    /// Its end is what ends the server.
    _alive: ChildStdin,
    _child: Child,
}

/// The newest release that there is.
fn bin() -> Option<PathBuf> {
    let releases = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let releases = releases.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    let releases = releases.filter(|bin| bin.join("initdb").exists());
    releases.max_by_key(|bin| bin.parent()?.file_name()?.to_str()?.parse::<u32>().ok())
}

/// A command that is not run as root, as which a server does not start.
fn as_somebody(program: impl AsRef<std::ffi::OsStr>) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

impl Postgres {
    /// A server of whoever calls, with data of its own; `None` if there is no PostgreSQL on this machine, which is
    /// said.
    pub(crate) fn start() -> Option<Self> {
        let bin = bin();
        if bin.is_none() {
            skip("there is no PostgreSQL server here (Debian's package `postgresql`)");
        }
        let bin = bin?;
        // Free now; whoever takes it meanwhile makes the start fail, and there are others.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut child = as_somebody("sh")
                .args(["-c", SCRIPT, "sh"])
                .arg(&bin)
                .arg(port.to_string())
                .current_dir("/")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let alive = child.stdin.take().unwrap();
            let mut folder = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut folder).unwrap();
            if !folder.trim().is_empty() {
                let folder = PathBuf::from(folder.trim());
                return Some(Self { port, folder, bin, _alive: alive, _child: child });
            }
            drop(alive);
            child.wait().unwrap();
        }
        panic!("a PostgreSQL server does not start");
    }

    /// The address of a schema of its own.
    pub(crate) fn schema(&self) -> String {
        static LAST: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test_{}", LAST.fetch_add(1, Ordering::Relaxed));
        self.client().batch_execute(&format!("CREATE SCHEMA {name}")).unwrap();
        Self::address("127.0.0.1", self.port, &name)
    }

    /// The address of a schema by way of another host or port.
    pub(crate) fn address(host: &str, port: u16, schema: &str) -> String {
        format!("postgres://synchroniser@{host}:{port}/postgres?options=-csearch_path%3D{schema}")
    }

    /// A connection that may do everything.
    pub(crate) fn client(&self) -> postgres::Client {
        let address = Self::address("127.0.0.1", self.port, "public");
        postgres::Client::connect(&address, postgres::NoTls).unwrap()
    }

    /// Has it listen on another address of this machine too, for everybody whose connection is encrypted.
    pub(crate) fn listen(&self, address: &str) {
        let access = self.folder.join("data/pg_hba.conf");
        let mut access = std::fs::File::options().append(true).open(access).unwrap();
        writeln!(access, "hostssl all all all trust").unwrap();
        let set = format!("ALTER SYSTEM SET listen_addresses = '127.0.0.1,{address}'");
        self.client().batch_execute(&set).unwrap();
        self.control(&["stop", "-m", "fast"]);
        self.control(&["start"]);
    }

    /// Has it offer encryption, with `cert.pem` and `key.pem` of `folder`.
    pub(crate) fn encrypt(&self, folder: &Path) {
        for (from, to) in [("cert.pem", "server.crt"), ("key.pem", "server.key")] {
            // It reads no folder of whoever runs the tests, and wants a key of its own.
            let mut copy = as_somebody("sh")
                .args(["-c", "umask 077; cat >\"$1\"", "sh"])
                .arg(self.folder.join("data").join(to))
                .current_dir("/")
                .stdin(std::fs::File::open(folder.join(from)).unwrap())
                .spawn()
                .unwrap();
            assert!(copy.wait().unwrap().success());
        }
        self.client().batch_execute("ALTER SYSTEM SET ssl = on").unwrap();
        self.control(&["reload"]);
        let is_on = || self.client().query_one("SHOW ssl", &[]).unwrap().get::<_, &str>(0) == "on";
        let begin = std::time::Instant::now();
        while !is_on() {
            assert!(begin.elapsed().as_secs() < 20, "no encryption: {}", self.log());
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Runs `pg_ctl` with these arguments, as `stop -m immediate`.
    pub(crate) fn control(&self, arguments: &[&str]) {
        let ran = as_somebody(self.bin.join("pg_ctl"))
            .arg("-D")
            .arg(self.folder.join("data"))
            .arg("-w")
            .arg("-l")
            .arg(self.folder.join("log"))
            .args(arguments)
            .current_dir("/")
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(ran.success(), "pg_ctl {arguments:?}: {}", self.log());
    }

    /// What the server has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join(Path::new("log"))).unwrap_or_default()
    }
}

/// The server that all tests of this process share. It is not stopped, nor are its connections ended.
pub(crate) fn shared() -> Option<&'static Postgres> {
    static SERVER: OnceLock<Option<Postgres>> = OnceLock::new();
    SERVER.get_or_init(Postgres::start).as_ref()
}
