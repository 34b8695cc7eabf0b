//! The folder that the blocks of one document run in.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Block;
use crate::support::env::has;
use crate::support::serve::{Server, free_port, script};
use crate::support::{Fixture, Ran, TestEnv, skip};

/// What stands in the documents for what a session has. The first that fits goes first.
fn replacements(session: &Session) -> Vec<(String, String)> {
    let root = session.env.path("");
    let root = root.to_str().unwrap().trim_end_matches('/');
    let table = [
        ("https://hg.example.org/acme/rocket", format!("{root}/srv/hg/rocket")),
        ("ssh://hg@hg.example.org/acme/rocket", format!("{root}/srv/hg/rocket")),
        ("/srv/hg/", format!("{root}/srv/hg/")),
        ("/etc/synchroniser", format!("{root}/etc/synchroniser")),
        ("/var/cache/synchroniser", format!("{root}/cache")),
        ("127.0.0.1:8377", format!("127.0.0.1:{}", session.port)),
        // Only root can give a file away, and a package makes the user.
        ("-o synchroniser ", String::new()),
    ];
    table.map(|(from, to)| (from.to_owned(), to)).to_vec()
}

/// The targets in the documents, each with what a session pushes to in its place.
const TARGETS: &[&str] = &[
    "{ url = \"https://github.com/acme/rocket.git\", token_file = \"secrets/github-token\" }",
    "\"/srv/git/rocket.git\"",
];

/// The folder of one document.
pub(super) struct Session {
    pub(super) env: TestEnv,
    pub(super) port: u16,
    daemon: Option<Server>,
}

