//! What systemd is told, if it has started us: that we are ready, how we are, and that we move.

use sd_notify::NotifyState;

use crate::service::view::Overview;

/// Tells systemd; without it nothing happens.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd was not told: {error}");
    }
}

/// Hooks can arrive.
pub(super) fn ready(mirrors: usize) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("{mirrors} mirrors"))]);
}

/// The configuration is being read again; [`ready`] says that it was.
pub(super) fn reloading() {
    let now = NotifyState::monotonic_usec_now().ok();
    let mut states = vec![NotifyState::Reloading];
    states.extend(now);
    tell(&states);
}

/// We stop.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// How we are, as far as that can be known. The watchdog is fed only while our threads move; to begin anew helps
/// nothing if the queue cannot be read.
pub(super) fn beat(overview: Option<&Overview>, moves: bool) {
    let status = match overview {
        Some(Overview { states, running, waiting, trouble: None, .. }) => {
            let mirrors: usize = states.iter().map(|count| count.mirrors).sum();
            format!("{mirrors} mirrors, {running} running, {waiting} waiting")
        }
        Some(Overview { trouble: Some(trouble), .. }) => {
            format!("hooks are refused: failed to {}", trouble.message)
        }
        None => "the queue cannot be read; the log says why".to_owned(),
    };
    let mut told = vec![NotifyState::Status(&status)];
    if moves {
        told.push(NotifyState::Watchdog);
    }
    tell(&told);
}
