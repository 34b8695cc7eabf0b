//! Pushing to real servers on the loopback interface: `git http-backend` behind nginx with TLS and
//! a password, and OpenSSH. Each error text that libgit2 gives is provoked here for real.

use std::cell::Cell;
use std::error::Error as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use synchroniser::base::{Fault, HasFault as _};
use synchroniser::git::destination::{PublishError, RefOutcome, Target};
use synchroniser::git::init::{self, GitSettings};
use synchroniser::git::url::PlainHttp;
use synchroniser::git::{Credential, ObjectId, TargetUrl};

use super::destination::{History, Place, contract, reason, short};

const MASTER: &str = "refs/heads/master";
const SIDE: &str = "refs/heads/side";

/// No part of it may turn up in any message.
const TOKEN: &str = "ghp_geheimgeheimgeheim";

/// The path of a program, looked for where servers live too.
fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        eprintln!("skipped: {name} is not installed");
    }
    found
}

/// A command that sees nothing of the host's configuration.
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("HOME", "/nowhere").env("LC_ALL", "C").stdin(Stdio::null());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    command
}

/// Runs a command that must succeed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A server's process, ended with the test.
struct Server(Child);

impl Server {
    /// Starts it, and waits until it listens.
    fn start(command: &mut Command, port: u16) -> Self {
        let server = Self(command.spawn().unwrap());
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "{command:?} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder of repositories that a server gives out.
struct Repositories {
    folder: tempfile::TempDir,
    made: Cell<u32>,
}

impl Repositories {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), made: Cell::new(0) }
    }

    /// A new, empty one; its name.
    fn make(&self) -> String {
        self.made.set(self.made.get() + 1);
        let name = format!("r{}.git", self.made.get());
        git2::Repository::init_bare(self.path(&name)).unwrap();
        name
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn hook(&self, name: &str, hook: &str, script: &str) {
        let path = self.path(name).join("hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn configure(&self, name: &str, key: &str, value: &str) {
        let repository = git2::Repository::open(self.path(name)).unwrap();
        repository.config().unwrap().set_str(key, value).unwrap();
    }
}

/// The whole text of an error, with all that stands behind it; never with the token.
fn said(error: &PublishError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    let everything = format!("{text} {error:?} {:?}", error.hint());
    assert!(!everything.contains("geheim"), "{everything}");
    text
}

/// What pushing one new branch there ends with, which must be an error.
fn failure(target: Target) -> (Fault, PublishError) {
    let history = History::new();
    let place = Place { target, repository: PathBuf::new() };
    let error = place.publish(&history, &[(MASTER, history.commit("a", &[]))]).unwrap_err();
    said(&error);
    (error.fault(), error)
}

/// Publishes two branches, and says what came of it.
fn publish_two(place: &Place) -> Result<Vec<RefOutcome>, PublishError> {
    let history = History::new();
    let line = history.line("a", 2);
    place.publish(&history, &[(MASTER, line[1]), (SIDE, line[0])])
}

/// What every server must be able to say, over every protocol.
fn refusals(repositories: &Repositories, place: &dyn Fn(&str) -> Place) {
    let name = repositories.make();
    let script = "test $1 != refs/heads/side || { echo error: GH006: Protected $1.; exit 1; }";
    repositories.hook(&name, "update", script);
    let outcomes = publish_two(&place(&name)).unwrap();
    assert_eq!(short(&outcomes), "+!");
    let why = reason(&outcomes[1]);
    assert!(why.starts_with("hook declined: error: GH006: Protected refs/heads/side."), "{why}");
    assert_eq!(place(&name).refs().len(), 1);

    let name = repositories.make();
    let script = format!("echo; echo 'policy: nothing today, {TOKEN}' >&2; exit 1");
    repositories.hook(&name, "pre-receive", &script);
    let outcomes = publish_two(&place(&name)).unwrap();
    assert_eq!(short(&outcomes), "!!");
    assert!(reason(&outcomes[0]).starts_with("pre-receive hook declined: policy: nothing today, "));
    assert_eq!(place(&name).refs().len(), 0);

    let name = repositories.make();
    repositories.configure(&name, "receive.hideRefs", SIDE);
    let outcomes = publish_two(&place(&name)).unwrap();
    assert_eq!(short(&outcomes), "+!");
    assert_eq!(reason(&outcomes[1]), "deny updating a hidden ref");

    // Both forbid what is never asked for; nothing changes.
    let name = repositories.make();
    repositories.configure(&name, "receive.denyNonFastForwards", "true");
    repositories.configure(&name, "receive.denyDeletes", "true");
    assert_eq!(short(&publish_two(&place(&name)).unwrap()), "++");

    let name = repositories.make();
    repositories.configure(&name, "receive.fsckObjects", "true");
    let history = History::new();
    let broken = broken_commit(&history);
    let error = place(&name).publish(&history, &[(MASTER, broken)]).unwrap_err();
    assert_eq!(error.fault(), Fault::Refused, "{error:?}");
    assert!(said(&error).contains("missingSpaceBeforeEmail"), "{}", said(&error));
    assert_eq!(place(&name).refs().len(), 0);
}

/// A commit that `git fsck` objects to.
fn broken_commit(history: &History) -> ObjectId {
    let repository = git2::Repository::open_bare(history.path()).unwrap();
    let tree = repository.treebuilder(None).unwrap().write().unwrap();
    let text = format!("tree {tree}\nauthor A<a@b> 0 +0000\ncommitter A<a@b> 0 +0000\n\nx\n");
    repository.odb().unwrap().write(git2::ObjectType::Commit, text.as_bytes()).unwrap().into()
}

/// Stock Git finds nothing wrong with what arrived.
fn fsck(repositories: &Repositories) {
    for number in 1..=repositories.made.get() {
        let path = repositories.path(&format!("r{number}.git"));
        run(command("git").arg("-C").arg(path).args(["fsck", "--strict", "--no-dangling"]));
    }
}

mod ssh {
    use super::*;

    /// An OpenSSH server with one host key and one user key.
    struct Sshd {
        folder: tempfile::TempDir,
        repositories: Repositories,
        port: u16,
        user: String,
        #[expect(dead_code, reason = "ends the server when it is dropped")]
        server: Server,
    }

    impl Sshd {
        /// Starts one; `None` where that is not possible, after saying why.
        fn start() -> Option<Self> {
            let (sshd, keygen) = (tool("sshd")?, tool("ssh-keygen")?);
            tool("git")?;
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            for (name, kind) in
                [("host", "ed25519"), ("user", "ed25519"), ("other", "ed25519"), ("rsa", "rsa")]
            {
                run(command(&keygen).args(["-q", "-t", kind, "-N", "", "-f"]).arg(at(name)));
            }
            let protected = ["-q", "-t", "ed25519", "-N", "a passphrase", "-f"];
            run(command(&keygen).args(protected).arg(at("protected")));
            let authorized = ["user.pub", "rsa.pub", "protected.pub"]
                .map(|name| fs::read_to_string(at(name)).unwrap());
            fs::write(at("authorized_keys"), authorized.concat()).unwrap();
            let port = free_port();
            let user = run(command("id").arg("-un")).trim().to_owned();
            if user == "root" {
                let _ = fs::create_dir_all("/run/sshd");
            }
            write_config(&sshd, folder.path(), port);
            let config = at("config");
            let mut start = command(&sshd);
            let log = fs::File::create(at("log")).unwrap();
            start.args(["-D", "-e", "-f"]).arg(config).stderr(log);
            let server = Server::start(&mut start, port);
            let public = fs::read_to_string(at("host.pub")).unwrap();
            let known = format!("[127.0.0.1]:{port} {public}");
            fs::write(at("known_hosts"), known).unwrap();
            let this = Self { folder, repositories: Repositories::new(), port, user, server };
            this.lets_stock_ssh_in().then_some(this)
        }

        /// Whether the account we run as can log in at all: it may be locked, or have no shell.
        fn lets_stock_ssh_in(&self) -> bool {
            let Some(ssh) = tool("ssh") else { return false };
            let mut ssh = command(ssh);
            ssh.args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]);
            ssh.args(["-o", &format!("UserKnownHostsFile={}", self.at("known_hosts").display())]);
            ssh.arg("-i").arg(self.at("user")).args(["-p", &self.port.to_string()]);
            let output = ssh.arg(format!("{}@127.0.0.1", self.user)).arg("true").output().unwrap();
            if !output.status.success() {
                let log = fs::read_to_string(self.at("log")).unwrap_or_default();
                eprintln!("skipped: ssh cannot log in here: {output:?} {log}");
            }
            output.status.success()
        }

        fn at(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn target(&self, name: &str) -> Target {
            let path = self.repositories.path(name);
            let url = format!("ssh://{}@127.0.0.1:{}{}", self.user, self.port, path.display());
            Target {
                url: TargetUrl::parse(&url, PlainHttp::Refuse).unwrap(),
                credential: Credential::ssh_key_file(None, &self.at("user"), None).unwrap(),
                known_hosts: Some(self.at("known_hosts")),
            }
        }

        fn place(&self, name: &str) -> Place {
            Place { target: self.target(name), repository: self.repositories.path(name) }
        }
    }

    /// Writes sshd's configuration. Newer versions shut out addresses that fail to log in, which
    /// some tests do on purpose, and older ones do not know the option against that.
    fn write_config(sshd: &Path, folder: &Path, port: u16) {
        let at = |name: &str| folder.join(name).display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        let common = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             StrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nMaxStartups 100\n\
             SetEnv PATH={path} GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null\n",
            at("host"),
            at("authorized_keys"),
        );
        for extra in ["PerSourcePenalties no\n", ""] {
            fs::write(folder.join("config"), common.clone() + extra).unwrap();
            let tried = command(sshd).args(["-t", "-f"]).arg(folder.join("config")).output();
            if tried.unwrap().status.success() {
                return;
            }
        }
    }

    #[test]
    fn keeps_the_contract() {
        let Some(sshd) = Sshd::start() else { return };
        contract(&|| sshd.place(&sshd.repositories.make()));
        refusals(&sshd.repositories, &|name| sshd.place(name));
        fsck(&sshd.repositories);
    }

    #[test]
    fn who_may_and_who_may_not() {
        let Some(sshd) = Sshd::start() else { return };
        let name = sshd.repositories.make();
        let with_key = |key: &str, passphrase: Option<&Path>| Target {
            credential: Credential::ssh_key_file(None, &sshd.at(key), passphrase).unwrap(),
            ..sshd.target(&name)
        };
        let passphrase = |text: &str| {
            let path = sshd.at("passphrase");
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        let (fault, error) = failure(with_key("other", None));
        assert!(matches!(error, PublishError::Rejected { .. }), "{error:?}");
        assert_eq!(fault, Fault::Auth);
        let (_, error) = failure(with_key("protected", None));
        assert!(matches!(error, PublishError::UnusableKey { .. }), "{error:?}");
        let (_, error) = failure(with_key("protected", Some(&passphrase("wrong"))));
        assert!(matches!(error, PublishError::UnusableKey { .. }), "{error:?}");
        let (_, error) = failure(Target { credential: Credential::None, ..sshd.target(&name) });
        assert!(matches!(error, PublishError::NoCredential { .. }), "{error:?}");
        let token = Credential::Token { user: "u".to_owned(), token: TOKEN.into() };
        let (fault, error) = failure(Target { credential: token, ..sshd.target(&name) });
        assert!(matches!(error, PublishError::WrongCredential { .. }), "{error:?}");
        assert_eq!(fault, Fault::Config);
        assert_eq!(sshd.place(&name).refs().len(), 0);

        let good = with_key("protected", Some(&passphrase("a passphrase\n")));
        let place = Place { target: good, ..sshd.place(&name) };
        assert_eq!(short(&publish_two(&place).unwrap()), "++");
        let place = Place { target: with_key("rsa", None), ..sshd.place(&name) };
        publish_two(&place).unwrap();
    }

    #[test]
    fn the_user_comes_from_the_credential_or_the_address() {
        let Some(sshd) = Sshd::start() else { return };
        let name = sshd.repositories.make();
        let path = sshd.repositories.path(&name);
        let url = format!("ssh://nobody-of-that-name@127.0.0.1:{}{}", sshd.port, path.display());
        let url = TargetUrl::parse(&url, PlainHttp::Refuse).unwrap();
        let (_, error) = failure(Target { url: url.clone(), ..sshd.target(&name) });
        assert!(matches!(error, PublishError::Rejected { .. }), "{error:?}");
        let user = Some(sshd.user.clone());
        let credential = Credential::ssh_key_file(user, &sshd.at("user"), None).unwrap();
        let target = Target { url, credential, ..sshd.target(&name) };
        let place = Place { target, repository: path };
        assert_eq!(short(&publish_two(&place).unwrap()), "++");
    }

    #[test]
    fn which_server_is_trusted() {
        let Some(sshd) = Sshd::start() else { return };
        let name = sshd.repositories.make();
        let with_hosts = |text: Option<String>| {
            let path = sshd.at("hosts");
            if let Some(text) = &text {
                fs::write(&path, text).unwrap();
            }
            Target { known_hosts: text.map(|_| path), ..sshd.target(&name) }
        };
        for hosts in
            [None, Some(String::new()), Some("other.example ssh-ed25519 AAAA\n".to_owned())]
        {
            let (fault, error) = failure(with_hosts(hosts));
            assert_eq!(fault, Fault::Config);
            let text = said(&error);
            let expected = format!("no host key of [127.0.0.1]:{} is known", sshd.port);
            assert!(text.contains(&expected), "{text}");
            let fingerprint = run(command("ssh-keygen").arg("-lf").arg(sshd.at("host.pub")));
            let fingerprint = fingerprint.split(' ').nth(1).unwrap();
            assert!(text.contains(fingerprint), "{text} {fingerprint}");
            let keyscan = format!("ssh-keyscan -p {} 127.0.0.1", sshd.port);
            assert!(error.hint().unwrap().contains(&keyscan));
        }
        let other = fs::read_to_string(sshd.at("other.pub")).unwrap();
        let (_, error) = failure(with_hosts(Some(format!("[127.0.0.1]:{} {other}", sshd.port))));
        assert!(said(&error).contains("is not one of those known for it"), "{}", said(&error));
        let host = fs::read_to_string(sshd.at("host.pub")).unwrap();
        let revoked = format!("@revoked [127.0.0.1]:{} {host}", sshd.port);
        let (_, error) = failure(with_hosts(Some(revoked)));
        assert!(said(&error).contains("revoked"), "{}", said(&error));
        assert_eq!(sshd.place(&name).refs().len(), 0);

        // What the hint says to do, and the same with the names hidden.
        let keyscan = ["-p", &sshd.port.to_string(), "127.0.0.1"].map(str::to_owned);
        let scanned = run(command("ssh-keyscan").args(keyscan));
        let place = Place { target: with_hosts(Some(scanned)), ..sshd.place(&name) };
        assert_eq!(short(&publish_two(&place).unwrap()), "++");
        run(command("ssh-keygen").args(["-q", "-H", "-f"]).arg(sshd.at("hosts")));
        assert!(fs::read_to_string(sshd.at("hosts")).unwrap().starts_with("|1|"));
        publish_two(&place).unwrap();
    }

    #[test]
    fn what_is_not_there() {
        let Some(sshd) = Sshd::start() else { return };
        let (fault, error) = failure(sshd.target("missing.git"));
        assert!(matches!(error, PublishError::Missing { .. }), "{error:?}");
        assert_eq!(fault, Fault::Auth);
        assert!(
            said(&error).contains("does not appear to be a git repository"),
            "{}",
            said(&error)
        );
        let url = format!("ssh://u@127.0.0.1:{}/x", free_port());
        let url = TargetUrl::parse(&url, PlainHttp::Refuse).unwrap();
        let (fault, error) = failure(Target { url, ..sshd.target("x") });
        assert!(matches!(error, PublishError::Unreachable { .. }), "{error:?}");
        assert_eq!(fault, Fault::Unavailable);
    }
}

