//! What a target asks for before it lets us in.
//!
//! Secrets come from files, among them those that systemd makes of `LoadCredential=`, and go into
//! libgit2's callback and nowhere else: not into an address, an argument, a message or a log.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroize as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::base::{Fault, HasFault, fault};

/// No token and no key is longer, in bytes.
const LONGEST_SECRET: u64 = 64 << 10;

/// What opens a target. Its `Debug` shows no secret.
#[derive(Clone)]
pub enum Credential {
    /// Nothing: a repository on this machine, or a server that asks nobody.
    None,
    /// A user and a token or password, for `https`.
    Token {
        /// The user. GitHub takes any for a personal token, and `x-access-token` for an App's.
        user: String,
        /// The token.
        token: SecretString,
    },
    /// A private key, for SSH.
    SshKey {
        /// The user, if not the one in the address.
        user: Option<String>,
        /// The private key, as OpenSSH or PEM text.
        key: SecretString,
        /// What the key is encrypted with.
        passphrase: Option<SecretString>,
    },
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Token { user, token: _ } => {
                f.debug_struct("Token").field("user", user).finish_non_exhaustive()
            }
            Self::SshKey { user, key: _, passphrase: _ } => {
                f.debug_struct("SshKey").field("user", user).finish_non_exhaustive()
            }
        }
    }
}

/// Why a secret could not be taken from its file. The message names the file, never its contents.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The file cannot be read.
    #[error("read the secret in {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
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
}

impl HasFault for CredentialError {
    fn fault(&self) -> Fault {
        match self {
            Self::Read { source, .. } => fault::io_fault(source),
            Self::Exposed { .. } | Self::Malformed { .. } => Fault::Config,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Exposed { path, .. } => Some(format!("chmod 600 {}", path.display())),
            Self::Read { .. } | Self::Malformed { .. } => None,
        }
    }
}

impl Credential {
    /// A token from a file with nothing else in it but, perhaps, a newline at the end.
    pub fn token_file(user: impl Into<String>, path: &Path) -> Result<Self, CredentialError> {
        Ok(Self::Token { user: user.into(), token: read_line(path)? })
    }

    /// A private key from a file, and what it is encrypted with from another.
    pub fn ssh_key_file(
        user: Option<String>,
        path: &Path,
        passphrase: Option<&Path>,
    ) -> Result<Self, CredentialError> {
        let key = read_secret(path, |text| text)?;
        let text = key.expose_secret();
        let problem = if !text.trim_start().starts_with("-----BEGIN ") {
            Some("it is not a private key")
        } else if text.contains('\0') {
            Some("it has a zero byte")
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(CredentialError::Malformed { path: path.to_owned(), problem });
        }
        Ok(Self::SshKey { user, key, passphrase: passphrase.map(read_line).transpose()? })
    }

    /// The user that goes before the one in an SSH address.
    pub(super) fn ssh_user(&self) -> Option<&str> {
        match self {
            Self::SshKey { user, .. } => user.as_deref(),
            Self::None | Self::Token { .. } => None,
        }
    }

    /// `text` with every occurrence of a secret replaced, for text that a server sent.
    pub(super) fn redact(&self, text: &str) -> String {
        match self {
            Self::Token { token, .. } if !token.expose_secret().is_empty() => {
                text.replace(token.expose_secret(), "[secret]")
            }
            _ => text.to_owned(),
        }
    }
}

/// Reads a secret of one line.
fn read_line(path: &Path) -> Result<SecretString, CredentialError> {
    let secret = read_secret(path, |text| text.trim_end_matches(['\r', '\n']))?;
    let problem = match secret.expose_secret() {
        "" => "it is empty",
        text if text.contains(['\r', '\n']) => "it has more than one line",
        text if text.contains(char::is_control) => "it has a control character",
        _ => return Ok(secret),
    };
    Err(CredentialError::Malformed { path: path.to_owned(), problem })
}

