//! What the daemon does that is not HTTP: take deliveries, ask for syncs, run them, look at mirrors that
//! nobody asks for, and tell what became of all that. Synchronous; whoever serves a network is above.
//!
//! Data goes one way: a [`Service`] has a directory of mirrors (`directory`), made of the configuration; what
//! asks for one becomes a request in the queue; a thread of the pool claims it and runs it (`runner`); what
//! the run says is kept (`recorder`, `live`), told to listeners, and ends in its record, which `shown` reads.

mod asking;
mod backup;
mod caches;
mod claimed;
mod compaction;
mod credentials;
mod directory;
mod handover;
mod intake;
mod lags;
mod live;
mod nodes;
mod online;
mod rates;
mod recorder;
mod resolve;
mod runner;
mod schedule;
mod settings;
mod shown;
mod trouble;
pub mod view;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use crate::base::faults;
use crate::base::time::{Clock, Timestamp};
use crate::config::{Config, Role};
use crate::queue::model::{Member, Weight};
use crate::queue::{
    ClaimLimits, Failure, JobStore, MemorySessions, Pool, Receivers, StartPoolError, StoreError,
};
use caches::Caches;
use credentials::Credentials;
use directory::Directory;
use handover::Given;
use lags::Lags;
use live::Live;
use runner::SyncRunner;
use trouble::Trouble;
use view::Actions;

pub use backup::BackupError;
pub use caches::{NoRoomError, TendCachesError, check_room};
pub use handover::{Giving, NotGiven, PATH as CACHE_PATH};
pub use intake::{AskedFor, Received};
pub use live::Listener;
pub use nodes::own_url;
pub use online::{EndCheck, check_online};
pub use rates::Rates;
pub use runner::{SyncFailure, Syncer};
pub use view::ServiceError;

/// So often in a row is a mirror claimed whose run ends the process, before it is parked.
const ATTEMPTS: u32 = 3;
/// A run that has said nothing for so long waits for somebody else, and holds up nobody: another one may begin
/// beside it.
const SILENT: Duration = Duration::from_secs(15);
/// So many short runs, and so many long ones, may be that silent at the same time.
const MOST_SILENT: usize = 16;
/// So many of the last runs of each mirror are kept however old they are.
const RUNS_KEPT: usize = 50;

/// Mirrors, their queue, and the threads that sync them. Clones are the same service.
#[derive(Clone)]
pub struct Service(Arc<Shared>);

/// What all threads share.
struct Shared {
    store: Arc<dyn JobStore>,
    clock: Arc<dyn Clock>,
    syncer: Syncer,
    /// What this process does, for as long as it runs.
    role: Role,
    directory: RwLock<Arc<Directory>>,
    /// Held while another directory takes its place, and while the queue is told of its mirrors.
    changing: Mutex<()>,
    live: Live,
    lags: Lags,
    caches: Caches,
    given: Given,
    credentials: Credentials,
    /// How many hooks each address may send.
    senders: Rates<IpAddr>,
    /// How many deliveries that ask for nothing are noted, for each endpoint.
    notes: Rates<String>,
    trouble: Trouble,
    /// The sessions of browsers, where nobody shares them.
    sessions: MemorySessions,
    /// Set once, before anything can be asked for; never where nothing is synced.
    pool: OnceLock<Pool>,
    /// Whether it was told that nobody syncs.
    told_no_worker: AtomicBool,
    stopping: AtomicBool,
    /// How many runs were kept from publishing, since their claims may have been gone.
    fenced: AtomicU64,
    /// The hash of the mirrors that the queue was last told of by `tidy`.
    tidied: AtomicU64,
}

impl Shared {
    fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// When the threads last moved.
    fn beat(&self) -> Timestamp {
        match (self.pool.get(), self.role.syncs()) {
            (Some(pool), _) => pool.beat(),
            // Nothing moves here that could stand still.
            (None, false) => self.clock.now(),
            (None, true) => Timestamp::default(),
        }
    }

    /// Why the queue cannot be used now, if it cannot.
    fn trouble(&self) -> Option<Failure> {
        self.trouble.now().or_else(|| self.pool.get().and_then(Pool::failing))
    }

    fn wake(&self) {
        if let Some(pool) = self.pool.get() {
            pool.wake();
        }
    }

