//! The daemon: hooks in over HTTP, syncs out of the queue, answers back. Only home of warp and tokio.
//!
//! A request goes one way: `server` (connections, deadlines), `routes` (paths, methods), `body`
//! (bytes, capped), `intake` (event, mirror, job), `answer` (status and text). `app` holds what they
//! share, and joins the queue to whatever syncs a mirror: that is a parameter, so tests pass
//! a substitute.

mod answer;
mod app;
mod backup;
mod body;
mod caches;
mod crowd;
mod ending;
mod fixed;
mod intake;
mod metrics;
mod notify;
mod routes;
mod sender;
mod server;
pub mod signals;
mod socket;
mod state;
mod systemd;
pub mod web;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::base::clean::with_causes;
use crate::base::time::SystemClock;
use crate::base::{faults, memory};
use crate::config::{Config, ConfigError};
use crate::queue::JobStore;
use crate::service::{Service, StartServiceError, Syncer};
use app::App;
use fixed::Fixed;
use notify::Notifier;
use server::Serving;
use signals::Asked;
use socket::Sockets;

/// How often is looked after what time brings.
const TICK: Duration = Duration::from_secs(5);
/// After so many of these looks systemd is told how we are: its watchdog wants to hear of us once a minute.
const TICKS_PER_BEAT: u64 = 4;
/// After so many of these looks the queue is tidied.
const TICKS_PER_TIDY: u64 = 12;
/// After so many of these looks the sessions of browsers are forgotten that are over.
const TICKS_PER_HOUR: u64 = 720;
/// How often packs of caches are made smaller.
const COMPACT: Duration = Duration::from_mins(10);

/// The queue hangs if it has not moved for this long.
const LONGEST_BEAT: Duration = Duration::from_mins(1);

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
    /// Another daemon answers at the admin socket.
    #[error("listen on {}: a daemon answers there", socket.display())]
    Running {
        /// The socket.
        socket: PathBuf,
    },
    /// The asynchronous runtime, its thread or its signal handlers cannot be set up.
    #[error("set up the daemon's threads")]
    Runtime {
        /// What the system said.
        source: io::Error,
    },
    /// The queue cannot be used, or its threads cannot be started.
    #[error("set up the daemon's queue")]
    Service {
        /// What the service said.
        source: StartServiceError,
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
    Self::Running { .. } => Config.hint(
        "stop it; or give this one a `socket` of its own in [daemon], and a `state` and a `cache`"
    ),
    Self::Runtime { .. } => Unavailable,
    Self::Service { source } => of(source),
    Self::Panicked => Internal,
});

/// How a daemon ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// How many syncs had not come to a safe place when the time was up. They end with the
    /// process, and the next sync goes on from what they had made durable.
    pub abandoned: usize,
}

/// What a daemon is made of.
pub struct Setup {
    /// The configuration.
    pub config: Config,
    /// Where the queue is kept.
    pub store: Arc<dyn JobStore>,
    /// What syncs a mirror.
    pub syncer: Syncer,
    /// Reads the configuration again, when somebody asks for that.
    pub reload: Reload,
}

/// Reads the configuration again.
pub type Reload = Box<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// Serves until SIGTERM or SIGINT, and calls `bound` with the address once hooks can arrive. A
/// second signal ends the wait for running syncs. SIGHUP reads the configuration again.
pub fn serve_blocking(
    setup: Setup,
    bound: impl FnOnce(SocketAddr),
) -> Result<Shutdown, DaemonError> {
    block_on(runtime()?, async {
        let asked = signals::signals().map_err(|source| DaemonError::Runtime { source })?;
        serve(setup, bound, asked).await
    })
}

/// A daemon in a thread of its own.
#[derive(Debug)]
pub struct Daemon {
    address: SocketAddr,
    ask: mpsc::Sender<Asked>,
    thread: Option<thread::JoinHandle<Result<Shutdown, DaemonError>>>,
}

