//! What a target asks for before it lets us in.
//!
//! Secrets go into libgit2's callback and nowhere else: not into an address, an argument, a message or
//! a log.

use std::fmt;
use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};

use crate::base::secret::{self, SecretError};

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

impl Credential {
    /// A token from a file with nothing else in it but, perhaps, a newline at the end.
    pub fn token_file(user: impl Into<String>, path: &Path) -> Result<Self, SecretError> {
        Ok(Self::Token { user: user.into(), token: secret::read_line(path)? })
    }

    /// A private key from a file, and what it is encrypted with from another.
    pub fn ssh_key_file(
        user: Option<String>,
        path: &Path,
        passphrase: Option<&Path>,
    ) -> Result<Self, SecretError> {
        let key = secret::read_private_key(path)?;
        let passphrase = passphrase.map(secret::read_line).transpose()?;
        Ok(Self::SshKey { user, key, passphrase })
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

#[cfg(test)]
mod tests {
    use super::*;

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
