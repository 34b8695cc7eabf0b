//! Real Mercurial servers on loopback, each ended with what started it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::serve::{Server, free_port};
use super::{TestEnv, env, skip};

/// What every server is told: what it needs to read every format.
const SLOW_PATHS: [&str; 4] = [
    "storage.all-slow-path=allow",
    "storage.revlog.persistent-nodemap.slow-path=allow",
    "storage.dirstate-v2.slow-path=allow",
    "extensions.share=",
];

/// `hg serve`.
pub(crate) struct HgServe {
    pub(crate) url: String,
    #[expect(dead_code, reason = "ends the server when it is dropped")]
    process: Server,
}

impl HgServe {
    /// Serves `repository` as `hg`, the program, does with these settings.
    pub(crate) fn start(env: &TestEnv, hg: &Path, repository: &Path, settings: &[&str]) -> Self {
        let port = free_port();
        let mut command = env.command(hg);
        for setting in SLOW_PATHS.iter().chain(settings) {
            command.args(["--config", setting]);
        }
        command.arg("-R").arg(repository).arg("serve");
        command.args(["-a", "127.0.0.1", "-p", &port.to_string()]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = Server::start(&mut command, port);
        Self { url: format!("http://127.0.0.1:{port}/"), process }
    }
}

/// OpenSSH, with one host key and one user key that is let in, whose commands find `hg`.
pub(crate) struct Sshd {
    folder: tempfile::TempDir,
    pub(crate) port: u16,
    pub(crate) user: String,
    #[expect(dead_code, reason = "ends the server when it is dropped")]
    process: Server,
}

impl Sshd {
    /// Starts one; `None` where that is not possible, after saying why.
    pub(crate) fn start(env: &TestEnv, hg: &Path) -> Option<Self> {
        for tool in ["sshd", "ssh", "ssh-keygen"] {
            if !env::has(tool) {
                skip(&format!("there is no {tool}"));
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["host", "user", "other"] {
            let mut keygen = env.command("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(at(name));
            assert!(keygen.status().unwrap().success());
        }
        let port = free_port();
        let user = env.run("id", ["-un"]).stdout.trim().to_owned();
        if user == "root" {
            let _ = fs::create_dir_all("/run/sshd");
        }
        let settings = at("hgrc");
        let sections = "[storage]\nall-slow-path = allow\n\
            revlog.persistent-nodemap.slow-path = allow\ndirstate-v2.slow-path = allow\n\
            [extensions]\nshare =\n";
        fs::write(&settings, sections).unwrap();
        let path = format!("{}:/usr/bin:/bin", hg.parent().unwrap().display());
        let set = format!("PATH={path} HGRCPATH={} HGENCODING=utf-8", settings.display());
        let common = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\n\
             PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 100\n\
             SetEnv {set}\n",
            at("host").display(),
            at("user.pub").display(),
        );
        let sshd = ["/usr/sbin/sshd", "/sbin/sshd", "/usr/bin/sshd"].map(Path::new);
        let sshd = sshd.into_iter().find(|path| path.is_file()).unwrap();
        // Newer versions shut out addresses that fail to log in, which tests do on purpose, and older
        // ones do not know the option against that.
        for extra in ["PerSourcePenalties no\n", ""] {
            fs::write(at("config"), common.clone() + extra).unwrap();
            let tried = env.command(sshd).args(["-t", "-f"]).arg(at("config")).output();
            if tried.unwrap().status.success() {
                break;
            }
        }
        let log = fs::File::create(at("log")).unwrap();
        let mut command = env.command(sshd);
        command.args(["-D", "-e", "-f"]).arg(at("config")).stdout(Stdio::null()).stderr(log);
        let process = Server::start(&mut command, port);
        let public = fs::read_to_string(at("host.pub")).unwrap();
        fs::write(at("known_hosts"), format!("[127.0.0.1]:{port} {public}")).unwrap();
        let this = Self { folder, port, user, process };
        this.lets_stock_ssh_in(env).then_some(this)
    }

    /// Whether the account we run as can log in at all: it may be locked, or have no shell.
    fn lets_stock_ssh_in(&self, env: &TestEnv) -> bool {
        let mut ssh = env.command("ssh");
        ssh.args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o"]);
        ssh.arg(format!("UserKnownHostsFile={}", self.known_hosts().display()));
        ssh.arg("-i").arg(self.key()).args(["-p", &self.port.to_string()]);
        let output = ssh.arg(format!("{}@127.0.0.1", self.user)).arg("true").output().unwrap();
        if !output.status.success() {
            let log = fs::read_to_string(self.at("log")).unwrap_or_default();
            skip(&format!("ssh cannot log in here: {output:?} {log}"));
        }
        output.status.success()
    }

    /// The address of `repository`, an absolute path.
    pub(crate) fn url(&self, repository: &Path) -> String {
        format!("ssh://{}@127.0.0.1:{}/{}", self.user, self.port, repository.display())
    }

    /// A file of the server's: the keys `user`, which is let in, `other`, and their public halves.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The key that is let in.
    pub(crate) fn key(&self) -> PathBuf {
        self.at("user")
    }

    /// The host key.
    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.at("known_hosts")
    }
}
