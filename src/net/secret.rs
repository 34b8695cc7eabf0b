//! Where secrets are: in files, among them those that systemd makes of `LoadCredential=`.
//!
//! A [`SecretSource`] says where, and is read at each use: a secret that was changed needs no restart.
//! Whoever reads one passes it on as a [`SecretString`], which shows itself in no message and no log.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroize as _;
use secrecy::{ExposeSecret as _, SecretString};

use super::error::NetError;
use crate::base::faults;

/// No token and no key is longer, in bytes.
const LONGEST_SECRET: u64 = 64 << 10;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// In a file.
    File(PathBuf),
    /// In the file that systemd made of `LoadCredential=NAME:…`.
    Credential {
        /// Its name.
        name: String,
        /// The folder of our unit's credentials; `None` outside of a unit that has some.
        folder: Option<PathBuf>,
    },
}

impl From<PathBuf> for SecretSource {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl SecretSource {
    /// The file that it is in.
    pub fn path(&self) -> Result<PathBuf, SecretError> {
        match self {
            Self::File(path) => Ok(path.clone()),
            Self::Credential { name, folder: Some(folder) } => Ok(folder.join(name)),
            Self::Credential { name, folder: None } => {
                Err(SecretError::NoCredentials { name: name.clone() })
            }
        }
    }

    /// Reads a secret of one line: a token, a password.
    pub fn line(&self) -> Result<SecretString, SecretError> {
        read_line(&self.path()?)
    }

    /// Reads a private key, as OpenSSH or PEM text.
    pub fn private_key(&self) -> Result<SecretString, SecretError> {
        read_private_key(&self.path()?)
    }
}

/// Why there is no secret to use. The message names where it should be, never the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("read the secret in {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The secret is a credential of a systemd unit, and we are not run as one that has credentials.
    #[error("read the credential {name:?}: there is no $CREDENTIALS_DIRECTORY")]
    NoCredentials {
        /// The name of the credential.
        name: String,
    },
    /// Everybody on this machine can read or change the file.
    #[error("use the secret in {}: other users have access (mode {mode:04o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold a secret of the expected kind.
    #[error("use the secret in {}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The environment variable does not hold a token.
    #[error("use the token in the environment variable {name}: {problem}")]
    Variable {
        /// Its name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The agent that has the private keys cannot be asked.
    #[error("ask the SSH agent for a key{}", socket.as_ref().map_or_else(
        || ": SSH_AUTH_SOCK is not set".to_owned(),
        |socket| format!(" at {}", socket.display()),
    ))]
    Agent {
        /// Its socket.
        socket: Option<PathBuf>,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The server that makes the token does not.
    #[error("get a token for {account}")]
    Made {
        /// For whom.
        account: String,
        /// What to do about it.
        hint: Option<&'static str>,
        /// What the server says.
        #[source]
        source: Box<NetError>,
    },
    /// The key that a token is asked for with cannot be used.
    #[error("sign with the key in {}: {problem}", path.display())]
    UnusableKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

faults!(SecretError {
    Self::Read { source, .. } => io(source).at(Here),
    Self::NoCredentials { name } => Config.at(Here).hint(format!(
        "only a systemd unit with `LoadCredential={name}:…` has it; outside of one, name a file"
    )),
    Self::Exposed { path, .. } => Config.at(Here).hint(format!("chmod 600 {}", path.display())),
    Self::Malformed { .. } => Config.at(Here),
    Self::Variable { .. } => {
        Config.at(Here).hint("set it for the process that syncs, or name a file with `target.token_file` or `source.token_file`")
    },
    Self::Agent { .. } => Config.at(Here).hint(
        "the environment variable SSH_AUTH_SOCK must name the socket of an agent that runs; for the \
         daemon, set it in its unit (`Environment=SSH_AUTH_SOCK=…`)"
    ),
    Self::Made { source, hint: Some(hint), .. } => of(&**source).at(Target).hint(*hint),
    Self::Made { source, .. } => Diagnosis { hint: None, ..of(&**source) }.at(Target),
    Self::UnusableKey { .. } => {
        Config.at(Here).hint("name the RSA key that the server made for the app, a file in PEM form")
    },
});

/// Reads a secret of one line.
pub fn read_line(path: &Path) -> Result<SecretString, SecretError> {
    let secret = read_secret(path, |text| text.trim_end_matches(['\r', '\n']))?;
    match problem_of_line(secret.expose_secret()) {
        None => Ok(secret),
        Some(problem) => Err(SecretError::Malformed { path: path.to_owned(), problem }),
    }
}

/// `text` as a secret of one line, or what is wrong with it.
pub(super) fn line_of(mut text: String) -> Result<SecretString, &'static str> {
    let line = SecretString::from(text.trim_end_matches(['\r', '\n']));
    text.zeroize();
    match problem_of_line(line.expose_secret()) {
        None => Ok(line),
        Some(problem) => Err(problem),
    }
}

