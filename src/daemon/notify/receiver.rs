//! One receiver: its queue, and the thread that sends what is in it.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use super::error::NotifyError;
use super::expiries::Expiries;
use super::memory::Told;
use super::message::Message;
use super::streaks::{Change, Streaks};
use super::{command, mail, webhook};
use crate::base::clean::with_causes;
use crate::base::time::Timestamp;
use crate::base::{Fault, HasFault as _, Interrupt};
use crate::config::{NotifyConfig, NotifyWay};
use crate::queue::model::RunId;
use crate::service::view::{CredentialView, MirrorSummary};

/// So many messages wait for a receiver; further ones are dropped, and the log says so.
const QUEUE: usize = 256;
/// How long to wait before each further attempt.
const PAUSES: [Duration; 3] =
    [Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(3)];
/// A receiver that wants to be asked again later than that is asked then.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// One receiver.
pub(super) struct Receiver {
    config: NotifyConfig,
    told: Told,
    queue: SyncSender<Message>,
}

impl Receiver {
    /// Starts the thread of one. It knows what `before`, which had its name, was told, or what is `remembered` of that;
    /// or else, as if it had been told, what is in trouble among `mirrors`, and which `credentials` end soon. `None` if
    /// there is no thread to be had.
    pub(super) fn start(
        config: NotifyConfig,
        (before, remembered): (Option<Self>, Option<Told>),
        (mirrors, credentials, now): (&[MirrorSummary], &[CredentialView], Timestamp),
        interrupt: &Interrupt,
    ) -> Option<Self> {
        let before = match before {
            Some(before) if before.config == config => return Some(before),
            Some(before) => Some(before.told),
            None => remembered,
        };
        let told = before.unwrap_or_else(|| {
            let ours: Vec<_> =
                mirrors.iter().filter(|it| config.is_about(&it.name)).cloned().collect();
            let streaks = Streaks::known(&ours, config.failures);
            Told { streaks, expiries: Expiries::known(credentials, now) }
        });
        let (queue, waiting) = sync_channel(QUEUE);
        let (receiver, interrupt) = (config.clone(), interrupt.clone());
        let thread = std::thread::Builder::new().name("notify-one".to_owned());
        let started = thread.spawn(move || {
            while let Ok(message) = waiting.recv() {
                deliver(&receiver, &message, &PAUSES, &interrupt);
            }
        });
        match started {
            Ok(_) => Some(Self { config, told, queue }),
            Err(error) => {
                tracing::error!(receiver = config.name, "nothing is told to it: {error}");
                None
            }
        }
    }

    pub(super) fn config(&self) -> &NotifyConfig {
        &self.config
    }

    /// What it was told.
    pub(super) fn told(&self) -> &Told {
        &self.told
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
        if let Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) =
            self.queue.try_send(message)
        {
            tracing::error!(
                receiver = self.config.name,
                mirror = message.mirror,
                "a notification was dropped, {QUEUE} others wait: {}",
                message.subject()
            );
        }
    }
}

/// Tells a receiver, several times if need be.
pub(super) fn deliver(
    config: &NotifyConfig,
    message: &Message,
    pauses: &[Duration],
    interrupt: &Interrupt,
) {
    // The same for each attempt, so that a receiver can tell that it has it already.
    let id = format!("msg_{}", RunId::random());
    let mut pauses = pauses.iter();
    let (receiver, mirror) = (&config.name, &message.mirror);
    loop {
        let error = match attempt(config, message, &id, interrupt) {
            Ok(()) => {
                tracing::info!(receiver, mirror, "told: {}", message.subject());
                return;
            }
            Err(error) => error,
        };
        let pause = pauses.next().filter(|_| error.fault() == Fault::Unavailable);
        let Some(pause) = pause else {
            tracing::error!(receiver, mirror, "a notification failed: {}", with_causes(&error));
            return;
        };
        let wanted = match error {
            NotifyError::Status { wait: Some(wait), .. } => wait.min(LONGEST_PAUSE),
            _ => Duration::ZERO,
        };
        tracing::debug!(receiver, mirror, "told again later: {}", with_causes(&error));
        if interrupt.pause(wanted.max(*pause)).is_err() {
            tracing::warn!(
                receiver,
                mirror,
                "a notification was not sent: {}",
                with_causes(&error)
            );
            return;
        }
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
