//! What processes do all the time, with one statement however many mirrors it is about: looks that found nothing end, and
//! runs begin.

use std::collections::HashSet;

use postgres::types::Type;
use postgres::{Client, Row as Columns};
use serde_json::Value;

use super::alone::Work;
use super::homes::Process;
use super::mirrors::{Stored, ids};
use super::runs;
use super::trouble::Trouble;
use super::values::{number, object, theirs};
use crate::base::time::Timestamp;
use crate::queue::model::{End, EndState, Run, RunId};
use crate::queue::record::{COLUMNS, cells, word};

/// What `Row::finish` makes of a row whose run has found nothing. What somebody else has locked is passed over, so that
/// nobody waits for anybody.
const END: &str = "WITH held AS (SELECT mirror.id, ended.* FROM mirror \
     JOIN unnest($1::text[]::uuid[], $2::bigint[], $3::bigint[], $4::text[]) AS ended (run, token, due, weight) \
     ON mirror.running_run = ended.run AND mirror.token = ended.token FOR UPDATE OF mirror SKIP LOCKED), \
     gone AS (DELETE FROM run USING held WHERE run.id = held.run) \
     UPDATE mirror SET running_run = NULL, running_until = NULL, running_class = NULL, \
     running_weight = NULL, node = NULL, home = coalesce($6::text::uuid, mirror.home), \
     attempts = 0, weight = held.weight, not_before = NULL, scheduled = least(scheduled, held.due), \
     last_tried = $5, last_good = $5, failing_runs = NULL, failing_since = NULL, \
     failing_failure = NULL, failing_alike = NULL, attention = CASE WHEN removed IS NULL AND \
     paused IS NULL AND parked_failure IS NULL THEN least(waiting_begin, scheduled, held.due) END \
     FROM held WHERE mirror.id = held.id RETURNING held.run, held.token";

/// Notes the ends of runs that have all found nothing.
pub(super) fn end(
    work: &mut Work<'_>,
    ends: &[End],
    now: Timestamp,
) -> Result<Vec<EndState>, Trouble> {
    let Work { client, ahead, node, .. } = work;
    if ends.is_empty() {
        return Ok(Vec::new());
    }
    let runs: Vec<_> = ends.iter().map(|end| end.claim.run).collect();
    let tokens: Vec<_> = ends.iter().map(|end| number(end.claim.token)).collect();
    let due = |end: &End| end.finish.due.map(|due| theirs(due, *ahead));
    let due: Vec<_> = ends.iter().map(due).collect();
    let weights: Vec<_> = ends.iter().map(|end| word(end.finish.weight)).collect();
    let home = node.home.map(|home| home.to_string());
    let found = client.query_typed(
        END,
        &[
            (&ids(&runs), Type::TEXT_ARRAY),
            (&tokens, Type::INT8_ARRAY),
            (&due, Type::INT8_ARRAY),
            (&weights, Type::TEXT_ARRAY),
            (&theirs(now, *ahead), Type::INT8),
            (&home, Type::TEXT),
        ],
    )?;
    let noted = claims_in(&found)?;
    let mut locked = HashSet::new();
    if noted.len() < runs.len() {
        // Without a lock: whose claim is there was passed over.
        let select = "SELECT mirror.running_run, mirror.token FROM mirror \
             JOIN unnest($1::text[]::uuid[], $2::bigint[]) AS ended (run, token) \
             ON mirror.running_run = ended.run AND mirror.token = ended.token";
        let runs = ids(&runs);
        let found = client
            .query_typed(select, &[(&runs, Type::TEXT_ARRAY), (&tokens, Type::INT8_ARRAY)])?;
        locked = claims_in(&found)?;
    }
    // A run that was given back may be claimed once more, with another token.
    let state = |claim: (RunId, i64)| match (noted.contains(&claim), locked.contains(&claim)) {
        (true, _) => EndState::Noted,
        (false, true) => EndState::NotYet,
        (false, false) => EndState::Lost,
    };
    Ok(runs.into_iter().zip(tokens).map(state).collect())
}

/// Claims by their runs and tokens.
fn claims_in(found: &[Columns]) -> Result<HashSet<(RunId, i64)>, Trouble> {
    found.iter().map(|columns| Ok((columns.try_get(0)?, columns.try_get(1)?))).collect()
}

/// The columns that `Row::begin` changes.
const BEGUN: [&str; 19] = [
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
    "token",
    "running_run",
    "running_until",
    "running_class",
    "running_weight",
    "attempts",
    "parked_failure",
    "parked_since",
    "attention",
];

/// Writes rows whose runs have begun at `node`, and these.
pub(super) fn begin(
    client: &mut Client,
    ahead: i64,
    node: &Process,
    begun: &[(Stored, Run)],
) -> Result<(), Trouble> {
    let rows = begun.iter().map(|(stored, _)| {
        let columns = COLUMNS.into_iter().zip(cells(&stored.row));
        let columns = columns.filter(|(name, _)| BEGUN.contains(name));
        let mut object = object(columns, ahead);
        object.insert("id".to_owned(), stored.id.into());
        Value::Object(object)
    });
    let rows = Value::Array(rows.collect()).to_string();
    let runs = runs::json(begun.iter().map(|(stored, run)| (stored.id, run)), ahead);
    let news: Vec<_> = BEGUN.iter().map(|column| format!("new.{column}")).collect();
    let statement = format!(
        "WITH begun AS (UPDATE mirror SET ({}, node) = ROW({}, $3::text::uuid) \
         FROM json_populate_recordset(NULL::mirror, $1::text::json) AS new \
         WHERE mirror.id = new.id) {}",
        BEGUN.join(", "),
        news.join(", "),
        runs::insert_from("$2", "$3")
    );
    let node = node.id.to_string();
    client.query_typed(
        &statement,
        &[(&rows, Type::TEXT), (&runs, Type::TEXT), (&node, Type::TEXT)],
    )?;
    Ok(())
}
