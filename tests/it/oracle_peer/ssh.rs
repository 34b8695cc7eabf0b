//! OpenSSH on both sides.

use std::fs;

use super::*;

/// An OpenSSH server that lets one key in.
struct Sshd<'e> {
    env: &'e TestEnv,
    port: u16,
    user: String,
    #[expect(dead_code, reason = "ends the server when it is dropped")]
    server: Server,
}

impl<'e> Sshd<'e> {
    /// Starts one; `None` where that is not possible, after saying why.
    fn start(env: &'e TestEnv, hg: &Path) -> Option<Self> {
        for tool in ["sshd", "ssh", "ssh-keygen"] {
            if !env::has(tool) {
                skip(&format!("{tool} is not installed"));
                return None;
            }
        }
        for name in ["host", "user", "other"] {
            let words = ["-q", "-t", "ed25519", "-N", "", "-f"].map(PathBuf::from);
            env.run("ssh-keygen", words.into_iter().chain([env.path(name)])).ok().unwrap();
        }
        fs::copy(env.path("user.pub"), env.path("authorized_keys")).unwrap();
        let port = free_port();
        let user = env.run("id", ["-un"]).ok().unwrap().trim().to_owned();
        if user == "root" {
            let _ = fs::create_dir_all("/run/sshd");
        }
        let sshd = ["/usr/sbin/sshd", "/sbin/sshd"].map(PathBuf::from);
        let sshd = sshd.into_iter().find(|path| path.is_file())?;
        Self::configure(env, &sshd, port, hg);
        let mut command = env.command(&sshd);
        let log = fs::File::create(env.path("log")).unwrap();
        command.args(["-D", "-e", "-f"]).arg(env.path("config")).stderr(log);
        let server = Server::start(&mut command, port);
        let key = fs::read_to_string(env.path("host.pub")).unwrap();
        fs::write(env.path("known_hosts"), format!("[127.0.0.1]:{port} {key}")).unwrap();
        let this = Self { env, port, user, server };
        this.lets_stock_ssh_in().then_some(this)
    }

    /// Newer versions shut out addresses that fail to log in, which tests do on purpose, and older ones
    /// do not know the option against that.
    fn configure(env: &TestEnv, sshd: &Path, port: u16, hg: &Path) {
        let at = |name: &str| env.path(name).display().to_string();
        let common = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             StrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nMaxStartups 100\n\
             SetEnv PATH={}:/usr/bin:/bin HGRCPATH=/dev/null HGPLAIN=1\n",
            at("host"),
            at("authorized_keys"),
            hg.parent().unwrap().display(),
        );
        for extra in ["PerSourcePenalties no\n", ""] {
            fs::write(env.path("config"), common.clone() + extra).unwrap();
            let tried = env.command(sshd).args(["-t", "-f"]).arg(env.path("config")).output();
            if tried.unwrap().status.success() {
                return;
            }
        }
    }

    /// Whether the account we run as can log in at all: it may be locked, or have no shell.
    fn lets_stock_ssh_in(&self) -> bool {
        let mut ssh = self.env.command("ssh");
        ssh.args(["-F/dev/null", "-oBatchMode=yes", "-oIdentitiesOnly=yes", "-i"]);
        ssh.arg(self.env.path("user")).arg(format!("-p{}", self.port));
        ssh.arg(format!("-oUserKnownHostsFile={}", self.env.path("known_hosts").display()));
        let output = ssh.arg(format!("{}@127.0.0.1", self.user)).arg("true").output().unwrap();
        if !output.status.success() {
            let log = fs::read_to_string(self.env.path("log")).unwrap_or_default();
            skip(&format!("ssh cannot log in here: {output:?} {log}"));
        }
        output.status.success()
    }

    fn url(&self, repository: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{}/{}", self.user, self.port, repository.display())
    }

    fn options(&self) -> PeerOptions {
        let (key, known_hosts) = (self.env.path("user"), self.env.path("known_hosts"));
        PeerOptions { key: Some(key), known_hosts: Some(known_hosts), ..options() }
    }
}

#[test]
fn keys_of_users_and_of_hosts() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let repository = Fixture::named("bookmark-names").unpack(&env);
    let hg = Hg { env: &env, program };
    let Some(sshd) = Sshd::start(&env, &hg.program) else { return };
    let url = sshd.url(&repository);
    let mut good = peer(&url, &sshd.options()).unwrap();
    assert_eq!(check(&hg, &repository, &mut *good), Ok(()));

    let error = |options: &PeerOptions| peer(&url, options).err().unwrap();
    let other = PeerOptions { key: Some(env.path("other")), ..sshd.options() };
    let denied = error(&other);
    assert!(matches!(denied, PeerError::Denied { .. }), "{denied:?}");
    assert_eq!(denied.fault(), Fault::Auth);
    let public = PeerOptions { key: Some(env.path("user.pub")), ..sshd.options() };
    assert!(matches!(error(&public), PeerError::Secret(_)), "{:?}", error(&public));

    let key = fs::read_to_string(env.path("other.pub")).unwrap();
    fs::write(env.path("wrong_hosts"), format!("[127.0.0.1]:{} {key}", sshd.port)).unwrap();
    fs::write(env.path("no_hosts"), "").unwrap();
    for name in ["wrong_hosts", "no_hosts"] {
        let before = fs::read(env.path(name)).unwrap();
        let distrusting = PeerOptions { known_hosts: Some(env.path(name)), ..sshd.options() };
        let untrusted = error(&distrusting);
        assert!(matches!(untrusted, PeerError::Untrusted { .. }), "{untrusted:?}");
        let keyscan = format!("ssh-keyscan -p {} 127.0.0.1", sshd.port);
        assert!(untrusted.hint().unwrap().contains(&keyscan));
        assert_eq!(fs::read(env.path(name)).unwrap(), before, "{name}");
    }

    let gone = format!("ssh://{}@127.0.0.1:{}/x", sshd.user, free_port());
    let unreachable = peer(&gone, &sshd.options()).err().unwrap();
    assert!(matches!(unreachable, PeerError::Unreachable { .. }), "{unreachable:?}");
    let missing = peer(&sshd.url(Path::new("/nowhere")), &sshd.options()).err().unwrap();
    assert!(matches!(missing, PeerError::Denied { .. }), "{missing:?}");
}
