//! How a server is reached, as the operator says.

use std::path::PathBuf;
use std::time::Duration;

/// How a server is reached. The default is what a public server needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerOptions {
    /// Who we are to a web server.
    pub credential: Option<Credential>,
    /// Certificates (PEM) of the authorities that are trusted *instead of* those of the system. One
    /// certificate that a server made for itself is its own authority: naming it here pins it.
    pub ca_file: Option<PathBuf>,
    /// Whether addresses may begin with `http://`. Everybody on the way reads what is sent then.
    pub plain_http: bool,
    /// Whether bundles for first fetches may be on hosts of a private network. They are where the
    /// server says, which could send us anywhere; the server itself may be anywhere.
    pub private_downloads: bool,
    /// The web proxy to use, as `http://host:port`. The environment is not asked.
    pub proxy: Option<String>,
    /// The private key for SSH. Without it OpenSSH tries the keys and the agent of its user.
    pub key: Option<PathBuf>,
    /// The host keys that are trusted, instead of those that OpenSSH knows. Either way a host must be
    /// known beforehand.
    pub known_hosts: Option<PathBuf>,
    /// The program to run as `ssh`; a name without a slash is looked for in `PATH`.
    pub ssh_command: PathBuf,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// How long to wait before each further attempt, once a connection has broken.
    pub retries: Vec<Duration>,
}

/// Who we are to a web server (`Basic`, RFC 7617).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The user; `None` is the one in the address.
    pub user: Option<String>,
    /// The file with the token or password, one line that no other user may read.
    pub token_file: PathBuf,
}

/// How long a server may make us wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until there is a connection, encryption and login included.
    pub connect: Duration,
    /// Then until the beginning of each answer: a server may have to think before.
    pub first_byte: Duration,
    /// Then without progress worth the name.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            first_byte: Duration::from_mins(10),
            idle: Duration::from_mins(2),
        }
    }
}

impl Default for PeerOptions {
    fn default() -> Self {
        Self {
            credential: None,
            ca_file: None,
            plain_http: false,
            private_downloads: false,
            proxy: None,
            key: None,
            known_hosts: None,
            ssh_command: PathBuf::from("ssh"),
            timeouts: Timeouts::default(),
            retries: [1, 4, 15].map(Duration::from_secs).to_vec(),
        }
    }
}
