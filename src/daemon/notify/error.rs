//! Why a receiver could not be told.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::{Interrupted, faults};
use crate::net::{NetError, SecretError};

/// Why a receiver could not be told.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotifyError {
    /// A secret is not there.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The secret cannot sign anything.
    #[error("sign the message: the secret is not `whsec_` and base64")]
    Key,
    /// The server cannot be reached.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The server says no.
    #[error("post the message: the server answers {status}")]
    Status {
        /// Its answer.
        status: u16,
        /// When it wants to be asked again.
        wait: Option<Duration>,
    },
    /// What is configured makes no mail.
    #[error("write the mail")]
    Letter {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The mail server does not take it.
    #[error("send the mail")]
    Smtp {
        /// What happened.
        source: lettre::transport::smtp::Error,
    },
    /// A program cannot be run.
    #[error("run {}", program.display())]
    Run {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A program failed.
    #[error("run {}: it ended with {status}{}", program.display(), said(text))]
    Failed {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: String,
        /// What it had to say.
        text: String,
    },
    /// A program took too long.
    #[error("run {}: it took longer than {} seconds", program.display(), limit.as_secs())]
    Slow {
        /// The program.
        program: PathBuf,
        /// How long it may take.
        limit: Duration,
    },
    /// The daemon stops.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

faults!(NotifyError {
    Self::Secret(error) => of(error),
    Self::Key | Self::Letter { .. } => Config,
    Self::Net(error) => of(error),
    Self::Status { status: 408 | 429 | 500..=599, .. } => Unavailable,
    Self::Status { .. } => Refused,
    Self::Smtp { source } if source.is_permanent() => Refused,
    Self::Smtp { .. } => Unavailable,
    Self::Run { .. } => Config,
    // A program cannot say whether it helps to run it again.
    Self::Failed { .. } | Self::Slow { .. } => Unavailable,
    Self::Interrupted(error) => of(error),
});

fn said(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}
