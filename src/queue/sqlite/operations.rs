//! What is written: each function is one operation of the thread that writes, and is done as a whole or
//! not at all. What becomes of a row is said by `rules`; here is only where rows come from and go to.

use std::collections::HashSet;

use super::mirrors::{self, Stored};
use super::writer::Work;
use super::{deliveries, runs};
use crate::base::time::Timestamp;
use crate::queue::choose::{Situation, a_minute_before, choose};
use crate::queue::hosts::Hosts;
use crate::queue::job_store::ClaimLimits;
use crate::queue::model::{
    Claim, Claimed, DeliveryRecord, Finish, Member, Receipt, Request, Row, RunId, Verdict, Weight,
};
use crate::queue::store_error::StoreError;

/// The row of a mirror that is configured.
fn member(work: &Work<'_>, key: &str) -> Result<Stored, StoreError> {
    let stored = work.check(mirrors::named(work.connection, key))?;
    let stored = stored.filter(|stored| stored.row.is_member());
    stored.ok_or_else(|| StoreError::Unknown { key: key.to_owned() })
}

/// Changes the row of a mirror that is configured.
pub(super) fn change(
    work: &Work<'_>,
    key: &str,
    change: impl FnOnce(&mut Row),
) -> Result<(), StoreError> {
    let mut stored = member(work, key)?;
    change(&mut stored.row);
    work.check(mirrors::update(work.connection, &stored))
}

pub(super) fn configure(
    work: &Work<'_>,
    members: &[Member],
    now: Timestamp,
) -> Result<(), StoreError> {
    let keys: HashSet<_> = members.iter().map(|member| &*member.key).collect();
    let is_member = |key: &str| keys.contains(key);
    for member in members {
        let was = member.was.as_deref().filter(|was| !is_member(was));
        let mut stored = work.check(mirrors::named(work.connection, &member.key))?;
        if let (None, Some(was)) = (&stored, was) {
            stored = work.check(mirrors::named(work.connection, was))?;
        }
        if let Some(mut stored) = stored {
            let before = stored.row.clone();
            stored.row.configure(member, now);
            if stored.row != before {
                work.check(mirrors::update_all(work.connection, &stored))?;
            }
        } else {
            work.check(mirrors::insert(work.connection, &Row::new(member, now)))?;
        }
    }
    for mut stored in work.check(mirrors::members(work.connection))? {
        if !is_member(&stored.row.member.key) {
            stored.row.remove(now);
            work.check(mirrors::update(work.connection, &stored))?;
        }
    }
    Ok(())
}

pub(super) fn enqueue(
    work: &Work<'_>,
    requests: &[Request],
    delivery: Option<&DeliveryRecord>,
    now: Timestamp,
) -> Result<Vec<Receipt>, StoreError> {
    if let Some(delivery) = delivery
        && let Some(receipts) = repeated(work, delivery)?
    {
        return Ok(receipts);
    }
    let noted = match delivery {
        Some(delivery) => Some(work.check(deliveries::insert(work.connection, delivery))?),
        None => None,
    };
    let mut receipts = Vec::with_capacity(requests.len());
    for (position, request) in requests.iter().enumerate() {
        let mut stored = member(work, &request.key)?;
        let receipt = stored.row.request(request, now);
        work.check(mirrors::update(work.connection, &stored))?;
        if let Some(noted) = noted {
            let asked = deliveries::ask(work.connection, noted, position, stored.id, receipt.run);
            work.check(asked)?;
        }
        receipts.push(receipt);
    }
    Ok(receipts)
}

/// The receipts of the delivery that `delivery` repeats, if it does.
fn repeated(
    work: &Work<'_>,
    delivery: &DeliveryRecord,
) -> Result<Option<Vec<Receipt>>, StoreError> {
    let Some(sender_id) = &delivery.sender_id else { return Ok(None) };
    let connection = work.connection;
    let first = work.check(deliveries::accepted(connection, &delivery.endpoint, sender_id))?;
    let Some(first) = first else { return Ok(None) };
    let repeated = DeliveryRecord { verdict: Verdict::Repeated, ..delivery.clone() };
    let noted = work.check(deliveries::insert(connection, &repeated))?;
    let mut receipts = Vec::new();
    let asked = work.check(deliveries::asked(connection, first))?;
    for (position, (mirror, key, run)) in (0..).zip(asked) {
        work.check(deliveries::ask(connection, noted, position, mirror, run))?;
        receipts.push(Receipt { key, run, folded: true });
    }
    Ok(Some(receipts))
}

pub(super) fn record(work: &Work<'_>, delivery: &DeliveryRecord) -> Result<(), StoreError> {
    work.check(deliveries::insert(work.connection, delivery)).map(drop)
}

