//! Who is told when a mirror gets into trouble, and when it is well again.
//!
//! Data goes one way: events of the service name mirrors to look at, and once a minute all are looked at,
//! for a mirror can become stale while nothing happens (`Notifier`); `streaks` says what is to be told;
//! `message` says it as JSON and as text; each receiver has a queue and a thread of its own (`receiver`),
//! which sends it by `webhook`, `mail` or `command`. So a receiver that is slow holds up nothing but itself.
//!
//! What was told and what waits is kept over a restart, and of several daemons one tells each thing (`memory`). A
//! receiver that is new knows what is in trouble already.

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

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::base::clean::with_causes;
use crate::queue::model::RunState;
use crate::service::view::{MirrorFilter, MirrorSummary, ServiceEvent};
use crate::service::{Service, ServiceError};
use memory::Memory;
use message::Message;
use receiver::{Receiver, known_to};

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
}

/// What is to be looked at.
#[derive(Default)]
struct Changed {
    /// Mirrors to which something has happened, and whether that can be the beginning of trouble.
    mirrors: HashMap<String, bool>,
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

    /// Waits until something has happened, or for `longest`; `None` once it is over.
    fn wait(&self, longest: Duration) -> Option<HashMap<String, bool>> {
        let quiet = |changed: &mut Changed| changed.mirrors.is_empty() && !changed.is_over;
        let waited = self.bell.wait_timeout_while(self.changed(), longest, quiet);
        let (mut changed, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (!changed.is_over).then(|| std::mem::take(&mut changed.mirrors))
    }
}

impl Notifier {
    /// Tells the receivers of the configuration of `service` from now on.
    pub(super) fn start(service: &Service) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let hearing = Arc::clone(&shared);
        let memory = Arc::new(Memory::of(service));
        let mut watch = Watch { service: service.clone(), receivers: Vec::new(), memory };
        // Before anything is heard: what is in trouble now is known.
        if let Err(error) = watch.refresh() {
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
    memory: Arc<Memory>,
}

impl Watch {
    fn follow(mut self, shared: &Shared) {
        let mut looked = Instant::now();
        while let Some(changed) = shared.wait(EVERY.saturating_sub(looked.elapsed())) {
            let is_time = looked.elapsed() >= EVERY;
            let done = self.refresh().and_then(|()| match is_time {
                true => {
                    looked = Instant::now();
                    self.look_at_all()
                }
                false => self.look_at(&changed),
            });
            if let Err(error) = done {
                tracing::warn!("mirrors in trouble were not looked for: {}", with_causes(&error));
            }
        }
    }

    /// Takes the receivers that are configured now. One that is new knows what is in trouble already.
    fn refresh(&mut self) -> Result<(), ServiceError> {
        let config = self.service.config();
        let configured = &config.notify;
        if configured.iter().eq(self.receivers.iter().map(Receiver::config)) {
            return Ok(());
        }
        let (mirrors, now) = (self.all()?, self.service.now());
        let credentials = self.service.actions().credentials()?;
        let names: Vec<_> = configured.iter().map(|config| config.name.as_str()).collect();
        self.memory.begin(&names, |name| {
            let config = configured.iter().find(|config| config.name == name);
            config.map(|it| known_to(it, &mirrors, &credentials, now)).unwrap_or_default()
        })?;
        let mut before = std::mem::take(&mut self.receivers);
        for config in configured {
            let place = before.iter().position(|other| other.config().name == config.name);
            let known = place.map(|place| before.swap_remove(place));
            self.receivers.extend(Receiver::start(config.clone(), known, &self.memory));
        }
        Ok(())
    }

    fn all(&self) -> Result<Vec<MirrorSummary>, ServiceError> {
        let filter = MirrorFilter { count: usize::MAX, ..MirrorFilter::default() };
        Ok(self.service.actions().mirrors(&filter)?.mirrors)
    }

    fn look_at_all(&self) -> Result<(), ServiceError> {
        if self.receivers.is_empty() {
            return Ok(());
        }
        let mirrors = self.all()?;
        self.tell(&mirrors, &self.gone(&mirrors)?)?;
        self.look_at_credentials()
    }

    /// The mirrors in trouble that there are no more, here or at another daemon that knows of others already.
    fn gone(&self, mirrors: &[MirrorSummary]) -> Result<Vec<String>, ServiceError> {
        let names: HashSet<&str> = mirrors.iter().map(|mirror| mirror.name.as_str()).collect();
        let mut gone = self.memory.in_trouble();
        gone.retain(|name| !names.contains(name.as_str()));
        if !gone.is_empty() {
            let known = self.service.known_mirrors()?;
            gone.retain(|name| !known.contains(name));
        }
        Ok(gone)
    }

    fn look_at_credentials(&self) -> Result<(), ServiceError> {
        let (now, actions) = (self.service.now(), self.service.actions());
        let config = self.service.config();
        let url = config.web.public_url.as_deref();
        for credential in actions.credentials()? {
            let mut untold: Vec<_> = self.receivers.iter().collect();
            untold.retain(|receiver| receiver.is_to_be_told_of(&credential, now));
            let first = credential.mirrors.first().filter(|_| !untold.is_empty());
            let Some(first) = first else { continue };
            let Some(mirror) = actions.mirror(first)? else { continue };
            let message = Message::expires(&credential, &mirror.summary, url, now);
            for receiver in untold {
                receiver.tell_of_credential(&credential, now, &message)?;
            }
        }
        Ok(())
    }

    fn look_at(&self, changed: &HashMap<String, bool>) -> Result<(), ServiceError> {
        let matters = |(name, may_begin): &(&String, &bool)| {
            let mut receivers = self.receivers.iter();
            receivers.any(|receiver| **may_begin || receiver.has_told_of(name))
        };
        let names: Vec<_> = changed.iter().filter(matters).map(|(name, _)| name).collect();
        if names.len() > ONE_BY_ONE {
            return self.look_at_all();
        }
        let actions = self.service.actions();
        let mut mirrors = Vec::new();
        for name in names {
            mirrors.extend(actions.mirror(name)?.map(|mirror| mirror.summary));
        }
        self.tell(&mirrors, &[])?;
        self.look_at_credentials()
    }

    fn tell(&self, mirrors: &[MirrorSummary], gone: &[String]) -> Result<(), ServiceError> {
        if mirrors.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let (config, now) = (self.service.config(), self.service.now());
        let url = config.web.public_url.as_deref();
        for receiver in &self.receivers {
            receiver.look(mirrors, gone, (url, now))?;
        }
        Ok(())
    }
}
