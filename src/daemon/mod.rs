//! The daemon: hooks in over HTTP, syncs out of the queue, answers back. Only home of warp and tokio.
//!
//! A request goes one way: `server` (connections, deadlines), `routes` (paths, methods), `body`
//! (bytes, capped), `intake` (event, mirror, job), `answer` (status and text). `app` holds what they
//! share, and joins the queue to whatever syncs a mirror: that is a parameter, so tests pass
//! a substitute.

mod answer;
mod app;
mod body;
mod intake;
mod routes;
mod running;
mod server;
pub mod signals;
mod state;
pub mod web;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

pub use app::{SyncFailure, Syncer};

use crate::base::faults;
use crate::config::{Config, DaemonOptions};
use crate::queue::StartError;
use app::App;

/// How long answers may take to go out once there is nothing else to wait for.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// A daemon that could not start, or not go on.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The address cannot be listened on.
    #[error("listen on {address}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The asynchronous runtime, its thread or its signal handlers cannot be set up.
    #[error("set up the daemon's threads")]
    Runtime {
        /// What the system said.
        source: io::Error,
    },
    /// The threads that sync cannot be started.
    #[error("set up the daemon's workers")]
    Workers {
        /// What the queue said.
        source: StartError,
    },
    /// The thread that serves ended by a panic.
    #[error("serve: the daemon's thread panicked")]
    Panicked,
}

faults!(DaemonError {
    Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => Unavailable.hint(
        "another program listens there, perhaps another daemon: stop it, or set `listen` in \
         [daemon] to another address"
    ),
    Self::Listen { .. } => Config.hint(
        "`listen` in [daemon] is an address of this machine; ports below 1024 need a privilege"
    ),
    Self::Runtime { .. } => Unavailable,
    Self::Workers { source } => of(source),
    Self::Panicked => Internal,
});

/// How a daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// How many syncs had not come to a safe place when the time was up. They end with the
    /// process, and the next sync goes on from what they had made durable.
    pub abandoned: usize,
}

/// Serves until SIGTERM or SIGINT, and calls `bound` with the address once hooks can arrive. A
/// second signal ends the wait for running syncs.
pub fn serve_blocking(
    config: Config,
    syncer: Syncer,
    bound: impl FnOnce(SocketAddr),
) -> Result<Shutdown, DaemonError> {
    block_on(runtime()?, async {
        let stop = signals::signals().map_err(|source| DaemonError::Runtime { source })?;
        serve(config, syncer, bound, stop).await
    })
}

/// A daemon in a thread of its own.
#[derive(Debug)]
pub struct Daemon {
    address: SocketAddr,
    stop: mpsc::Sender<()>,
    thread: Option<JoinHandle<Result<Shutdown, DaemonError>>>,
}

impl Daemon {
    /// Starts to serve, and returns once hooks can arrive. Signals are left alone.
    pub fn start(config: Config, syncer: Syncer) -> Result<Self, DaemonError> {
        let runtime = runtime()?;
        let (stop, stopped) = mpsc::channel(1);
        let (tell_bound, bound) = std::sync::mpsc::channel();
        let bind = move |address| {
            // The receiver is gone only if this very function was unwound.
            let _ = tell_bound.send(address);
        };
        let thread = std::thread::Builder::new()
            .name("daemon".to_owned())
            .spawn(move || block_on(runtime, serve(config, syncer, bind, stopped)))
            .map_err(|source| DaemonError::Runtime { source })?;
        match bound.recv() {
            Ok(address) => Ok(Self { address, stop, thread: Some(thread) }),
            // It ended before it was bound, and says why.
            Err(_) => Err(joined(thread).err().unwrap_or(DaemonError::Panicked)),
        }
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it as SIGTERM would, and returns once it has ended.
    pub fn shut_down(mut self) -> Result<Shutdown, DaemonError> {
        self.end().unwrap_or(Err(DaemonError::Panicked))
    }

    fn end(&mut self) -> Option<Result<Shutdown, DaemonError>> {
        // Full means that it was told already, closed that it has ended.
        let _ = self.stop.try_send(());
        self.thread.take().map(joined)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
    }
}

fn joined(thread: JoinHandle<Result<Shutdown, DaemonError>>) -> Result<Shutdown, DaemonError> {
    thread.join().unwrap_or(Err(DaemonError::Panicked))
}

fn runtime() -> Result<tokio::runtime::Runtime, DaemonError> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name("http")
        .enable_all()
        .build()
        .map_err(|source| DaemonError::Runtime { source })
}

/// Runs `future` to its end, and then waits for nothing that it left behind.
fn block_on<F: Future>(runtime: tokio::runtime::Runtime, future: F) -> F::Output {
    let output = runtime.block_on(future);
    runtime.shutdown_background();
    output
}

/// Serves until `stop` has an item or is closed.
async fn serve(
    config: Config,
    syncer: Syncer,
    bound: impl FnOnce(SocketAddr),
    mut stop: mpsc::Receiver<()>,
) -> Result<Shutdown, DaemonError> {
    let options = config.daemon.clone();
    let (listener, address) = listen(&options).await?;
    let app = App::start(config, syncer).map_err(|source| DaemonError::Workers { source })?;
    let app = Arc::new(app);
    announce(&app, address);
    bound(address);
    let routes = routes::routes(Arc::clone(&app));
    let connections = server::serve(listener, routes, &options, stop.recv()).await;

    tracing::info!("stopping");
    // A task of its own: connections that wait for a request must close now, whatever we wait for.
    let connections = tokio::spawn(connections.shutdown());
    app.close();
    let abandoned = tokio::select! {
        abandoned = app.idle(options.stop_timeout) => abandoned,
        Some(()) = stop.recv() => app.idle(Duration::ZERO).await,
    };
    let _ = tokio::time::timeout(LAST_ANSWERS, connections).await;
    if abandoned == 0 {
        tracing::info!("stopped");
    } else {
        tracing::warn!(abandoned, "stopped, and left running syncs behind");
    }
    Ok(Shutdown { abandoned })
}

async fn listen(options: &DaemonOptions) -> Result<(TcpListener, SocketAddr), DaemonError> {
    let failed = |source| DaemonError::Listen { address: options.listen, source };
    let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

fn announce(app: &App, address: SocketAddr) {
    tracing::info!(%address, mirrors = app.mirrors.len(), "listening");
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "whoever reaches this address can ask for syncs");
    }
    if app.mirrors.is_empty() {
        tracing::warn!("no mirror is configured: every hook will be refused");
    }
}
