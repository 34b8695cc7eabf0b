//! The tables `delivery` and `delivery_asked`.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::values::{Reader, number};
use crate::base::time::Timestamp;
use crate::queue::model::{DeliveryEntry, DeliveryRecord, RunId};

/// Adds a delivery, and returns its number.
pub(super) fn insert(connection: &Connection, record: &DeliveryRecord) -> Result<i64> {
    let insert = "INSERT INTO delivery (at, endpoint, sender_id, sender, verdict, about) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let DeliveryRecord { at, endpoint, sender_id, from, verdict, about } = record;
    let params = params![at, endpoint, sender_id, from, Value::from(*verdict), about];
    connection.prepare_cached(insert)?.insert(params)
}

/// Adds a delivery that has a number already.
pub(super) fn insert_numbered(
    connection: &Connection,
    number: i64,
    record: &DeliveryRecord,
) -> Result<()> {
    let insert = "INSERT INTO delivery (number, at, endpoint, sender_id, sender, verdict, about) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let DeliveryRecord { at, endpoint, sender_id, from, verdict, about } = record;
    let params = params![number, at, endpoint, sender_id, from, Value::from(*verdict), about];
    connection.prepare_cached(insert)?.execute(params).map(drop)
}

/// Notes that a delivery asked for a mirror.
pub(super) fn ask(
    connection: &Connection,
    delivery: i64,
    position: usize,
    mirror: i64,
    run: RunId,
) -> Result<()> {
    let insert =
        "INSERT INTO delivery_asked (delivery, position, mirror, run) VALUES (?1, ?2, ?3, ?4)";
    let params = params![delivery, number(position), mirror, run];
    connection.prepare_cached(insert)?.execute(params).map(drop)
}

/// The number of the delivery with this sender's id that was accepted.
pub(super) fn accepted(
    connection: &Connection,
    endpoint: &str,
    sender_id: &str,
) -> Result<Option<i64>> {
    let select = "SELECT number FROM delivery \
         WHERE endpoint = ?1 AND sender_id = ?2 AND verdict = 'accepted'";
    let mut statement = connection.prepare_cached(select)?;
    statement.query_row([endpoint, sender_id], |columns| columns.get(0)).optional()
}

/// The numbers and keys of the mirrors that a delivery asked for, each with the run that answers it.
pub(super) fn asked(connection: &Connection, delivery: i64) -> Result<Vec<(i64, String, RunId)>> {
    let select = "SELECT mirror, mirror.name, run FROM delivery_asked \
         JOIN mirror ON mirror.id = delivery_asked.mirror WHERE delivery = ?1 ORDER BY position";
    let mut statement = connection.prepare_cached(select)?;
    let asked = statement
        .query_map([delivery], |columns| Ok((columns.get(0)?, columns.get(1)?, columns.get(2)?)))?;
    asked.collect()
}

/// The last deliveries before the number `before`, the newest first.
pub(super) fn list(
    connection: &Connection,
    before: i64,
    count: usize,
) -> Result<Vec<DeliveryEntry>> {
    select(connection, "WHERE number < ?1 ORDER BY number DESC LIMIT ?2", before, count)
}

/// The first deliveries after the number `after`.
pub(super) fn after(
    connection: &Connection,
    after: i64,
    count: usize,
) -> Result<Vec<DeliveryEntry>> {
    select(connection, "WHERE number > ?1 ORDER BY number LIMIT ?2", after, count)
}

fn select(
    connection: &Connection,
    which: &str,
    bound: i64,
    count: usize,
) -> Result<Vec<DeliveryEntry>> {
    let select = format!(
        "SELECT number, at, endpoint, sender_id, sender, verdict, about FROM delivery {which}"
    );
    let mut statement = connection.prepare_cached(&select)?;
    let entries = statement.query_map([bound, number(count)], |columns| {
        let mut next = Reader::new(columns);
        let number = next.next()?;
        let record = DeliveryRecord {
            at: next.next()?,
            endpoint: next.next()?,
            sender_id: next.next()?,
            from: next.next()?,
            verdict: next.next()?,
            about: next.next()?,
        };
        Ok(DeliveryEntry { number, record, asked: Vec::new() })
    })?;
    let mut entries: Vec<_> = entries.collect::<Result<_>>()?;
    let select = "SELECT mirror.name, asked.run FROM delivery_asked AS asked \
         JOIN mirror ON mirror.id = asked.mirror WHERE asked.delivery = ?1 ORDER BY asked.position";
    let mut statement = connection.prepare_cached(select)?;
    for entry in &mut entries {
        let asked = statement
            .query_map([entry.number], |columns| Ok((columns.get(0)?, columns.get(1)?)))?;
        entry.asked = asked.collect::<Result<_>>()?;
    }
    Ok(entries)
}

/// Forgets some of the deliveries that came before `before`. Returns how many.
pub(super) fn trim(connection: &Connection, before: Timestamp, count: usize) -> Result<usize> {
    let delete = "DELETE FROM delivery WHERE number IN \
         (SELECT number FROM delivery WHERE at < ?1 LIMIT ?2)";
    connection.prepare_cached(delete)?.execute(params![before, number(count)])
}