/// What keeps a text from being a secret of one line.
fn problem_of_line(text: &str) -> Option<&'static str> {
    match text {
        "" => Some("it is empty"),
        text if text.contains(['\r', '\n']) => Some("it has more than one line"),
        text if text.contains(char::is_control) => Some("it has a control character"),
        _ => None,
    }
}

/// Checks that there is an SSH agent, where the environment says that it is.
pub fn find_agent() -> Result<(), SecretError> {
    let socket = std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from);
    let found = match &socket {
        Some(socket) => UnixStream::connect(socket).map(drop),
        None => Err(io::ErrorKind::NotFound.into()),
    };
    found.map_err(|source| SecretError::Agent { socket, source })
}

/// Reads a file that only its owner and group can read, and takes the part of its text that is the
/// secret.
fn read_secret(path: &Path, part: fn(&str) -> &str) -> Result<SecretString, SecretError> {
    let malformed = |problem| SecretError::Malformed { path: path.to_owned(), problem };
    let failed = |source| SecretError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(malformed("it is not a file"));
    }
    check_mode(path, &metadata)?;
    if metadata.len() > LONGEST_SECRET {
        return Err(malformed("it is larger than 64 KiB"));
    }
    // Room for all of it at once, so that growing leaves no copy behind; and no more, since hooks read one each and
    // all of it is overwritten.
    let length = metadata.len();
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1);
    let read = file.take(length).read_to_end(&mut bytes).map_err(failed);
    let secret = match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(SecretString::from(part(text))),
        Err(_) => Err(malformed("it is not text")),
    };
    bytes.zeroize();
    read.and(secret)
}

/// Refuses a file that everybody can read or write. A group may read it: systemd's credentials are
/// made that way.
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), SecretError> {
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o006 == 0 {
        return Ok(());
    }
    Err(SecretError::Exposed { path: path.to_owned(), mode })
}

/// Reads a private key, as OpenSSH or PEM text.
pub fn read_private_key(path: &Path) -> Result<SecretString, SecretError> {
    let key = read_secret(path, |text| text)?;
    let text = key.expose_secret();
    let problem = if !text.trim_start().starts_with("-----BEGIN ") {
        "it is not a private key"
    } else if text.contains('\0') {
        "it has a zero byte"
    } else {
        return Ok(key);
    };
    Err(SecretError::Malformed { path: path.to_owned(), problem })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Fault, HasFault};

    fn file(contents: &[u8], mode: u32) -> tempfile::TempPath {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, contents).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        file.into_temp_path()
    }

    fn problem(error: &SecretError) -> &'static str {
        match error {
            SecretError::Malformed { problem, .. } => problem,
            _ => panic!("{error:?}"),
        }
    }

    #[test]
    fn a_line_loses_its_newline_only() {
        for contents in ["geheim 1", "geheim 1\n", "geheim 1\r\n"] {
            let secret = read_line(&file(contents.as_bytes(), 0o440)).unwrap();
            assert_eq!(secret.expose_secret(), "geheim 1");
        }
    }

    #[test]
    fn a_file_that_others_can_touch_is_refused() {
        for mode in [0o604, 0o602, 0o666, 0o644] {
            let error = read_line(&file(b"geheim", mode)).unwrap_err();
            assert!(matches!(error, SecretError::Exposed { .. }), "{mode:o}: {error}");
            assert!(error.hint().unwrap().starts_with("chmod 600 /"));
            assert!(!format!("{error} {error:?}").contains("geheim"));
        }
    }

    #[test]
    fn what_is_no_secret() {
        let line = |contents: &[u8]| problem(&read_line(&file(contents, 0o600)).unwrap_err());
        assert_eq!(line(b"\n"), "it is empty");
        assert_eq!(line(b"a\nb\n"), "it has more than one line");
        assert_eq!(line(b"a\tb"), "it has a control character");
        assert_eq!(line(b"\xff"), "it is not text");
        assert_eq!(line("a".repeat(70_000).as_bytes()), "it is larger than 64 KiB");
        let key = read_private_key(&file(b"ssh-ed25519 AAAA", 0o600));
        assert_eq!(problem(&key.unwrap_err()), "it is not a private key");
        assert_eq!(read_line(Path::new("/nowhere/token")).unwrap_err().fault(), Fault::Config);
    }
}
