//! The table `run`.

use rusqlite::{Connection, OptionalExtension, Result, Row as Columns, params};

use super::values::{Reader, number};
use crate::base::time::Timestamp;
use crate::queue::model::{Run, RunId};

const SELECT: &str = "SELECT run.id, mirror.name, run.state, run.cause, run.requests, run.asked, \
     run.started, run.ended, run.token, run.failure, run.details \
     FROM run JOIN mirror ON mirror.id = run.mirror";

fn read(columns: &Columns<'_>) -> Result<Run> {
    let mut next = Reader::new(columns);
    Ok(Run {
        id: next.next()?,
        key: next.next()?,
        state: next.next()?,
        cause: next.next()?,
        requests: next.count()?,
        asked: next.next()?,
        started: next.next()?,
        ended: next.next()?,
        token: next.count()?,
        failure: next.next()?,
        details: next.next()?,
    })
}

/// Adds a run that has begun.
pub(super) fn insert(connection: &Connection, mirror: i64, run: &Run) -> Result<()> {
    use rusqlite::types::Value;
    let insert = "INSERT INTO run (id, mirror, state, cause, requests, asked, started, ended, token, \
         failure, details) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let params = params![
        run.id,
        mirror,
        Value::from(run.state),
        Value::from(run.cause),
        number(run.requests),
        run.asked,
        run.started,
        run.ended,
        number(run.token),
        run.failure.as_ref().map(Value::from),
        run.details,
    ];
    connection.prepare_cached(insert)?.execute(params).map(drop)
}

/// Writes how a run ended.
pub(super) fn update(connection: &Connection, run: &Run) -> Result<()> {
    use rusqlite::types::Value;
    let update = "UPDATE run SET state = ?2, ended = ?3, failure = ?4, details = ?5 WHERE id = ?1";
    let failure = run.failure.as_ref().map(Value::from);
    let params = params![run.id, Value::from(run.state), run.ended, failure, run.details];
    connection.prepare_cached(update)?.execute(params).map(drop)
}

/// Removes a run that was given back.
pub(super) fn remove(connection: &Connection, id: RunId) -> Result<()> {
    connection.prepare_cached("DELETE FROM run WHERE id = ?1")?.execute([id]).map(drop)
}

/// The run of that id, if it was begun.
pub(super) fn get(connection: &Connection, id: RunId) -> Result<Option<Run>> {
    let select = format!("{SELECT} WHERE run.id = ?1");
    connection.prepare_cached(&select)?.query_row([id], read).optional()
}

/// The number of the run of that id, if it was begun.
pub(super) fn number_of(connection: &Connection, id: RunId) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT number FROM run WHERE id = ?1")?;
    statement.query_row([id], |columns| columns.get(0)).optional()
}

/// The last runs before the number `before`, of one mirror or of all, the newest first.
pub(super) fn list(
    connection: &Connection,
    mirror: Option<i64>,
    before: i64,
    count: usize,
) -> Result<Vec<Run>> {
    let end = "run.number < ?1 ORDER BY run.number DESC LIMIT ?2";
    let count = number(count);
    let Some(mirror) = mirror else {
        let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE {end}"))?;
        return statement.query_map(params![before, count], read)?.collect();
    };
    let select = format!("{SELECT} WHERE run.mirror = ?3 AND {end}");
    let mut statement = connection.prepare_cached(&select)?;
    statement.query_map(params![before, count, mirror], read)?.collect()
}

/// The first runs after a number, each with its own.
pub(super) fn after(connection: &Connection, after: i64, count: usize) -> Result<Vec<(i64, Run)>> {
    let select = SELECT.replace(" FROM run ", ", run.number FROM run ");
    let select = format!("{select} WHERE run.number > ?1 ORDER BY run.number LIMIT ?2");
    let mut statement = connection.prepare_cached(&select)?;
    let found = statement.query_map(params![after, number(count)], |columns| {
        Ok((columns.get("number")?, read(columns)?))
    })?;
    found.collect()
}

/// The targets of the runs that began after `since`, and when each began.
pub(super) fn begun(connection: &Connection, since: Timestamp) -> Result<Vec<(String, Timestamp)>> {
    let select = "SELECT mirror.target, run.started FROM run JOIN mirror ON mirror.id = run.mirror \
         WHERE run.started > ?1 AND mirror.target <> ''";
    let mut statement = connection.prepare_cached(select)?;
    statement.query_map([since], |columns| Ok((columns.get(0)?, columns.get(1)?)))?.collect()
}

/// Forgets the runs of a mirror that ended before `before`, but for the last `keep`.
pub(super) fn trim(
    connection: &Connection,
    mirror: i64,
    before: Timestamp,
    keep: usize,
) -> Result<()> {
    let delete = "DELETE FROM run WHERE mirror = ?1 AND ended < ?2 AND number <= \
         (SELECT number FROM run WHERE mirror = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?3)";
    let params = params![mirror, before, number(keep)];
    connection.prepare_cached(delete)?.execute(params).map(drop)
}
