//! One receiver, and the thread that sends what waits for it.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::error::NotifyError;
use super::expiries::Expiries;
use super::memory::{Memory, Told};
use super::message::Message;
use super::streaks::Streaks;
use super::waiting::{Bell, Letter, ROOM};
use super::{command, mail, webhook};
use crate::base::clean::with_causes;
use crate::base::time::Timestamp;
use crate::base::{Fault, HasFault as _, Interrupt, Interrupted};
use crate::config::{NotifyConfig, NotifyWay};
use crate::queue::StoreError;
use crate::service::view::{CredentialView, MirrorSummary};

/// How long to wait before each further attempt.
const PAUSES: [Duration; 3] =
    [Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(3)];
/// A receiver that wants to be asked again later than that is asked then.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);
/// How long is waited for a memory that cannot be used.
const MEMORY_PAUSE: Duration = Duration::from_secs(1);

/// One receiver. Dropped, its thread ends, and what waits is told by the next one.
pub(super) struct Receiver {
    config: NotifyConfig,
    memory: Arc<Memory>,
    bell: Arc<Bell>,
    stop: Interrupt,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.raise();
        self.bell.ring();
    }
}

impl Receiver {
    /// Starts the thread of one, which goes on with what waits for it in `memory`, once that of `before` has ended, which
    /// had its name. `None` if there is no thread to be had.
    pub(super) fn start(
        config: NotifyConfig,
        before: Option<Self>,
        memory: &Arc<Memory>,
    ) -> Option<Self> {
        let before = match before {
            Some(before) if before.config == config => return Some(before),
            before => before.and_then(|mut before| before.thread.take()),
        };
        let (memory, bell, stop) =
            (Arc::clone(memory), Arc::<Bell>::default(), Interrupt::default());
        let sender = Sender {
            config: config.clone(),
            memory: Arc::clone(&memory),
            bell: Arc::clone(&bell),
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new().name("notify-one".to_owned());
        let started = thread.spawn(move || {
            // Or something would be told by both. It has said itself why it ended.
            let _ = before.map(JoinHandle::join);
            sender.send_all();
        });
        match started {
            Ok(thread) => Some(Self { config, memory, bell, stop, thread: Some(thread) }),
            Err(error) => {
                tracing::error!(receiver = config.name, "nothing is told to it: {error}");
                None
            }
        }
    }

    pub(super) fn config(&self) -> &NotifyConfig {
        &self.config
    }

    pub(super) fn has_told_of(&self, mirror: &str) -> bool {
        self.memory.known_of(&self.config.name, |told| told.streaks.has(mirror))
    }

    /// Has it told of mirrors that are in trouble now, or well again, as soon as what it was told before is done; and of
    /// none of those that are `gone` any more.
    pub(super) fn look(
        &self,
        mirrors: &[MirrorSummary],
        gone: &[String],
        (url, now): (Option<&str>, Timestamp),
    ) -> Result<(), StoreError> {
        self.tell(|told| {
            for name in gone {
                told.streaks.forget(name);
            }
            let ours = mirrors.iter().filter(|mirror| self.config.is_about(&mirror.name));
            let look = |mirror| {
                let change = told.streaks.look(mirror, self.config.failures)?;
                Some(Message::of(&change, mirror, url, now))
            };
            ours.filter_map(look).collect()
        })
    }

    /// Whether it is to be told that a credential ends, as far as is known here.
    pub(super) fn is_to_be_told_of(&self, credential: &CredentialView, now: Timestamp) -> bool {
        let is_about = credential.mirrors.iter().any(|mirror| self.config.is_about(mirror));
        let look = |told: &Told| told.expiries.clone().look(credential, now);
        is_about && self.memory.known_of(&self.config.name, look)
    }

    /// Has it told that a credential ends, unless it was meanwhile.
    pub(super) fn tell_of_credential(
        &self,
        credential: &CredentialView,
        now: Timestamp,
        message: &Message,
    ) -> Result<(), StoreError> {
        self.tell(|told| {
            let is_told = told.expiries.look(credential, now);
            is_told.then(|| message.clone()).into_iter().collect()
        })
    }

    /// Notes what `change` says, and that it is to be told.
    fn tell(&self, mut change: impl FnMut(&mut Told) -> Vec<Message>) -> Result<(), StoreError> {
        let name = &self.config.name;
        let dropped: Vec<Letter> = self.memory.change(name, |told| {
            let messages = change(told);
            messages.into_iter().filter_map(|message| told.add(Letter::new(message))).collect()
        })?;
        for Letter { message, .. } in dropped {
            let (mirror, subject) = (&message.mirror, message.subject());
            tracing::error!(
                receiver = name,
                mirror,
                "a notification was dropped, {ROOM} others wait: {subject}"
            );
        }
        self.bell.ring();
        Ok(())
    }
}

/// What a receiver that is new has been told, as it were: what is in trouble among `mirrors`, and which `credentials`
/// end soon.
pub(super) fn known_to(
    config: &NotifyConfig,
    mirrors: &[MirrorSummary],
    credentials: &[CredentialView],
    now: Timestamp,
) -> Told {
    let ours: Vec<_> = mirrors.iter().filter(|it| config.is_about(&it.name)).cloned().collect();
    let streaks = Streaks::known(&ours, config.failures);
    Told { streaks, expiries: Expiries::known(credentials, now), waiting: Vec::new() }
}

/// What a thread has that sends.
struct Sender {
    config: NotifyConfig,
    memory: Arc<Memory>,
    bell: Arc<Bell>,
    stop: Interrupt,
}

impl Sender {
    /// Sends what waits until it is stopped.
    fn send_all(&self) {
        let name = &self.config.name;
        while !self.stop.is_raised() {
            let next = self.memory.next(name).unwrap_or_else(|error| {
                tracing::debug!(receiver = name, "what waits to be told is not known: {error}");
                None
            });
            let Some(letter) = next else {
                self.bell.wait(self.memory.look_every());
                continue;
            };
            let may_send = || self.may_send();
            match deliver(&self.config, &letter, &PAUSES, &self.stop, &may_send) {
                Ok(true) => self.done(&letter),
                Ok(false) => {}
                Err(Interrupted) => return,
            }
        }
    }

