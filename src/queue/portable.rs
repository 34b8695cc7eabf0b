//! All that a store has, piece by piece, for another one that takes it over.

use super::model::{DeliveryEntry, Row, Run};
use super::store_error::StoreError;

/// How many rows, runs or deliveries are read at once.
pub(super) const PIECE: usize = 1000;

/// A store whose contents can be taken along. Nobody changes it meanwhile.
pub trait Portable: Send + Sync {
    /// Rows in the order of their names, also of mirrors that are configured no more: the first ones after `name`.
    fn rows_after(&self, name: &str, count: usize) -> Result<Vec<Row>, StoreError>;

    /// Runs that were begun, each with its number: the first ones after that number.
    fn runs_after(&self, number: i64, count: usize) -> Result<Vec<(i64, Run)>, StoreError>;

    /// Deliveries, the first ones after that number.
    fn deliveries_after(&self, number: i64, count: usize)
    -> Result<Vec<DeliveryEntry>, StoreError>;

    /// Ledgers in the order of the names of their mirrors: the first ones after `name`. None where each cache has its
    /// own.
    fn ledgers_after(&self, name: &str, count: usize) -> Result<Vec<(String, String)>, StoreError> {
        let _ = (name, count);
        Ok(Vec::new())
    }
}

/// How much was taken along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Mirrors that are or were configured.
    pub mirrors: u64,
    /// Runs.
    pub runs: u64,
    /// Deliveries.
    pub deliveries: u64,
    /// Ledgers.
    pub ledgers: u64,
}

/// What takes the pieces, and says why it cannot.
pub(super) trait Taker {
    /// An error of the store that takes.
    type Error;

    /// What an error of the store that gives is to it.
    fn of_giver(&self, error: StoreError) -> Self::Error;
    fn rows(&mut self, rows: Vec<Row>) -> Result<(), Self::Error>;
    fn runs(&mut self, runs: &[(i64, Run)]) -> Result<(), Self::Error>;
    fn deliveries(&mut self, deliveries: Vec<DeliveryEntry>) -> Result<(), Self::Error>;

    /// A store that keeps no ledgers leaves them to the caches.
    fn ledgers(&mut self, ledgers: Vec<(String, String)>) -> Result<(), Self::Error> {
        drop(ledgers);
        Ok(())
    }
}

/// Gives `taker` all that `giver` has.
pub(super) fn take_along<T: Taker>(giver: &dyn Portable, taker: &mut T) -> Result<Moved, T::Error> {
    let mut moved = Moved::default();
    let mut last = String::new();
    loop {
        let rows = giver.rows_after(&last, PIECE).map_err(|error| taker.of_giver(error))?;
        let Some(end) = rows.last() else { break };
        last.clone_from(&end.member.key);
        moved.mirrors += rows.len() as u64;
        taker.rows(rows)?;
    }
    let mut last = 0;
    loop {
        let runs = giver.runs_after(last, PIECE).map_err(|error| taker.of_giver(error))?;
        let Some((end, _)) = runs.last() else { break };
        last = *end;
        moved.runs += runs.len() as u64;
        taker.runs(&runs)?;
    }
    let mut last = 0;
    loop {
        let all = giver.deliveries_after(last, PIECE).map_err(|error| taker.of_giver(error))?;
        let Some(end) = all.last() else { break };
        last = end.number;
        moved.deliveries += all.len() as u64;
        taker.deliveries(all)?;
    }
    let mut last = String::new();
    loop {
        let all = giver.ledgers_after(&last, PIECE).map_err(|error| taker.of_giver(error))?;
        let Some((end, _)) = all.last() else { break };
        last.clone_from(end);
        moved.ledgers += all.len() as u64;
        taker.ledgers(all)?;
    }
    Ok(moved)
}
