//! Tokens: where one comes from, read or made anew at each use.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use secrecy::SecretString;

use super::secret::{SecretError, SecretSource, line_of};
use crate::base::Interrupt;

/// Where a token comes from. It is text of any length, and nothing is made of its form.
#[derive(Clone)]
pub enum TokenSource {
    /// A file, or a credential of systemd.
    Stored(SecretSource),
    /// The environment variable of this name: for machines that keep secrets there, as runners of CI do.
    Variable(String),
    /// A server gives it to us for a while, as it does to an app.
    Made(Arc<dyn TokenMaker>),
}

/// Makes tokens that are valid for a while.
pub trait TokenMaker: fmt::Debug + Send + Sync {
    /// One that is valid for some minutes at least. Those that were made before are kept in memory.
    fn token(&self, interrupt: &Interrupt) -> Result<SecretString, SecretError>;

    /// Forgets a token that a server did not accept.
    fn forget(&self);
}

impl TokenSource {
    /// The token.
    pub fn token(&self, interrupt: &Interrupt) -> Result<SecretString, SecretError> {
        match self {
            Self::Stored(source) => source.line(),
            Self::Variable(name) => variable(name),
            Self::Made(maker) => maker.token(interrupt),
        }
    }
}

impl TokenSource {
    /// Where it is kept, for people; `None` if it is made anew.
    pub fn place(&self) -> Option<String> {
        match self {
            Self::Stored(SecretSource::File(path)) => Some(format!("in {}", path.display())),
            Self::Stored(SecretSource::Credential { name, .. }) => {
                Some(format!("in the credential {name}"))
            }
            Self::Variable(name) => Some(format!("in the variable {name}")),
            Self::Made(_) => None,
        }
    }

    /// Changes when another token takes its place in its file, as far as can be told without reading it.
    pub fn stamp(&self) -> Option<String> {
        let Self::Stored(source) = self else { return None };
        let metadata = std::fs::metadata(source.path().ok()?).ok()?;
        let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(format!("{} {}", metadata.len(), changed.as_nanos()))
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored(source) => source.fmt(f),
            Self::Variable(name) => f.debug_tuple("Variable").field(name).finish(),
            Self::Made(maker) => maker.fmt(f),
        }
    }
}

impl PartialEq for TokenSource {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Stored(one), Self::Stored(other)) => one == other,
            (Self::Variable(one), Self::Variable(other)) => one == other,
            (Self::Made(one), Self::Made(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for TokenSource {}

impl From<SecretSource> for TokenSource {
    fn from(source: SecretSource) -> Self {
        Self::Stored(source)
    }
}

impl From<PathBuf> for TokenSource {
    fn from(path: PathBuf) -> Self {
        Self::Stored(path.into())
    }
}

/// The token in an environment variable. This and `cli` alone read the environment: a secret that is
/// read where it is used is held nowhere else.
fn variable(name: &str) -> Result<SecretString, SecretError> {
    let wrong = |problem| SecretError::Variable { name: name.to_owned(), problem };
    let value = std::env::var_os(name).ok_or_else(|| wrong("it is not set"))?;
    let text = value.into_string().map_err(|_| wrong("it is not text"))?;
    line_of(text).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::base::HasFault as _;

    /// As long as those that GitHub gives to apps now: with dots, and of no length that can be relied on.
    #[test]
    fn a_token_is_any_text() {
        let token = format!("ghs_123_{}.{}.{}", "a".repeat(170), "b".repeat(170), "c".repeat(170));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, format!("{token}\n")).unwrap();
        let source = TokenSource::from(file.path().to_owned());
        let read = source.token(&Interrupt::default()).unwrap();
        assert_eq!(read.expose_secret(), token);
        assert!(!format!("{source:?} {read:?}").contains("aaaa"));
    }

    #[test]
    fn variables() {
        let read = |name: &str| TokenSource::Variable(name.to_owned()).token(&Interrupt::default());
        // Cargo sets it for every test.
        assert_eq!(read("CARGO_PKG_NAME").unwrap().expose_secret(), "synchroniser");
        let error = read("SYNCHRONISER_NOWHERE").unwrap_err();
        assert_eq!(
            error.to_string(),
            "use the token in the environment variable SYNCHRONISER_NOWHERE: it is not set"
        );
        assert!(error.hint().is_some());
    }
}
