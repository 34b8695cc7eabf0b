//! A queue in memory: the model of what every store does, and one for tests of whatever needs a queue.
//!
//! It is lost with the process. Rows are looked at one after another, since what it is for has few.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::choose::{Candidate, Situation, Turns, a_minute_before, choose};
use super::failure::Failure;
use super::hosts::{Closed, Hosts};
use super::job_store::{ClaimLimits, JobStore};
use super::model::{
    Claim, Claimed, DeliveryEntry, DeliveryRecord, Finish, Member, Receipt, Request, Row, Run,
    RunId, Verdict,
};
use super::store_error::StoreError;
use crate::base::time::Timestamp;

/// A queue in memory.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>, Hosts);

#[derive(Debug, Default)]
struct State {
    /// By name, also of mirrors that are configured no more.
    rows: BTreeMap<String, Row>,
    /// Those that were begun, in the order in which they were.
    runs: Vec<Run>,
    /// In the order in which they came.
    deliveries: Vec<DeliveryEntry>,
    last_delivery: i64,
    last_token: u64,
    turns: Turns,
}

impl MemoryStore {
    /// The state. It is whole even if a thread has panicked while it held the lock: nothing in between
    /// the changes of one method can.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn member(&mut self, key: &str) -> Result<&mut Row, StoreError> {
        let row = self.rows.get_mut(key).filter(|row| row.is_member());
        row.ok_or_else(|| StoreError::Unknown { key: key.to_owned() })
    }

    /// The row that `claim` holds, and its run.
    fn held(&mut self, claim: &Claim) -> Option<(&mut Row, &mut Run)> {
        let row = self.rows.values_mut().find(|row| row.is_held_by(claim))?;
        let run = self.runs.iter_mut().rfind(|run| run.id == claim.run)?;
        Some((row, run))
    }

    /// The row of `old`, and all that was done for it, is that of `new`.
    fn rename(&mut self, old: &str, new: &str) {
        let Some(mut row) = self.rows.remove(old) else { return };
        new.clone_into(&mut row.member.key);
        self.rows.insert(new.to_owned(), row);
        for run in self.runs.iter_mut().filter(|run| run.key == old) {
            new.clone_into(&mut run.key);
        }
        let asked = self.deliveries.iter_mut().flat_map(|delivery| &mut delivery.asked);
        for (key, _) in asked.filter(|(key, _)| key == old) {
            new.clone_into(key);
        }
    }

    fn note(&mut self, record: &DeliveryRecord, asked: Vec<(String, RunId)>) {
        self.last_delivery += 1;
        let record = record.clone();
        self.deliveries.push(DeliveryEntry { number: self.last_delivery, record, asked });
    }

    /// Ends the runs whose claims have run out.
    fn expire(&mut self, limits: &ClaimLimits, now: Timestamp) {
        for row in self.rows.values_mut() {
            let Some(running) = row.running.filter(|running| running.until <= now) else {
                continue;
            };
            let run = self.runs.iter_mut().rfind(|run| run.id == running.run);
            if let Some(run) = run {
                row.expire(run, limits.attempts, now);
            }
        }
    }

    fn target_of(&self, run: &Run) -> String {
        self.rows.get(&run.key).map(|row| row.member.target.clone()).unwrap_or_default()
    }
}

impl JobStore for MemoryStore {
    fn configure(&self, members: &[Member], now: Timestamp) -> Result<(), StoreError> {
        let state = &mut *self.lock();
        let keys: BTreeSet<_> = members.iter().map(|member| &*member.key).collect();
        let is_member = |key: &str| keys.contains(key);
        for member in members {
            let was = member.was.as_deref().filter(|was| !is_member(was));
            if let Some(was) = was.filter(|_| !state.rows.contains_key(&member.key)) {
                state.rename(was, &member.key);
            }
            match state.rows.get_mut(&member.key) {
                Some(row) => row.configure(member, now),
                None => drop(state.rows.insert(member.key.clone(), Row::new(member, now))),
            }
        }
        for row in state.rows.values_mut().filter(|row| !is_member(&row.member.key)) {
            row.remove(now);
        }
        Ok(())
    }

