//! Why a server cannot be reached, or does not answer.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::fault::Carried;
use crate::base::text::printable;
use crate::base::{Interrupted, faults, redact};

use super::secret::SecretError;

/// What the other side or a program said: cut, made printable, without our secrets and without what
/// looks like a token of anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Said(String);

/// How many characters of a text from outside are shown.
const LONGEST: usize = 1000;

impl Said {
    /// The lines of `bytes` that say something, in one.
    pub fn new(bytes: &[u8]) -> Self {
        let lines = bytes.split(|&byte| byte == b'\n' || byte == b'\r').map(printable);
        let lines: Vec<_> = lines.map(|line| line.trim().to_owned()).collect();
        let lines: Vec<_> =
            lines.iter().filter(|line| !line.is_empty()).map(String::as_str).collect();
        let said = lines.join("; ");
        Self(redact::tokens(&said).chars().take(LONGEST).collect())
    }

    /// The same, where the end matters most.
    pub fn last(bytes: &[u8]) -> Self {
        let tail = bytes.len().saturating_sub(LONGEST);
        Self::new(bytes.get(tail..).unwrap_or(bytes))
    }

    /// The same without a secret.
    #[must_use]
    pub fn without(self, secret: Option<&str>) -> Self {
        Self(redact::secret(&self.0, secret.unwrap_or_default()))
    }

