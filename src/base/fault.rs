//! Whose fault an error is, and on which side: the two questions that retries, HTTP status, exit
//! code, logs and metrics ask.

use std::time::Duration;

/// The class of an error. Everything that reacts to a failure reacts to this and to nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The operator asked for something that cannot be: a wrong key, an unknown mirror.
    Config,
    /// Credentials are missing, wrong, or do not allow it; or the other side says it does not exist.
    Auth,
    /// The other side, or this machine, cannot do it now; the same request may work later.
    Unavailable,
    /// The other side understood and said no: a protected branch, a non-fast-forward.
    Refused,
    /// Bytes that were read contradict themselves.
    Corrupt,
    /// Sound, but in a format or with a feature that we do not read.
    Unsupported,
    /// A stop was requested.
    Interrupted,
    /// Our own mistake.
    Internal,
}

impl Fault {
    /// Every class, for tables and tests.
    pub const ALL: [Self; 8] = [
        Self::Config,
        Self::Auth,
        Self::Unavailable,
        Self::Refused,
        Self::Corrupt,
        Self::Unsupported,
        Self::Interrupted,
        Self::Internal,
    ];

    /// The lower-case name used in logs, JSON and metric labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Auth => "auth",
            Self::Unavailable => "unavailable",
            Self::Refused => "refused",
            Self::Corrupt => "corrupt",
            Self::Unsupported => "unsupported",
            Self::Interrupted => "interrupted",
            Self::Internal => "internal",
        }
    }
}

// Causes that both sides can have: decided here, once for both.

/// The class of a path on this machine that is not there, or not what it should be.
pub const NOT_THERE: Fault = Fault::Config;
/// The class of a server that cannot prove to be the one that it says it is: host keys and
/// certificates.
pub const UNTRUSTED: Fault = Fault::Config;
/// The class of a server that sends us to another address, which we do not follow.
pub const MOVED: Fault = Fault::Config;
/// The class of an answer that is not valid, as of a server of another kind.
pub const UNINTELLIGIBLE: Fault = Fault::Corrupt;
/// The class of an address without encryption that was not allowed.
pub const UNENCRYPTED: Fault = Fault::Config;

impl Fault {
    /// This class, on a side.
    pub fn at(self, side: Side) -> Diagnosis {
        Diagnosis::from(self).at(side)
    }

    /// This class, with what can be done about it.
    pub fn hint(self, hint: impl Into<String>) -> Diagnosis {
        Diagnosis::from(self).hint(hint)
    }
}

/// Where a cause lies: two sides of a mirror may fail in the same way, and a source that refuses our
/// token must not be told as a target that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The Mercurial repository, or the server that has it.
    Source,
    /// The Git repository that is published to, or the server that has it.
    Target,
    /// This machine, its configuration, its caches.
    Here,
}

impl Side {
    /// Every side, for tables and tests.
    pub const ALL: [Self; 3] = [Self::Source, Self::Target, Self::Here];

    /// The lower-case name used in logs, JSON and metric labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
            Self::Here => "here",
        }
    }
}

/// How much a message matters.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know; nothing has to be done.
    Note,
    /// Something is missing or not as asked for; a person should look at it.
    Warning,
    /// What was asked for was not done.
    Error,
}

impl Severity {
    /// The word before a message, as compilers say it; also the name in logs and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// An error that is over, as a report keeps it: what it said, and its class.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Cause {
    /// The class of the error.
    pub fault: Fault,
    /// The side, if the error knew it.
    pub side: Option<Side>,
    /// The error with all its causes, on one line.
    pub message: String,
}

impl Cause {
    /// What is kept of `error`.
    pub fn of(error: &dyn HasFault) -> Self {
        let Diagnosis { fault, side, .. } = error.diagnosis();
        Self { fault, side, message: one_line(error) }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// All that an error says of itself besides its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// The class.
    pub fault: Fault,
    /// The side; `None` where only the caller knows it, as with a file format that both sides and
    /// caches have.
    pub side: Option<Side>,
    /// What the person who reads the error can do about it, if there is something.
    pub hint: Option<String>,
    /// How long a server wants to be left alone, if it says so (`Retry-After`).
    pub retry_after: Option<Duration>,
}

impl From<Fault> for Diagnosis {
    fn from(fault: Fault) -> Self {
        Self { fault, side: None, hint: None, retry_after: None }
    }
}

impl Diagnosis {
    /// The same on this side, unless what is inside knows better.
    #[must_use]
    pub fn at(mut self, side: Side) -> Self {
        self.side.get_or_insert(side);
        self
    }

    /// The same with this hint instead of any other.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, of a server that wants to be left alone for `pause`.
    #[must_use]
    pub fn after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }
}

/// An error that can say whose fault it is. Every error of this crate does; `faults!` writes the
/// implementation.
pub trait HasFault: std::error::Error {
    /// The class, the side and the hint.
    fn diagnosis(&self) -> Diagnosis;

    /// The class of this error.
    fn fault(&self) -> Fault {
        self.diagnosis().fault
    }

