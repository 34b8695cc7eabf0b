//! What goes wrong with a server, and what that is to whoever uses the queue.

use postgres::error::{Error, SqlState};

use crate::base::{Diagnosis, Fault};
use crate::queue::store_error::StoreError;

/// What is wrong with a server, or with what was asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Its address cannot be used.
    Address,
    /// It cannot be reached, is going down or coming up, or takes too long.
    Unreachable,
    /// The password cannot be read.
    Password,
    /// It does not let us in.
    Login,
    /// There is no such database.
    Missing,
    /// We may not do what we have to.
    Forbidden,
    /// Its disk is full.
    Full,
    /// It is a copy that cannot be written.
    ReadOnly,
    /// It is too old, or not set up as it must be.
    Old,
    /// A later version of this program has changed the database.
    Newer,
    /// It has mirrors, and is to take over those of another queue.
    Taken,
    /// The queue that it is to take over cannot be read.
    Giver,
    /// What is in the database is not what we write.
    Content,
    /// Anything else.
    Other,
}

impl Problem {
    /// What kind of error it is, and what helps.
    pub(in crate::queue) fn diagnosis(self) -> Diagnosis {
        match self {
            Self::Address => Fault::Config.hint("`queue.store` is postgres://USER@HOST/DATABASE"),
            Self::Unreachable => Fault::Unavailable.hint(
                "see whether the server runs and can be reached; it is tried again until it works",
            ),
            Self::Password => Fault::Config
                .hint("put the password into the file that `queue.password_file` names"),
            Self::Login => Fault::Auth
                .hint("see that the user, the password and pg_hba.conf of the server agree"),
            Self::Missing => Fault::Config.hint("make it: `createdb --owner USER DATABASE`"),
            Self::Forbidden => {
                Fault::Auth.hint("let our user own the database, or the tables in it")
            }
            Self::Full => {
                Fault::Unavailable.hint("make room on the disk of the server, and try again")
            }
            Self::ReadOnly => {
                Fault::Unavailable.hint("name the server that may be written, or promote this one")
            }
            Self::Taken => Fault::Config
                .hint("a queue is never overwritten: name a database or a schema without tables"),
            Self::Giver | Self::Old => Fault::Unsupported.into(),
            Self::Newer => Fault::Unsupported.hint("install that version again"),
            Self::Content => Fault::Corrupt.hint("put back a copy of the database"),
            Self::Other => Fault::Unavailable.into(),
        }
        .at(crate::base::Side::Here)
    }

    fn of_state(state: &SqlState) -> Self {
        let code = state.code();
        match code {
            "3D000" => Self::Missing,
            "42501" => Self::Forbidden,
            "53100" => Self::Full,
            "25006" => Self::ReadOnly,
            // Going down, coming up, no connection free, ended because it took too long.
            "57014" | "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "53300" | "55P03" => {
                Self::Unreachable
            }
            _ if code.starts_with("28") => Self::Login,
            _ if code.starts_with("08") => Self::Unreachable,
            _ => Self::Other,
        }
    }
}

/// Why something could not be done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// What the server says, or that it says nothing.
    Server(Error),
    /// What we find wrong.
    Here { problem: Problem, message: String },
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl Trouble {
    pub(super) fn of(problem: Problem, message: impl Into<String>) -> Self {
        Self::Here { problem, message: message.into() }
    }

    /// Whether it may go well if it is done again at once: others were in the way.
    pub(super) fn was_in_the_way(&self) -> bool {
        let Self::Server(error) = self else { return false };
        let states = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::UNIQUE_VIOLATION,
            SqlState::LOCK_NOT_AVAILABLE,
        ];
        error.code().is_some_and(|code| states.contains(code))
    }

    /// Whether the connection is of no use any more.
    pub(super) fn ends_connection(&self) -> bool {
        match self {
            Self::Here { .. } => false,
            Self::Server(error) => {
                let is_over = |code: &SqlState| {
                    code.code().starts_with("08")
                        || code.code().starts_with("57P")
                        || code.code() == "25P03"
                };
                error.is_closed() || error.code().is_none_or(is_over)
            }
        }
    }

    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::Here { problem, .. } => *problem,
            Self::Server(error) => match error.code() {
                Some(state) => Problem::of_state(state),
                None if is_of_connection(error) => Problem::Unreachable,
                None => Problem::Content,
            },
        }
    }

    pub(super) fn message(&self) -> String {
        match self {
            Self::Here { message, .. } => message.clone(),
            Self::Server(error) => match error.as_db_error() {
                Some(said) => crate::base::clean::clean(said.message()),
                None => crate::base::clean::with_causes(error),
            },
        }
    }

    /// What it is to whoever uses the queue at `place`.
    pub(super) fn error(&self, place: &str) -> StoreError {
        let place = place.to_owned();
        StoreError::Server { place, problem: self.problem(), message: self.message() }
    }
}

/// Whether an error that the server did not send is one of the connection, and not of a value in it.
fn is_of_connection(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    let is_value = source.is_some_and(|source| {
        source.is::<postgres::types::WrongType>() || source.is::<postgres::types::WasNull>()
    });
    !is_value
}
