//! Waiting, with an interrupt, for operations that cannot be interrupted themselves.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use crate::base::{Interrupt, Interrupted};

/// How often to check whether a stop was requested.
pub(super) const GLANCE: Duration = Duration::from_millis(100);

/// Has a thread do `work`, which ends in bounded time by itself, and waits for it. After an interrupt
/// the thread is left alone.
pub(super) fn in_background<T: Send + 'static>(
    interrupt: &Interrupt,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Interrupted> {
    let (done, result) = sync_channel(1);
    // Nobody may be there any more to take the result.
    let worker = thread::spawn(move || drop(done.send(work())));
    loop {
        interrupt.check()?;
        match result.recv_timeout(GLANCE) {
            Ok(value) => return Ok(value),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => match worker.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(()) => return Err(Interrupted),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn an_interrupt_does_not_wait_for_the_work() {
        let interrupt = Interrupt::default();
        assert_eq!(in_background(&interrupt, || 7), Ok(7));
        interrupt.raise();
        let start = Instant::now();
        let slow = in_background(&interrupt, || thread::sleep(Duration::from_secs(3)));
        assert_eq!(slow, Err(Interrupted));
        assert!(start.elapsed() < Duration::from_secs(2));
    }
}