    fn enqueue(
        &self,
        requests: &[Request],
        delivery: Option<&DeliveryRecord>,
        now: Timestamp,
    ) -> Result<Vec<Receipt>, StoreError> {
        let state = &mut *self.lock();
        if let Some(delivery) = delivery {
            let is_first = |entry: &&DeliveryEntry| {
                entry.record.verdict == Verdict::Accepted
                    && entry.record.endpoint == delivery.endpoint
                    && entry.record.sender_id == delivery.sender_id
                    && delivery.sender_id.is_some()
            };
            if let Some(first) = state.deliveries.iter().find(is_first) {
                let asked = first.asked.clone();
                let receipt = |(key, run): &(String, RunId)| Receipt {
                    key: key.clone(),
                    run: *run,
                    folded: true,
                };
                let receipts = asked.iter().map(receipt).collect();
                let repeated = DeliveryRecord { verdict: Verdict::Repeated, ..delivery.clone() };
                state.note(&repeated, asked);
                return Ok(receipts);
            }
        }
        for request in requests {
            state.member(&request.key)?;
        }
        let mut receipts = Vec::new();
        for request in requests {
            receipts.push(state.member(&request.key)?.request(request, now));
        }
        if let Some(delivery) = delivery {
            let keys = requests.iter().map(|request| request.key.clone());
            let asked = keys.zip(receipts.iter().map(|receipt| receipt.run)).collect();
            state.note(delivery, asked);
        }
        Ok(receipts)
    }

    fn record(&self, delivery: &DeliveryRecord) -> Result<(), StoreError> {
        self.lock().note(delivery, Vec::new());
        Ok(())
    }

    fn claim(&self, limits: &ClaimLimits, now: Timestamp) -> Result<Claimed, StoreError> {
        let state = &mut *self.lock();
        state.expire(limits, now);
        let (mut keys, mut due, mut running, mut later) = (vec![], vec![], vec![], vec![]);
        for (key, row) in &state.rows {
            if row.running.is_some() {
                running.push(Candidate::of(row));
            }
            match row.attention() {
                Some(_) if row.running.is_none() && !limits.may_run(&row.member.pin) => {}
                Some(attention) if attention > now => later.push(attention),
                Some(_) => {
                    keys.push(key.clone());
                    due.push(Candidate::of(row));
                }
                None => {}
            }
        }
        let recent = |run: &&Run| run.started > Some(a_minute_before(now));
        let recent = state.runs.iter().filter(recent);
        let begun: Vec<_> =
            recent.filter_map(|run| Some((state.target_of(run), run.started?))).collect();
        let under_way = state.rows.values().filter_map(|row| Some(row.running?.run)).collect();
        let closed = self.1.for_claim(&limits.closed, &under_way, now);
        let limits = &ClaimLimits { closed, ..limits.clone() };
        let situation = Situation { due: &due, running: &running, begun: &begun, limits, now };
        let choice = choose(&situation, &mut state.turns);
        let mut claims = Vec::new();
        let until = now.after(limits.lease);
        let chosen = choice.chosen.iter();
        for (key, of) in chosen.filter_map(|at| Some((keys.get(*at)?, due.get(*at)?))) {
            let Some(row) = state.rows.get_mut(key) else { continue };
            state.last_token = Row::next_token(state.last_token, now);
            let (claim, run) = row.begin(state.last_token, until, now);
            state.runs.push(run);
            if limits.closed.is_probe(of.class, &of.source_host) {
                self.1.probe(&of.source_host, claim.run);
            }
            later.push(claim.until);
            claims.push(claim);
        }
        Ok(Claimed { claims, again: later.into_iter().chain(choice.again).min() })
    }

    fn renew(&self, claim: &Claim, until: Timestamp) -> Result<bool, StoreError> {
        let state = &mut *self.lock();
        let held = state.held(claim).and_then(|(row, _)| row.running.as_mut());
        let is_held = held.is_some();
        if let Some(running) = held {
            running.until = until;
        }
        Ok(is_held)
    }

    fn finish(&self, claim: &Claim, finish: &Finish, now: Timestamp) -> Result<bool, StoreError> {
        let state = &mut *self.lock();
        let Some((row, run)) = state.held(claim) else { return Ok(false) };
        row.finish(run, finish, now);
        if finish.unremarkable {
            state.runs.retain(|run| run.id != claim.run);
        }
        Ok(true)
    }

