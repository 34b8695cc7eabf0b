//! The tables `delivery` and `delivery_asked`.

use std::collections::HashMap;

use postgres::Client;
use postgres::types::Type;
use serde_json::{Map, Value, json};

use super::trouble::Trouble;
use super::values::{Reader, number, text, theirs};
use crate::base::time::Timestamp;
use crate::queue::model::{DeliveryEntry, DeliveryRecord, RunId};
use crate::queue::record::{Cells as _, word};

/// What a delivery asked for: a mirror, by its number and its name, and the run that answers.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) mirror: i64,
    pub(super) key: String,
    pub(super) run: RunId,
}

/// A delivery that is to be noted.
pub(super) struct Noted {
    pub(super) record: DeliveryRecord,
    pub(super) asked: Vec<Asked>,
}

/// Adds deliveries, with the next numbers in their order.
pub(super) fn insert(client: &mut Client, ahead: i64, all: &[Noted]) -> Result<(), Trouble> {
    let select = "SELECT nextval(pg_get_serial_sequence('delivery', 'number')) \
         FROM generate_series(1, $1)";
    let found = client.query_typed(select, &[(&number(all.len()), Type::INT8)])?;
    let mut numbers = Vec::new();
    for columns in &found {
        numbers.push(columns.try_get::<_, i64>(0)?);
    }
    numbers.sort_unstable();
    let numbered: Vec<_> = numbers.into_iter().zip(all).collect();
    insert_numbered(client, ahead, &numbered)
}

/// Adds deliveries that have numbers already.
pub(super) fn insert_numbered(
    client: &mut Client,
    ahead: i64,
    all: &[(i64, &Noted)],
) -> Result<(), Trouble> {
    let (mut rows, mut asked) = (Vec::new(), Vec::new());
    for (number, noted) in all {
        rows.push(Value::Object(columns(*number, &noted.record, ahead)));
        for (position, one) in noted.asked.iter().enumerate() {
            asked.push(json!({
                "delivery": number,
                "position": position,
                "mirror": one.mirror,
                "run": one.run.to_string(),
            }));
        }
    }
    let insert = "INSERT INTO delivery OVERRIDING SYSTEM VALUE \
         SELECT * FROM json_populate_recordset(NULL::delivery, $1::text::json)";
    let rows = Value::Array(rows).to_string();
    client.query_typed(insert, &[(&rows, Type::TEXT)])?;
    if !asked.is_empty() {
        let insert = "INSERT INTO delivery_asked \
             SELECT * FROM json_populate_recordset(NULL::delivery_asked, $1::text::json)";
        let asked = Value::Array(asked).to_string();
        client.query_typed(insert, &[(&asked, Type::TEXT)])?;
    }
    Ok(())
}

