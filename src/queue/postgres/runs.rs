//! The table `run`.

use postgres::Client;
use postgres::types::Type;
use serde_json::Value;

use super::mirrors::ids;
use super::trouble::Trouble;
use super::values::{Reader, number, object, run, theirs};
use crate::base::time::Timestamp;
use crate::queue::model::{Run, RunId};
use crate::queue::record::{Cell, Cells as _, word};

const SELECT: &str = "SELECT run.id, mirror.name, run.state, run.cause, run.requests, run.asked, \
     run.started, run.ended, run.token, run.failure, run.details \
     FROM run JOIN mirror ON mirror.id = run.mirror";

pub(super) fn json<'r>(runs: impl IntoIterator<Item = (i64, &'r Run)>, ahead: i64) -> String {
    let rows = runs.into_iter().map(|(mirror, run)| {
        let columns = [
            ("id", run.id.into()),
            ("mirror", Cell::Number(mirror)),
            ("state", Cell::Text(word(run.state))),
            ("cause", Cell::Text(word(run.cause))),
            ("requests", run.requests.into()),
            ("asked", run.asked.into()),
            ("started", run.started.into()),
            ("ended", run.ended.into()),
            ("token", run.token.into()),
            ("failure", run.failure.as_ref().into()),
            ("details", (&run.details).into()),
        ];
        Value::Object(object(columns, ahead))
    });
    Value::Array(rows.collect()).to_string()
}

/// A statement that adds runs from the JSON and the id of the node in these parameters.
pub(super) fn insert_from(runs: &str, node: &str) -> String {
    format!(
        "INSERT INTO run (id, mirror, state, cause, requests, asked, started, ended, \
         token, failure, details, node) SELECT id, mirror, state, cause, requests, asked, started, \
         ended, token, failure, details, {node}::text::uuid \
         FROM json_populate_recordset(NULL::run, {runs}::text::json)"
    )
}

/// Adds runs that have begun at `node`, each of a mirror.
pub(super) fn insert<'r>(
    client: &mut Client,
    ahead: i64,
    node: Option<RunId>,
    runs: impl IntoIterator<Item = (i64, &'r Run)>,
) -> Result<(), Trouble> {
    let runs = json(runs, ahead);
    let node = node.map(|node| node.to_string());
    client.query_typed(&insert_from("$1", "$2"), &[(&runs, Type::TEXT), (&node, Type::TEXT)])?;
    Ok(())
}

/// Writes how runs ended.
pub(super) fn update<'r>(
    client: &mut Client,
    ahead: i64,
    runs: impl IntoIterator<Item = &'r Run>,
) -> Result<(), Trouble> {
    let update = "UPDATE run SET state = new.state, ended = new.ended, failure = new.failure, \
         details = new.details FROM json_populate_recordset(NULL::run, $1::text::json) AS new \
         WHERE run.id = new.id";
    let runs = json(runs.into_iter().map(|run| (0, run)), ahead);
    client.query_typed(update, &[(&runs, Type::TEXT)])?;
    Ok(())
}

/// Removes runs that were given back, or found nothing.
pub(super) fn remove(client: &mut Client, runs: &[RunId]) -> Result<(), Trouble> {
    let delete = "DELETE FROM run WHERE id = ANY($1::text[]::uuid[])";
    client.query_typed(delete, &[(&ids(runs), Type::TEXT_ARRAY)])?;
    Ok(())
}

/// The runs of these ids that were begun.
pub(super) fn get(client: &mut Client, ahead: i64, runs: &[RunId]) -> Result<Vec<Run>, Trouble> {
    let select = format!("{SELECT} WHERE run.id = ANY($1::text[]::uuid[])");
    let found = client.query_typed(&select, &[(&ids(runs), Type::TEXT_ARRAY)])?;
    found.iter().map(|columns| run(columns, ahead)).collect()
}

/// The number of the run of that id, if it was begun.
pub(super) fn number_of(client: &mut Client, id: RunId) -> Result<Option<i64>, Trouble> {
    let select = "SELECT number FROM run WHERE id = $1::text::uuid";
    let found = client.query_typed_opt(select, &[(&id.to_string(), Type::TEXT)])?;
    Ok(found.map(|columns| columns.try_get(0)).transpose()?)
}

/// The last runs before the number `before`, of one mirror or of all, the newest first.
pub(super) fn list(
    client: &mut Client,
    ahead: i64,
    mirror: Option<i64>,
    before: i64,
    count: usize,
) -> Result<Vec<Run>, Trouble> {
    let of_one = if mirror.is_some() { "run.mirror = $3" } else { "$3::bigint IS NULL" };
    let select =
        format!("{SELECT} WHERE {of_one} AND run.number < $1 ORDER BY run.number DESC LIMIT $2");
    let count = number(count);
    let params: [(&(dyn postgres::types::ToSql + Sync), Type); 3] =
        [(&before, Type::INT8), (&count, Type::INT8), (&mirror, Type::INT8)];
    let found = client.query_typed(&select, &params)?;
    found.iter().map(|columns| run(columns, ahead)).collect()
}

/// The first runs after a number, each with its own.
pub(super) fn after(
    client: &mut Client,
    ahead: i64,
    after: i64,
    count: usize,
) -> Result<Vec<(i64, Run)>, Trouble> {
    let select = SELECT.replace(" FROM run ", ", run.number FROM run ");
    let select = format!("{select} WHERE run.number > $1 ORDER BY run.number LIMIT $2");
    let count = number(count);
    let found = client.query_typed(&select, &[(&after, Type::INT8), (&count, Type::INT8)])?;
    found.iter().map(|columns| Ok((columns.try_get("number")?, run(columns, ahead)?))).collect()
}

/// Of these targets, the runs that began after `since`, at whichever node: which target, and when each began.
pub(super) fn begun(
    client: &mut Client,
    ahead: i64,
    targets: &[&str],
    since: Timestamp,
) -> Result<Vec<(String, Timestamp)>, Trouble> {
    // A mirror that runs no more and ended none since then has begun none.
    let select = "SELECT mirror.target, run.started FROM mirror JOIN run ON run.mirror = mirror.id \
         WHERE mirror.target = ANY($2) AND mirror.target <> '' \
         AND (mirror.last_tried > $1 OR mirror.running_run IS NOT NULL) AND run.started > $1";
    let since = theirs(since, ahead);
    let found =
        client.query_typed(select, &[(&since, Type::INT8), (&targets, Type::TEXT_ARRAY)])?;
    let read = |columns: &postgres::Row| {
        let mut next = Reader::new(columns, ahead);
        let (target, started) = (next.name()?, next.time()?);
        Ok((target, next.there(started)?))
    };
    found.iter().map(read).collect()
}

/// Forgets the runs of these mirrors that ended before `before`, but for the last `keep` of each.
pub(super) fn trim(
    client: &mut Client,
    ahead: i64,
    mirrors: &[i64],
    before: Timestamp,
    keep: usize,
) -> Result<(), Trouble> {
    let delete = "DELETE FROM run WHERE number IN (SELECT number FROM (SELECT number, ended, \
         row_number() OVER (PARTITION BY mirror ORDER BY number DESC) AS place \
         FROM run WHERE mirror = ANY($1)) AS placed WHERE place > $3 AND ended < $2)";
    let (before, keep) = (theirs(before, ahead), number(keep));
    client.query_typed(
        delete,
        &[(&mirrors, Type::INT8_ARRAY), (&before, Type::INT8), (&keep, Type::INT8)],
    )?;
    Ok(())
}
