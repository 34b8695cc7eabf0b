//! The web servers in front of the daemon, each with the configuration of the document.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use super::session::Session;
use super::{blocks, documents, read};
use crate::support::env::program;
use crate::support::nginx::{self, folder_with_certificate};
use crate::support::serve::{Server, free_port, script};

const DOCUMENT: &str = "docs/behind-a-proxy.md";
/// The languages of the blocks that are run here.
const LANGUAGES: [&str; 3] = ["nginx", "apache", "caddyfile"];
/// Where Debian has the modules of Apache.
const APACHE_MODULES: &str = "/usr/lib/apache2/modules";

/// The first block in this language.
fn block(language: &str) -> String {
    let mut all = blocks(&read(DOCUMENT)).into_iter();
    all.find(|block| block.language == language).unwrap().text
}

/// The daemon behind a web server.
struct Scene {
    session: Session,
    #[expect(dead_code, reason = "ends the server when it is dropped")]
    proxy: Server,
    #[expect(dead_code, reason = "removes the folder when it is dropped")]
    folder: tempfile::TempDir,
}

impl Scene {
    /// With what `start` starts: it gets a folder with a certificate, the port to listen on, and the block in
    /// `language` with what is here in place of what it names.
    fn new(language: &str, start: impl FnOnce(&Path, u16, &str) -> Server) -> Option<Self> {
        let (curl, folder) = (program("curl")?, folder_with_certificate()?);
        let mut session = Session::new();
        let config = block("toml").replace("[web]\n", "[web]\nread = \"open\"\n")
            + "[hooks.near]\nformat = \"synchroniser\"\nsecret_file = \"secrets/hook\"\n\
               networks = [\"127.0.0.7\"]\n[patterns.forge]\nsource = \"/srv/hg/{path}\"\n\
               target = \"https://git.example.org/{path}\"\nallow = [\"engine\"]\n";
        session.shell("cp -r /srv/hg/rocket /srv/hg/engine").ok().unwrap();
        session.configure(&config);
        session.serve();
        let port = free_port();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let text = block(language)
            .replace("/etc/ssl/sync.example.org/fullchain.pem", &at("cert.pem"))
            .replace("/etc/ssl/sync.example.org/privkey.pem", &at("key.pem"))
            .replace("127.0.0.1:8377", &format!("127.0.0.1:{}", session.port));
        let proxy = start(folder.path(), port, &text);
        // Somebody elsewhere, who finds the name and trusts the certificate.
        let program = format!(
            "exec {} --cacert {} --connect-to sync.example.org:443:127.0.0.1:{port} \
             --interface \"${{FROM:-127.0.0.7}}\" \"$@\"",
            curl.display(),
            at("cert.pem")
        );
        script(&session.env, "bin/curl", &program);
        Some(Self { session, proxy, folder })
    }

    /// The status that `curl` gets with these words.
    fn status(&self, words: &str) -> String {
        let text = format!("curl -s -o answer -w '%{{http_code}}' {words}");
        self.session.shell(&text).ok().unwrap()
    }

    /// The status of a signed hook for what `mapping` names.
    fn hook(&self, endpoint: &str, mapping: &str, more: &str) -> String {
        self.status(&format!(
            "--data '{{\"schema\":\"synchroniser/1\",\"event\":\"push\",\"mapping\":\"{mapping}\"}}' \
             -H \"X-Hub-Signature-256: sha256=$(printf %s \
             '{{\"schema\":\"synchroniser/1\",\"event\":\"push\",\"mapping\":\"{mapping}\"}}' | \
             openssl dgst -sha256 -hmac \"$(cat /etc/synchroniser/secrets/hook)\" | sed 's/.* //')\" \
             -H 'Content-Type: application/json' {more} https://sync.example.org/hook/{endpoint}"
        ))
    }

    /// The status of a form that is sent from our own page.
    fn form(&self) -> String {
        self.status(
            "-H 'Origin: https://sync.example.org' --data token=x https://sync.example.org/login",
        )
    }

    /// The addresses that hooks came from, as the document looks at them.
    fn senders(&self) -> String {
        let all = blocks(&read(DOCUMENT)).into_iter().filter(|block| block.language == "sh");
        let printed: Vec<_> =
            all.map(|block| self.session.shell(&block.text).ok().unwrap()).collect();
        assert!(printed.len() == 2 && printed[1].contains("accepted"), "{printed:?}");
        printed[1].clone()
    }