    fn release(&self, claim: &Claim, now: Timestamp) -> Result<(), StoreError> {
        let state = &mut *self.lock();
        let Some((row, run)) = state.held(claim) else { return Ok(()) };
        if row.release(run, now) {
            state.runs.retain(|run| run.id != claim.run);
        }
        Ok(())
    }

    fn schedule(&self, key: &str, due: Timestamp) -> Result<(), StoreError> {
        self.lock().member(key)?.schedule(due);
        Ok(())
    }

    fn pause(&self, key: &str, paused: bool, now: Timestamp) -> Result<(), StoreError> {
        self.lock().member(key)?.pause(paused, now);
        Ok(())
    }

    fn park(&self, key: &str, parked: Option<&Failure>, now: Timestamp) -> Result<(), StoreError> {
        self.lock().member(key)?.park(parked, now);
        Ok(())
    }

    fn note_host(&self, host: &str, answered: bool, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.1.note(host, answered, now))
    }

    fn pause_target(&self, host: &str, owner: &str, until: Timestamp) -> Result<(), StoreError> {
        self.1.pause(host, owner, until);
        Ok(())
    }

    fn closed(&self, now: Timestamp) -> Result<Closed, StoreError> {
        Ok(self.1.closed(now))
    }

    fn rows(&self) -> Result<Vec<Row>, StoreError> {
        Ok(self.lock().rows.values().filter(|row| row.is_member()).cloned().collect())
    }

    fn keys(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.lock().rows.keys().cloned().collect())
    }

    fn removed(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let state = self.lock();
        let removed = state.rows.iter().filter_map(|(key, row)| Some((key.clone(), row.removed?)));
        Ok(removed.collect())
    }

    fn row(&self, key: &str) -> Result<Option<Row>, StoreError> {
        Ok(self.lock().rows.get(key).filter(|row| row.is_member()).cloned())
    }

    fn run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        let state = self.lock();
        let begun = state.runs.iter().rfind(|run| run.id == id).cloned();
        let queued = || state.rows.values().filter_map(Row::queued_run).find(|run| run.id == id);
        Ok(begun.or_else(queued))
    }

    fn runs(
        &self,
        key: Option<&str>,
        before: Option<RunId>,
        count: usize,
    ) -> Result<Vec<Run>, StoreError> {
        let state = self.lock();
        let begun = match before {
            None => &*state.runs,
            Some(id) => match state.runs.iter().position(|run| run.id == id) {
                Some(end) => state.runs.get(..end).unwrap_or_default(),
                None if state.rows.values().any(|row| row.waiting.is_some_and(|w| w.run == id)) => {
                    &state.runs
                }
                None => &[],
            },
        };
        let wanted = begun.iter().rev().filter(|run| key.is_none_or(|key| run.key == key));
        Ok(wanted.take(count).cloned().collect())
    }

    fn deliveries(
        &self,
        before: Option<i64>,
        count: usize,
    ) -> Result<Vec<DeliveryEntry>, StoreError> {
        let state = self.lock();
        let is_wanted = |entry: &&DeliveryEntry| before.is_none_or(|before| entry.number < before);
        Ok(state.deliveries.iter().rev().filter(is_wanted).take(count).cloned().collect())
    }

    fn trim(&self, before: Timestamp, keep: usize) -> Result<(), StoreError> {
        let state = &mut *self.lock();
        let mut newer: BTreeMap<String, usize> = BTreeMap::new();
        let mut kept = Vec::new();
        for run in state.runs.drain(..).rev() {
            let newer = newer.entry(run.key.clone()).or_default();
            if *newer < keep || run.ended.is_none_or(|ended| ended >= before) {
                kept.push(run);
            }
            *newer += 1;
        }
        kept.reverse();
        state.runs = kept;
        state.deliveries.retain(|entry| entry.record.at >= before);
        Ok(())
    }

    fn backup(&self, _path: &Path) -> Result<(), StoreError> {
        Err(StoreError::InMemory)
    }
}
