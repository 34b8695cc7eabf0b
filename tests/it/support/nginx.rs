//! nginx with TLS, on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::env::program;
use super::serve::{Server, free_port};

/// nginx with a certificate of its own for `127.0.0.1` and a file of users.
pub(crate) struct Nginx {
    folder: tempfile::TempDir,
    pub(crate) port: u16,
    #[expect(dead_code, reason = "ends the server when it is dropped")]
    process: Server,
}

impl Nginx {
    /// Starts one that asks for the password of `user` and has these `locations`; `None` where that is
    /// not possible, after saying why.
    pub(crate) fn start((user, password): (&str, &str), locations: &str) -> Option<Self> {
        let (nginx, openssl) = (program("nginx")?, program("openssl")?);
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut request = command(&openssl);
        request
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
            .arg("-keyout")
            .arg(at("key.pem"))
            .arg("-out")
            .arg(at("cert.pem"));
        assert!(request.output().unwrap().status.success(), "{request:?}");
        fs::write(at("users"), format!("{user}:{{PLAIN}}{password}\n")).unwrap();
        let port = free_port();
        fs::write(at("nginx.conf"), configuration(folder.path(), port, locations)).unwrap();
        let mut start = command(&nginx);
        start.arg("-p").arg(folder.path()).arg("-c").arg(at("nginx.conf"));
        start.arg("-e").arg(at("error.log"));
        let process = Server::start(&mut start, port);
        Some(Self { folder, port, process })
    }

    /// The certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("HOME", "/nowhere").env("LC_ALL", "C").stdin(Stdio::null());
    command
}

fn configuration(folder: &Path, port: u16, locations: &str) -> String {
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
        auth_basic something; auth_basic_user_file {users};
        {locations}
    }}
}}
",
        pid = at("pid"),
        cert = at("cert.pem"),
        key = at("key.pem"),
        users = at("users"),
    )
}
