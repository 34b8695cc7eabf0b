//! The database of the queue, if it is in one.

use super::Check;
use crate::cli::command::queue::options;
use crate::config::Config;
use crate::queue::PostgresStore;

pub(super) fn check(config: &Config) -> Option<Check> {
    let address = config.queue.address.as_ref()?;
    Some(match PostgresStore::look(&options(config, address)) {
        Err(error) => Check::failed("queue", &error),
        Ok(found) if found.unsafe_settings.is_empty() => {
            let how = if found.is_encrypted { "encrypted" } else { "on this machine" };
            let message = format!("{}: PostgreSQL {}, {how}", found.place, found.version);
            Check::ok("queue", message)
        }
        Ok(found) => {
            let settings = found.unsafe_settings.join(" and ");
            Check::warning(
                "queue",
                format!("{}: {settings} is off: a crash loses what was answered", found.place),
                "turn it on in postgresql.conf of the server",
            )
        }
    })
}
