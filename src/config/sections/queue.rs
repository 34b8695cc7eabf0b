//! The keys of `[queue]`: where the queue is kept.

use std::path::PathBuf;

use super::super::keys::{Key, Keys, Value, Written, keys};
use super::super::problem::ProblemKind;
use super::HOUR;
use super::access::credential;
use crate::queue::PostgresStore;

/// The word for the file in the folder of the daemon.
pub(crate) const SQLITE: &str = "sqlite";

keys! {
    /// `[queue]`
    struct QueueKeys {
        /// Where the queue and the history are kept: `sqlite`, a file in the folder `state` of the daemon; or
        /// the address of a PostgreSQL database, which several daemons may share.
        ///
        /// `postgres://USER@HOST/DATABASE`, without a password. The server must prove its name with a
        /// certificate, unless it is on this machine. `synchroniser queue move` takes along what there is.
        store: String = Key::checked("ADDRESS", store).default("\"sqlite\""),
        /// For a database: a file with the password, and nothing else; read for each connection.
        password_file: PathBuf = Key::file().example("\"secrets/queue\""),
        /// The same from systemd: the name of a `LoadCredential=` of the unit.
        password_credential: String = Key::checked("NAME", credential).example("\"queue\""),
        /// For a database: certificates (PEM) that are trusted in place of the system's.
        ca_file: PathBuf = Key::file().example("\"secrets/ca.pem\""),
        /// Seconds after which another daemon does what one has begun of which nothing is heard any more.
        ///
        /// A daemon that is only slow, or cannot reach the database for so long, stops what it runs and publishes
        /// nothing.
        lease: u64 = Key::number("seconds", 5, HOUR).default("120"),
    }
}

fn store(value: &str) -> Option<ProblemKind> {
    if value == SQLITE {
        return None;
    }
    let problem = PostgresStore::problem_of_address(value)?;
    Some(ProblemKind::Queue { problem })
}
