//! What a target asks for before it lets us in.
//!
//! Secrets go into libgit2's callback and nowhere else: not into an address, an argument, a message or
//! a log.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

use crate::net::url::Location;
use crate::net::{Access, SecretError, SecretSource};

/// The user name for a token where none is set. GitHub wants this one with the tokens of apps, and
/// takes any other with those of people.
const TOKEN_USER: &str = "x-access-token";

/// What opens a target. Its `Debug` shows no secret.
#[derive(Clone)]
pub(super) enum Credential {
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
    /// Reads what `access` names for a target at `location`.
    pub(super) fn read(access: &Access, location: &Location) -> Result<Self, SecretError> {
        Ok(match (location, &access.token, &access.key) {
            (Location::Http { .. }, Some(token), _) => Self::Token {
                user: token.user.clone().unwrap_or_else(|| TOKEN_USER.to_owned()),
                token: token.file.line()?,
            },
            (Location::Ssh { .. }, _, Some(key)) => Self::SshKey {
                user: key.user.clone(),
                key: key.file.private_key()?,
                passphrase: key.passphrase.as_ref().map(SecretSource::line).transpose()?,
            },
            _ => Self::None,
        })
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
