//! Signals for commands that are not the daemon: they have no runtime of their own.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::DaemonError;
use crate::base::Interrupt;

/// Raises `interrupt` at the first SIGINT or SIGTERM from now on, and calls `again` at the second:
/// somebody does not want to wait for the next safe place.
pub fn raise_on_signal(
    interrupt: &Interrupt,
    again: impl FnOnce() + Send + 'static,
) -> Result<(), DaemonError> {
    let interrupt = interrupt.clone();
    let start = || -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        // The handlers are there before this function returns.
        let mut signals = {
            let _entered = runtime.enter();
            [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?]
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                next(&mut signals).await;
                interrupt.raise();
                next(&mut signals).await;
            });
            again();
        })?;
        Ok(())
    };
    start().map_err(|source| DaemonError::Runtime { source })
}

async fn next([one, other]: &mut [Signal; 2]) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
