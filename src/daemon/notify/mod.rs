//! Who is told when a mirror gets into trouble, and when it is well again.
//!
//! Data goes one way: events of the service name mirrors to look at, and once a minute all are looked at,
//! for a mirror can become stale while nothing happens (`Notifier`); `streaks` says what is to be told;
//! `message` says it as JSON and as text; each receiver has a queue and a thread of its own (`receiver`),
//! which sends it by `webhook`, `mail` or `command`. So a receiver that is slow holds up nothing but itself.
//!
//! What was told and what waits is kept over a restart (`memory`, `waiting`). A receiver that is new knows what is in trouble already.

mod command;
mod error;
mod expiries;
mod mail;
mod memory;
mod message;
mod receiver;
mod streaks;
pub(super) mod trial;
mod waiting;
mod webhook;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::base::Interrupt;
use crate::base::clean::with_causes;
use crate::queue::model::RunState;
use crate::service::view::{MirrorFilter, MirrorSummary, ServiceEvent};
use crate::service::{Service, ServiceError};
use memory::{Memory, Told};
use message::Message;
use receiver::Receiver;

/// How often all mirrors are looked at.
const EVERY: Duration = Duration::from_mins(1);
/// More mirrors than these are looked at all at once.
const ONE_BY_ONE: usize = 20;

/// Tells those who want to know. Dropped, it stops, and what was not told yet is kept for the next daemon.
pub(super) struct Notifier {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the listener and the thread share.
#[derive(Default)]
struct Shared {
    changed: Mutex<Changed>,
    bell: Condvar,
    interrupt: Interrupt,
}

/// What is to be looked at.
#[derive(Default)]
struct Changed {
    /// Mirrors to which something has happened, and whether that can be the beginning of trouble.
    mirrors: HashMap<String, bool>,
    /// Something that waited has been told.
    is_told: bool,
    is_over: bool,
}

impl Shared {
    fn changed(&self) -> MutexGuard<'_, Changed> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what has happened, at once.
    fn hear(&self, event: &ServiceEvent) {
        let (mirror, may_begin) = match event {
            ServiceEvent::Ended { run } => (&run.mirror, run.state != RunState::Done),
            ServiceEvent::Changed { mirror } => (mirror, true),
            ServiceEvent::Asked { .. }
            | ServiceEvent::Begun { .. }
            | ServiceEvent::Progress { .. }
            | ServiceEvent::Delivered { .. } => return,
        };
        *self.changed().mirrors.entry(mirror.clone()).or_default() |= may_begin;
        self.bell.notify_one();
    }

    /// Notes that something which waited has been told.
    fn note_told(&self) {
        self.changed().is_told = true;
        self.bell.notify_one();
    }

    /// Waits until something has happened, or for `longest`; `None` once it is over.
    fn wait(&self, longest: Duration) -> Option<HashMap<String, bool>> {
        let quiet = |changed: &mut Changed| {
            changed.mirrors.is_empty() && !changed.is_told && !changed.is_over
        };
        let waited = self.bell.wait_timeout_while(self.changed(), longest, quiet);
        let (mut changed, _) = waited.unwrap_or_else(PoisonError::into_inner);
        changed.is_told = false;
        (!changed.is_over).then(|| std::mem::take(&mut changed.mirrors))
    }
}

impl Notifier {
    /// Tells the receivers of the configuration of `service` from now on.
    pub(super) fn start(service: &Service) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let hearing = Arc::clone(&shared);
        let (memory, remembered) = Memory::read(&service.config().daemon.state);
        let (service_now, receivers) = (service.clone(), Vec::new());
        let mut watch = Watch { service: service_now, receivers, memory, remembered };
        // Before anything is heard: what is in trouble now is known.
        if let Err(error) = watch.refresh(&shared) {
            tracing::warn!("notifications begin late: {}", with_causes(&error));
        }
        service.listen(Box::new(move |event| hearing.hear(event)));
        let heard = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("notify".to_owned());
        let thread = Some(thread.spawn(move || watch.follow(&heard))?);
        Ok(Self { shared, thread })
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.shared.changed().is_over = true;
        self.shared.interrupt.raise();
        self.shared.bell.notify_one();
        if let Some(thread) = self.thread.take() {
            // It has said itself why it ended.
            let _ = thread.join();
        }
    }
}

/// The thread that looks at mirrors.
struct Watch {
    service: Service,
    receivers: Vec<Receiver>,
    memory: Memory,
    /// What the receivers of the last daemon were told, until each has its own.
    remembered: BTreeMap<String, Told>,
}

