//! The tables `host` and `pause`: what all processes leave alone.

use std::collections::HashSet;
use std::time::Duration;

use postgres::Client;
use postgres::types::Type;

use super::trouble::Trouble;
use super::values::{number, ours, theirs};
use crate::base::time::Timestamp;
use crate::queue::hosts::{Closed, Failing};

/// Notes that a host has answered, or could not be reached.
pub(super) fn note(
    client: &mut Client,
    ahead: i64,
    host: &str,
    answered: bool,
    now: Timestamp,
) -> Result<(), Trouble> {
    // So that there is a row to lock, whoever comes first.
    let insert =
        "INSERT INTO host (name, failures, pause) VALUES ($1, 0, 0) ON CONFLICT DO NOTHING";
    client.query_typed(insert, &[(&host, Type::TEXT)])?;
    let select = "SELECT failures, closed, pause FROM host WHERE name = $1 FOR UPDATE";
    let columns = client.query_typed_one(select, &[(&host, Type::TEXT)])?;
    let failures: i64 = columns.try_get(0)?;
    let closed: Option<i64> = columns.try_get(1)?;
    let pause: i64 = columns.try_get(2)?;
    let mut failing = Failing {
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        closed: closed.map(|closed| ours(closed, ahead)),
        ..Failing::default()
    };
    if let Some(pause) = u64::try_from(pause).ok().filter(|pause| *pause > 0) {
        failing.pause = Duration::from_millis(pause);
    }
    if answered {
        failing.answered(host);
        client.query_typed("DELETE FROM host WHERE name = $1", &[(&host, Type::TEXT)])?;
        return Ok(());
    }
    failing.failed(host, now);
    let update = "UPDATE host SET failures = $2, closed = $3, pause = $4 WHERE name = $1";
    client.query_typed(
        update,
        &[
            (&host, Type::TEXT),
            (&i64::from(failing.failures), Type::INT8),
            (&failing.closed.map(|closed| theirs(closed, ahead)), Type::INT8),
            (&number(failing.pause.as_millis()), Type::INT8),
        ],
    )?;
    Ok(())
}

/// Leaves a target alone until then.
pub(super) fn pause(
    client: &mut Client,
    ahead: i64,
    host: &str,
    owner: &str,
    until: Timestamp,
) -> Result<(), Trouble> {
    let upsert = "INSERT INTO pause (target_host, owner, until) VALUES ($1, $2, $3) \
         ON CONFLICT (target_host, owner) DO UPDATE SET until = greatest(pause.until, excluded.until)";
    let until = theirs(until, ahead);
    client
        .query_typed(upsert, &[(&host, Type::TEXT), (&owner, Type::TEXT), (&until, Type::INT8)])?;
    Ok(())
}

/// What is left alone now, and all hosts that have failed since they last answered.
pub(super) fn closed(
    client: &mut Client,
    ahead: i64,
    now: Timestamp,
) -> Result<(Closed, HashSet<String>), Trouble> {
    let now = theirs(now, ahead);
    let (mut closed, mut failing) = (Closed::default(), HashSet::new());
    let select = "SELECT name, coalesce(closed > $1, false) FROM host ORDER BY name";
    for columns in &client.query_typed(select, &[(&now, Type::INT8)])? {
        let name: String = columns.try_get(0)?;
        if columns.try_get(1)? {
            closed.hosts.push(name.clone());
        }
        failing.insert(name);
    }
    let select =
        "SELECT target_host, owner FROM pause WHERE until > $1 ORDER BY target_host, owner";
    for columns in &client.query_typed(select, &[(&now, Type::INT8)])? {
        closed.targets.push((columns.try_get(0)?, columns.try_get(1)?));
    }
    Ok((closed, failing))
}
