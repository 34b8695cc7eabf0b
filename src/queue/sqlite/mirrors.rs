//! The table `mirror`.

use std::sync::LazyLock;

use rusqlite::types::Value;
use rusqlite::{
    Connection, OptionalExtension, Params, Result, Row as Columns, params, params_from_iter,
};

use super::values::{Reader, number};
use crate::base::time::Timestamp;
use crate::queue::choose::Candidate;
use crate::queue::failure::Failure;
use crate::queue::model::{Claim, Failing, Member, Row, RunId, RunState, Running, Waiting, Weight};

/// A row with the number that runs and deliveries know its mirror by, which a new name does not change.
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) row: Row,
}

/// How many of the columns come first that only a configuration changes.
const CONFIGURED: usize = 6;

/// The columns that are written, in the order in which `values` has and `read` wants them.
const COLUMNS: [&str; 39] = [
    "name",
    "owner",
    "source_host",
    "target_host",
    "target",
    "fingerprint",
    "removed",
    "wanted",
    "taken",
    "waiting_run",
    "waiting_cause",
    "waiting_class",
    "waiting_asked",
    "waiting_begin",
    "waiting_latest",
    "waiting_unparks",
    "scheduled",
    "not_before",
    "weight",
    "token",
    "running_run",
    "running_until",
    "running_class",
    "running_weight",
    "attempts",
    "failing_runs",
    "failing_since",
    "failing_failure",
    "failing_alike",
    "parked_failure",
    "parked_since",
    "paused",
    "last_tried",
    "last_good",
    "last_change",
    "last_run",
    "last_state",
    "last_failure",
    "attention",
];

fn values(row: &Row) -> [Value; COLUMNS.len()] {
    let Row { member, waiting, running, failing, parked, last_run, .. } = row;
    let failing = failing.as_ref();
    let parked = parked.as_ref();
    let last_run = last_run.as_ref();
    [
        member.key.clone().into(),
        member.owner.clone().into(),
        member.source_host.clone().into(),
        member.target_host.clone().into(),
        member.target.clone().into(),
        member.fingerprint.clone().into(),
        row.removed.into(),
        number(row.wanted).into(),
        number(row.taken).into(),
        waiting.map(|waiting| waiting.run).into(),
        waiting.map(|waiting| waiting.cause).into(),
        waiting.map(|waiting| waiting.class).into(),
        waiting.map(|waiting| waiting.asked).into(),
        waiting.map(|waiting| waiting.begin).into(),
        waiting.map(|waiting| waiting.latest).into(),
        waiting.map(|waiting| waiting.unparks).into(),
        row.scheduled.into(),
        row.not_before.into(),
        row.weight.into(),
        number(row.token).into(),
        running.map(|running| running.run).into(),
        running.map(|running| running.until).into(),
        running.map(|running| running.class).into(),
        running.map(|running| running.weight).into(),
        row.attempts.into(),
        failing.map(|failing| failing.runs).into(),
        failing.map(|failing| failing.since).into(),
        failing.map(|failing| &failing.failure).into(),
        failing.map(|failing| failing.alike).into(),
        parked.map(|(failure, _)| failure).into(),
        parked.map(|(_, since)| *since).into(),
        row.paused.into(),
        row.last_tried.into(),
        row.last_good.into(),
        row.last_change.into(),
        last_run.map(|(run, ..)| *run).into(),
        last_run.map(|(_, state, _)| *state).into(),
        last_run.and_then(|(.., failure)| failure.as_ref()).into(),
        row.attention().into(),
    ]
}

fn read(columns: &Columns<'_>) -> Result<Stored> {
    let mut reader = Reader::new(columns);
    let next = &mut reader;
    let id = next.next()?;
    let member = Member {
        key: next.next()?,
        was: None,
        owner: next.next()?,
        source_host: next.next()?,
        target_host: next.next()?,
        target: next.next()?,
        fingerprint: next.next()?,
    };
    let removed = next.next()?;
    let (wanted, taken) = (next.count()?, next.count()?);
    let waiting = waiting(next)?;
    let (scheduled, not_before) = (next.next()?, next.next()?);
    let weight = next.next()?;
    let last_token = next.count()?;
    let running = running(next)?;
    let attempts = next.count()?;
    let failing = failing(next)?;
    let parked = parked(next)?;
    let paused = next.next()?;
    let (last_tried, last_good, last_change) = (next.next()?, next.next()?, next.next()?);
    let last_run = last_run(next)?;
    let row = Row {
        member,
        removed,
        wanted,
        taken,
        waiting,
        scheduled,
        not_before,
        weight,
        token: last_token,
        running,
        attempts,
        failing,
        parked,
        paused,
        last_tried,
        last_good,
        last_change,
        last_run,
    };
    Ok(Stored { id, row })
}

fn waiting(next: &mut Reader<'_, '_>) -> Result<Option<Waiting>> {
    let Some(run) = next.first_of(7)? else { return Ok(None) };
    Ok(Some(Waiting {
        run,
        cause: next.next()?,
        class: next.next()?,
        asked: next.next()?,
        begin: next.next()?,
        latest: next.next()?,
        unparks: next.next()?,
    }))
}

fn running(next: &mut Reader<'_, '_>) -> Result<Option<Running>> {
    let Some(run) = next.first_of(4)? else { return Ok(None) };
    let (until, class, weight) = (next.next()?, next.next()?, next.next()?);
    Ok(Some(Running { run, until, class, weight }))
}

fn failing(next: &mut Reader<'_, '_>) -> Result<Option<Failing>> {
    let Some(runs) = next.first_of(4)? else { return Ok(None) };
    let (since, failure, alike) = (next.next()?, next.next()?, next.next()?);
    Ok(Some(Failing { runs, since, failure, alike }))
}

fn parked(next: &mut Reader<'_, '_>) -> Result<Option<(Failure, Timestamp)>> {
    let Some(failure) = next.first_of(2)? else { return Ok(None) };
    Ok(Some((failure, next.next()?)))
}

fn last_run(next: &mut Reader<'_, '_>) -> Result<Option<(RunId, RunState, Option<Failure>)>> {
    let Some(run) = next.first_of(3)? else { return Ok(None) };
    Ok(Some((run, next.next()?, next.next()?)))
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
    let values = values(&stored.row).into_iter().skip(CONFIGURED);
    let values = values.chain([Value::Integer(stored.id)]);
    connection.prepare_cached(&UPDATE)?.execute(params_from_iter(values)).map(drop)
}

/// Writes a row whose mirror has another configuration.
pub(super) fn update_all(connection: &Connection, stored: &Stored) -> Result<()> {
    let values = values(&stored.row).into_iter().chain([Value::Integer(stored.id)]);
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
    };
    Ok((next.next()?, candidate))
}

/// The mirrors that are due for a run of that weight, each with its number.
pub(super) fn due(
    connection: &Connection,
    weight: Weight,
    now: Timestamp,
) -> Result<Vec<(i64, Candidate)>> {
    let select = format!(
        "SELECT {CANDIDATE}, coalesce(waiting_class, 2), weight, attention, attempts, id FROM mirror \
         WHERE attention <= ?1 AND running_run IS NULL AND weight = ?2 ORDER BY id"
    );
    let params = params![now, Value::from(weight)];
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

/// When the next row after `now` needs attention.
pub(super) fn next_attention(connection: &Connection, now: Timestamp) -> Result<Option<Timestamp>> {
    let select = "SELECT min(attention) FROM mirror WHERE attention > ?1";
    connection.prepare_cached(select)?.query_row([now], |columns| columns.get(0))
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