mod https {
    use super::*;

    /// Runs an ignored test of this module in a process of its own: libgit2's certificates and
    /// timeouts are set once for a process, and other tests need other ones.
    fn in_a_process_of_its_own(test: &str) {
        let mut child = command(std::env::current_exe().unwrap());
        child.arg(format!("oracle_destination::https::{test}"));
        child.args(["--exact", "--ignored", "--nocapture", "--test-threads=1"]);
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        eprint!("{said}");
        let report = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && report.contains("1 passed"), "{report}");
    }

    #[test]
    fn keeps_the_contract() {
        in_a_process_of_its_own("contract_in_a_process");
    }

    #[test]
    fn says_what_is_wrong() {
        in_a_process_of_its_own("errors_in_a_process");
    }

    #[test]
    fn trusts_nobody_by_default() {
        in_a_process_of_its_own("no_trust_in_a_process");
    }

    #[test]
    fn does_not_wait_forever() {
        in_a_process_of_its_own("silence_in_a_process");
    }

    /// nginx with TLS and a password, in front of `git http-backend`.
    struct Web {
        folder: tempfile::TempDir,
        repositories: Repositories,
        port: u16,
        bridge: Bridge,
        #[expect(dead_code, reason = "ends the server when it is dropped")]
        nginx: Server,
    }

    impl Web {
        /// Starts one; `None` where that is not possible, after saying why.
        fn start() -> Option<Self> {
            let (nginx, openssl) = (tool("nginx")?, tool("openssl")?);
            tool("git")?;
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            run(command(openssl)
                .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
                .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
                .arg("-keyout")
                .arg(at("key.pem"))
                .arg("-out")
                .arg(at("cert.pem")));
            fs::write(at("users"), format!("pusher:{{PLAIN}}{TOKEN}\n")).unwrap();
            let repositories = Repositories::new();
            let bridge = Bridge::start(repositories.folder.path());
            let port = free_port();
            fs::write(at("nginx.conf"), configuration(folder.path(), port, bridge.port)).unwrap();
            let mut start = command(nginx);
            start.arg("-p").arg(folder.path()).arg("-c").arg(at("nginx.conf"));
            start.arg("-e").arg(at("error.log"));
            let nginx = Server::start(&mut start, port);
            Some(Self { folder, repositories, port, bridge, nginx })
        }

        /// Sets libgit2 up to trust this server.
        fn trust(&self) {
            let ca_file = Some(self.folder.path().join("cert.pem"));
            init::init(&GitSettings { ca_file, ..GitSettings::default() }).unwrap();
        }

        fn target(&self, path: &str) -> Target {
            let url = format!("https://127.0.0.1:{}/{path}", self.port);
            Target {
                url: TargetUrl::parse(&url, PlainHttp::Refuse).unwrap(),
                credential: token(TOKEN),
                known_hosts: None,
            }
        }

        fn place(&self, name: &str) -> Place {
            let target = self.target(&format!("git/{name}"));
            Place { target, repository: self.repositories.path(name) }
        }
    }

    fn token(token: &str) -> Credential {
        Credential::Token { user: "pusher".to_owned(), token: token.into() }
    }

    fn configuration(folder: &Path, port: u16, bridge: u16) -> String {
        let at = |name: &str| folder.join(name).display().to_string();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {};\n", at(kind)))
            .concat();
        format!(
            "daemon off; master_process off; pid {pid};
events {{ worker_connections 64; }}
http {{
    access_log off; client_max_body_size 0; {temporary}
    server {{
        listen 127.0.0.1:{port} ssl; ssl_certificate {cert}; ssl_certificate_key {key};
        auth_basic git; auth_basic_user_file {users};
        location /git/ {{
            proxy_pass http://127.0.0.1:{bridge}/; proxy_set_header X-User $remote_user;
        }}
        location /small/ {{
            client_max_body_size 64;
            proxy_pass http://127.0.0.1:{bridge}/; proxy_set_header X-User $remote_user;
        }}
        location /forbidden/ {{ return 403; }}
        location /busy/ {{ return 503; }}
        location /limited/ {{ return 429; }}
        location /gone/ {{ return 410; }}
        location /moved/ {{ return 301 https://elsewhere.example$request_uri; }}
        location /page/ {{ default_type text/html; return 200 '<html>'; }}
        location /kerberos/ {{
            auth_basic off; add_header WWW-Authenticate Negotiate always; return 401;
        }}
    }}
}}
",
            pid = at("pid"),
            cert = at("cert.pem"),
            key = at("key.pem"),
            users = at("users"),
        )
    }

    /// A web server that knows one thing: to run `git http-backend`. nginx has no CGI of its own.
    struct Bridge {
        port: u16,
        stop: Arc<AtomicBool>,
        requests: Arc<Mutex<Vec<String>>>,
        thread: Option<std::thread::JoinHandle<()>>,
    }

    impl Bridge {
        fn start(root: &Path) -> Self {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let stop = Arc::new(AtomicBool::new(false));
            let requests = Arc::new(Mutex::new(Vec::new()));
            let (stopped, seen, root) = (stop.clone(), requests.clone(), root.to_owned());
            let thread = std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    if stopped.load(Ordering::Relaxed) {
                        return;
                    }
                    answer(stream, &root, &seen);
                }
            });
            Self { port, stop, requests, thread: Some(thread) }
        }

        /// The request lines since the last call, without the version.
        fn requests(&self) -> Vec<String> {
            std::mem::take(&mut self.requests.lock().unwrap())
        }
    }

    impl Drop for Bridge {
        fn drop(&mut self) {
            self.stop.store(true, Ordering::Relaxed);
            let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
            if let Some(thread) = self.thread.take() {
                let _ = thread.join();
            }
        }
    }

    /// Answers one request through CGI, after noting its first line.
    fn answer(mut stream: TcpStream, root: &Path, seen: &Mutex<Vec<String>>) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut first = String::new();
        let _ = reader.read_line(&mut first);
        let mut words = first.split_whitespace();
        let (method, uri) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        seen.lock().unwrap().push(format!("{method} {path}"));
        let mut backend = command("git");
        backend.arg("http-backend").env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1");
        backend.env("REQUEST_METHOD", method).env("PATH_INFO", path).env("QUERY_STRING", query);
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) < 3 {
                break;
            }
            let (name, value) = line.trim_end().split_once(": ").unwrap_or_default();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "content-type" => drop(backend.env("CONTENT_TYPE", value)),
                "x-user" => drop(backend.env("REMOTE_USER", value)),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        backend.env("CONTENT_LENGTH", length.to_string());
        backend.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = backend.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(&body));
        let output = child.wait_with_output().unwrap().stdout;
        let _ = writer.join();
        let headers = String::from_utf8_lossy(&output[..output.len().min(200)]).into_owned();
        let status = headers.strip_prefix("Status: ").and_then(|text| text.lines().next());
        let status = status.unwrap_or("200 OK").trim_end();
        let _ = write!(stream, "HTTP/1.0 {status}\r\n");
        let _ = stream.write_all(&output);
    }

    #[test]
    #[ignore = "run by keeps_the_contract, in a process of its own"]
    fn contract_in_a_process() {
        let Some(web) = Web::start() else { return };
        web.trust();
        contract(&|| web.place(&web.repositories.make()));
        refusals(&web.repositories, &|name| web.place(name));
        fsck(&web.repositories);

        // Without a difference nothing but the list is asked for.
        let name = web.repositories.make();
        let history = History::new();
        let wanted = [(MASTER, history.commit("a", &[]))];
        web.place(&name).publish(&history, &wanted).unwrap();
        let list = format!("GET /{name}/info/refs");
        let sent =
            [list.clone(), list.clone(), format!("POST /{name}/git-receive-pack"), list.clone()];
        web.bridge.requests();
        web.place(&name).publish(&history, &wanted).unwrap();
        assert_eq!(web.bridge.requests(), [list]);
        let child = [(MASTER, history.commit("b", &[wanted[0].1]))];
        web.place(&name).publish(&history, &child).unwrap();
        assert_eq!(web.bridge.requests(), sent);

        // A server that repeats our token does not get it into our words.
        let name = web.repositories.make();
        web.repositories.hook(&name, "pre-receive", &format!("echo you are {TOKEN}; exit 1"));
        let outcomes = web.place(&name).publish(&history, &wanted).unwrap();
        assert_eq!(reason(&outcomes[0]), "pre-receive hook declined: you are [secret]");
    }

    #[test]
    #[ignore = "run by says_what_is_wrong, in a process of its own"]
    fn errors_in_a_process() {
        let Some(web) = Web::start() else { return };
        web.trust();
        let name = web.repositories.make();
        let with =
            |credential| failure(Target { credential, ..web.target(&format!("git/{name}")) });
        let (fault, error) = with(token("geheim, but not it"));
        assert!(matches!(error, PublishError::Rejected { .. }), "{error:?}");
        assert_eq!(fault, Fault::Auth);
        let (fault, error) = with(Credential::None);
        assert!(matches!(error, PublishError::NoCredential { .. }), "{error:?}");
        assert_eq!(fault, Fault::Auth);
        assert_eq!(web.bridge.requests(), [""; 0], "nothing went past the password");

        for (path, fault, variant) in [
            ("git/missing.git", Fault::Auth, "Missing"),
            ("gone/x", Fault::Auth, "Missing"),
            ("forbidden/x", Fault::Auth, "Denied"),
            ("busy/x", Fault::Unavailable, "Busy"),
            ("limited/x", Fault::Unavailable, "Busy"),
            ("moved/x", Fault::Config, "Moved"),
            ("page/x", Fault::Unavailable, "Unintelligible"),
            ("kerberos/x", Fault::Config, "WrongCredential"),
        ] {
            let (actual, error) = failure(web.target(path));
            assert!(format!("{error:?}").starts_with(variant), "{path}: {error:?}");
            assert_eq!(actual, fault, "{path}");
        }
        let (fault, error) = failure(web.target(&format!("small/{name}")));
        assert_eq!(fault, Fault::Refused, "{error:?}");

        let url = format!("https://127.0.0.1:{}/x", free_port());
        let url = TargetUrl::parse(&url, PlainHttp::Refuse).unwrap();
        let (fault, error) = failure(Target { url, ..web.target("x") });
        assert!(matches!(error, PublishError::Unreachable { .. }), "{error:?}");
        assert_eq!(fault, Fault::Unavailable);
        let url = TargetUrl::parse("https://host.invalid/x", PlainHttp::Refuse).unwrap();
        let (fault, error) = failure(Target { url, ..web.target("x") });
        assert!(matches!(error, PublishError::Unreachable { .. }), "{error:?}");
        assert_eq!(fault, Fault::Unavailable);
    }

    #[test]
    #[ignore = "run by trusts_nobody_by_default, in a process of its own"]
    fn no_trust_in_a_process() {
        let Some(web) = Web::start() else { return };
        let name = web.repositories.make();
        let (fault, error) = failure(web.target(&format!("git/{name}")));
        assert!(matches!(error, PublishError::Certificate { .. }), "{error:?}");
        assert_eq!(fault, Fault::Config);
        assert!(error.hint().unwrap().contains("ca_file"));
        assert_eq!(web.bridge.requests(), [""; 0]);
    }

    #[test]
    #[ignore = "run by does_not_wait_forever, in a process of its own"]
    fn silence_in_a_process() {
        let second = Duration::from_secs(1);
        init::init(&GitSettings { server_timeout: second, connect_timeout: second, ca_file: None })
            .unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        for scheme in ["https", "http", "ssh"] {
            let url = format!("{scheme}://127.0.0.1:{port}/x");
            let url = TargetUrl::parse(&url, PlainHttp::Allow).unwrap();
            let start = Instant::now();
            let credential = Credential::None;
            let (fault, error) = failure(Target { url, credential, known_hosts: None });
            assert_eq!(fault, Fault::Unavailable, "{scheme}: {error:?}");
            assert!(start.elapsed() < Duration::from_secs(15), "{scheme}");
        }
    }
}
