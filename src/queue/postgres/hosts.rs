//! The tables `host` and `pause`: what all processes leave alone.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use postgres::Client;
use postgres::types::Type;

use super::mirrors::ids;
use super::trouble::Trouble;
use super::values::{number, ours, theirs};
use crate::base::time::Timestamp;
use crate::queue::hosts::{Closed, Failing, HostState};
use crate::queue::model::RunId;

/// Notes that a host has answered, or could not be reached. Returns whether what is left alone is another now.
pub(super) fn note(
    client: &mut Client,
    ahead: i64,
    host: &str,
    answered: bool,
    now: Timestamp,
) -> Result<bool, Trouble> {
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
        client.query_typed("DELETE FROM host WHERE name = $1", &[(&host, Type::TEXT)])?;
        return Ok(failing.answered(host));
    }
    let is_closed = failing.failed(host, now);
    let update = "UPDATE host SET failures = $2, closed = $3, pause = $4, \
         probe = CASE WHEN $5 THEN NULL ELSE probe END WHERE name = $1";
    client.query_typed(
        update,
        &[
            (&host, Type::TEXT),
            (&i64::from(failing.failures), Type::INT8),
            (&failing.closed.map(|closed| theirs(closed, ahead)), Type::INT8),
            (&number(failing.pause.as_millis()), Type::INT8),
            (&is_closed, Type::BOOL),
        ],
    )?;
    Ok(is_closed)
}

/// What a claim is to leave alone that was told `closed`. Half-open hosts of which it may begin a run are locked until
/// its transaction ends, so that nobody else begins one.
pub(super) fn for_claim(
    client: &mut Client,
    ahead: i64,
    closed: &Closed,
    now: Timestamp,
) -> Result<Closed, Trouble> {
    if closed.half_open.is_empty() {
        return Ok(closed.clone());
    }
    let select = "WITH free AS (SELECT name, closed, probe FROM host WHERE name = ANY($1) \
         ORDER BY name FOR UPDATE SKIP LOCKED) SELECT host.name, free.closed, free.probe, \
         free.name IS NOT NULL FROM host LEFT JOIN free USING (name) WHERE host.name = ANY($1)";
    let found = client.query_typed(select, &[(&closed.half_open, Type::TEXT_ARRAY)])?;
    let mut failing = HashMap::new();
    for columns in &found {
        let closed: Option<i64> = columns.try_get(1)?;
        let closed = closed.map(|closed| ours(closed, ahead));
        let free = Failing { closed, probe: columns.try_get(2)?, ..Failing::default() };
        let is_free: bool = columns.try_get(3)?;
        failing.insert(columns.try_get::<_, String>(0)?, is_free.then_some(free));
    }
    // After the rows were locked: whoever had them before has committed its run.
    let probes: Vec<_> = failing.values().filter_map(|free| free.as_ref()?.probe).collect();
    let mut running: HashSet<RunId> = HashSet::new();
    if !probes.is_empty() {
        let select = "SELECT running_run FROM mirror WHERE running_run = ANY($1::text[]::uuid[])";
        for columns in &client.query_typed(select, &[(&ids(&probes), Type::TEXT_ARRAY)])? {
            running.insert(columns.try_get(0)?);
        }
    }
    Ok(closed.with(|host| match failing.get(host) {
        None => HostState::Open,
        // Somebody else begins a run just now, or notes how one ended.
        Some(None) => HostState::Closed,
        Some(Some(free)) => free.state(|run| running.contains(&run), now),
    }))
}

/// These runs find out whether these hosts answer.
pub(super) fn probe(client: &mut Client, probes: &[(&str, RunId)]) -> Result<(), Trouble> {
    let (hosts, runs): (Vec<_>, Vec<_>) = probes.iter().copied().unzip();
    let update = "UPDATE host SET probe = new.run FROM unnest($1::text[], $2::text[]::uuid[]) \
         AS new (host, run) WHERE host.name = new.host";
    client.query_typed(update, &[(&hosts, Type::TEXT_ARRAY), (&ids(&runs), Type::TEXT_ARRAY)])?;
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
    let select = "SELECT name, closed > $1 FROM host ORDER BY name";
    for columns in &client.query_typed(select, &[(&now, Type::INT8)])? {
        let name: String = columns.try_get(0)?;
        match columns.try_get(1)? {
            Some(true) => closed.hosts.push(name.clone()),
            Some(false) => closed.half_open.push(name.clone()),
            None => {}
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
