//! Configuration files: the samples in `fixtures/config`, and what people read when one is wrong.

// For clippy: helpers outside of `#[test]` functions are tests too.
#![cfg(test)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use synchroniser::base::{Fault, HasFault};
use synchroniser::config::{Config, ConfigError, MirrorConfig, template};
use synchroniser::hg::pull::Source;
use synchroniser::mirror::MainBranch;
use synchroniser::net::{SecretSource, Token};

/// A folder with a configuration and the files that the samples name.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.secret("secrets/token", "s3cret\n", 0o600);
        home.secret("secrets/key", "-----BEGIN OPENSSH PRIVATE KEY-----\n", 0o600);
        home.secret("secrets/known_hosts", "example.org ssh-ed25519 AAAA\n", 0o644);
        home.secret("secrets/exposed", "s3cret\n", 0o644);
        home.secret("secrets/two-lines", "s3cret\nmore\n", 0o600);
        home.secret("credentials/github-token", "s3cret\n", 0o400);
        home.secret("credentials/deploy-key", "-----BEGIN OPENSSH PRIVATE KEY-----\n", 0o400);
        home.secret("credentials/known-hosts", "example.org ssh-ed25519 AAAA\n", 0o400);
        home
    }

    fn secret(&self, name: &str, contents: &str, mode: u32) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn parse(&self, text: &str) -> Result<Config, ConfigError> {
        let credentials = self.0.path().join("credentials");
        Config::parse(text, &self.0.path().join("x.toml"), Some(&credentials))
    }

    /// `text` without the name of this folder.
    fn redacted(&self, text: &str) -> String {
        text.replace(self.0.path().to_str().unwrap(), "HOME")
    }
}

/// Whether a hook that names `user` and `project` asks for `mirror`.
fn selected(mirror: &MirrorConfig, user: &str, project: &str) -> bool {
    mirror.selector.as_ref().is_some_and(|selector| selector.matches(user, project))
}

/// The sample `name`.
fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config").join(name)
}

/// The samples in `fixtures/config/<folder>`.
fn samples(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config").join(folder);
    let mut samples: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension() == Some(OsStr::new("toml")))
        .collect();
    samples.sort();
    assert!(samples.len() > 2, "{} has no samples", folder.display());
    samples
}

#[test]
fn valid_samples_are_taken() {
    let home = Home::new();
    for sample in samples("valid") {
        let result = home.parse(&fs::read_to_string(&sample).unwrap());
        assert!(result.is_ok(), "{}: {}", sample.display(), result.unwrap_err());
    }
}

/// What a valid sample names is read when it is used: a file that is missing is the fault of one mirror,
/// and `config check` says so. Lines after `#! ` are what it says.
#[test]
fn what_is_missing_is_no_fault_of_the_file() {
    let home = Home::new();
    let sample = sample("valid/missing-secrets.toml");
    let text = fs::read_to_string(&sample).unwrap();
    let expected: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("#! ")).collect();
    let config = home.parse(&text).unwrap();
    let findings = config.check();
    assert!(findings.iter().all(|finding| !finding.is_unchecked));
    let found: Vec<_> = findings.iter().map(|it| home.redacted(&it.problem.to_string())).collect();
    assert_eq!(found, expected);
    let ready = |name: &str| config.mirror(name).unwrap().ready().map(drop);
    assert!(ready("a").is_ok(), "its secret is read by whoever connects");
    assert_eq!(ready("f").unwrap_err().fault(), Fault::Config);
}

/// The first lines of an invalid sample, each after `#! `, are all that must be said about it.
#[test]
fn invalid_samples_are_refused_for_every_reason_at_once() {
    let home = Home::new();
    for sample in samples("invalid") {
        let text = fs::read_to_string(&sample).unwrap();
        let expected: Vec<_> = text.lines().map_while(|line| line.strip_prefix("#! ")).collect();
        assert!(!expected.is_empty(), "{} does not say what is expected", sample.display());
        let Err(ConfigError::Invalid { problems, .. }) = home.parse(&text) else {
            panic!("{} was taken", sample.display());
        };
        let found: Vec<_> = problems.iter().map(|it| home.redacted(&it.to_string())).collect();
        assert_eq!(found, expected, "{}", sample.display());
    }
}