impl Session {
    /// A folder with a repository, its bundle, an empty target, a configuration, and a cache that has
    /// been synced once.
    pub(super) fn new() -> Self {
        let env = TestEnv::new();
        for folder in ["srv/hg", "work/backup", "bin", "etc/synchroniser/secrets"] {
            fs::create_dir_all(env.path(folder)).unwrap();
        }
        fs::rename(Fixture::demo().unpack(&env), env.path("srv/hg/rocket")).unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        fs::copy(fixtures.join("bundles/v2-zstd.hg"), env.path("work/backup/rocket.hg")).unwrap();
        for (name, text) in [
            ("work/github-token", "s3cret\n"),
            ("work/hg-token", "s3cret\n"),
            ("etc/synchroniser/secrets/github-token", "s3cret\n"),
            ("etc/synchroniser/secrets/hook", "s3cret\n"),
            ("etc/synchroniser/secrets/hg-key", "-----BEGIN OPENSSH PRIVATE KEY-----\n"),
            ("etc/synchroniser/secrets/deploy-key", "-----BEGIN OPENSSH PRIVATE KEY-----\n"),
            ("etc/synchroniser/secrets/notify", "whsec_czNjcmV0czNjcmV0czNjcmV0\n"),
            ("etc/synchroniser/secrets/app.pem", "-----BEGIN RSA PRIVATE KEY-----\n"),
            ("etc/synchroniser/secrets/known_hosts", "example.org ssh-ed25519 AAAA\n"),
            ("etc/synchroniser/authors", "joan = Joan <joan@example.org>\n"),
        ] {
            fs::write(env.path(name), text).unwrap();
            fs::set_permissions(env.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let target = env.path("srv/git/acme/rocket.git");
        env.run("git", ["init", "-q", "--bare", target.to_str().unwrap()]).ok().unwrap();
        script(&env, "bin/sudo", "[ \"$1\" = -u ] && shift 2\nexec \"$@\"");
        let session = Self { env, port: free_port(), daemon: None };
        // The program looks for its configuration where a package puts it.
        let config = session.config();
        let program = format!(
            "program={}\n\
             case \"$*\" in\n*--config*) exec $program \"$@\" ;;\nesac\n\
             case $1 in\n\
             init) exec $program init --source {source} --target {target} --listen 127.0.0.1:{port} --config {config} ;;\n\
             sync|plan|serve|verify|adopt|status|queue|runs|deliveries|pause|resume|retry|backup|restore|rebuild|\
             doctor|hook-config|test-hook|caches|notify-test) exec $program \"$@\" --config {config} ;;\nesac\n\
             case \"$*\" in\n*--config*) ;;\n\"config check\") exec $program \"$@\" --config {config} ;;\n\
             esac\nexec $program \"$@\"",
            env!("CARGO_BIN_EXE_synchroniser"),
            source = session.env.path("srv/hg/rocket").display(),
            target = target.display(),
            port = session.port,
            config = config.display()
        );
        script(&session.env, "bin/synchroniser", &program);
        session
    }

    /// The configuration that commands read.
    fn config(&self) -> PathBuf {
        self.env.path("etc/synchroniser/synchroniser.toml")
    }

    /// What a document needs before its first block.
    pub(super) fn prepare(&mut self, document: &str) {
        let before = match document {
            "docs/backup.md" | "docs/commands.md" | "docs/hooks.md" | "docs/monitoring.md"
            | "docs/service.md" | "docs/targets.md" => "",
            // Then the daemon is done at once.
            "docs/troubleshooting.md" => "synchroniser sync rocket",
            "docs/verification.md" => {
                "synchroniser convert /srv/hg/rocket rocket.git && synchroniser sync rocket"
            }
            "docs/coming-from.md" => {
                "synchroniser convert --identity fast-export --map rocket.map /srv/hg/rocket made.git\n\
                 git --git-dir made.git push -q \"$PWD/../srv/git/acme/rocket.git\" 'refs/*:refs/*'\n\
                 cp rocket.map /srv/hg/rocket/.hg/git-mapfile\n\
                 mkdir -p rocket/.git\n\
                 awk '{ print \":\" $2, NR - 1 }' rocket.map > rocket/.git/hg2git-mapping\n\
                 awk '{ print \":\" NR, $1 }' rocket.map > rocket/.git/hg2git-marks"
            }
            "docs/adoption.md" => {
                "synchroniser convert --map /srv/hg/rocket/.hg/git-mapfile /srv/hg/rocket made.git\n\
                 git clone -q --bare made.git rocket.git\n\
                 git --git-dir made.git push -q \"$PWD/../srv/git/acme/rocket.git\" 'refs/*:refs/*'"
            }
            _ => return,
        };
        let config = "cache = \"/var/cache/synchroniser\"\n[hooks.synchronise]\n\
                      format = \"bitbucket_post\"\nallow_unauthenticated = true\n\
                      [hooks.gitlab]\nformat = \"gitlab\"\nsecret_file = \"secrets/hook\"\n\
                      [hooks.hg]\nformat = \"synchroniser\"\nsecret_file = \"secrets/hook\"\n[mirrors.rocket]\n\
                      source = \"/srv/hg/rocket\"\ntarget = \"/srv/git/rocket.git\"\n";
        self.configure(config);
        self.shell(before).with_code(0).unwrap();
    }

    /// `text` with what is here in place of what stands for it.
    fn here(&self, text: &str) -> String {
        let pairs = replacements(self);
        let (mut out, mut rest) = (String::new(), text);
        while let Some(c) = rest.chars().next() {
            if let Some((from, to)) = pairs.iter().find(|(from, _)| rest.starts_with(from)) {
                out.push_str(to);
                rest = &rest[from.len()..];
            } else {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        out
    }

    /// `text` with what stands for it in place of what is here.
    fn there(&self, text: &str) -> String {
        let root = self.env.path("");
        text.replace(root.to_str().unwrap().trim_end_matches('/'), "")
    }

    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = self.env.command(program);
        let path = command.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path);
        let path = format!("{}:{}", self.env.path("bin").display(), path.unwrap().display());
        command.env("PATH", path).current_dir(self.env.path("work"));
        command
    }

    /// Runs lines of shell.
    pub(super) fn shell(&self, text: &str) -> Ran {
        Ran::from(&self.command("sh").args(["-euc", &self.here(text)]).output().unwrap())
    }

    /// Makes `text` the configuration, with a target of this machine, and a cache, state and socket in the folder.
    pub(super) fn configure(&self, text: &str) {
        let target = self.env.path("srv/git/acme/rocket.git");
        let text = TARGETS.iter().fold(text.to_owned(), |text, target_there| {
            text.replace(target_there, &format!("{:?}", target.display().to_string()))
        });
        let daemon = format!(
            "[daemon]\nlisten = \"127.0.0.1:{}\"\nstate = {:?}\nsocket = {:?}\n",
            self.port,
            self.env.path("var/lib/synchroniser").display().to_string(),
            self.env.path("admin.sock").display().to_string(),
        );
        // What the document leaves out would be that of the machine.
        let has_cache = text.lines().any(|line| line.starts_with("cache = "));
        let cache = if has_cache { "" } else { "cache = \"/var/cache/synchroniser\"\n" };
        let text = self.here(&format!("{cache}{text}"));
        fs::write(self.config(), format!("{text}\n{daemon}")).unwrap();
    }

    /// Starts the daemon, unless it is there.
    pub(super) fn serve(&mut self) {
        if self.daemon.is_none() {
            let mut command = self.command("synchroniser");
            command.arg("serve").stderr(std::process::Stdio::null());
            self.daemon = Some(Server::start(&mut command, self.port));
        }
    }

    /// Runs or reads one block; `before` is what the block before it printed.
    pub(super) fn check(&mut self, block: &Block, before: &str) -> Result<String, String> {
        match block.language.as_str() {
            "sh" => {
                if block.text.contains("curl ") && !has("curl") {
                    skip("curl is not installed");
                    return Ok(String::new());
                }
                let asks = [
                    "curl ",
                    "synchroniser backup",
                    "synchroniser deliveries",
                    "synchroniser status",
                    "synchroniser test-hook",
                    "synchroniser notify",
                    "synchroniser doctor",
                ];
                if asks.iter().any(|asks| block.text.contains(asks)) {
                    self.serve();
                }
                self.shell(&block.text).ok()
            }
            "console" => self.console(&block.text).map(|()| String::new()),
            "toml" => self.toml(&block.text).map(|()| String::new()),
            // What the block before it prints: the same but for numbers.
            "text" if before.is_empty() => Err("not the output of the block before it".to_owned()),
            "text" if numbers_aside(before) == numbers_aside(&block.text) => Ok(String::new()),
            "text" => Err(format!("is not what the block before it prints:\n{before}")),
            // `recipes` and `proxies` run them, and see to it that none is left out.
            "yaml" | "cron" | "nginx" | "apache" | "caddyfile" => Ok(String::new()),
            other => Err(format!("a block in {other:?}: neither run nor listed")),
        }
    }

    /// Lines after `$` are run; what follows them is what they print.
    fn console(&self, text: &str) -> Result<(), String> {
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let command = line.strip_prefix("$ ").ok_or("does not begin with a command")?;
            let mut expected = String::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
                expected.push_str(line);
                expected.push('\n');
            }
            let ran = self.shell(&format!("{{ {command}\n}} 2>&1"));
            let printed = self.there(&ran.stdout);
            if printed != expected {
                return Err(format!("{command:?} prints\n{printed}"));
            }
        }
        Ok(())
    }

