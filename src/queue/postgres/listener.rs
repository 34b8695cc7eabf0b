//! Hints from other processes that something was asked for, over one connection that only listens.
//!
//! A hint that is lost does no harm: each process looks by itself every few seconds. So hints are told apart from what
//! they are about, after that is committed, and not more often than somebody can make use of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use postgres::Client;
use postgres::fallible_iterator::FallibleIterator as _;

use super::connection::Connector;
use super::trouble::Trouble;

/// What is told within so short a time is told once.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// How soon the end of the store is noticed.
const WAIT: Duration = Duration::from_secs(1);
/// How long a server is left alone that cannot be reached.
const LEFT_ALONE: Duration = Duration::from_secs(5);

/// What `wake` is called for.
pub(super) type Wake = Box<dyn Fn() + Send + Sync>;

/// The thread that listens, until this is dropped.
pub(super) struct Listener(Arc<AtomicBool>);

impl Listener {
    /// Calls `wake` whenever another process than `process` tells something.
    pub(super) fn start(connector: Arc<Connector>, process: String, wake: Wake) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let listen = move || {
            while !stop.load(Ordering::Relaxed) {
                if let Err(trouble) = listen(&connector, &process, &wake, &stop) {
                    tracing::debug!(?trouble, "nothing is heard of other processes");
                    thread::sleep(LEFT_ALONE);
                }
            }
        };
        // Without it, what others ask for is found a little later.
        if let Err(error) = thread::Builder::new().name("queue-listener".to_owned()).spawn(listen) {
            tracing::warn!("nothing is heard of other processes: {error}");
        }
        Self(is_over)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn listen(
    connector: &Connector,
    process: &str,
    wake: &Wake,
    stop: &AtomicBool,
) -> Result<(), Trouble> {
    let mut client = connector.connect()?;
    // One database may have several queues, each in a schema.
    let listen =
        "DO $$ BEGIN EXECUTE format('LISTEN %I', 'synchroniser_' || current_schema()); END $$";
    client.batch_execute(listen)?;
    // What was told before is not heard.
    wake();
    while !stop.load(Ordering::Relaxed) && !client.is_closed() {
        let others = heard(&mut client, WAIT, process)?;
        if others {
            wake();
            thread::sleep(DEBOUNCE);
        }
    }
    Ok(())
}

/// Whether another process tells something within `wait`.
fn heard(client: &mut Client, wait: Duration, process: &str) -> Result<bool, Trouble> {
    let mut notifications = client.notifications();
    let Some(first) = notifications.timeout_iter(wait).next()? else { return Ok(false) };
    let mut is_of_other = first.payload() != process;
    // Those that have come meanwhile are heard together.
    let mut more = notifications.iter();
    while let Some(next) = more.next()? {
        is_of_other |= next.payload() != process;
    }
    Ok(is_of_other)
}

/// What others were told of what was asked for.
#[derive(Default)]
pub(super) struct Told {
    last: Option<Instant>,
    /// Whether something was asked for since then.
    is_due: bool,
}

impl Told {
    /// They are being told now.
    pub(super) fn now() -> Self {
        Self { last: Some(Instant::now()), is_due: false }
    }

    /// Something was asked for.
    pub(super) fn ask(&mut self) {
        self.is_due = true;
    }

    /// For how long nothing is told yet; `None` if there is nothing to tell.
    pub(super) fn wait(&self) -> Option<Duration> {
        let since = self.last.map_or(DEBOUNCE, |last| last.elapsed());
        self.is_due.then(|| DEBOUNCE.saturating_sub(since))
    }
}

/// Tells all other processes that something was asked for.
pub(super) fn tell(client: &mut Client, process: &str) -> Result<(), Trouble> {
    // Nothing is lost with it that is not found anyway, so it waits for no disk.
    client.batch_execute(&format!(
        "BEGIN; SET LOCAL synchronous_commit = off; \
         SELECT pg_notify('synchroniser_' || current_schema(), '{process}'); COMMIT"
    ))?;
    Ok(())
}
