//! The table `ledger`.

use postgres::Client;
use postgres::types::Type;

use super::PostgresStore;
use super::alone::Work;
use super::trouble::Trouble;
use super::values::number;
use crate::queue::ledgers::Ledgers;
use crate::queue::model::{Claim, RunId};
use crate::queue::store_error::StoreError;

impl Ledgers for PostgresStore {
    fn ledger(&self, claim: &Claim) -> Result<Option<String>, StoreError> {
        // By its run, which a new name does not change.
        let select = "SELECT contents FROM ledger JOIN mirror ON mirror.id = ledger.mirror \
             WHERE running_run = $1::text::uuid";
        let run = claim.run.to_string();
        self.readers.read(|client, _| {
            let found = client.query_typed_opt(select, &[(&run, Type::TEXT)])?;
            Ok(found.map(|columns| columns.try_get(0)).transpose()?)
        })
    }

    fn keep_ledger(&self, claim: &Claim, contents: &str) -> Result<bool, StoreError> {
        let (run, contents) = (claim.run, contents.to_owned());
        self.writer.write_alone(move |Work { client, .. }| keep(client, run, &contents))
    }
}

fn keep(client: &mut Client, run: RunId, contents: &str) -> Result<bool, Trouble> {
    // The row is locked, so that nobody takes the claim meanwhile.
    let lock = "SELECT id FROM mirror WHERE running_run = $1::text::uuid FOR UPDATE";
    let Some(found) = client.query_typed_opt(lock, &[(&run.to_string(), Type::TEXT)])? else {
        return Ok(false);
    };
    let id: i64 = found.try_get(0)?;
    let insert = "INSERT INTO ledger (mirror, contents) VALUES ($1, $2) \
         ON CONFLICT (mirror) DO UPDATE SET contents = excluded.contents";
    client.query_typed(insert, &[(&id, Type::INT8), (&contents, Type::TEXT)])?;
    Ok(true)
}

/// Adds the ledgers of mirrors that have none here.
pub(super) fn insert(client: &mut Client, all: &[(i64, String)]) -> Result<(), Trouble> {
    let (mirrors, contents): (Vec<i64>, Vec<&str>) =
        all.iter().map(|(mirror, contents)| (*mirror, contents.as_str())).unzip();
    let insert =
        "INSERT INTO ledger (mirror, contents) SELECT * FROM unnest($1::bigint[], $2::text[])";
    client.query_typed(insert, &[(&mirrors, Type::INT8_ARRAY), (&contents, Type::TEXT_ARRAY)])?;
    Ok(())
}

/// The first ledgers after the mirror of that name, by name.
pub(super) fn after(
    client: &mut Client,
    name: &str,
    count: usize,
) -> Result<Vec<(String, String)>, Trouble> {
    let select = "SELECT name, contents FROM ledger JOIN mirror ON mirror.id = ledger.mirror \
         WHERE name COLLATE \"C\" > $1 ORDER BY name COLLATE \"C\" LIMIT $2";
    let count = number(count);
    let found = client.query_typed(select, &[(&name, Type::TEXT), (&count, Type::INT8)])?;
    found.iter().map(|columns| Ok((columns.try_get(0)?, columns.try_get(1)?))).collect()
}
