//! The table `mirror`.

use std::collections::HashSet;
use std::sync::LazyLock;

use rusqlite::types::Value;
use rusqlite::{
    Connection, OptionalExtension, Params, Result, Row as Columns, params, params_from_iter,
};

use super::values::{Reader, number};
use crate::base::time::Timestamp;
use crate::queue::choose::Candidate;
use crate::queue::model::{Claim, Row, RunId, Weight};
use crate::queue::record::{self, COLUMNS, CONFIGURED, cells};

/// A row with the number that runs and deliveries know its mirror by, which a new name does not change.
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) row: Row,
}

fn values(row: &Row) -> impl Iterator<Item = Value> {
    cells(row).into_iter().map(Value::from)
}

fn read(columns: &Columns<'_>) -> Result<Stored> {
    let mut next = Reader::new(columns);
    Ok(Stored { id: next.next()?, row: record::row(&mut next)? })
}

static INSERT: LazyLock<String> = LazyLock::new(|| {
    let places: Vec<_> = (1..=COLUMNS.len()).map(|number| format!("?{number}")).collect();
    format!("INSERT INTO mirror ({}) VALUES ({})", COLUMNS.join(", "), places.join(", "))
});

static UPDATE: LazyLock<String> = LazyLock::new(|| update_from(CONFIGURED));

static UPDATE_ALL: LazyLock<String> = LazyLock::new(|| update_from(0));

/// A statement that writes the columns from the number `first` on; the last parameter is the row.
fn update_from(first: usize) -> String {
    let columns = (1..).zip(COLUMNS.iter().skip(first));
    let changes: Vec<_> = columns.map(|(number, column)| format!("{column} = ?{number}")).collect();
    format!("UPDATE mirror SET {} WHERE id = ?{}", changes.join(", "), changes.len() + 1)
}

/// A statement that selects rows, from what comes after `FROM mirror`.
fn select(rest: &str) -> String {
    format!("SELECT id, {} FROM mirror {rest}", COLUMNS.join(", "))
}

fn one(connection: &Connection, rest: &str, params: impl Params) -> Result<Option<Stored>> {
    connection.prepare_cached(&select(rest))?.query_row(params, read).optional()
}

fn many(connection: &Connection, rest: &str, params: impl Params) -> Result<Vec<Stored>> {
    connection.prepare_cached(&select(rest))?.query_map(params, read)?.collect()
}

/// Adds a row, and returns the number of its mirror.
pub(super) fn insert(connection: &Connection, row: &Row) -> Result<i64> {
    connection.prepare_cached(&INSERT)?.insert(params_from_iter(values(row)))
}

/// Writes what has become of a row; not what the configuration says of its mirror.
pub(super) fn update(connection: &Connection, stored: &Stored) -> Result<()> {
    let values = values(&stored.row).skip(CONFIGURED);
    let values = values.chain([Value::Integer(stored.id)]);
    connection.prepare_cached(&UPDATE)?.execute(params_from_iter(values)).map(drop)
}

/// Writes a row whose mirror has another configuration.
pub(super) fn update_all(connection: &Connection, stored: &Stored) -> Result<()> {
    let values = values(&stored.row).chain([Value::Integer(stored.id)]);
    connection.prepare_cached(&UPDATE_ALL)?.execute(params_from_iter(values)).map(drop)
}

/// The row of that name, of a mirror that is or was configured.
pub(super) fn named(connection: &Connection, name: &str) -> Result<Option<Stored>> {
    one(connection, "WHERE name = ?1", [name])
}

/// The row with that number.
pub(super) fn numbered(connection: &Connection, id: i64) -> Result<Option<Stored>> {
    one(connection, "WHERE id = ?1", [id])
}

/// The row that `claim` holds.
pub(super) fn held(connection: &Connection, claim: &Claim) -> Result<Option<Stored>> {
    let stored = one(connection, "WHERE running_run = ?1", [claim.run])?;
    Ok(stored.filter(|stored| stored.row.is_held_by(claim)))
}

/// The row whose waiting requests the run answers.
pub(super) fn waiting_for(connection: &Connection, run: RunId) -> Result<Option<Stored>> {
    one(connection, "WHERE waiting_run = ?1", [run])
}

/// The rows of all mirrors that are configured, by name.
pub(super) fn members(connection: &Connection) -> Result<Vec<Stored>> {
    many(connection, "WHERE removed IS NULL ORDER BY name", [])
}

/// The first rows after `name`, by name, of mirrors that are or were configured.
pub(super) fn after(connection: &Connection, name: &str, count: usize) -> Result<Vec<Stored>> {
    many(connection, "WHERE name > ?1 ORDER BY name LIMIT ?2", params![name, number(count)])
}

