//! The table `node`.

use std::collections::HashMap;

use postgres::Client;
use postgres::types::Type;

use super::PostgresStore;
use super::alone::Work;
use super::mirrors::ids;
use super::trouble::Trouble;
use super::values::{ours, theirs};
use crate::base::time::Timestamp;
use crate::queue::fleet::{CacheHome, Fleet, Node, NodeReport};
use crate::queue::model::{Claim, RunId};
use crate::queue::store_error::StoreError;

/// Now, by the clock of the database.
pub(super) const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

impl Fleet for PostgresStore {
    fn id(&self) -> &str {
        &self.node
    }

    fn beat(&self, report: &NodeReport) -> Result<(), StoreError> {
        let report = report.clone();
        let node = self.node.clone();
        self.writer.write_alone(move |Work { client, .. }| beat(client, &node, &report))
    }

    fn leave(&self) -> Result<(), StoreError> {
        let node = self.node.clone();
        self.writer.write_alone(move |Work { client, .. }| end(client, &node))
    }

    fn nodes(&self, since: Timestamp) -> Result<Vec<Node>, StoreError> {
        self.readers.read(|client, ahead| {
            let mut nodes = all(client, ahead, since)?;
            let mut runs = running(client)?;
            for node in &mut nodes {
                node.runs = runs.remove(&node.id).unwrap_or_default();
            }
            Ok(nodes)
        })
    }

    fn cache_of(&self, claim: &Claim) -> Result<Option<CacheHome>, StoreError> {
        self.readers.read(|client, ahead| home_of(client, ahead, claim.run, &self.node))
    }

    fn nodes_of(&self, runs: &[RunId]) -> Result<HashMap<RunId, String>, StoreError> {
        self.readers.read(|client, _| names_of(client, runs))
    }
}

fn beat(client: &mut Client, node: &str, report: &NodeReport) -> Result<(), Trouble> {
    let NodeReport { name, role, version, draining, free, url } = report;
    let text = |text: &str| text.replace('\0', "\u{fffd}");
    let (name, role, version, url) = (text(name), text(role), text(version), text(url));
    let free = free.map(|free| i64::try_from(free).unwrap_or(i64::MAX));
    let insert = format!(
        "INSERT INTO node (id, name, role, version, started, beat, draining, free_bytes, url) \
         VALUES ($1::text::uuid, $2, $3, $4, {NOW}, {NOW}, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET \
         name = excluded.name, role = excluded.role, version = excluded.version, \
         beat = excluded.beat, draining = excluded.draining, free_bytes = excluded.free_bytes, \
         url = excluded.url, ended = NULL"
    );
    client.query_typed(
        &insert,
        &[
            (&node, Type::TEXT),
            (&name, Type::TEXT),
            (&role, Type::TEXT),
            (&version, Type::TEXT),
            (draining, Type::BOOL),
            (&free, Type::INT8),
            (&url, Type::TEXT),
        ],
    )?;
    Ok(())
}

/// Notes that a process is no more.
pub(super) fn end(client: &mut Client, node: &str) -> Result<(), Trouble> {
    let update =
        format!("UPDATE node SET ended = {NOW} WHERE id = $1::text::uuid AND ended IS NULL");
    client.query_typed(&update, &[(&node, Type::TEXT)])?;
    Ok(())
}

fn all(client: &mut Client, ahead: i64, since: Timestamp) -> Result<Vec<Node>, Trouble> {
    let select = "SELECT replace(id::text, '-', ''), name, role, version, draining, free_bytes, \
         started, beat, url FROM node WHERE ended IS NULL AND beat > $1 \
         ORDER BY name COLLATE \"C\", started, id";
    let read = |columns: &postgres::Row| {
        let free: Option<i64> = columns.try_get(5)?;
        Ok(Node {
            id: columns.try_get(0)?,
            report: NodeReport {
                name: columns.try_get(1)?,
                role: columns.try_get(2)?,
                version: columns.try_get(3)?,
                draining: columns.try_get(4)?,
                free: free.and_then(|free| u64::try_from(free).ok()),
                url: columns.try_get(8)?,
            },
            started: ours(columns.try_get(6)?, ahead),
            beat: ours(columns.try_get(7)?, ahead),
            runs: Vec::new(),
        })
    };
    let found = client.query_typed(select, &[(&theirs(since, ahead), Type::INT8)])?;
    found.iter().map(read).collect()
}

/// The runs that are under way, by the ids of their nodes.
fn running(client: &mut Client) -> Result<HashMap<String, Vec<(String, RunId)>>, Trouble> {
    let select = "SELECT replace(node::text, '-', ''), name, running_run FROM mirror \
         WHERE running_run IS NOT NULL AND node IS NOT NULL ORDER BY name COLLATE \"C\"";
    let mut runs: HashMap<String, Vec<(String, RunId)>> = HashMap::new();
    for columns in &client.query_typed(select, &[])? {
        let run = (columns.try_get(1)?, columns.try_get(2)?);
        runs.entry(columns.try_get(0)?).or_default().push(run);
    }
    Ok(runs)
}

/// The process at whose home the mirror of a run is, unless that is `here`.
fn home_of(
    client: &mut Client,
    ahead: i64,
    run: RunId,
    here: &str,
) -> Result<Option<CacheHome>, Trouble> {
    let select = "SELECT node.name, node.url, node.beat FROM mirror JOIN home ON home.id = mirror.home \
         JOIN node ON node.id = home.node WHERE mirror.running_run = $1::text::uuid \
         AND node.id <> $2::text::uuid AND node.ended IS NULL";
    let found =
        client.query_typed_opt(select, &[(&run.to_string(), Type::TEXT), (&here, Type::TEXT)])?;
    let home = |columns: postgres::Row| {
        Ok(CacheHome {
            name: columns.try_get(0)?,
            url: columns.try_get(1)?,
            beat: ours(columns.try_get(2)?, ahead),
        })
    };
    found.map(home).transpose()
}

fn names_of(client: &mut Client, runs: &[RunId]) -> Result<HashMap<RunId, String>, Trouble> {
    let select = "SELECT run.id, node.name FROM run JOIN node ON node.id = run.node \
         WHERE run.id = ANY($1::text[]::uuid[])";
    let found = client.query_typed(select, &[(&ids(runs), Type::TEXT_ARRAY)])?;
    found.iter().map(|columns| Ok((columns.try_get(0)?, columns.try_get(1)?))).collect()
}

/// Forgets processes that were not heard of since `before`, unless there is a run of theirs. Their names go with them.
pub(super) fn trim(client: &mut Client, ahead: i64, before: Timestamp) -> Result<(), Trouble> {
    let delete = "DELETE FROM node WHERE beat < $1 \
         AND NOT EXISTS (SELECT FROM run WHERE run.node = node.id)";
    client.query_typed(delete, &[(&theirs(before, ahead), Type::INT8)])?;
    Ok(())
}