    /// Puts what `new` makes of the directory in its place, if it makes something, and tells the queue.
    fn replace(
        &self,
        new: impl FnOnce(&Directory) -> Result<Option<Directory>, StoreError>,
    ) -> Result<(), StoreError> {
        // Two that changed the same one would undo what the other has done.
        let changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(directory) = new(&self.directory())? {
            self.store.configure(&self.members(&directory)?, self.clock.now())?;
            *self.directory.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(directory);
        }
        drop(changing);
        Ok(())
    }

    /// What the queue is told of the mirrors of `directory`. Of those that it knows, whoever syncs says when a secret
    /// has changed.
    fn members(&self, directory: &Directory) -> Result<Vec<Member>, StoreError> {
        let mut members = directory.members();
        if !self.role.syncs() {
            let known = self.store.rows()?.into_iter();
            let known: HashMap<_, _> =
                known.map(|row| (row.member.key, row.member.fingerprint)).collect();
            for member in &mut members {
                if let Some(fingerprint) = known.get(&member.key) {
                    member.fingerprint.clone_from(fingerprint);
                }
            }
        }
        Ok(members)
    }

    /// Makes those of `keys` mirrors that are none yet, and that a pattern gives.
    fn make_known(&self, keys: &[String]) -> Result<(), StoreError> {
        let is_new = |directory: &Directory| keys.iter().any(|key| directory.mirror(key).is_none());
        if !is_new(&self.directory()) {
            return Ok(());
        }
        self.replace(|directory| Ok(is_new(directory).then(|| directory.with(keys))))
    }

    /// How runs are handed out now.
    fn limits(&self) -> ClaimLimits {
        let directory = self.directory();
        let (daemon, schedule) = (&directory.config().daemon, &directory.config().schedule);
        let since = self.clock.now().before(SILENT);
        let silent = |weight| self.live.silent(weight, since).min(MOST_SILENT);
        ClaimLimits {
            short: daemon.workers.get() + silent(Weight::Short),
            long: daemon.long_workers.get() + silent(Weight::Long),
            per_source_host: schedule.per_source_host.get(),
            per_target_host: schedule.per_target_host.get(),
            per_target_owner: schedule.per_target_owner.get(),
            per_target_minute: schedule.per_target_minute.get(),
            pins: directory.pins_of(&nodes::machine()),
            // If that cannot be read, nothing is claimed either, and the pool says so.
            closed: self.store.closed(self.clock.now()).unwrap_or_default(),
            lease: directory.config().queue.lease,
            attempts: ATTEMPTS,
        }
    }

    /// Hands runs out as the configuration and the hosts want it from now on.
    fn adjust(&self) {
        let (Some(pool), limits) = (self.pool.get(), self.limits()) else { return };
        if let Err(error) = pool.adjust(|current| *current = limits) {
            tracing::error!(
                "fewer mirrors are synced at the same time than is configured: {error}"
            );
        }
    }
}

impl Service {
    /// Starts to sync the mirrors of `config` with `syncer`, as `store` says what is due; if that is its role. Otherwise
    /// it only takes requests, and shows what others do.
    pub fn start(
        config: Config,
        store: Arc<dyn JobStore>,
        clock: Arc<dyn Clock>,
        syncer: Syncer,
    ) -> Result<Self, StartServiceError> {
        let role = config.daemon.role;
        let directory = Directory::of(config, &*store)?;
        let shared = Arc::new(Shared {
            store,
            clock: Arc::clone(&clock),
            syncer,
            role,
            directory: RwLock::new(Arc::new(directory)),
            changing: Mutex::new(()),
            live: Live::default(),
            lags: Lags::default(),
            caches: Caches::default(),
            given: Given::default(),
            credentials: Credentials::default(),
            senders: Rates::default(),
            notes: Rates::default(),
            trouble: Trouble::default(),
            sessions: MemorySessions::default(),
            pool: OnceLock::new(),
            told_no_worker: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            fenced: AtomicU64::new(0),
            tidied: AtomicU64::new(0),
        });
        let members = shared.members(&shared.directory())?;
        shared.store.configure(&members, clock.now())?;
        shared.report_to_fleet()?;
        if !role.syncs() {
            return Ok(Self(shared));
        }
        let runner = Arc::new(SyncRunner(Arc::clone(&shared)));
        let pool = Pool::start(Arc::clone(&shared.store), runner, clock, shared.limits())?;
        // Nothing else sets it.
        let _ = shared.pool.set(pool);
        Ok(Self(shared))
    }

