//! nginx with TLS, on loopback, and the certificate for it and for other web servers.

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
        let (nginx, folder) = (program("nginx")?, folder_with_certificate()?);
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::write(at("users"), format!("{user}:{{PLAIN}}{password}\n")).unwrap();
        let port = free_port();
        let server = format!(
            "server {{
                listen 127.0.0.1:{port} ssl; ssl_certificate {cert}; ssl_certificate_key {key};
                auth_basic something; auth_basic_user_file {users};
                client_max_body_size 0;
                {locations}
            }}",
            cert = at("cert.pem"),
            key = at("key.pem"),
            users = at("users"),
        );
        let process = start(&nginx, folder.path(), port, &server);
        Some(Self { folder, port, process })
    }

    /// The certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }
}

/// A folder with `cert.pem` and `key.pem`, for `127.0.0.1` and `sync.example.org`; `None` where that is not
/// possible, after saying why.
pub(crate) fn folder_with_certificate() -> Option<tempfile::TempDir> {
    folder_with_certificate_for("IP:127.0.0.1,DNS:sync.example.org")
}

/// The same for other names, as OpenSSL writes them.
pub(crate) fn folder_with_certificate_for(names: &str) -> Option<tempfile::TempDir> {
    let openssl = program("openssl")?;
    let folder = tempfile::tempdir().unwrap();
    let mut request = command(&openssl);
    request
        .current_dir(folder.path())
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
        ])
        .args(["-addext", &format!("subjectAltName={names}")])
        .args(["-keyout", "key.pem", "-out", "cert.pem"]);
    assert!(request.output().unwrap().status.success(), "{request:?}");
    Some(folder)
}

/// Starts `nginx` in `folder` with this block `server`, which listens on `port`.
pub(crate) fn start(nginx: &Path, folder: &Path, port: u16, server: &str) -> Server {
    let at = |name: &str| folder.join(name).display().to_string();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {};\n", at(kind)))
        .concat();
    let text = format!(
        "daemon off; master_process off; pid {};
events {{ worker_connections 64; }}
http {{
    access_log off; {temporary}
    {server}
}}
",
        at("pid")
    );
    fs::write(at("nginx.conf"), text).unwrap();
    let mut start = command(nginx);
    start.args(["-p", &at("")]).args(["-c", &at("nginx.conf")]).args(["-e", &at("error.log")]);
    Server::start(&mut start, port)
}

/// A program with nothing of our environment.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("HOME", "/nowhere").env("LC_ALL", "C").stdin(Stdio::null());
    command
}
