//! How a server is reached, as the operator configures it: the same for sources and targets.

use std::path::PathBuf;
use std::time::Duration;

use super::secret::SecretSource;
use super::token::TokenSource;

/// How a server is reached. The default is enough for a public server. Nothing in it is secret: it
/// says where secrets are, and they are read when they are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Who we are to a web server.
    pub token: Option<Token>,
    /// Certificates (PEM) of the authorities that are trusted *instead of* those of the system. One
    /// certificate that a server made for itself is its own authority: naming it here pins it.
    pub ca_file: Option<PathBuf>,
    /// Whether addresses may begin with `http://`. Anybody on the network path can then read what is sent.
    pub plain_http: bool,
    /// Whether bundles for first fetches may be on hosts of a private network. The server
    /// chooses their addresses, so it could send us anywhere; the server itself may be anywhere.
    pub private_downloads: bool,
    /// The web proxy to use, as `http://host:port`. The environment is not asked.
    pub proxy: Option<String>,
    /// Who we are to an SSH server. Without it, OpenSSH tries the keys and the agent of its user for
    /// a source; a target cannot be reached without it.
    pub key: Option<Key>,
    /// The host keys that are trusted, in the form of OpenSSH's `known_hosts`. A host must be known
    /// beforehand. Without it those are that OpenSSH knows (a source), or GitHub's (a target).
    pub known_hosts: Option<SecretSource>,
    /// The program to run as `ssh` for a source; a name without a slash is looked for in `PATH`.
    pub ssh_command: PathBuf,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// How long to wait before each further attempt, once a connection to a source has broken.
    pub retries: Vec<Duration>,
}

/// Who we are to a web server (`Basic`, RFC 7617).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The user; `None` is the one in the address.
    pub user: Option<String>,
    /// Where the token or password comes from.
    pub source: TokenSource,
}

/// Who we are to an SSH server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The user; `None` is the one in the address.
    pub user: Option<String>,
    /// Where the private key is.
    pub source: KeySource,
    /// Where the passphrase is that the key is encrypted with. Only targets take one.
    pub passphrase: Option<SecretSource>,
}

/// Where a private key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In a file or a credential, as OpenSSH or PEM text that no other user may read.
    Stored(SecretSource),
    /// With the agent that the environment of the process names (`SSH_AUTH_SOCK`), which tries all the
    /// keys that it has. Only targets take one: for sources, OpenSSH asks the agent by itself.
    Agent,
}

impl From<SecretSource> for KeySource {
    fn from(source: SecretSource) -> Self {
        Self::Stored(source)
    }
}

impl Token {
    /// The token in the file at `path`.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { user: None, source: path.into().into() }
    }
}

impl Key {
    /// The keys of the agent, for the user in the address.
    pub fn agent() -> Self {
        Self { user: None, source: KeySource::Agent, passphrase: None }
    }

    /// The private key in the file at `path`, for the user in the address.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { user: None, source: SecretSource::File(path.into()).into(), passphrase: None }
    }
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

impl Default for Access {
    fn default() -> Self {
        Self {
            token: None,
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
