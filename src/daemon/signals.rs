//! Signals, for the daemon and for commands that run in the foreground.

use std::io;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::DaemonError;
use crate::base::Interrupt;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To stop: SIGTERM, SIGINT.
    Stop,
    /// To read the configuration again: SIGHUP.
    Reload,
}

/// A channel that has an item for each signal from now on.
pub(super) fn signals() -> io::Result<mpsc::Receiver<Asked>> {
    let (tell, told) = mpsc::channel(4);
    for (kind, asked) in [
        (SignalKind::terminate(), Asked::Stop),
        (SignalKind::interrupt(), Asked::Stop),
        (SignalKind::hangup(), Asked::Reload),
    ] {
        let mut signals = signal(kind)?;
        let tell = tell.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() && tell.send(asked).await.is_ok() {}
        });
    }
    Ok(told)
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
    let (mut terminate, mut interrupted) = runtime
        .block_on(async {
            Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
        })
        .map_err(|source| DaemonError::Runtime { source })?;
    let interrupt = interrupt.clone();
    thread::spawn(move || {
        runtime.block_on(async {
            let mut next = async || {
                tokio::select! {
                    it = terminate.recv() => it,
                    it = interrupted.recv() => it,
                }
            };
            if next().await.is_some() {
                interrupt.raise();
                first();
            }
            if next().await.is_some() {
                again();
            }
        });
    });
    Ok(())
}