pub(super) fn claim(
    work: &mut Work<'_>,
    hosts: &Hosts,
    mut limits: ClaimLimits,
    now: Timestamp,
) -> Result<Claimed, StoreError> {
    let connection = work.connection;
    for mut stored in work.check(mirrors::expired(connection, now))? {
        let Some(running) = stored.row.running else { continue };
        if let Some(mut run) = work.check(runs::get(connection, running.run))? {
            stored.row.expire(&mut run, limits.attempts, now);
            work.check(runs::update(connection, &run))?;
            work.check(mirrors::update(connection, &stored))?;
        }
    }
    let running = work.check(mirrors::all_running(connection))?;
    let count = |weight| running.iter().filter(|running| running.weight == weight).count();
    // Without workers there is nothing to choose.
    let has_room = [
        (Weight::Short, count(Weight::Short) < limits.short),
        (Weight::Long, count(Weight::Long) < limits.long),
    ];
    // A list of texts, which JSON cannot fail to have.
    let pins = serde_json::to_string(&limits.pins).unwrap_or_default();
    let mut due = Vec::new();
    for (weight, _) in has_room.into_iter().filter(|(_, has_room)| *has_room) {
        due.extend(work.check(mirrors::due(connection, weight, &pins, now))?);
    }
    let (ids, due): (Vec<i64>, Vec<_>) = due.into_iter().unzip();
    let begun = work.check(runs::begun(connection, a_minute_before(now)))?;
    let probes = hosts.probes(&limits.closed);
    let probes = work.check(mirrors::under_way(connection, probes))?;
    limits.closed = hosts.for_claim(&limits.closed, &probes, now);
    let limits = &limits;
    let situation = Situation { due: &due, running: &running, begun: &begun, limits, now };
    let choice = choose(&situation, work.turns);
    let mut claims = Vec::new();
    let chosen = choice.chosen.iter();
    for (id, of) in chosen.filter_map(|at| Some((ids.get(*at)?, due.get(*at)?))) {
        let Some(mut stored) = work.check(mirrors::numbered(connection, *id))? else { continue };
        let token = work.check(mirrors::next_token(connection, now))?;
        let (claim, run) = stored.row.begin(token, now.after(limits.lease), now);
        work.check(runs::insert(connection, *id, &run))?;
        work.check(mirrors::update(connection, &stored))?;
        if limits.closed.is_probe(of.class, &of.source_host) {
            hosts.probe(&of.source_host, claim.run);
        }
        claims.push(claim);
    }
    let next = work.check(mirrors::next_attention(connection, now))?;
    Ok(Claimed { claims, again: next.into_iter().chain(choice.again).min() })
}

pub(super) fn renew(work: &Work<'_>, claim: &Claim, until: Timestamp) -> Result<bool, StoreError> {
    let Some(mut stored) = work.check(mirrors::held(work.connection, claim))? else {
        return Ok(false);
    };
    if let Some(running) = &mut stored.row.running {
        running.until = until;
    }
    work.check(mirrors::update(work.connection, &stored))?;
    Ok(true)
}

pub(super) fn finish(
    work: &Work<'_>,
    claim: &Claim,
    finish: &Finish,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let connection = work.connection;
    let stored = work.check(mirrors::held(connection, claim))?;
    let run = work.check(runs::get(connection, claim.run))?;
    let Some((mut stored, mut run)) = stored.zip(run) else { return Ok(false) };
    stored.row.finish(&mut run, finish, now);
    match finish.unremarkable {
        true => work.check(runs::remove(connection, run.id))?,
        false => work.check(runs::update(connection, &run))?,
    }
    work.check(mirrors::update(connection, &stored))?;
    Ok(true)
}

pub(super) fn release(work: &Work<'_>, claim: &Claim, now: Timestamp) -> Result<(), StoreError> {
    let connection = work.connection;
    let stored = work.check(mirrors::held(connection, claim))?;
    let run = work.check(runs::get(connection, claim.run))?;
    let Some((mut stored, mut run)) = stored.zip(run) else { return Ok(()) };
    match stored.row.release(&mut run, now) {
        true => work.check(runs::remove(connection, run.id))?,
        false => work.check(runs::update(connection, &run))?,
    }
    work.check(mirrors::update(connection, &stored))
}

/// Where a list of runs ends that begins before the run `before`.
pub(super) fn end_of_runs(
    connection: &rusqlite::Connection,
    before: RunId,
) -> rusqlite::Result<Option<i64>> {
    if let Some(number) = runs::number_of(connection, before)? {
        return Ok(Some(number));
    }
    Ok(mirrors::waiting_for(connection, before)?.map(|_| i64::MAX))
}
