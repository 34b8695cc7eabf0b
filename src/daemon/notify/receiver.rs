//! One receiver: its queue, and the thread that sends what is in it.

use std::sync::Arc;
use std::time::Duration;

use super::error::NotifyError;
use super::expiries::Expiries;
use super::memory::Told;
use super::message::Message;
use super::streaks::{Change, Streaks};
use super::waiting::{Letter, ROOM, Waiting};
use super::{command, mail, webhook};
use crate::base::clean::with_causes;
use crate::base::time::Timestamp;
use crate::base::{Fault, HasFault as _, Interrupt, Interrupted};
use crate::config::{NotifyConfig, NotifyWay};
use crate::service::view::{CredentialView, MirrorSummary};

/// How long to wait before each further attempt.
const PAUSES: [Duration; 3] =
    [Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(3)];
/// A receiver that wants to be asked again later than that is asked then.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// One receiver.
pub(super) struct Receiver {
    config: NotifyConfig,
    told: Told,
    waiting: Arc<Waiting>,
}

/// Its thread tells what waits, and ends.
impl Drop for Receiver {
    fn drop(&mut self) {
        self.waiting.end();
    }
}

impl Receiver {
    /// Starts the thread of one. It knows what `before`, which had its name, was told, or what is `remembered` of that;
    /// or else, as if it had been told, what is in trouble among `mirrors`, and which `credentials` end soon. `None` if
    /// there is no thread to be had. `done` is called whenever something that waited has been told.
    pub(super) fn start(
        config: NotifyConfig,
        (before, remembered): (Option<Self>, Option<Told>),
        (mirrors, credentials, now): (&[MirrorSummary], &[CredentialView], Timestamp),
        interrupt: &Interrupt,
        done: impl Fn() + Send + 'static,
    ) -> Option<Self> {
        let before = match before {
            Some(before) if before.config == config => return Some(before),
            // What waits for it is told as it was configured.
            Some(before) => Some(before.told.clone()),
            None => remembered,
        };
        let mut told = before.unwrap_or_else(|| {
            let ours: Vec<_> =
                mirrors.iter().filter(|it| config.is_about(&it.name)).cloned().collect();
            let streaks = Streaks::known(&ours, config.failures);
            Told { streaks, expiries: Expiries::known(credentials, now), waiting: Vec::new() }
        });
        let waiting = Arc::new(Waiting::of(std::mem::take(&mut told.waiting)));
        let (receiver, letters, interrupt) =
            (config.clone(), Arc::clone(&waiting), interrupt.clone());
        let thread = std::thread::Builder::new().name("notify-one".to_owned());
        let started = thread.spawn(move || {
            while let Some(letter) = letters.first() {
                if deliver(&receiver, &letter, &PAUSES, &interrupt).is_err() {
                    return;
                }
                letters.done();
                done();
            }
        });
        match started {
            Ok(_) => Some(Self { config, told, waiting }),
            Err(error) => {
                tracing::error!(receiver = config.name, "nothing is told to it: {error}");
                None
            }
        }
    }

    pub(super) fn config(&self) -> &NotifyConfig {
        &self.config
    }

    /// What it was told, and what it is still to be told.
    pub(super) fn told(&self) -> Told {
        Told { waiting: self.waiting.all(), ..self.told.clone() }
    }

    pub(super) fn has_told_of(&self, mirror: &str) -> bool {
        self.told.streaks.has(mirror)
    }

    pub(super) fn forget_others(&mut self, mirrors: &[MirrorSummary]) {
        self.told.streaks.forget_others(mirrors);
    }

    /// What it is to be told of a mirror as it is now.
    pub(super) fn look(&mut self, mirror: &MirrorSummary) -> Option<Change> {
        match self.config.is_about(&mirror.name) {
            true => self.told.streaks.look(mirror, self.config.failures),
            false => None,
        }
    }

    /// Whether it is to be told that a credential ends.
    pub(super) fn look_at_credential(
        &mut self,
        credential: &CredentialView,
        now: Timestamp,
    ) -> bool {
        let is_about = credential.mirrors.iter().any(|mirror| self.config.is_about(mirror));
        is_about && self.told.expiries.look(credential, now)
    }

    /// Has it told, as soon as what it was told before is done.
    pub(super) fn tell(&self, message: Message) {
        if let Err(letter) = self.waiting.add(Letter::new(message)) {
            let message = &letter.message;
            tracing::error!(
                receiver = self.config.name,
                mirror = message.mirror,
                "a notification was dropped, {ROOM} others wait: {}",
                message.subject()
            );
        }
    }
}

/// Tells a receiver, several times if need be. An error says that a stop came before that was over.
pub(super) fn deliver(
    config: &NotifyConfig,
    Letter { id, message }: &Letter,
    pauses: &[Duration],
    interrupt: &Interrupt,
) -> Result<(), Interrupted> {
    let mut pauses = pauses.iter();
    let (receiver, mirror) = (&config.name, &message.mirror);
    loop {
        let error = match attempt(config, message, id, interrupt) {
            Ok(()) => {
                tracing::info!(receiver, mirror, "told: {}", message.subject());
                return Ok(());
            }
            Err(error) => error,
        };
        interrupt.check()?;
        let pause = pauses.next().filter(|_| error.fault() == Fault::Unavailable);
        let Some(pause) = pause else {
            tracing::error!(receiver, mirror, "a notification failed: {}", with_causes(&error));
            return Ok(());
        };
        let wanted = match error {
            NotifyError::Status { wait: Some(wait), .. } => wait.min(LONGEST_PAUSE),
            _ => Duration::ZERO,
        };
        tracing::debug!(receiver, mirror, "told again later: {}", with_causes(&error));
        interrupt.pause(wanted.max(*pause))?;
    }
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