    /// A whole configuration. One that says where it is becomes the one of the session.
    fn toml(&self, text: &str) -> Result<(), String> {
        let path = self.env.path("etc/synchroniser/block.toml");
        fs::write(&path, self.here(text)).unwrap();
        let mut command = self.command("synchroniser");
        command.args(["config", "check", "--config"]).arg(path);
        let ran = Ran::from(&command.output().unwrap()).with_code(0)?;
        if text.contains("[mirrors.") && !ran.stdout.contains("rocket") {
            return Err(format!("no mirror: {ran:?}"));
        }
        if text.starts_with("# /etc/synchroniser/synchroniser.toml\n") {
            self.configure(text);
        }
        Ok(())
    }
}

/// `text` with one `0` for each run of digits, points and hexadecimal letters that has a digit.
fn numbers_aside(text: &str) -> String {
    let mut out = String::new();
    let is_number = |c: char| c.is_ascii_hexdigit() || c == '.';
    for word in text.split_inclusive(|c: char| !is_number(c)) {
        let (number, rest) = word.split_at(word.trim_end_matches(|c| !is_number(c)).len());
        let has_digit = number.contains(|c: char| c.is_ascii_digit());
        out.push_str(if has_digit { "0" } else { number });
        out.push_str(rest);
    }
    out
}
