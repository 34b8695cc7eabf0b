//! What a configuration names and does not hold: files with secrets, host keys, certificates and
//! author maps. They are read when they are used; `config check` tries them before.

use std::fs;
use std::path::PathBuf;

use super::problem::{Problem, ProblemKind};
use crate::convert::AuthorMap;
use crate::net::{SecretError, SecretSource};

/// Something that a key names.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) line: usize,
    /// The full key.
    pub(super) key: String,
    pub(super) what: What,
    pub(super) source: SecretSource,
}

/// What should be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A token or a password.
    Token,
    /// A private key.
    PrivateKey,
    /// An author map.
    AuthorMap,
    /// Anything that can be read.
    Readable,
}

/// A file that a configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// The full key that names it.
    pub key: String,
    /// The file.
    pub path: PathBuf,
    /// Whether it holds a secret.
    pub is_secret: bool,
}

/// What a check of something that a configuration names has found.
#[derive(Debug)]
pub struct Finding {
    /// What it is.
    pub problem: Problem,
    /// Whether it could not be checked from here, and may be all right where it is used.
    pub is_unchecked: bool,
}

impl Pending {
    /// The file that it is in; `None` if that is known where it is used alone.
    pub(super) fn file(&self) -> Option<NamedFile> {
        let is_secret = matches!(self.what, What::Token | What::PrivateKey);
        Some(NamedFile { key: self.key.clone(), path: self.source.path().ok()?, is_secret })
    }

    /// Tries it.
    pub(super) fn check(&self) -> Option<Finding> {
        let (kind, is_unchecked) = match self.read() {
            Ok(()) => return None,
            Err(kind) => {
                let unchecked = matches!(
                    &kind,
                    ProblemKind::Secret { source: SecretError::NoCredentials { .. } }
                );
                (kind, unchecked)
            }
        };
        let problem = Problem { line: self.line, key: self.key.clone(), kind };
        Some(Finding { problem, is_unchecked })
    }

    fn read(&self) -> Result<(), ProblemKind> {
        let secret = |source| ProblemKind::Secret { source };
        let path = self.source.path().map_err(secret)?;
        match self.what {
            What::Token => self.source.line().map(drop).map_err(secret),
            What::PrivateKey => self.source.private_key().map(drop).map_err(secret),
            What::AuthorMap => {
                AuthorMap::read(&path).map(drop).map_err(|source| ProblemKind::AuthorMap { source })
            }
            What::Readable => fs::read(&path)
                .map(drop)
                .map_err(|source| ProblemKind::Unreadable { path: path.clone(), source }),
        }
    }
}
