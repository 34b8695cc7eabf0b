//! What systemd is told, if it has started us: that we are ready, how we are, and that we move.

use std::time::Duration;

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

/// How we are. The watchdog is fed only while the queue moves.
pub(super) fn beat(overview: &Overview, longest: Duration) {
    let mirrors: usize = overview.states.iter().map(|count| count.mirrors).sum();
    let status =
        format!("{mirrors} mirrors, {} running, {} waiting", overview.running, overview.waiting);
    let mut told = vec![NotifyState::Status(&status)];
    if overview.now.since(overview.beat) < longest {
        told.push(NotifyState::Watchdog);
    }
    tell(&told);
}