impl Daemon {
    /// Starts to serve, and returns once hooks can arrive. Signals are left alone.
    pub fn start(setup: Setup) -> Result<Self, DaemonError> {
        let runtime = runtime()?;
        let (ask, asked) = mpsc::channel(4);
        let (tell_bound, bound) = std::sync::mpsc::channel();
        let bind = move |address| {
            // The receiver is gone only if this very function was unwound.
            let _ = tell_bound.send(address);
        };
        let thread = thread::Builder::new()
            .name("daemon".to_owned())
            .spawn(move || block_on(runtime, serve(setup, bind, asked)))
            .map_err(|source| DaemonError::Runtime { source })?;
        match bound.recv() {
            Ok(address) => Ok(Self { address, ask, thread: Some(thread) }),
            // It ended before it was bound, and says why.
            Err(_) => Err(joined(thread).err().unwrap_or(DaemonError::Panicked)),
        }
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads the configuration again, as SIGHUP would.
    pub fn reload(&self) {
        // Full means that it has to read it anyway.
        let _ = self.ask.try_send(Asked::Reload);
    }

    /// Stops it as SIGTERM would, and returns once it has ended.
    pub fn shut_down(mut self) -> Result<Shutdown, DaemonError> {
        self.end().unwrap_or(Err(DaemonError::Panicked))
    }

    fn end(&mut self) -> Option<Result<Shutdown, DaemonError>> {
        // Closed means that it has ended.
        let _ = self.ask.blocking_send(Asked::Stop);
        self.thread.take().map(joined)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end();
    }
}

fn joined(
    thread: thread::JoinHandle<Result<Shutdown, DaemonError>>,
) -> Result<Shutdown, DaemonError> {
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

/// Serves until it is asked to stop, or until nobody can ask any more.
async fn serve(
    setup: Setup,
    bound: impl FnOnce(SocketAddr),
    mut asked: mpsc::Receiver<Asked>,
) -> Result<Shutdown, DaemonError> {
    let Setup { config, store, syncer, reload } = setup;
    let fixed = Fixed::of(&config);
    let sockets = Sockets::listen(&fixed).await?;
    let address = sockets.address;
    announce(&config, address);
    let mirrors = config.mirrors.len();
    let (service, notifier) = start(config, store, syncer).await?;
    let connections_at_once = fixed.connections;
    let app = Arc::new(App::of(service.clone(), fixed, reload));
    bound(address);
    systemd::ready(mirrors);
    let upkeep = tokio::spawn(upkeep(Arc::clone(&app)));
    let (tend, compact) = (Service::tend_caches_if_due, Service::compact_caches);
    let caches = now_and_then(TICK, service.clone(), tend, "the caches were not looked at");
    let packs = now_and_then(COMPACT, service.clone(), compact, "no packs were made smaller");
    // Who syncs nothing has no caches.
    let syncs = service.role().syncs();
    let caches = syncs.then(|| tokio::spawn(caches));
    let packs = syncs.then(|| tokio::spawn(packs));
    let serving = Serving::of(&service, connections_at_once);
    // No proxy sends hooks to who only syncs: that one need not be out of reach before it has ended.
    let network = (!service.role().serves()).then(|| Arc::clone(&sockets.network));
    tokio::select! {
        () = listen(sockets, &app, &serving) => {}
        () = stop(&app, &mut asked) => {}
    }

    tracing::info!("stopping");
    systemd::stopping();
    // A task of its own: connections that wait for a request must close now, whatever we wait for.
    let connections = tokio::spawn(serving.shutdown());
    upkeep.abort();
    caches.into_iter().chain(packs).for_each(|task| task.abort());
    app.web.close();
    drop(notifier);
    service.close();
    let draining = (network, Serving::of(&service, connections_at_once));
    let abandoned = ending::end(&app, connections, draining, &mut asked).await;
    if abandoned == 0 {
        tracing::info!("stopped");
    } else {
        tracing::warn!(abandoned, "stopped, and left running syncs behind");
    }
    Ok(Shutdown { abandoned })
}

/// Serves whoever connects, until it is dropped.
async fn listen(sockets: Sockets, app: &Arc<App>, serving: &Serving) {
    let all = || routes::routes(app);
    let network = match app.service.role().serves() {
        true => all(),
        false => routes::working(app),
    };
    let admin = async {
        if let Some(admin) = sockets.admin {
            serving.serve(admin, all()).await;
        }
    };
    let metrics = async {
        if let Some(metrics) = sockets.metrics {
            serving.serve(metrics, routes::watching(app)).await;
        }
    };
    tokio::join!(admin, metrics, serving.serve(sockets.network, network));
}

/// Starts what is not HTTP.
async fn start(
    config: Config,
    store: Arc<dyn JobStore>,
    syncer: Syncer,
) -> Result<(Service, Notifier), DaemonError> {
    let service = tokio::task::spawn_blocking(move || {
        let service = Service::start(config, store, Arc::new(SystemClock), syncer)
            .map_err(|source| DaemonError::Service { source })?;
        let notifier = Notifier::start(&service);
        Ok((service, notifier.map_err(|source| DaemonError::Runtime { source })?))
    });
    service.await.map_err(|_| DaemonError::Panicked)?
}

/// Does what is asked for until that is to stop.
async fn stop(app: &Arc<App>, asked: &mut mpsc::Receiver<Asked>) {
    while let Some(Asked::Reload) = asked.recv().await {
        app.reload().await;
    }
}

/// What is done now and then, for as long as the daemon runs.
async fn upkeep(app: Arc<App>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for tick in 0_u64.. {
        ticks.tick().await;
        let done = app.blocking(move |app| {
            app.service.tick();
            if tick % TICKS_PER_BEAT == 0 {
                let moves = app.now().since(app.service.beat()) < LONGEST_BEAT;
                systemd::beat(app.actions.overview().ok().as_ref(), moves);
            }
            if tick == 0 {
                // What was read and is resolved now.
                memory::give_back();
            } else if tick % TICKS_PER_TIDY == 0 {
                app.service.tidy()?;
                memory::give_back();
            }
            if tick % TICKS_PER_HOUR == 1 {
                app.web.expire_sessions()?;
            }
            Ok(())
        });
        if let Err(error) = done.await {
            tracing::warn!("the queue was not tidied: {error}");
        }
    }
}

/// Does now and then what can take long: apart from all else.
async fn now_and_then<E: std::error::Error + Send + 'static>(
    every: Duration,
    service: Service,
    work: fn(&Service) -> Result<(), E>,
    failed: &'static str,
) {
    // Not amid the start, when there is enough to do.
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let service = service.clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || work(&service)).await {
            tracing::warn!("{failed}: {}", with_causes(&error));
        }
    }
}

fn announce(config: &Config, address: SocketAddr) {
    let (mirrors, patterns) = (config.mirrors.len(), config.patterns().count());
    tracing::info!(%address, mirrors, patterns, "listening");
    if config.is_without_mirrors() {
        tracing::warn!("no mirror is configured: every hook will be refused");
    }
}