    /// The side on which it is to be mended.
    fn side(&self) -> Side {
        self.diagnosis().side.unwrap_or(Side::Here)
    }

    /// What the person who reads the error can do about it, if there is something.
    fn hint(&self) -> Option<String> {
        self.diagnosis().hint
    }
}

impl<E: HasFault> HasFault for Box<E> {
    fn diagnosis(&self) -> Diagnosis {
        (**self).diagnosis()
    }
}

/// Implements [`HasFault`]: for a type with one diagnosis, or with a table from patterns to
/// diagnoses.
///
/// ```ignore
/// faults!(Interrupted => Interrupted);
/// faults!(PullError {
///     Self::Peer(error) => of(error).at(Source),
///     Self::Folder { source, .. } => io(source),
///     Self::NotEmpty { .. } => Refused.hint("add it to a folder that is not there yet"),
/// });
/// ```
///
/// A diagnosis is a [`Fault`] or a [`Diagnosis`]; all of [`table`] can be named without a path.
macro_rules! faults {
    ($error:ty => $diagnosis:expr) => {
        $crate::base::fault::faults!($error { _ => $diagnosis });
    };
    ($error:ty { $($pattern:pat $(if $guard:expr)? => $diagnosis:expr),+ $(,)? }) => {
        impl $crate::base::HasFault for $error {
            fn diagnosis(&self) -> $crate::base::fault::Diagnosis {
                use $crate::base::fault::table::*;
                match self {
                    $($pattern $(if $guard)? => $crate::base::fault::Diagnosis::from($diagnosis),)+
                }
            }
        }
    };
}
pub(crate) use faults;

/// What can be named without a path in the tables of [`faults!`].
pub(crate) mod table {
    pub(crate) use super::Fault::{
        Auth, Config, Corrupt, Internal, Interrupted, Refused, Unavailable, Unsupported,
    };
    use super::HasFault;
    pub(crate) use super::Side::{Here, Source, Target};
    pub(crate) use super::{
        Diagnosis, MOVED, NOT_THERE, UNENCRYPTED, UNINTELLIGIBLE, UNTRUSTED, io,
    };

    /// The diagnosis of the error inside.
    pub(crate) fn of(error: &(impl HasFault + ?Sized)) -> Diagnosis {
        error.diagnosis()
    }
}

/// An error with all its causes, on one line.
pub fn one_line(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

/// An error of our own on its way through an interface that knows only those of the system.
#[derive(Debug)]
pub struct Carried(Box<dyn HasFault + Send + Sync>);

impl Carried {
    /// Wraps `error` for a [`std::io::Read`].
    pub fn wrap(error: impl HasFault + Send + Sync + 'static) -> std::io::Error {
        std::io::Error::other(Self(Box::new(error)))
    }

    /// The error that is in `error`, if one of ours is.
    pub fn of(error: &std::io::Error) -> Option<&(dyn HasFault + Send + Sync)> {
        error.get_ref()?.downcast_ref::<Self>().map(|carried| &*carried.0)
    }

    /// The error of type `E` that is in `error`, taken out; `error` itself if it is another.
    pub fn take<E: std::error::Error + 'static>(
        error: std::io::Error,
    ) -> Result<E, std::io::Error> {
        let carried = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>());
        let is_it = |carried: &Self| {
            let inner: &(dyn std::error::Error + Send + Sync) = &*carried.0;
            inner.is::<E>()
        };
        if !carried.is_some_and(is_it) {
            return Err(error);
        }
        let inner: Box<dyn std::error::Error + Send + Sync> = error.downcast::<Self>()?.0;
        inner.downcast().map(|error| *error).map_err(std::io::Error::other)
    }
}

impl std::fmt::Display for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Carried {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// The diagnosis of an I/O error on a local file that should be there, or of the error it carries.
pub fn io(error: &std::io::Error) -> Diagnosis {
    use std::io::ErrorKind;
    if let Some(carried) = Carried::of(error) {
        return carried.diagnosis();
    }
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory => {
            NOT_THERE.into()
        }
        ErrorKind::PermissionDenied => {
            Fault::Config.hint("give the user that runs synchroniser access to that file or folder")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Fault::Unavailable.hint("make room on the disk, and try again")
        }
        ErrorKind::ReadOnlyFilesystem => {
            Fault::Unavailable.hint("the file system is mounted read-only")
        }
        _ => Fault::Unavailable.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::interrupt::Interrupted;

    #[test]
    fn a_carried_error_keeps_its_fault() {
        let error = Carried::wrap(Interrupted);
        assert_eq!(
            (io(&error).fault, error.to_string().as_str()),
            (Fault::Interrupted, "interrupted")
        );
        let other = std::io::Error::other("interrupted");
        assert_eq!(io(&other).fault, Fault::Unavailable);
        assert!(Carried::of(&other).is_none());
        assert!(Carried::take::<Interrupted>(other).is_err());
        let error = Carried::take::<std::fmt::Error>(error).unwrap_err();
        assert_eq!(Carried::take::<Interrupted>(error).unwrap(), Interrupted);
    }
}
