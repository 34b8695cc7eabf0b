//! OpenSSH.

mod gitolite;

use super::*;
use crate::support::env::program;
use crate::support::{Fixture, Ran, TestEnv, skip};

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
        let (sshd, keygen) = (program("sshd")?, program("ssh-keygen")?);
        program("git")?;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let make = |name: &str, kind: &[&str], passphrase: &str| {
            let words = ["-q", "-N", passphrase, "-f"];
            run(command(&keygen).args(words).arg(at(name)).arg("-t").args(kind));
        };
        for name in ["host", "user", "other"] {
            make(name, &["ed25519"], "");
        }
        // A short one is made sooner.
        make("rsa", &["rsa", "-b", "2048"], "");
        make("protected", &["ed25519"], "a passphrase");
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
        let Some(ssh) = program("ssh") else { return false };
        let mut ssh = command(ssh);
        ssh.args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]);
        ssh.args(["-o", &format!("UserKnownHostsFile={}", self.at("known_hosts").display())]);
        ssh.arg("-i").arg(self.at("user")).args(["-p", &self.port.to_string()]);
        let output = ssh.arg(format!("{}@127.0.0.1", self.user)).arg("true").output().unwrap();
        if !output.status.success() {
            let log = fs::read_to_string(self.at("log")).unwrap_or_default();
            skip(&format!("ssh cannot log in here: {output:?} {log}"));
        }
        output.status.success()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The way in with a key.
    fn access(&self, key: Key) -> Access {
        let known_hosts = Some(self.at("known_hosts").into());
        Access { key: Some(key), known_hosts, ..Access::default() }
    }

    fn target(&self, name: &str) -> Target {
        let path = self.repositories.path(name);
        let url = format!("ssh://{}@127.0.0.1:{}{}", self.user, self.port, path.display());
        Target::new(
            TargetUrl::parse(&url, PlainHttp::Refuse).unwrap(),
            self.access(Key::at(self.at("user"))),
        )
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
fn a_mirror_follows_its_source() {
    let Some(sshd) = Sshd::start() else { return };
    tell_stories(Half::Odd, &|| sshd.place(&sshd.repositories.make()));
}

#[test]
fn killed_in_a_push_a_sync_goes_on() {
    let Some(sshd) = Sshd::start() else { return };
    let keys =
        format!("key_file = {:?}\nknown_hosts = {:?}", sshd.at("user"), sshd.at("known_hosts"));
    killed_in_pushes(sshd.place(&sshd.repositories.make()), &keys, cases(5, 15));
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
    let with = |access| Target { access, ..sshd.target(&name) };
    let with_key = |key: &str, passphrase: Option<PathBuf>| {
        let passphrase = passphrase.map(Into::into);
        with(sshd.access(Key { passphrase, ..Key::at(sshd.at(key)) }))
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
    let (_, error) = failure(with_key("protected", Some(passphrase("wrong"))));
    assert!(matches!(error, PublishError::UnusableKey { .. }), "{error:?}");
    let (_, error) = failure(with(Access { key: None, ..sshd.target(&name).access }));
    assert!(matches!(error, PublishError::NoCredential { .. }), "{error:?}");
    let token = Some(Token::at("/nowhere"));
    let (fault, error) = failure(with(Access { token, ..Access::default() }));
    assert!(matches!(error, PublishError::WrongCredential { .. }), "{error:?}");
    assert_eq!(fault, Fault::Config);
    assert_eq!(sshd.place(&name).refs().len(), 0);

    let good = with_key("protected", Some(passphrase("a passphrase\n")));
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
    let target = Target::new(url, sshd.access(Key { user, ..Key::at(sshd.at("user")) }));
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
        let known_hosts = text.map(|_| path.into());
        let target = sshd.target(&name);
        Target { access: Access { known_hosts, ..target.access }, ..target }
    };
    for hosts in [None, Some(String::new()), Some("other.example ssh-ed25519 AAAA\n".to_owned())] {
        let (fault, error) = failure(with_hosts(hosts));
        assert_eq!(fault, Fault::Config);
        let text = said(&error);
        let expected = format!("no host key of [127.0.0.1]:{} is known", sshd.port);
        assert!(text.contains(&expected), "{text}");
        let fingerprint = run(command("ssh-keygen").arg("-lf").arg(sshd.at("host.pub")));
        let fingerprint = fingerprint.split(' ').nth(1).unwrap();
        assert!(text.contains(fingerprint), "{text} {fingerprint}");
        let remedy = format!("synchroniser known-hosts add 127.0.0.1:{}", sshd.port);
        assert!(error.hint().unwrap().contains(&remedy));
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
    assert!(said(&error).contains("does not appear to be a git repository"), "{}", said(&error));
    let url = format!("ssh://u@127.0.0.1:{}/x", free_port());
    let url = TargetUrl::parse(&url, PlainHttp::Refuse).unwrap();
    let (fault, error) = failure(Target { url, ..sshd.target("x") });
    assert!(matches!(error, PublishError::Unreachable { .. }), "{error:?}");
    assert_eq!(fault, Fault::Unavailable);
}

/// By the program: the agent is named by its environment.
#[test]
fn the_keys_of_an_agent() {
    let (Some(agent), Some(add)) = (program("ssh-agent"), program("ssh-add")) else { return };
    let Some(sshd) = Sshd::start() else { return };
    let env = TestEnv::new();
    let name = sshd.repositories.make();
    let source = Fixture::demo().unpack(&env);
    let text = format!(
        "cache = \"cache\"\n[mirrors.rocket]\nsource = {:?}\n\
         target = {{ url = \"{}\", known_hosts = {:?}, ssh_agent = true }}\n",
        source.display().to_string(),
        sshd.target(&name).url,
        sshd.at("known_hosts").display().to_string(),
    );
    fs::write(env.path("x.toml"), text).unwrap();
    let sync = |socket: Option<&Path>| {
        let mut command = env.synchroniser();
        command.args(["sync", "--config", "x.toml"]);
        if let Some(socket) = socket {
            command.env("SSH_AUTH_SOCK", socket);
        }
        Ran::from(&command.output().unwrap())
    };
    for nowhere in [None, Some(Path::new("/nowhere/agent"))] {
        let ran = sync(nowhere).with_code(10).unwrap();
        assert!(ran.stderr.contains("ask the SSH agent for a key"), "{}", ran.stderr);
        assert!(ran.stderr.contains("SSH_AUTH_SOCK must name the socket"), "{}", ran.stderr);
    }
    let socket = sshd.at("agent");
    let mut start = command(agent);
    let mut process = start.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !socket.exists() {
        assert!(start.elapsed() < Duration::from_secs(20), "no agent");
        std::thread::sleep(Duration::from_millis(20));
    }
    let key = |name: &str| {
        let mut add = command(&add);
        run(add.env("SSH_AUTH_SOCK", &socket).arg("-q").arg(sshd.at(name)));
    };
    // An agent has keys of no use as well.
    key("other");
    let ran = sync(Some(&socket)).with_code(11).unwrap();
    assert!(ran.stderr.contains("the credential was rejected"), "{}", ran.stderr);
    key("user");
    sync(Some(&socket)).ok().unwrap();
    let _ = process.kill();
    let _ = process.wait();
    assert!(sshd.place(&name).refs().contains_key(MASTER));
}

#[test]
fn host_keys_are_added_by_their_fingerprint() {
    let Some(sshd) = Sshd::start() else { return };
    let env = TestEnv::new();
    let host = format!("127.0.0.1:{}", sshd.port);
    let fingerprint = run(command("ssh-keygen").arg("-lf").arg(sshd.at("host.pub")));
    let fingerprint = fingerprint.split(' ').nth(1).unwrap();
    let add = |more: &[&str]| {
        let words = ["known-hosts", "add", host.as_str(), "--file", "known_hosts"];
        env.synchronise(words.iter().chain(more))
    };
    // Nobody is there to ask.
    let ran = add(&[]).with_code(10).unwrap();
    assert!(ran.stdout.contains(&format!("{host} shows ssh-ed25519 {fingerprint}")), "{ran:?}");
    assert!(ran.stderr.contains(&format!("--fingerprint {fingerprint}")), "{}", ran.stderr);
    assert!(add(&["--fingerprint", "SHA256:other"]).with_code(10).is_ok());
    assert!(!env.path("known_hosts").exists());
    let printed = add(&["--fingerprint", fingerprint]).ok().unwrap();
    assert!(printed.contains("added to known_hosts"), "{printed}");
    let printed = add(&["--fingerprint", fingerprint]).ok().unwrap();
    assert!(printed.contains("it is known already"), "{printed}");
    let listed = env.synchronise(["known-hosts", "list", "--file", "known_hosts"]).ok().unwrap();
    assert_eq!(listed, format!("[127.0.0.1]:{} ssh-ed25519 {fingerprint}\n", sshd.port));
    // What was added is what a push needs.
    let name = sshd.repositories.make();
    let known_hosts = Some(env.path("known_hosts").into());
    let target = sshd.target(&name);
    let target = Target { access: Access { known_hosts, ..target.access }, ..target };
    publish_two(&Place { target, ..sshd.place(&name) }).unwrap();
    // A key that has changed is not replaced.
    let other = fs::read_to_string(sshd.at("other.pub")).unwrap();
    fs::write(env.path("known_hosts"), format!("[127.0.0.1]:{} {other}", sshd.port)).unwrap();
    let ran = add(&["--fingerprint", fingerprint]).with_code(10).unwrap();
    assert!(ran.stderr.contains("is not one of those known for it"), "{}", ran.stderr);
    // The file that the configuration names.
    let text = format!(
        "[mirrors.rocket]\nsource = \"hg\"\ntarget = {{ url = \"{}\", known_hosts = \"hosts\", \
         ssh_agent = true }}\n",
        sshd.target(&name).url
    );
    fs::write(env.path("x.toml"), text).unwrap();
    let words = ["known-hosts", "add", &host, "--config", "x.toml", "--fingerprint", fingerprint];
    env.synchronise(words).ok().unwrap();
    assert!(env.path("hosts").exists());
    let gone = format!("127.0.0.1:{}", free_port());
    let ran = env.synchronise(["known-hosts", "add", &gone, "--file", "x"]);
    ran.with_code(12).unwrap();
}

/// What forges say over SSH instead of letting a push begin: through a forced command, as they do.
#[test]
fn what_a_forced_command_says() {
    let Some(sshd) = Sshd::start() else { return };
    let name = sshd.repositories.make();
    let key = fs::read_to_string(sshd.at("user.pub")).unwrap();
    for (words, fault, remedy) in [
        ("ERROR: Repository not found.", Fault::Auth, "make the repository if there is none"),
        ("ERROR: Permission to o/r.git denied to somebody.", Fault::Auth, "write access"),
        (
            "ERROR: The key you are authenticating with has been marked as read only.",
            Fault::Auth,
            "Allow write access",
        ),
        ("ERROR: This repository was archived so it is read-only.", Fault::Auth, "archive"),
        (
            "ERROR: The acme organization has enabled or enforced SAML SSO.",
            Fault::Auth,
            "authorised",
        ),
        ("ERROR: We are down for maintenance.", Fault::Unavailable, ""),
    ] {
        let forced = format!("command=\"echo '{words}' >&2; exit 1\" {key}");
        fs::write(sshd.at("authorized_keys"), forced).unwrap();
        let (found, error) = failure(sshd.target(&name));
        assert_eq!(found, fault, "{words}: {}", said(&error));
        assert!(said(&error).contains(words.trim_start_matches("ERROR: ")), "{}", said(&error));
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains(remedy), "{words}: {hint}");
    }
    // A server without a shell that says nothing, and one that does not know the key.
    fs::write(sshd.at("authorized_keys"), format!("command=\"exit 1\" {key}")).unwrap();
    let (_, error) = failure(sshd.target(&name));
    said(&error);
    fs::write(sshd.at("authorized_keys"), "").unwrap();
    let (fault, error) = failure(sshd.target(&name));
    assert_eq!(fault, Fault::Auth);
    assert!(matches!(error, PublishError::Rejected { .. }), "{error:?}");
}

/// A server that gives up while much is still to be sent says why.
#[test]
fn a_server_that_takes_no_such_pack() {
    let Some(sshd) = Sshd::start() else { return };
    let name = sshd.repositories.make();
    sshd.repositories.configure(&name, "receive.maxInputSize", "100000");
    let second = Duration::from_secs(1);
    let mut target = sshd.target(&name);
    target.access.timeouts =
        Timeouts { connect: 10 * second, first_byte: 90 * second, idle: 3 * second };
    let (history, commit) = noise();
    let update = RefUpdate { name: MASTER.to_owned(), old: None, new: Some(commit) };
    let start = Instant::now();
    let mut opened = destination::open(&target, &history.path()).unwrap();
    let error = opened.push(&[update], &NoProgress, &Interrupt::default()).unwrap_err();
    let PublishError::PackRefused { kind, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*kind, RefusalKind::TooLarge, "{}", said(&error));
    assert!(start.elapsed() < 60 * second, "{:?}", start.elapsed());
}
