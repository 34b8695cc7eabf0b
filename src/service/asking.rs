//! What is asked for: syncs, pauses, and their ends.

use std::time::Duration;

use super::Shared;
use super::view::{Actions, RequestKey, ServiceError, ServiceEvent};
use crate::base::time::Timestamp;
use crate::queue::model::{Cause, Class, DeliveryRecord, Receipt, Request, Verdict};
use crate::queue::{JobStore, Sessions, StoreError};

/// What stands for an endpoint in the record of a request of the API that has a key.
const API: &str = "api";

impl Shared {
    /// Asks for runs, all or none, for the delivery if one asks.
    pub(super) fn request(
        &self,
        requests: &[Request],
        delivery: Option<&DeliveryRecord>,
    ) -> Result<Vec<Receipt>, ServiceError> {
        if self.is_stopping() {
            return Err(ServiceError::Stopping);
        }
        let receipts = self.store.enqueue(requests, delivery, self.clock.now());
        let receipts = self.trouble.noted(receipts)?;
        self.wake();
        for receipt in &receipts {
            let mirror = receipt.key.clone();
            self.live.tell(&ServiceEvent::Asked { mirror, run: receipt.run });
        }
        Ok(receipts)
    }

    /// Asks for a run now, for a person; if there is a key, once.
    fn ask(&self, mirror: &str, key: Option<&RequestKey>) -> Result<Receipt, ServiceError> {
        let none = || ServiceError::NoMirror { name: mirror.to_owned() };
        // One that a pattern gives need not have been told of by a hook.
        self.make_known(&self.with_room(vec![mirror.to_owned()]))?;
        self.directory().mirror(mirror).ok_or_else(none)?;
        let request = Request {
            key: mirror.to_owned(),
            class: Class::Interactive,
            cause: Cause::Person,
            delay: Duration::ZERO,
            longest_delay: Duration::ZERO,
        };
        let delivery = key.map(|RequestKey { id, from }| DeliveryRecord {
            at: self.clock.now(),
            endpoint: API.to_owned(),
            sender_id: Some(format!("{API}:{id}")),
            from: from.to_string(),
            verdict: Verdict::Accepted,
            about: format!("sync of {mirror}"),
        });
        let receipts = self.request(&[request], delivery.as_ref())?;
        receipts.into_iter().next().ok_or_else(none)
    }

    fn change(
        &self,
        mirror: &str,
        change: impl FnOnce(&dyn JobStore, Timestamp) -> Result<(), StoreError>,
    ) -> Result<(), ServiceError> {
        let none = || ServiceError::NoMirror { name: mirror.to_owned() };
        self.directory().mirror(mirror).ok_or_else(none)?;
        self.trouble.noted(change(&*self.store, self.clock.now()))?;
        self.wake();
        self.live.tell(&ServiceEvent::Changed { mirror: mirror.to_owned() });
        Ok(())
    }
}

impl Actions for Shared {
    fn sync(&self, mirror: &str) -> Result<Receipt, ServiceError> {
        self.ask(mirror, None)
    }

    fn sync_once(&self, mirror: &str, key: &RequestKey) -> Result<Receipt, ServiceError> {
        self.ask(mirror, Some(key))
    }

    fn pause(&self, mirror: &str) -> Result<(), ServiceError> {
        self.change(mirror, |store, now| store.pause(mirror, true, now))
    }

    fn resume(&self, mirror: &str) -> Result<(), ServiceError> {
        self.change(mirror, |store, now| store.pause(mirror, false, now))
    }

    fn retry(&self, mirror: &str) -> Result<Receipt, ServiceError> {
        self.ask(mirror, None)
    }

    fn sessions(&self) -> &dyn Sessions {
        self.store.sessions().unwrap_or(&self.sessions)
    }
}