/// The rows whose claims have run out.
pub(super) fn expired(connection: &Connection, now: Timestamp) -> Result<Vec<Stored>> {
    many(connection, "WHERE attention <= ?1 AND running_run IS NOT NULL", [now])
}

/// Lets all claims run out: those who made them are gone.
pub(super) fn expire_all(connection: &Connection) -> Result<()> {
    let change = "UPDATE mirror SET running_until = 0, attention = 0 WHERE running_run IS NOT NULL";
    connection.execute(change, []).map(drop)
}

/// The names of all mirrors that are or were configured.
pub(super) fn names(connection: &Connection) -> Result<Vec<String>> {
    let mut statement = connection.prepare_cached("SELECT name FROM mirror ORDER BY name")?;
    statement.query_map([], |columns| columns.get(0))?.collect()
}

/// The names of all mirrors that are configured no more, and since when.
pub(super) fn removed(connection: &Connection) -> Result<Vec<(String, Timestamp)>> {
    let select = "SELECT name, removed FROM mirror WHERE removed IS NOT NULL ORDER BY name";
    let mut statement = connection.prepare_cached(select)?;
    statement.query_map([], |columns| Ok((columns.get(0)?, columns.get(1)?)))?.collect()
}

/// The numbers of all mirrors that are or were configured.
pub(super) fn numbers(connection: &Connection) -> Result<Vec<i64>> {
    let mut statement = connection.prepare_cached("SELECT id FROM mirror")?;
    statement.query_map([], |columns| columns.get(0))?.collect()
}

const CANDIDATE: &str = "owner, source_host, target_host, target";

fn candidate(columns: &Columns<'_>) -> Result<(i64, Candidate)> {
    let mut next = Reader::new(columns);
    let candidate = Candidate {
        owner: next.next()?,
        source_host: next.next()?,
        target_host: next.next()?,
        target: next.next()?,
        class: next.next()?,
        weight: next.next()?,
        due: next.next()?,
        deaths: next.count()?,
        is_here: true,
        is_guest: false,
    };
    Ok((next.next()?, candidate))
}

/// The mirrors that are due for a run of that weight, each with its number: those with one of these pins, which are
/// JSON, and those without.
pub(super) fn due(
    connection: &Connection,
    weight: Weight,
    pins: &str,
    now: Timestamp,
) -> Result<Vec<(i64, Candidate)>> {
    let select = format!(
        "SELECT {CANDIDATE}, coalesce(waiting_class, 2), weight, attention, attempts, id FROM mirror \
         WHERE attention <= ?1 AND running_run IS NULL AND weight = ?2 \
         AND (pin = '' OR pin IN (SELECT value FROM json_each(?3))) ORDER BY id"
    );
    let params = params![now, Value::from(weight), pins];
    connection.prepare_cached(&select)?.query_map(params, candidate)?.collect()
}

/// The mirrors whose runs are under way.
pub(super) fn all_running(connection: &Connection) -> Result<Vec<Candidate>> {
    let select = format!(
        "SELECT {CANDIDATE}, running_class, running_weight, running_until, \
         attempts - 1, id FROM mirror \
         WHERE running_run IS NOT NULL"
    );
    let mut statement = connection.prepare_cached(&select)?;
    statement.query_map([], |columns| Ok(candidate(columns)?.1))?.collect()
}

/// Those of these runs that are under way.
pub(super) fn under_way(
    connection: &Connection,
    mut runs: HashSet<RunId>,
) -> Result<HashSet<RunId>> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM mirror WHERE running_run = ?1")?;
    let mut error = None;
    runs.retain(|run| {
        statement.exists([*run]).unwrap_or_else(|found| {
            error = Some(found);
            false
        })
    });
    error.map_or(Ok(runs), Err)
}

/// When the next row after `now` needs attention.
pub(super) fn next_attention(connection: &Connection, now: Timestamp) -> Result<Option<Timestamp>> {
    let select = "SELECT min(attention) FROM mirror WHERE attention > ?1";
    connection.prepare_cached(select)?.query_row([now], |columns| columns.get(0))
}

/// Tokens that are given out from now on are larger than this one.
pub(super) fn raise_token(connection: &Connection, token: u64) -> Result<()> {
    let update = "UPDATE token SET last = max(last, ?1)";
    connection.prepare_cached(update)?.execute([number(token)]).map(drop)
}

/// A token that is larger than all before it.
pub(super) fn next_token(connection: &Connection, now: Timestamp) -> Result<u64> {
    let last: i64 = connection
        .prepare_cached("SELECT last FROM token")?
        .query_row([], |columns| columns.get(0))?;
    let next = Row::next_token(u64::try_from(last).unwrap_or(0), now);
    connection.prepare_cached("UPDATE token SET last = ?1")?.execute([number(next)])?;
    Ok(next)
}
