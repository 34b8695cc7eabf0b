//! What a target asks for before it lets us in.
//!
//! Secrets go into libgit2's callback and nowhere else: not into an address, an argument, a message or
//! a log.

use std::cell::Cell;
use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

use crate::base::{Interrupt, redact, sha1};
use crate::net::url::Location;
use crate::net::{Access, KeySource, SecretError, SecretSource, secret};

/// The user name for a token where none is set. GitHub wants this one with the tokens of apps, and
/// takes any other with those of people.
pub(super) const TOKEN_USER: &str = "x-access-token";

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
    /// The keys of the agent, for SSH.
    SshAgent {
        /// The user, if not the one in the address.
        user: Option<String>,
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
            Self::SshAgent { user } => f.debug_struct("SshAgent").field("user", user).finish(),
        }
    }
}

impl Credential {
    /// Reads what `access` names for a target at `location`.
    pub(super) fn read(
        access: &Access,
        location: &Location,
        interrupt: &Interrupt,
    ) -> Result<Self, SecretError> {
        Ok(match (location, &access.token, &access.key) {
            (Location::Http { .. }, Some(token), _) => Self::Token {
                user: token.user.clone().unwrap_or_else(|| TOKEN_USER.to_owned()),
                token: token.source.token(interrupt)?,
            },
            (Location::Ssh { .. }, _, Some(key)) => match &key.source {
                KeySource::Agent => {
                    // libgit2 tells an agent that is not there from one without keys by nothing.
                    secret::find_agent()?;
                    Self::SshAgent { user: key.user.clone() }
                }
                KeySource::Stored(source) => Self::SshKey {
                    user: key.user.clone(),
                    key: source.private_key()?,
                    passphrase: key.passphrase.as_ref().map(SecretSource::line).transpose()?,
                },
            },
            _ => Self::None,
        })
    }

    /// `text` without our secrets, and without what looks like a token, for text that a server sent.
    pub(super) fn redact(&self, text: &str) -> String {
        match self {
            Self::Token { token, .. } => redact::secret(text, token.expose_secret()),
            _ => redact::tokens(text).into_owned(),
        }
    }

    /// By what it is known again. Nothing can be made of it.
    fn digest(&self) -> [u8; 20] {
        match self {
            Self::None => sha1::digest(&[b"none"]),
            Self::Token { user, token } => {
                sha1::digest(&[b"token ", user.as_bytes(), b" ", token.expose_secret().as_bytes()])
            }
            Self::SshKey { key, .. } => sha1::digest(&[b"key ", key.expose_secret().as_bytes()]),
            Self::SshAgent { .. } => sha1::digest(&[b"agent"]),
        }
    }
}

/// The credential that a server has refused, if it has. It is not shown again by the same run: servers
/// lock accounts, and addresses, for that.
#[derive(Debug, Default)]
pub(super) struct RefusedCredential(Cell<Option<[u8; 20]>>);

impl RefusedCredential {
    /// Notes that `credential` was refused.
    pub(super) fn note(&self, credential: &Credential) {
        self.0.set(Some(credential.digest()));
    }

    /// Whether `credential` was refused. One that was replaced meanwhile was not.
    pub(super) fn is(&self, credential: &Credential) -> bool {
        self.0.get() == Some(credential.digest())
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
        assert_eq!(key.redact("ghp_0123456789abcdef"), "[secret]");
    }

    #[test]
    fn a_credential_that_was_replaced_is_another() {
        let token = |text: &str| Credential::Token { user: "u".to_owned(), token: text.into() };
        let refused = RefusedCredential::default();
        assert!(!refused.is(&token("a")));
        refused.note(&token("a"));
        assert!(refused.is(&token("a")) && !refused.is(&token("b")));
    }
}
