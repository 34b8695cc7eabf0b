//! How an empty or old database gets the newest schema.

use postgres::Client;
use postgres::types::Type;

use super::trouble::{Problem, Trouble};
use super::values::number;

/// What makes each version of the schema from the one before it. What was released is never changed.
const MIGRATIONS: [&str; 9] = [
    include_str!("1.sql"),
    include_str!("2.sql"),
    include_str!("3.sql"),
    include_str!("4.sql"),
    include_str!("5.sql"),
    include_str!("6.sql"),
    include_str!("7.sql"),
    include_str!("8.sql"),
    include_str!("9.sql"),
];

/// "sync": the number of the lock that whoever changes the schema holds until it is done.
pub(super) const LOCK: i64 = 0x7379_6e63;

/// The version of the schema; 0 if there is none.
fn version(client: &mut Client) -> Result<usize, Trouble> {
    let select = "SELECT to_regclass('schema_version') IS NOT NULL";
    if !client.query_typed_one(select, &[])?.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let version: i64 =
        client.query_typed_one("SELECT version FROM schema_version", &[])?.try_get(0)?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

fn missing(version: usize) -> Result<&'static [&'static str], Trouble> {
    let newer = || {
        let message = "a later version of synchroniser has changed it";
        Trouble::of(Problem::Newer, message)
    };
    MIGRATIONS.get(version..).ok_or_else(newer)
}

/// Gives the database the newest schema. Of several processes that do so at the same time, one does.
pub(super) fn migrate(client: &mut Client) -> Result<(), Trouble> {
    if missing(version(client)?)?.is_empty() {
        return Ok(());
    }
    let mut transaction = client.transaction()?;
    // An index on a large table takes its time, and whoever else waits for it does too.
    transaction.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")?;
    let lock = "SELECT pg_advisory_xact_lock($1)";
    transaction.query_typed(lock, &[(&LOCK, Type::INT8)])?;
    transaction.batch_execute(
        "CREATE TABLE IF NOT EXISTS schema_version (version bigint NOT NULL); \
         INSERT INTO schema_version SELECT 0 WHERE NOT EXISTS (SELECT FROM schema_version)",
    )?;
    let select = "SELECT version FROM schema_version";
    let version: i64 = transaction.query_typed_one(select, &[])?.try_get(0)?;
    for migration in missing(usize::try_from(version).unwrap_or(usize::MAX))? {
        transaction.batch_execute(migration)?;
    }
    let update = "UPDATE schema_version SET version = $1";
    transaction.query_typed(update, &[(&number(MIGRATIONS.len()), Type::INT8)])?;
    transaction.commit()?;
    Ok(())
}
