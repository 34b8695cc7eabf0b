//! A hook: from the bytes of a delivery to requests in the queue. Nothing of a delivery is believed but that
//! its sender knows the secret of the endpoint: sources and targets come from the configuration.

use std::net::IpAddr;
use std::time::Duration;

use super::directory::Directory;
use super::resolve::{Chosen, Resolved};
use super::view::ServiceEvent;
use super::{Service, ServiceError, Shared};
use crate::base::HasFault as _;
use crate::base::clean::clean_short;
use crate::config::{HookEndpoint, Selector};
use crate::hook::{Delivery, Event, PayloadError, Proof, Unproven, verify};
use crate::net::network::one_sender;
use crate::queue::model::{Cause, Class, DeliveryRecord, Receipt, Request, Verdict};

/// How many characters of what a delivery is about are kept.
const ABOUT: usize = 200;
/// So many mirrors can hooks make of patterns.
const MOST_DERIVED: usize = 100_000;
/// So many deliveries that asked for nothing are noted in a minute; the others are counted and logged
/// alone, since anybody can send them.
const NOTED_A_MINUTE: u64 = 60;

/// A mirror that a hook asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedFor {
    /// The user by which hooks select it; empty if none does.
    pub user: String,
    /// The project by which hooks select it; its name if none does.
    pub project: String,
    /// The run that answers.
    pub receipt: Receipt,
}

/// What a hook got.
#[derive(Debug)]
pub enum Received {
    /// Its mirrors are asked for, and that is durable.
    Accepted(Vec<AskedFor>),
    /// It is proven, and asks for nothing: a ping, or another event, with its name.
    Ignored(String),
    /// No mirror has the repository that it is about.
    Unmatched {
        /// What it is about, clean.
        about: String,
        /// The user that it selects, in its address or else by its repository.
        user: String,
        /// The project that it selects.
        project: String,
    },
    /// No endpoint has the path.
    NoEndpoint,
    /// It is not proven, or its sender may not send.
    Unproven,
    /// It is not what the format of the endpoint demands.
    Malformed(PayloadError),
    /// Its sender sends too much: the next one is taken after this time.
    TooMany(Duration),
    /// The queue cannot be used now, or the service is stopping.
    Unavailable(ServiceError),
}

impl Service {
    /// Takes a delivery that came from `from` to the endpoint at `path`.
    pub fn receive(&self, path: &str, delivery: &Delivery<'_>, from: IpAddr) -> Received {
        let shared = &self.0;
        let directory = shared.directory();
        let options = &directory.config().daemon;
        let (sender, now) = (one_sender(from), shared.clock.now());
        if let Err(wait) = shared.senders.take(&sender, options.hooks_a_minute, now) {
            return Received::TooMany(wait);
        }
        let Some(endpoint) = directory.config().endpoint(path) else {
            return Received::NoEndpoint;
        };
        let received = self.receive_at(endpoint, delivery, from);
        let verdict = received.verdict();
        if let Some(verdict) = verdict {
            let endpoint = endpoint.name.clone();
            shared.live.tell(&ServiceEvent::Delivered { verdict, endpoint });
        }
        received
    }

    fn receive_at(
        &self,
        endpoint: &HookEndpoint,
        delivery: &Delivery<'_>,
        from: IpAddr,
    ) -> Received {
        let shared = &self.0;
        let note = |verdict, about: &str| shared.note(endpoint, from, verdict, about);
        if !endpoint.admits(from) {
            note(Verdict::Unverified, "its address is in none of the networks");
            return Received::Unproven;
        }
        let proof = match prove(endpoint, delivery, shared) {
            Ok(proof) => proof,
            Err(reason) => {
                note(Verdict::Unverified, &reason);
                return Received::Unproven;
            }
        };
        let event = match (endpoint.format.parse)(delivery) {
            Ok(event) => event,
            Err(error) => {
                note(Verdict::Malformed, &error.to_string());
                return Received::Malformed(error);
            }
        };
        let push = match event {
            Event::Push(push) => push,
            Event::Ping => {
                note(Verdict::Ignored, "ping");
                return Received::Ignored("ping".to_owned());
            }
            Event::Other(name) => {
                note(Verdict::Ignored, &name);
                return Received::Ignored(name);
            }
        };
        let about = push.about();
        let Resolved { keys, refused } =
            shared.directory().resolve(endpoint, delivery.query, &push);
        for error in refused {
            tracing::error!(endpoint = &*endpoint.name, "a pattern is of no use: {error}");
        }
        let keys = shared.with_room(keys);
        if keys.is_empty() {
            note(Verdict::Unmatched, &about);
            let chosen = Chosen::of(delivery.query);
            let clean = |name: Option<&String>| clean_short(name.map_or("", |it| it), ABOUT);
            let [user, project] = chosen.selected(&push).map(clean);
            return Received::Unmatched { about, user, project };
        }
        let sender_id =
            proof.nonce.or_else(|| endpoint.format.delivery_id(delivery).map(str::to_owned));
        let record = shared.record_of(endpoint, from, Verdict::Accepted, &about, sender_id);
        match self.ask_for(&keys, &record) {
            Ok(receipts) => {
                let directory = shared.directory();
                let asked = receipts.into_iter().map(|receipt| asked_for(&directory, receipt));
                Received::Accepted(asked.collect())
            }
            Err(error) => Received::Unavailable(error),
        }
    }

