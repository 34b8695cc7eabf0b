//! Many operations in one transaction, with a few statements however many there are.
//!
//! What they need is locked and read first, then each changes that in memory by the `rules`, and what has changed is
//! written. An operation looks before it changes anything: one that says that it cannot be done has done nothing.

use std::collections::{BTreeSet, HashMap};

use postgres::Client;

use super::deliveries::{self, Asked, Noted};
use super::homes::Process;
use super::mirrors::{self, Stored};
use super::runs;
use super::trouble::Trouble;
use crate::base::time::Timestamp;
use crate::queue::model::{
    Claim, DeliveryRecord, Finish, Receipt, Request, Row, Run, RunId, RunState, Verdict,
};
use crate::queue::store_error::StoreError;

/// What operations read.
#[derive(Default)]
pub(super) struct Needs {
    /// The names of mirrors.
    pub(super) mirrors: Vec<String>,
    /// Claims that may still be held.
    pub(super) claims: Vec<RunId>,
    /// Deliveries that may have come before, by endpoint and the sender's id.
    pub(super) deliveries: Vec<(String, String)>,
    /// Whether runs are asked for, of which others are to be told.
    pub(super) asks: bool,
}

impl Needs {
    pub(super) fn mirror(key: &str) -> Self {
        Self { mirrors: vec![key.to_owned()], ..Self::default() }
    }

    pub(super) fn claim(claim: &Claim) -> Self {
        Self { claims: vec![claim.run], ..Self::default() }
    }

    pub(super) fn enqueue(requests: &[Request], delivery: Option<&DeliveryRecord>) -> Self {
        Self {
            mirrors: requests.iter().map(|request| request.key.clone()).collect(),
            claims: Vec::new(),
            deliveries: delivery.and_then(sent).into_iter().collect(),
            asks: !requests.is_empty(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.mirrors.extend_from_slice(&other.mirrors);
        self.claims.extend_from_slice(&other.claims);
        self.deliveries.extend_from_slice(&other.deliveries);
        self.asks |= other.asks;
    }

    pub(super) fn of<'n>(all: impl IntoIterator<Item = &'n Self>) -> Self {
        let mut needs = Self::default();
        all.into_iter().for_each(|one| needs.add(one));
        needs
    }
}

/// By what a delivery is known that comes again.
fn sent(delivery: &DeliveryRecord) -> Option<(String, String)> {
    let column = |text: &str| text.replace('\0', "\u{fffd}");
    Some((column(&delivery.endpoint), column(delivery.sender_id.as_deref()?)))
}

/// What becomes of the record of a run.
enum Fate {
    Stays,
    Changes,
    Goes,
}

/// What was read, and what has become of it.
pub(super) struct Batch {
    rows: HashMap<i64, Stored>,
    by_name: HashMap<String, i64>,
    by_run: HashMap<RunId, i64>,
    changed: BTreeSet<i64>,
    runs: HashMap<RunId, (Run, Fate)>,
    accepted: HashMap<(String, String), Vec<Asked>>,
    noted: Vec<Noted>,
}

impl Batch {
    /// Locks and reads what is needed.
    pub(super) fn read(client: &mut Client, ahead: i64, needs: &Needs) -> Result<Self, Trouble> {
        // Deliveries first, since those who accept the same one wait for each other only when they are written.
        let accepted = match needs.deliveries.is_empty() {
            true => HashMap::new(),
            false => deliveries::accepted(client, &needs.deliveries)?,
        };
        let stored = mirrors::lock(client, ahead, &needs.mirrors, &needs.claims)?;
        let runs = match needs.claims.is_empty() {
            true => Vec::new(),
            false => runs::get(client, ahead, &needs.claims)?,
        };
        Ok(Self {
            by_name: stored.iter().map(|one| (one.row.member.key.clone(), one.id)).collect(),
            by_run: stored.iter().filter_map(|one| Some((one.row.running?.run, one.id))).collect(),
            rows: stored.into_iter().map(|one| (one.id, one)).collect(),
            changed: BTreeSet::new(),
            runs: runs.into_iter().map(|run| (run.id, (run, Fate::Stays))).collect(),
            accepted,
            noted: Vec::new(),
        })
    }