    /// Makes `config` the configuration: mirrors that are new are synced, those that have changed are tried
    /// again, and those that are gone are left alone. Runs that are under way go on as they began.
    pub fn reload(&self, config: Config) -> Result<(), ServiceError> {
        let shared = &self.0;
        shared.replace(|_| Directory::of(config, &*shared.store).map(Some))?;
        shared.adjust();
        shared.caches.outdate();
        shared.credentials.want();
        Ok(())
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(self.0.directory().config())
    }

    /// What it does, whatever the configuration in force says.
    pub fn role(&self) -> Role {
        self.0.role
    }

    /// Whether others may do what it is asked for.
    pub fn is_shared(&self) -> bool {
        self.0.store.fleet().is_some()
    }

    /// Where it is kept what receivers of notifications were told, if other daemons tell them too.
    pub fn receivers(&self) -> Option<&dyn Receivers> {
        self.0.store.receivers()
    }

    /// The names of the mirrors that there are, also of those that only other daemons know.
    pub fn known_mirrors(&self) -> Result<HashSet<String>, ServiceError> {
        Ok(self.0.store.rows()?.into_iter().map(|row| row.member.key).collect())
    }

    /// Its clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.0.clock)
    }

    /// Now, by its clock.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// What can be looked at and asked for.
    pub fn actions(&self) -> Arc<dyn Actions> {
        Arc::clone(&self.0) as Arc<dyn Actions>
    }

    /// Tells `listener` of everything that happens from now on, on the thread on which it does.
    pub fn listen(&self, listener: Listener) {
        self.0.live.listen(listener);
    }

    /// Takes no more requests and asks the runs to stop, which are begun again by the next service.
    pub fn close(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
        if let Some(pool) = self.0.pool.get() {
            pool.close();
        }
        self.tell_fleet();
    }

    /// Waits until no run is under way, or for `timeout`, and returns how many still are.
    pub fn wait_idle(&self, timeout: Duration) -> usize {
        let left = self.0.pool.get().map_or(0, |pool| pool.wait_idle(timeout));
        self.left(left)
    }

    /// What is to be done every few seconds: hosts that were left alone are asked again when it is time, runs
    /// that wait for a server give their workers to others, other processes hear of this one, and a queue that could
    /// not be written is tried again.
    pub fn tick(&self) {
        let shared = &self.0;
        shared.adjust();
        self.tell_fleet();
        shared.look_for_workers();
        if shared.trouble.now().is_some() {
            // What came of it is noted.
            let _ = shared.trouble.noted(shared.store.probe(shared.clock.now()));
        }
    }

    /// When the threads that run mirrors last moved.
    pub fn beat(&self) -> Timestamp {
        self.0.beat()
    }

    /// What is to be done every minute: secrets that have changed are noticed, and old history is forgotten.
    pub fn tidy(&self) -> Result<(), ServiceError> {
        let shared = &self.0;
        let (directory, now) = (shared.directory(), shared.clock.now());
        shared.credentials.look(&directory, now);
        let changing = shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let members = shared.directory().members();
        let hash = BuildHasherDefault::<DefaultHasher>::new().hash_one(&members);
        // To go through thousands of rows would hold up the hooks that come meanwhile.
        if shared.role.syncs() && shared.tidied.load(Ordering::Relaxed) != hash {
            shared.store.configure(&members, now)?;
            shared.tidied.store(hash, Ordering::Relaxed);
        }
        drop(changing);
        shared.store.trim(now.before(directory.config().daemon.history), RUNS_KEPT)?;
        shared.wake();
        Ok(())
    }
}

/// A service that cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartServiceError {
    /// Its queue cannot be used.
    #[error(transparent)]
    Queue(#[from] StoreError),
    /// Its threads cannot be started.
    #[error(transparent)]
    Pool(#[from] StartPoolError),
}

faults!(StartServiceError {
    Self::Queue(error) => of(error),
    Self::Pool(error) => of(error),
});