#[test]
fn what_is_written_is_what_is_meant() {
    let home = Home::new();
    let sample = sample("valid/full.toml");
    let config = home.parse(&fs::read_to_string(sample).unwrap()).unwrap();
    let names: Vec<_> = config.mirrors.iter().map(|mirror| &*mirror.mirror.name).collect();
    assert_eq!(names, ["https", "path", "with.all-kinds_0f"]);
    insta::assert_debug_snapshot!(config.daemon, @r#"
    DaemonOptions {
        role: All,
        listen: [::1]:0,
        wait: 0ns,
        max_body: 65536,
        workers: 4,
        long_workers: 2,
        state: "/var/lib/synchroniser",
        socket: Some(
            "/run/synchroniser/admin.sock",
        ),
        history: 7776000s,
        hooks_a_minute: 600,
        request_timeout: 5s,
        connections: 16,
        stop_timeout: 0ns,
    }
    "#);

    let path = config.mirror("path").unwrap();
    assert_eq!(path.mirror.source, Source::Path(home.0.path().join("hg/path")));
    assert_eq!(path.mirror.cache.path(), home.0.path().join("cache/path"));
    assert_eq!(path.mirror.options.naming.main, MainBranch::Tip);
    assert_eq!(path.mirror.options.naming.main_branch, "master");
    assert_eq!(path.mirror.options.limits.metadata_bytes, 3_000_000);
    assert!(selected(path, "ada", "path"));

    let https = config.mirror("https").unwrap();
    assert_eq!(https.mirror.source, Source::Path("/srv/hg/rocket".into()));
    assert_eq!(https.mirror.options.naming.main, MainBranch::Branch("default".to_owned()));
    assert_eq!(https.mirror.options.naming.main_branch, "main");
    assert!(selected(https, "acme", "rocket"));
    let access = &https.mirror.target.as_ref().unwrap().access;
    let token =
        Token { user: Some("bot".to_owned()), ..Token::at(home.0.path().join("secrets/token")) };
    assert_eq!(access.token, Some(token));
    assert_eq!(access.ca_file, Some(home.0.path().join("secrets/known_hosts")));
    assert_eq!(access.proxy.as_deref(), Some("http://proxy.example.org:3128"));
    assert_eq!(access.timeouts.connect, Duration::from_secs(5));
    assert_eq!(access.timeouts.first_byte, Duration::from_secs(20));
    assert_eq!(access.timeouts.idle, Duration::from_secs(10));

    let ssh = config.mirror("with.all-kinds_0f").unwrap();
    assert_eq!(ssh.mirror.options.naming.main, MainBranch::Branch("stable branch".to_owned()));
    assert!(selected(ssh, "acme", "engine"));
    assert!(config.mirror("rocket").is_none());
}

#[test]
fn sources_are_paths_or_servers() {
    let home = Home::new();
    let sample = sample("valid/sources.toml");
    let config = home.parse(&fs::read_to_string(sample).unwrap()).unwrap();
    let source = |name: &str| config.mirror(name).unwrap().mirror.source.clone();
    let path = |name: &str| home.0.path().join(name);
    let server = |name: &str| match source(name) {
        Source::Server { url, access } => (url.to_string(), *access),
        Source::Path(path) => panic!("{}", path.display()),
    };
    assert_eq!(source("bundle"), Source::Path(path("backup/engine.hg")));
    let (url, options) = server("https");
    assert_eq!(url, "https://bot@hg.example.org/acme/rocket");
    assert_eq!(options.token, Some(Token::at(path("secrets/token"))));
    assert_eq!(options.timeouts.first_byte, Duration::from_mins(1));
    assert_eq!(options.ca_file, Some(path("secrets/known_hosts")));
    assert_eq!(options.proxy.as_deref(), Some("http://proxy.example.org:3128"));
    assert!(options.private_downloads && !options.plain_http);
    let (_, options) = server("http");
    let credential = |name: &str| SecretSource::Credential {
        name: name.to_owned(),
        folder: Some(path("credentials")),
    };
    let token = Token { user: Some("bot".to_owned()), source: credential("github-token").into() };
    assert_eq!(options.token, Some(token));
    assert!(options.plain_http && !options.private_downloads);
    let (url, options) = server("ssh");
    assert_eq!(url, "ssh://hg@hg.example.org:2222//srv/hg/engine");
    assert_eq!(options.key.unwrap().source, credential("deploy-key").into());
    assert_eq!(options.known_hosts, Some(path("secrets/known_hosts").into()));
}

#[test]
fn no_secret_is_shown() {
    let home = Home::new();
    for sample in samples("valid").into_iter().chain(samples("invalid")) {
        let shown = match home.parse(&fs::read_to_string(&sample).unwrap()) {
            Ok(config) => format!("{config:?}"),
            Err(error) => format!("{error} {error:?} {:?}", error.hint()),
        };
        assert!(!shown.contains("s3cret"), "{}: {shown}", sample.display());
    }
}

/// Outside of the unit there are no credentials: the configuration is as good as before, and a check
/// says what it could not look at.
#[test]
fn credentials_need_a_folder_of_credentials() {
    let sample = sample("valid/credentials.toml");
    let config = Config::load(&sample, None).unwrap();
    let findings = config.check();
    assert!(findings.iter().all(|finding| finding.is_unchecked));
    let found: Vec<_> = findings.iter().map(|it| it.problem.to_string()).collect();
    insta::assert_snapshot!(found.join("\n"), @r#"
    3: mirrors.https.target.token_credential: cannot read the credential "github-token": there is no $CREDENTIALS_DIRECTORY; only a systemd unit with `LoadCredential=github-token:…` has it; outside of one, name a file
    10: mirrors.ssh.target.key_credential: cannot read the credential "deploy-key": there is no $CREDENTIALS_DIRECTORY; only a systemd unit with `LoadCredential=deploy-key:…` has it; outside of one, name a file
    11: mirrors.ssh.target.known_hosts_credential: cannot read the credential "known-hosts": there is no $CREDENTIALS_DIRECTORY; only a systemd unit with `LoadCredential=known-hosts:…` has it; outside of one, name a file
    "#);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("/nowhere/synchroniser.toml"), None).unwrap_err();
    insta::assert_snapshot!(error, @"read the configuration /nowhere/synchroniser.toml");
    insta::assert_snapshot!(
        error.hint().unwrap(),
        @"`synchroniser init` writes a first one; if it is elsewhere, name it with --config"
    );
}

#[test]
fn the_template_is_a_configuration() {
    let config = Config::parse(&template(), Path::new("synchroniser.toml"), None).unwrap();
    assert_eq!(config.daemon.listen.to_string(), "127.0.0.1:8377");
    assert!(config.daemon.listen.ip().is_loopback());
}