impl Watch {
    fn follow(mut self, shared: &Arc<Shared>) {
        let mut looked = Instant::now();
        while let Some(changed) = shared.wait(EVERY.saturating_sub(looked.elapsed())) {
            let is_time = looked.elapsed() >= EVERY;
            let done = self.refresh(shared).and_then(|()| match is_time {
                true => {
                    looked = Instant::now();
                    self.look_at_all()
                }
                false => self.look_at(&changed),
            });
            self.keep();
            if let Err(error) = done {
                tracing::warn!("mirrors in trouble were not looked for: {}", with_causes(&error));
            }
        }
        self.keep();
    }

    /// Keeps what was told, and what waits, for the next daemon.
    fn keep(&mut self) {
        let told = self.receivers.iter().map(|it| (it.config().name.as_str(), it.told()));
        self.memory.keep(&told.collect());
    }

    /// Takes the receivers that are configured now. One that is new knows what is in trouble already.
    fn refresh(&mut self, shared: &Arc<Shared>) -> Result<(), ServiceError> {
        let config = self.service.config();
        let configured = &config.notify;
        if configured.iter().eq(self.receivers.iter().map(Receiver::config)) {
            return Ok(());
        }
        let (mirrors, now) = (self.all()?, self.service.now());
        let credentials = self.service.actions().credentials()?;
        let mut before = std::mem::take(&mut self.receivers);
        for config in configured {
            let place = before.iter().position(|other| other.config().name == config.name);
            let known = place.map(|place| before.swap_remove(place));
            let remembered = self.remembered.remove(&config.name);
            let in_trouble = (mirrors.as_slice(), credentials.as_slice(), now);
            let before = (known, remembered);
            let telling = Arc::clone(shared);
            let done = move || telling.note_told();
            let interrupt = &shared.interrupt;
            self.receivers.extend(Receiver::start(
                config.clone(),
                before,
                in_trouble,
                interrupt,
                done,
            ));
        }
        Ok(())
    }

    fn all(&self) -> Result<Vec<MirrorSummary>, ServiceError> {
        let filter = MirrorFilter { count: usize::MAX, ..MirrorFilter::default() };
        Ok(self.service.actions().mirrors(&filter)?.mirrors)
    }

    fn look_at_all(&mut self) -> Result<(), ServiceError> {
        if self.receivers.is_empty() {
            return Ok(());
        }
        let mirrors = self.all()?;
        for mirror in &mirrors {
            self.tell(mirror);
        }
        for receiver in &mut self.receivers {
            receiver.forget_others(&mirrors);
        }
        self.look_at_credentials()
    }

    fn look_at_credentials(&mut self) -> Result<(), ServiceError> {
        let (now, actions) = (self.service.now(), self.service.actions());
        for credential in actions.credentials()? {
            let mut untold: Vec<_> = self.receivers.iter_mut().collect();
            untold.retain_mut(|receiver| receiver.look_at_credential(&credential, now));
            let first = credential.mirrors.first().filter(|_| !untold.is_empty());
            let Some(first) = first else { continue };
            let Some(mirror) = actions.mirror(first)? else { continue };
            let config = self.service.config();
            let url = config.web.public_url.as_deref();
            for receiver in untold {
                receiver.tell(Message::expires(&credential, &mirror.summary, url, now));
            }
        }
        Ok(())
    }

    fn look_at(&mut self, changed: &HashMap<String, bool>) -> Result<(), ServiceError> {
        let matters = |(name, may_begin): &(&String, &bool)| {
            let mut receivers = self.receivers.iter();
            receivers.any(|receiver| **may_begin || receiver.has_told_of(name))
        };
        let names: Vec<_> = changed.iter().filter(matters).map(|(name, _)| name).collect();
        if names.len() > ONE_BY_ONE {
            return self.look_at_all();
        }
        let actions = self.service.actions();
        for name in names {
            if let Some(mirror) = actions.mirror(name)? {
                self.tell(&mirror.summary);
            }
        }
        self.look_at_credentials()
    }

    fn tell(&mut self, mirror: &MirrorSummary) {
        let now = self.service.now();
        for receiver in &mut self.receivers {
            if let Some(change) = receiver.look(mirror) {
                let public_url = self.service.config().web.public_url.clone();
                receiver.tell(Message::of(&change, mirror, public_url.as_deref(), now));
            }
        }
    }
}
