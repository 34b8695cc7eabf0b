//! All that the database has, for another store; and what another one had.

use std::collections::HashMap;
use std::sync::Arc;

use postgres::types::Type;

use super::alone::Work;
use super::deliveries::{self, Asked, Noted};
use super::trouble::{Problem, Trouble};
use super::{PostgresStore, ledgers, mirrors, runs};
use crate::queue::model::{DeliveryEntry, Row, Run};
use crate::queue::portable::{Moved, Portable, Taker, take_along};
use crate::queue::store_error::StoreError;

impl Portable for PostgresStore {
    fn rows_after(&self, name: &str, count: usize) -> Result<Vec<Row>, StoreError> {
        let found =
            self.readers.read(|client, ahead| mirrors::after(client, ahead, name, count))?;
        Ok(found.into_iter().map(|stored| stored.row).collect())
    }

    fn runs_after(&self, number: i64, count: usize) -> Result<Vec<(i64, Run)>, StoreError> {
        self.readers.read(|client, ahead| runs::after(client, ahead, number, count))
    }

    fn deliveries_after(
        &self,
        number: i64,
        count: usize,
    ) -> Result<Vec<DeliveryEntry>, StoreError> {
        self.readers.read(|client, ahead| deliveries::after(client, ahead, number, count))
    }

    fn ledgers_after(&self, name: &str, count: usize) -> Result<Vec<(String, String)>, StoreError> {
        self.readers.read(|client, _| ledgers::after(client, name, count))
    }
}

impl PostgresStore {
    /// Takes over all that `giver` has, or nothing of it. Whoever has mirrors already is not written over.
    pub fn take_over(&self, giver: Arc<dyn Portable>) -> Result<Moved, StoreError> {
        self.writer.write_alone(move |work| {
            work.client.batch_execute(
                "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0",
            )?;
            if !mirrors::numbers(work.client)?.is_empty() {
                return Err(Trouble::of(Problem::Taken, "it has mirrors already"));
            }
            let mut taker = OfServer { work, ids: HashMap::new() };
            let moved = take_along(&*giver, &mut taker)?;
            let set = "SELECT setval(pg_get_serial_sequence('delivery', 'number'), \
                 (SELECT max(number) FROM delivery)) WHERE EXISTS (SELECT FROM delivery)";
            taker.work.client.query_typed(set, &[])?;
            Ok(moved)
        })
    }
}

struct OfServer<'t, 'w> {
    work: &'t mut Work<'w>,
    /// The numbers of mirrors by their names.
    ids: HashMap<String, i64>,
}

impl OfServer<'_, '_> {
    fn id(&self, key: &str) -> Result<i64, Trouble> {
        let gone =
            || Trouble::of(Problem::Content, format!("{key:?} is no mirror of the other queue"));
        self.ids.get(key).copied().ok_or_else(gone)
    }
}

impl Taker for OfServer<'_, '_> {
    type Error = Trouble;

    fn of_giver(&self, error: StoreError) -> Trouble {
        Trouble::of(Problem::Giver, error.to_string())
    }

    fn rows(&mut self, rows: Vec<Row>) -> Result<(), Trouble> {
        let Work { client, ahead, .. } = &mut *self.work;
        let names: Vec<_> = rows.iter().map(|row| row.member.key.clone()).collect();
        mirrors::insert(client, *ahead, rows)?;
        let select = "SELECT name, id FROM mirror WHERE name = ANY($1)";
        for found in &client.query_typed(select, &[(&names, Type::TEXT_ARRAY)])? {
            self.ids.insert(found.try_get(0)?, found.try_get(1)?);
        }
        Ok(())
    }

    fn runs(&mut self, runs: &[(i64, Run)]) -> Result<(), Trouble> {
        let mut numbered = Vec::with_capacity(runs.len());
        for (_, run) in runs {
            numbered.push((self.id(&run.key)?, run));
        }
        let Work { client, ahead, .. } = &mut *self.work;
        runs::insert(client, *ahead, None, numbered)
    }

    fn ledgers(&mut self, all: Vec<(String, String)>) -> Result<(), Trouble> {
        let numbered: Result<Vec<_>, Trouble> =
            all.into_iter().map(|(key, contents)| Ok((self.id(&key)?, contents))).collect();
        ledgers::insert(self.work.client, &numbered?)
    }

    fn deliveries(&mut self, all: Vec<DeliveryEntry>) -> Result<(), Trouble> {
        let mut noted = Vec::with_capacity(all.len());
        for DeliveryEntry { number, record, asked } in all {
            let asked: Result<_, Trouble> = asked
                .into_iter()
                .map(|(key, run)| Ok(Asked { mirror: self.id(&key)?, key, run }))
                .collect();
            noted.push((number, Noted { record, asked: asked? }));
        }
        let Work { client, ahead, .. } = &mut *self.work;
        let noted: Vec<_> = noted.iter().map(|(number, noted)| (*number, noted)).collect();
        deliveries::insert_numbered(client, *ahead, &noted)
    }
}