    /// All that the document says of a web server.
    fn passes_on_everything(&self) {
        let senders = self.senders();
        assert!(senders.contains("127.0.0.7") && !senders.contains("127.0.0.1"), "{senders}");

        // What a sender says of itself does not count.
        let forged = "-H 'X-Forwarded-For: 127.0.0.7'";
        assert_eq!(self.hook("near", "rocket", ""), "202");
        assert_eq!(self.hook("near", "rocket", "-H 'X-Forwarded-For: 203.0.113.9'"), "202");
        self.session.shell("sed -i 's/FROM:-127.0.0.7/FROM:-127.0.0.8/' ../bin/curl").ok().unwrap();
        assert_eq!(self.hook("near", "rocket", forged), "401");

        assert_eq!(self.status("https://sync.example.org/"), "200");
        assert_eq!(self.form(), "422");

        assert_eq!(self.hook("hg", "/srv/hg/engine", ""), "202");
        assert_eq!(self.status("https://sync.example.org/mirrors/forge%2Fengine"), "200");
        assert_eq!(self.status("https://sync.example.org/mirrors/forge%2Fnone"), "404");

        // The daemon sees what is too large, and what nearly is.
        let large = |bytes: u32| {
            let data = format!("head -c {bytes} /dev/zero > body");
            self.session.shell(&data).ok().unwrap();
            self.status("--data-binary @body https://sync.example.org/hook/hg")
        };
        assert_eq!(large(1_048_576), "401");
        assert_eq!(large(1_500_000), "413");
        let answer = fs::read_to_string(self.session.env.path("work/answer")).unwrap();
        assert!(!answer.contains("<html"), "{answer}");

        self.streams();
    }

    /// The first line of a stream of events comes, though nothing follows it.
    fn streams(&self) {
        let mut curl = self.session.command("curl");
        curl.args(["-sN", "--max-time", "5", "https://sync.example.org/api/v1/events"]);
        let mut child = curl.stdout(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let is_open = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!first.is_empty() && is_open, "{first:?}");
    }
}

/// The block of nginx, with this address.
fn start_nginx(folder: &Path, port: u16, text: &str) -> Option<Server> {
    let text = text
        .replace("listen [::]:443 ssl;", "")
        .replace("listen 443 ssl;", &format!("listen 127.0.0.1:{port} ssl;"));
    Some(nginx::start(&program("nginx")?, folder, port, &text))
}

#[test]
fn nginx_passes_on_everything() {
    if program("nginx").is_none() {
        return;
    }
    let start = |folder: &Path, port, text: &str| start_nginx(folder, port, text).unwrap();
    if let Some(scene) = Scene::new("nginx", start) {
        scene.passes_on_everything();
    }
}

/// What the document says of lines that are missing.
#[test]
fn nginx_that_leaves_out_lines_is_noticed() {
    if program("nginx").is_none() {
        return;
    }
    let start = |folder: &Path, port, text: &str| {
        let lines = text.lines().filter(|line| !line.contains("proxy_set_header"));
        let text: String = lines.flat_map(|line| [line, "\n"]).collect();
        start_nginx(folder, port, &text).unwrap()
    };
    let Some(scene) = Scene::new("nginx", start) else { return };
    let senders = scene.senders();
    assert!(senders.contains("127.0.0.1") && !senders.contains("127.0.0.7"), "{senders}");
    assert_eq!(scene.hook("near", "rocket", ""), "401");
    assert_eq!(scene.form(), "403");
    let answer = fs::read_to_string(scene.session.env.path("work/answer")).unwrap();
    assert!(answer.contains("not sent by a page of this service"), "{answer}");
}

#[test]
fn apache_passes_on_everything() {
    let Some(apache) = program("apache2") else { return };
    let start = |folder: &Path, port, text: &str| {
        let modules = ["mpm_event", "authz_core", "ssl", "proxy", "proxy_http"];
        let load = modules
            .map(|name| format!("LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so\n"));
        let text = text.replace("*:443", &format!("127.0.0.1:{port}"));
        let text = format!(
            "ServerRoot {folder}\nServerName localhost\nPidFile pid\nErrorLog error.log\n{}\
             Listen 127.0.0.1:{port}\n{text}",
            load.concat(),
            folder = folder.display()
        );
        fs::write(folder.join("apache.conf"), text).unwrap();
        let mut command = nginx::command(&apache);
        // One process, which ends when it is killed.
        command.arg("-X").arg("-f").arg(folder.join("apache.conf"));
        Server::start(&mut command, port)
    };
    if let Some(scene) = Scene::new("apache", start) {
        scene.passes_on_everything();
    }
}

#[test]
fn caddy_passes_on_everything() {
    let Some(caddy) = program("caddy") else { return };
    let start = |folder: &Path, port, text: &str| {
        // It would ask a certificate authority for a certificate.
        let site = format!("sync.example.org:{port} {{\n    tls cert.pem key.pem\n");
        let text = text.replace("sync.example.org {\n", &site);
        let global =
            "{\n    admin off\n    auto_https disable_redirects\n    skip_install_trust\n}\n";
        fs::write(folder.join("Caddyfile"), format!("{global}{text}")).unwrap();
        let mut command = nginx::command(&caddy);
        command.args(["run", "--adapter", "caddyfile", "--config", "Caddyfile"]);
        command.current_dir(folder).env("HOME", folder).stderr(Stdio::null());
        Server::start(&mut command, port)
    };
    if let Some(scene) = Scene::new("caddyfile", start) {
        scene.passes_on_everything();
    }
}

/// A block that nobody runs would be one that no run has seen.
#[test]
fn every_web_server_is_run() {
    for document in documents() {
        let all = blocks(&read(&document));
        for language in LANGUAGES {
            let here = all.iter().filter(|block| block.language == language).count();
            assert_eq!(here, usize::from(document == DOCUMENT), "{document}: {language}");
        }
    }
}