    /// Writes what has changed. Runs that have begun are those of `node`.
    pub(super) fn write(
        &self,
        client: &mut Client,
        ahead: i64,
        node: &Process,
    ) -> Result<(), Trouble> {
        if !self.changed.is_empty() {
            let changed = self.changed.iter().filter_map(|id| self.rows.get(id));
            mirrors::update(client, ahead, node, changed)?;
        }
        let (mut ended, mut gone) = (Vec::new(), Vec::new());
        for (run, fate) in self.runs.values() {
            match fate {
                Fate::Stays => {}
                Fate::Changes => ended.push(run),
                Fate::Goes => gone.push(run.id),
            }
        }
        if !ended.is_empty() {
            runs::update(client, ahead, ended)?;
        }
        if !gone.is_empty() {
            runs::remove(client, &gone)?;
        }
        if !self.noted.is_empty() {
            deliveries::insert(client, ahead, &self.noted)?;
        }
        Ok(())
    }

    /// Whether there is nothing to write.
    pub(super) fn is_unchanged(&self) -> bool {
        self.changed.is_empty() && self.noted.is_empty()
    }

    /// The number of a mirror that is configured.
    fn member(&self, key: &str) -> Result<i64, StoreError> {
        let id = self.by_name.get(key).copied();
        let id = id.filter(|id| self.rows.get(id).is_some_and(|stored| stored.row.is_member()));
        id.ok_or_else(|| StoreError::Unknown { key: key.to_owned() })
    }

    /// Changes the row of a mirror that is configured.
    pub(super) fn change<T>(
        &mut self,
        key: &str,
        change: impl FnOnce(&mut Row) -> T,
    ) -> Result<T, StoreError> {
        let id = self.member(key)?;
        let unknown = || StoreError::Unknown { key: key.to_owned() };
        let stored = self.rows.get_mut(&id).ok_or_else(unknown)?;
        self.changed.insert(id);
        Ok(change(&mut stored.row))
    }

    pub(super) fn enqueue(
        &mut self,
        requests: &[Request],
        delivery: Option<&DeliveryRecord>,
        now: Timestamp,
    ) -> Result<Vec<Receipt>, StoreError> {
        let sent = delivery.and_then(sent);
        if let Some(record) = delivery
            && let Some(asked) = sent.as_ref().and_then(|sent| self.accepted.get(sent)).cloned()
        {
            let receipts = asked.iter().map(|asked| Receipt {
                key: asked.key.clone(),
                run: asked.run,
                folded: true,
            });
            let receipts = receipts.collect();
            let record = DeliveryRecord { verdict: Verdict::Repeated, ..record.clone() };
            self.noted.push(Noted { record, asked });
            return Ok(receipts);
        }
        for request in requests {
            self.member(&request.key)?;
        }
        let (mut receipts, mut asked) = (Vec::new(), Vec::new());
        for request in requests {
            let mirror = self.member(&request.key)?;
            let receipt = self.change(&request.key, |row| row.request(request, now))?;
            asked.push(Asked { mirror, key: receipt.key.clone(), run: receipt.run });
            receipts.push(receipt);
        }
        if let Some(record) = delivery {
            if let Some(sent) = sent.filter(|_| record.verdict == Verdict::Accepted) {
                self.accepted.insert(sent, asked.clone());
            }
            self.noted.push(Noted { record: record.clone(), asked });
        }
        Ok(receipts)
    }

    pub(super) fn record(&mut self, delivery: &DeliveryRecord) {
        self.noted.push(Noted { record: delivery.clone(), asked: Vec::new() });
    }

    /// The row that `claim` holds, and its run.
    fn held(&mut self, claim: &Claim) -> Option<(&mut Stored, &mut (Run, Fate))> {
        let id = *self.by_run.get(&claim.run)?;
        let stored = self.rows.get_mut(&id).filter(|stored| stored.row.is_held_by(claim))?;
        let run = self.runs.get_mut(&claim.run)?;
        self.changed.insert(id);
        Some((stored, run))
    }

    pub(super) fn renew(&mut self, claim: &Claim, until: Timestamp) -> bool {
        let held = self.held(claim).and_then(|(stored, _)| stored.row.running.as_mut());
        let is_held = held.is_some();
        if let Some(running) = held {
            running.until = until;
        }
        is_held
    }

    pub(super) fn finish(&mut self, claim: &Claim, finish: &Finish, now: Timestamp) -> bool {
        let Some((stored, (run, fate))) = self.held(claim) else { return false };
        stored.row.finish(run, finish, now);
        stored.comes_home |= matches!(finish.state, RunState::Done | RunState::Partial);
        *fate = if finish.unremarkable { Fate::Goes } else { Fate::Changes };
        true
    }

    pub(super) fn release(&mut self, claim: &Claim, now: Timestamp) {
        let Some((stored, (run, fate))) = self.held(claim) else { return };
        *fate = if stored.row.release(run, now) { Fate::Goes } else { Fate::Changes };
    }
}