/// Reads a file that only its owner and group can read, and takes the part of its text that is the
/// secret.
fn read_secret(path: &Path, part: fn(&str) -> &str) -> Result<SecretString, CredentialError> {
    let malformed = |problem| CredentialError::Malformed { path: path.to_owned(), problem };
    let failed = |source| CredentialError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(malformed("it is not a file"));
    }
    check_mode(path, &metadata)?;
    if metadata.len() > LONGEST_SECRET {
        return Err(malformed("it is larger than 64 KiB"));
    }
    // Room for all of it at once, so that growing leaves no copy behind.
    let mut bytes = Vec::with_capacity(usize::try_from(LONGEST_SECRET).unwrap_or_default() + 1);
    let read = file.take(LONGEST_SECRET).read_to_end(&mut bytes).map_err(failed);
    let secret = match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(SecretString::from(part(text))),
        Err(_) => Err(malformed("it is not text")),
    };
    bytes.zeroize();
    read.and(secret)
}

/// Refuses a file that everybody can read or write. A group may read it: systemd's credentials are
/// made that way.
fn check_mode(path: &Path, metadata: &fs::Metadata) -> Result<(), CredentialError> {
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o006 == 0 {
        return Ok(());
    }
    Err(CredentialError::Exposed { path: path.to_owned(), mode })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(contents: &[u8], mode: u32) -> tempfile::TempPath {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, contents).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        file.into_temp_path()
    }

    fn problem(error: &CredentialError) -> &'static str {
        match error {
            CredentialError::Malformed { problem, .. } => problem,
            _ => panic!("{error:?}"),
        }
    }

    #[test]
    fn a_token_loses_its_newline_only() {
        for contents in ["geheim 1", "geheim 1\n", "geheim 1\r\n"] {
            let path = file(contents.as_bytes(), 0o440);
            let Credential::Token { user, token } = Credential::token_file("u", &path).unwrap()
            else {
                panic!("not a token")
            };
            assert_eq!((user.as_str(), token.expose_secret()), ("u", "geheim 1"));
        }
    }

    #[test]
    fn a_file_that_others_can_touch_is_refused() {
        for mode in [0o604, 0o602, 0o666, 0o644] {
            let path = file(b"geheim", mode);
            let error = Credential::token_file("u", &path).unwrap_err();
            assert!(matches!(error, CredentialError::Exposed { .. }), "{mode:o}: {error}");
            assert!(error.hint().unwrap().starts_with("chmod 600 /"));
            assert!(!format!("{error} {error:?}").contains("geheim"));
        }
    }

    #[test]
    fn what_is_no_secret() {
        let token = |contents: &[u8]| {
            problem(&Credential::token_file("u", &file(contents, 0o600)).unwrap_err())
        };
        assert_eq!(token(b"\n"), "it is empty");
        assert_eq!(token(b"a\nb\n"), "it has more than one line");
        assert_eq!(token(b"a\tb"), "it has a control character");
        assert_eq!(token(b"\xff"), "it is not text");
        assert_eq!(token("a".repeat(70_000).as_bytes()), "it is larger than 64 KiB");
        let key = Credential::ssh_key_file(None, &file(b"ssh-ed25519 AAAA", 0o600), None);
        assert_eq!(problem(&key.unwrap_err()), "it is not a private key");
        let missing = Credential::token_file("u", Path::new("/nowhere/token")).unwrap_err();
        assert_eq!(missing.fault(), Fault::Config);
    }

    #[test]
    fn debug_and_redaction_hide_secrets() {
        let secret = || SecretString::from("geheim");
        let token = Credential::Token { user: "u".to_owned(), token: secret() };
        let key = Credential::SshKey { user: None, key: secret(), passphrase: Some(secret()) };
        assert_eq!(
            format!("{token:?} {key:?}"),
            "Token { user: \"u\", .. } SshKey { user: None, .. }"
        );
        assert_eq!(token.redact("bad geheim!"), "bad [secret]!");
    }
}