    /// Asks for a run of each of `keys`, for a hook.
    fn ask_for(
        &self,
        keys: &[String],
        record: &DeliveryRecord,
    ) -> Result<Vec<Receipt>, ServiceError> {
        let shared = &self.0;
        // A mirror that a pattern gives is known from its first hook on.
        shared.make_known(keys)?;
        let directory = shared.directory();
        let schedule = &directory.config().schedule;
        let request = |key: &String| Request {
            key: key.clone(),
            class: Class::Hook,
            cause: Cause::Hook,
            delay: schedule.debounce,
            longest_delay: schedule.longest_debounce,
        };
        let requests: Vec<_> = keys.iter().map(request).collect();
        shared.request(&requests, Some(record))
    }
}

fn asked_for(directory: &Directory, receipt: Receipt) -> AskedFor {
    let mirror = &receipt.key;
    let selector = directory.mirror(mirror).and_then(|configured| configured.selector.clone());
    let (user, project) = match selector {
        Some(Selector { user, project }) => (user, project),
        None => (String::new(), mirror.clone()),
    };
    AskedFor { user, project, receipt }
}

/// The nonce of a delivery that is proven; otherwise why it is not, for our log alone.
fn prove(
    endpoint: &HookEndpoint,
    delivery: &Delivery<'_>,
    shared: &Shared,
) -> Result<Proof, String> {
    let secrets = endpoint.read_secrets().map_err(|error| {
        tracing::error!(endpoint = &*endpoint.name, "a hook cannot be verified: {error}");
        error.to_string()
    })?;
    let proven = verify(&endpoint.scheme, &secrets, delivery, shared.clock.now());
    proven.map_err(|error: Unproven| {
        let hint = error.hint().unwrap_or_default();
        tracing::warn!(endpoint = &*endpoint.name, hint, "a hook is refused: {error}");
        error.to_string()
    })
}

impl Shared {
    fn record_of(
        &self,
        endpoint: &HookEndpoint,
        from: IpAddr,
        verdict: Verdict,
        about: &str,
        sender_id: Option<String>,
    ) -> DeliveryRecord {
        DeliveryRecord {
            at: self.clock.now(),
            endpoint: endpoint.name.clone(),
            sender_id,
            from: from.to_string(),
            verdict,
            about: clean_short(about, ABOUT),
        }
    }

    /// Those of `keys` that are known, or that there is room for: whoever knows the secret of an endpoint can
    /// name repositories that do not exist.
    pub(super) fn with_room(&self, mut keys: Vec<String>) -> Vec<String> {
        let directory = self.directory();
        if directory.derived() >= MOST_DERIVED {
            keys.retain(|key| {
                let is_known = directory.mirror(key).is_some();
                if !is_known {
                    tracing::error!(mirror = key, "patterns have as many mirrors as they may have");
                }
                is_known
            });
        }
        keys
    }

    /// Notes a delivery that asks for nothing.
    fn note(&self, endpoint: &HookEndpoint, from: IpAddr, verdict: Verdict, about: &str) {
        let record = self.record_of(endpoint, from, verdict, about, None);
        tracing::info!(
            endpoint = &*endpoint.name,
            verdict = verdict.name(),
            "a hook asks for nothing: {}",
            record.about
        );
        if self.notes.take(&endpoint.name, NOTED_A_MINUTE, record.at).is_err() {
            return;
        }
        if let Err(error) = self.store.record(&record) {
            tracing::warn!("a hook is not in the journal: {error}");
        }
    }
}

impl Received {
    /// What is counted of it; nothing where no endpoint was reached.
    fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Accepted(_) => Some(Verdict::Accepted),
            Self::Ignored(_) => Some(Verdict::Ignored),
            Self::Unmatched { .. } => Some(Verdict::Unmatched),
            Self::Unproven => Some(Verdict::Unverified),
            Self::Malformed(_) => Some(Verdict::Malformed),
            Self::NoEndpoint | Self::TooMany(_) | Self::Unavailable(_) => None,
        }
    }
}