    /// Whether nobody else has begun to send, as far as is known.
    fn may_send(&self) -> bool {
        self.memory.may_send(&self.config.name).unwrap_or(false)
    }

    /// Notes that a letter is done with, until that is noted: or it would be told again.
    fn done(&self, letter: &Letter) {
        while let Err(error) = self.memory.done(&self.config.name, &letter.id) {
            tracing::debug!("that something was told could not be noted: {error}");
            if self.stop.pause(MEMORY_PAUSE).is_err() {
                return;
            }
        }
    }
}

/// Tells a receiver, several times if need be, as long as `may_send` says so. Returns whether that is over. An error says
/// that a stop came before.
pub(super) fn deliver(
    config: &NotifyConfig,
    Letter { id, message }: &Letter,
    pauses: &[Duration],
    interrupt: &Interrupt,
    may_send: &dyn Fn() -> bool,
) -> Result<bool, Interrupted> {
    let mut pauses = pauses.iter();
    let (receiver, mirror) = (&config.name, &message.mirror);
    while may_send() {
        let error = match attempt(config, message, id, interrupt) {
            Ok(()) => {
                tracing::info!(receiver, mirror, "told: {}", message.subject());
                return Ok(true);
            }
            Err(error) => error,
        };
        interrupt.check()?;
        let pause = pauses.next().filter(|_| error.fault() == Fault::Unavailable);
        let Some(pause) = pause else {
            tracing::error!(receiver, mirror, "a notification failed: {}", with_causes(&error));
            return Ok(true);
        };
        let wanted = match error {
            NotifyError::Status { wait: Some(wait), .. } => wait.min(LONGEST_PAUSE),
            _ => Duration::ZERO,
        };
        tracing::debug!(receiver, mirror, "told again later: {}", with_causes(&error));
        interrupt.pause(wanted.max(*pause))?;
    }
    Ok(false)
}

/// Tells a receiver, once.
pub(super) fn attempt(
    config: &NotifyConfig,
    message: &Message,
    id: &str,
    interrupt: &Interrupt,
) -> Result<(), NotifyError> {
    let limit = config.timeout;
    match &config.way {
        NotifyWay::Webhook { address, plain_http, secret, ca_file } => {
            let body = message.json();
            let letter = webhook::Letter { id, body: &body, seconds: Timestamp::now().seconds() };
            let way = webhook::Way {
                address,
                plain_http: *plain_http,
                secret: secret.as_ref(),
                ca_file: ca_file.as_ref(),
            };
            webhook::post(&way, &letter, limit, interrupt)
        }
        NotifyWay::Mail { from, to, by } => {
            mail::send(from, to, by, (message, id), limit, interrupt)
        }
        NotifyWay::Command { program, arguments } => {
            let json = message.json();
            let task = command::Task {
                program,
                arguments,
                input: json.as_bytes(),
                variables: &command::variables(message),
                limit,
            };
            command::run(&task, interrupt)
        }
    }
}
