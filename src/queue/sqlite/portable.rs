//! All that the file has, for another store; and what another one had.

use std::collections::HashMap;
use std::sync::Arc;

use super::writer::Work;
use super::{SqliteStore, deliveries, mirrors, runs};
use crate::queue::model::{DeliveryEntry, Row, Run};
use crate::queue::portable::{Moved, Portable, Taker, take_along};
use crate::queue::store_error::StoreError;

impl Portable for SqliteStore {
    fn rows_after(&self, name: &str, count: usize) -> Result<Vec<Row>, StoreError> {
        let found = self.readers.read(|connection| mirrors::after(connection, name, count))?;
        Ok(found.into_iter().map(|stored| stored.row).collect())
    }

    fn runs_after(&self, number: i64, count: usize) -> Result<Vec<(i64, Run)>, StoreError> {
        self.readers.read(|connection| runs::after(connection, number, count))
    }

    fn deliveries_after(
        &self,
        number: i64,
        count: usize,
    ) -> Result<Vec<DeliveryEntry>, StoreError> {
        self.readers.read(|connection| deliveries::after(connection, number, count))
    }
}

impl SqliteStore {
    /// Takes over all that `giver` has, or nothing of it. Whoever has mirrors already is not written over.
    pub fn take_over(&self, giver: Arc<dyn Portable>) -> Result<Moved, StoreError> {
        self.writer.write(move |work| {
            if !work.check(mirrors::numbers(work.connection))?.is_empty() {
                return Err(StoreError::Taken { path: work.path.to_owned() });
            }
            let mut taker = OfFile { work, ids: HashMap::new() };
            take_along(&*giver, &mut taker)
        })
    }
}

struct OfFile<'t, 'w> {
    work: &'t mut Work<'w>,
    /// The numbers of mirrors by their names.
    ids: HashMap<String, i64>,
}

impl OfFile<'_, '_> {
    fn id(&self, key: &str) -> Result<i64, StoreError> {
        let gone = || StoreError::Unknown { key: key.to_owned() };
        self.ids.get(key).copied().ok_or_else(gone)
    }
}

impl Taker for OfFile<'_, '_> {
    type Error = StoreError;

    fn of_giver(&self, error: StoreError) -> StoreError {
        error
    }

    fn rows(&mut self, rows: Vec<Row>) -> Result<(), StoreError> {
        let connection = self.work.connection;
        for row in rows {
            let id = self.work.check(mirrors::insert(connection, &row))?;
            self.work.check(mirrors::raise_token(connection, row.token))?;
            self.ids.insert(row.member.key, id);
        }
        Ok(())
    }

    fn runs(&mut self, runs: &[(i64, Run)]) -> Result<(), StoreError> {
        for (_, run) in runs {
            let mirror = self.id(&run.key)?;
            self.work.check(runs::insert(self.work.connection, mirror, run))?;
        }
        Ok(())
    }

    fn deliveries(&mut self, all: Vec<DeliveryEntry>) -> Result<(), StoreError> {
        let connection = self.work.connection;
        for DeliveryEntry { number, record, asked } in all {
            self.work.check(deliveries::insert_numbered(connection, number, &record))?;
            for (position, (key, run)) in asked.into_iter().enumerate() {
                let mirror = self.id(&key)?;
                self.work.check(deliveries::ask(connection, number, position, mirror, run))?;
            }
        }
        Ok(())
    }
}
