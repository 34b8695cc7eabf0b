//! Signals that ask to stop, for the daemon and for commands that run in the foreground.

use std::io;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::DaemonError;
use crate::base::Interrupt;

/// A channel that has an item for each SIGTERM and SIGINT from now on.
pub(super) fn signals() -> io::Result<mpsc::Receiver<()>> {
    let (stop, stopped) = mpsc::channel(2);
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind)?;
        let stop = stop.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() && stop.send(()).await.is_ok() {}
        });
    }
    Ok(stopped)
}

/// Raises `interrupt` at the first SIGTERM or SIGINT, and calls `again` at the second one.
pub fn raise_on_signal(
    interrupt: &Interrupt,
    first: impl FnOnce() + Send + 'static,
    again: impl FnOnce() + Send + 'static,
) -> Result<(), DaemonError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| DaemonError::Runtime { source })?;
    let mut stopped =
        runtime.block_on(async { signals() }).map_err(|source| DaemonError::Runtime { source })?;
    let interrupt = interrupt.clone();
    thread::spawn(move || {
        runtime.block_on(async {
            if stopped.recv().await.is_some() {
                interrupt.raise();
                first();
            }
            if stopped.recv().await.is_some() {
                again();
            }
        });
    });
    Ok(())
}