    /// The text; empty if nothing was said.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What separates a message from the text from outside that it quotes.
pub(crate) fn colon(said: &Said) -> String {
    if said.as_str().is_empty() { String::new() } else { format!(": {said}") }
}

/// Why a server cannot be reached, or does not answer. Addresses in it have no secrets. Whether the
/// server is a source or a target is known to the caller.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// A stop was requested.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The credential cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A setting cannot be used.
    #[error("connect to {url}: {problem}")]
    Setting {
        /// The address.
        url: String,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// A file that is needed to connect cannot be read.
    #[error("read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The program that connects cannot be run.
    #[error("run {}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// There is no connection, or it broke.
    #[error("reach {url}{}", colon(.said))]
    Unreachable {
        /// The address.
        url: String,
        /// What is known of it.
        said: Said,
    },
    /// We have waited long enough.
    #[error("wait for {what} of {url}: nothing for {} seconds{}", .after.as_secs_f32(), colon(.said))]
    TimedOut {
        /// The address.
        url: String,
        /// What we waited for.
        what: &'static str,
        /// How long.
        after: Duration,
        /// What was said meanwhile.
        said: Said,
    },
    /// The answer ends before its end.
    #[error("read what {url} answers to {command}: it ends too early{}", colon(.said))]
    Cut {
        /// The address.
        url: String,
        /// What was asked.
        command: String,
        /// What was said besides.
        said: Said,
    },
    /// The server does not let us in, or says that there is nothing, which can mean the same.
    #[error("get access to {url}{}", colon(.said))]
    Denied {
        /// The address.
        url: String,
        /// What it says.
        said: Said,
    },
    /// The server is not known to be the one that it says it is.
    #[error("trust {url}{}", colon(.said))]
    Untrusted {
        /// The address.
        url: String,
        /// What is wrong.
        said: Said,
        /// What to do about it.
        hint: String,
    },
    /// The server cannot do it now.
    #[error("ask {url} for {command}: it cannot answer now{}", colon(.said))]
    Busy {
        /// The address.
        url: String,
        /// What was asked.
        command: String,
        /// What it says.
        said: Said,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The server understood, and said no.
    #[error("ask {url} for {command}{}", colon(.said))]
    Refused {
        /// The address.
        url: String,
        /// What was asked.
        command: String,
        /// What it says.
        said: Said,
    },
    /// The address is of a web server without encryption, and that was not allowed.
    #[error("ask {url}: without encryption anybody on the way can read and change what is fetched")]
    PlainHttp {
        /// The address.
        url: String,
    },
    /// The server sends us elsewhere, and we do not follow.
    #[error("ask {url}: it sends us to {target}, {problem}")]
    Moved {
        /// The address.
        url: String,
        /// Where it sends us.
        target: String,
        /// Why we do not follow.
        problem: &'static str,
    },
    /// What answers is no Mercurial server, or one that is out of its mind.
    #[error("understand what {url} answers to {command}: {problem}{}", colon(.said))]
    Unintelligible {
        /// The address.
        url: String,
        /// What was asked.
        command: String,
        /// What is wrong with it.
        problem: String,
        /// What was said besides.
        said: Said,
    },
    /// The answer is longer than we are willing to hold.
    #[error("read what {url} answers to {command}: it has more than {limit} bytes")]
    TooLarge {
        /// The address.
        url: String,
        /// What was asked.
        command: String,
        /// What is allowed.
        limit: u64,
    },
    /// The server does something that we cannot.
    #[error("talk to {url}: {problem}")]
    Unsupported {
        /// The address.
        url: String,
        /// What that is.
        problem: String,
    },
}

impl NetError {
    /// This error as one of reading, from which [`Carried`] gets it back.
    pub fn into_io(self) -> io::Error {
        Carried::wrap(self)
    }
}

faults!(NetError {
    Self::Interrupted(error) => of(error),
    Self::Secret(error) => of(error),
    Self::Setting { hint, .. } => {
        Diagnosis { hint: hint.clone(), ..Config.into() }
    },
    Self::File { source, .. } | Self::Program { source, .. } => io(source).at(Here),
    Self::TimedOut { .. } => Unavailable.hint(
        "sync again later; `connect_timeout`, `answer_timeout` and `idle_timeout` of the source or \
         target say how long to wait"
    ),
    Self::Unreachable { .. } | Self::Cut { .. } => Unavailable,
    Self::Busy { retry_after: Some(after), .. } => Unavailable
        .hint(format!("it asks to be left alone for {} seconds", after.as_secs()))
        .after(*after),
    Self::Busy { .. } => Unavailable,
    Self::Denied { url, .. } if url.starts_with("ssh:") => Auth.hint(
        "check the address; a private key that may read it is named by `source.key_file` in the \
         configuration, or by --source-key-file"
    ),
    Self::Denied { .. } => Auth.hint(
        "check the address; a token that may read it is named by `source.token_file` in the \
         configuration, or by --source-token-file; the user by `source.token_user`, or by \
         --source-token-user"
    ),
    Self::Untrusted { hint, .. } => UNTRUSTED.hint(hint),
    Self::Refused { .. } => Refused,
    Self::PlainHttp { .. } => UNENCRYPTED.hint(
        "use https://, or allow it with `source.plain_http = true` in the configuration, or with \
         --source-plain-http"
    ),
    Self::Moved { .. } => MOVED.hint("use the new address, if you trust it"),
    Self::Unintelligible { .. } => {
        UNINTELLIGIBLE.hint("check that the address is that of a Mercurial repository")
    },
    Self::TooLarge { .. } => Corrupt,
    Self::Unsupported { .. } => Unsupported,
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Fault;

    #[test]
    fn what_is_said_can_be_shown() {
        let said =
            Said::new(b"abort: \x1b[31mno\x1b[0m\n\n  geheim\r\nlast\n").without(Some("geheim"));
        assert_eq!(said.as_str(), r"abort: \u{1b}[31mno\u{1b}[0m; [secret]; last");
        assert_eq!(Said::new(&vec![b'x'; 100_000]).as_str().len(), LONGEST);
        assert_eq!(Said::new(b" \n"), Said::default());
    }

    #[test]
    fn an_error_survives_being_read() {
        let url = "https://h/".to_owned();
        let error = NetError::Denied { url, said: Said::new(b"no") };
        let error = error.into_io();
        let failed = Carried::of(&error).unwrap();
        assert_eq!(failed.fault(), Fault::Auth);
        assert_eq!(failed.to_string(), "get access to https://h/: no");
        assert!(failed.hint().is_some());
    }
}