fn columns(number: i64, record: &DeliveryRecord, ahead: i64) -> Map<String, Value> {
    let DeliveryRecord { at, endpoint, sender_id, from, verdict, about } = record;
    let sender_id = sender_id.as_deref().map_or(Value::Null, text);
    [
        ("number", number.into()),
        ("at", theirs(*at, ahead).into()),
        ("endpoint", text(endpoint)),
        ("sender_id", sender_id),
        ("sender", text(from)),
        ("verdict", word(verdict).into()),
        ("about", text(about)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// What the deliveries asked for that were accepted with these ids of these endpoints.
pub(super) fn accepted(
    client: &mut Client,
    which: &[(String, String)],
) -> Result<HashMap<(String, String), Vec<Asked>>, Trouble> {
    let (endpoints, senders): (Vec<_>, Vec<_>) = which.iter().cloned().unzip();
    let select = "SELECT delivery.endpoint, delivery.sender_id, mirror.id, mirror.name, asked.run \
         FROM unnest($1::text[], $2::text[]) AS wanted (endpoint, sender_id) \
         JOIN delivery ON delivery.endpoint = wanted.endpoint \
         AND delivery.sender_id = wanted.sender_id AND delivery.verdict = 'accepted' \
         LEFT JOIN delivery_asked AS asked ON asked.delivery = delivery.number \
         LEFT JOIN mirror ON mirror.id = asked.mirror ORDER BY delivery.number, asked.position";
    let found = client
        .query_typed(select, &[(&endpoints, Type::TEXT_ARRAY), (&senders, Type::TEXT_ARRAY)])?;
    let mut accepted: HashMap<_, Vec<_>> = HashMap::new();
    for columns in &found {
        let mut next = Reader::new(columns, 0);
        let asked = accepted.entry((next.name()?, next.name()?)).or_default();
        let (mirror, key, run) = (next.number()?, next.text()?, next.id()?);
        if let (Some(mirror), Some(key), Some(run)) = (mirror, key, run) {
            asked.push(Asked { mirror, key, run });
        }
    }
    Ok(accepted)
}

/// The last deliveries before the number `before`, the newest first.
pub(super) fn list(
    client: &mut Client,
    ahead: i64,
    before: i64,
    count: usize,
) -> Result<Vec<DeliveryEntry>, Trouble> {
    let which = "WHERE number < $1 ORDER BY number DESC LIMIT $2";
    select(client, ahead, which, before, count)
}

/// The first deliveries after the number `after`.
pub(super) fn after(
    client: &mut Client,
    ahead: i64,
    after: i64,
    count: usize,
) -> Result<Vec<DeliveryEntry>, Trouble> {
    select(client, ahead, "WHERE number > $1 ORDER BY number LIMIT $2", after, count)
}

fn select(
    client: &mut Client,
    ahead: i64,
    which: &str,
    bound: i64,
    count: usize,
) -> Result<Vec<DeliveryEntry>, Trouble> {
    let select = format!(
        "SELECT number, at, endpoint, sender_id, sender, verdict, about FROM delivery {which}"
    );
    let found =
        client.query_typed(&select, &[(&bound, Type::INT8), (&number(count), Type::INT8)])?;
    let mut entries = Vec::new();
    for columns in &found {
        let mut next = Reader::new(columns, ahead);
        let number = next.next()?;
        let (at, endpoint, sender_id) = (next.time()?, next.name()?, next.text()?);
        let (from, verdict, about) = (next.name()?, next.word()?, next.name()?);
        let (at, verdict) = (next.there(at)?, next.there(verdict)?);
        let record = DeliveryRecord { at, endpoint, sender_id, from, verdict, about };
        entries.push(DeliveryEntry { number, record, asked: Vec::new() });
    }
    let numbers: Vec<i64> = entries.iter().map(|entry| entry.number).collect();
    let select = "SELECT asked.delivery, mirror.name, asked.run FROM delivery_asked AS asked \
         JOIN mirror ON mirror.id = asked.mirror WHERE asked.delivery = ANY($1) \
         ORDER BY asked.delivery, asked.position";
    let mut asked: HashMap<i64, Vec<(String, RunId)>> = HashMap::new();
    for columns in &client.query_typed(select, &[(&numbers, Type::INT8_ARRAY)])? {
        let mut next = Reader::new(columns, ahead);
        let (number, key, run) = (next.next()?, next.name()?, next.id()?);
        asked.entry(number).or_default().push((key, next.there(run)?));
    }
    for entry in &mut entries {
        entry.asked = asked.remove(&entry.number).unwrap_or_default();
    }
    Ok(entries)
}

/// Forgets some of the deliveries that came before `before`. Returns how many.
pub(super) fn trim(
    client: &mut Client,
    ahead: i64,
    before: Timestamp,
    count: usize,
) -> Result<u64, Trouble> {
    let delete = "DELETE FROM delivery WHERE number IN \
         (SELECT number FROM delivery WHERE at < $1 LIMIT $2)";
    let (before, count) = (theirs(before, ahead), number(count));
    Ok(client.execute_typed(delete, &[(&before, Type::INT8), (&count, Type::INT8)])?)
}
