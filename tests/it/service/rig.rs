//! A service with a clock of the test's, and with a substitute that says what it was asked to sync.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use synchroniser::base::time::{Clock, Timestamp};
use synchroniser::base::{Diagnosis, Fault, HasFault, Interrupt, Side};
use synchroniser::config::Config;
use synchroniser::hook::Delivery;
use synchroniser::mirror::{self, Mirror, Observer, SyncContext, SyncReport};
use synchroniser::queue::model::Row;
use synchroniser::queue::{JobStore, MemoryStore};
use synchroniser::service::view::{Actions, MirrorDetail, MirrorState, ServiceEvent};
use synchroniser::service::{Received, Service, Syncer};

use crate::support::TestEnv;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(10);

/// What every configuration here begins with.
const HEAD: &str = r#"
    cache = "cache"
    schedule.debounce = 0
    hooks.hg = { format = "synchroniser", allow_unauthenticated = true }
"#;

/// A clock that stands still until it is told.
pub(super) struct TestClock(Mutex<Timestamp>);

impl TestClock {
    fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap() = now;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("do what the test forbids")]
struct Forbidden(Diagnosis);

impl HasFault for Forbidden {
    fn diagnosis(&self) -> Diagnosis {
        self.0.clone()
    }
}

/// What the substitute does and has done.
#[derive(Default)]
pub(super) struct Substitute {
    /// Every mirror that it was asked to sync, in the order in which that began.
    synced: Mutex<Vec<String>>,
    /// For each of these, whether what a target had refused was to be pushed again.
    retried: Mutex<Vec<bool>>,
    /// The mirrors whose syncs fail, and how.
    failing: Mutex<BTreeMap<String, Diagnosis>>,
    /// The mirrors whose next sync ends only once the test says so.
    held: Mutex<BTreeMap<String, Receiver<()>>>,
    /// The mirrors whose next syncs find something new.
    news: Mutex<Vec<String>>,
}

impl Substitute {
    fn syncer(self: &Arc<Self>) -> Syncer {
        let this = Arc::clone(self);
        Arc::new(move |mirror: &Mirror, _: &SyncContext<'_>, _: &dyn Observer, _: &Interrupt| {
            let name = &mirror.name;
            this.synced.lock().unwrap().push(name.clone());
            this.retried.lock().unwrap().push(mirror.publish.retry);
            let is_first = !mirror.cache.path().exists();
            let cache = mirror.cache.path();
            std::fs::create_dir_all(cache).unwrap();
            let lock = File::create(cache.join("lock")).unwrap();
            lock.try_lock().unwrap();
            let held = this.held.lock().unwrap().remove(name);
            if let Some(held) = held {
                let _ = held.recv_timeout(LONG);
                std::fs::write(cache.join("late"), "written at the end of the run").unwrap();
            }
            if let Some(diagnosis) = this.failing.lock().unwrap().get(name) {
                return Err(Box::new(Forbidden(diagnosis.clone())) as _);
            }
            let mut news = this.news.lock().unwrap();
            let place = news.iter().position(|new| new == name);
            let has_news = place.map(|place| news.remove(place)).is_some();
            let converted = u64::from(is_first || has_news);
            Ok(SyncReport { changesets: 9, converted, ..SyncReport::default() })
        })
    }

    /// Whether what a target had refused was to be pushed again, for each sync so far.
    pub(super) fn retried(&self) -> Vec<bool> {
        self.retried.lock().unwrap().clone()
    }

    /// From now on syncs of `mirror` fail so; `None` lets them go well again.
    pub(super) fn fails(&self, mirror: &str, how: Option<(Fault, Side)>) {
        match how {
            Some((fault, side)) => self.fails_with(mirror, fault.at(side)),
            None => drop(self.failing.lock().unwrap().remove(mirror)),
        }
    }

    /// From now on syncs of `mirror` fail with an error that says this of itself.
    pub(super) fn fails_with(&self, mirror: &str, diagnosis: Diagnosis) {
        self.failing.lock().unwrap().insert(mirror.to_owned(), diagnosis);
    }

    /// The next sync of `mirror` ends once the test sends something.
    pub(super) fn hold(&self, mirror: &str, until: Receiver<()>) {
        self.held.lock().unwrap().insert(mirror.to_owned(), until);
    }

    /// The next sync of `mirror` finds something new.
    pub(super) fn has_news(&self, mirror: &str) {
        self.news.lock().unwrap().push(mirror.to_owned());
    }
}

/// A service, and all that it depends on.
pub(super) struct Rig {
    pub(super) service: Service,
    pub(super) substitute: Arc<Substitute>,
    pub(super) store: Arc<MemoryStore>,
    /// Every event, with the time at which it was told.
    pub(super) events: Arc<Mutex<Vec<(Timestamp, ServiceEvent)>>>,
    clock: Arc<TestClock>,
    /// What was remembered of sources, and the time that each file of it was given.
    seen: Mutex<BTreeMap<PathBuf, SystemTime>>,
    pub(super) env: TestEnv,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.service.close();
    }
}

/// The configuration `text`, and what all have.
pub(super) fn config(env: &TestEnv, text: &str) -> Config {
    let text = format!("{HEAD}{text}");
    Config::parse(&text, &env.path("x.toml"), None).unwrap()
}

impl Rig {
    /// A service over the configuration `text`, whose new mirrors were synced.
    pub(super) fn new(text: &str) -> Self {
        Self::in_env(TestEnv::new(), text)
    }

    pub(super) fn in_env(env: TestEnv, text: &str) -> Self {
        let substitute = Arc::new(Substitute::default());
        let syncer = substitute.syncer();
        Self::with(env, text, substitute, syncer)
    }

    /// One that syncs as the program does.
    pub(super) fn for_real(env: TestEnv, text: &str) -> Self {
        let substitute = Arc::new(Substitute::default());
        let noted = Arc::clone(&substitute);
        let syncer = move |mirror: &Mirror,
                           context: &SyncContext<'_>,
                           observer: &dyn Observer,
                           interrupt: &Interrupt| {
            noted.synced.lock().unwrap().push(mirror.name.clone());
            mirror::sync_in(mirror, context, observer, interrupt)
                .map_err(|error| Box::new(error) as _)
        };
        Self::with(env, text, substitute, Arc::new(syncer))
    }

    fn with(env: TestEnv, text: &str, substitute: Arc<Substitute>, syncer: Syncer) -> Self {
        // Files have the times of this machine, and some are compared with it.
        let clock = Arc::new(TestClock(Mutex::new(Timestamp::now())));
        let store = Arc::new(MemoryStore::default());
        let kept: Arc<dyn JobStore> = Arc::<MemoryStore>::clone(&store);
        let config = config(&env, text);
        let service = Service::start(config, kept, Arc::<TestClock>::clone(&clock), syncer);
        let service = service.unwrap();
        let events = Arc::default();
        listen(&service, &clock, &events);
        let seen = Mutex::default();
        let rig = Self { service, substitute, store, events, clock, seen, env };
        rig.settle();
        rig
    }

    /// Ends the service, and begins another one over the same queue with the configuration `text`.
    pub(super) fn restart(&mut self, text: &str) {
        self.service.close();
        assert_eq!(self.service.wait_idle(LONG), 0);
        let kept: Arc<dyn JobStore> = Arc::<MemoryStore>::clone(&self.store);
        let clock = Arc::<TestClock>::clone(&self.clock);
        let config = config(&self.env, text);
        let service = Service::start(config, kept, clock, self.substitute.syncer());
        self.service = service.unwrap();
        listen(&self.service, &self.clock, &self.events);
        self.settle();
    }

    /// Makes `text` the configuration, without waiting for anything.
    pub(super) fn reload_only(&self, text: &str) {
        self.service.reload(config(&self.env, text)).unwrap();
    }

    /// Makes `text` the configuration, and waits until what is due is done.
    pub(super) fn reload(&self, text: &str) {
        self.reload_only(text);
        self.settle();
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn actions(&self) -> Arc<dyn Actions> {
        self.service.actions()
    }

    pub(super) fn mirror(&self, name: &str) -> MirrorDetail {
        self.actions().mirror(name).unwrap().unwrap()
    }

    pub(super) fn state(&self, name: &str) -> MirrorState {
        self.mirror(name).summary.state
    }

    pub(super) fn row(&self, name: &str) -> Row {
        self.store.row(name).unwrap().unwrap()
    }

    /// Waits until `is_so`.
    pub(super) fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while !is_so(self) {
            assert!(begin.elapsed() < LONG, "never came: {what}: {:?}", self.substitute.synced);
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Gives what was remembered of sources since this was last called the time of our clock: how old it is
    /// counts.
    fn date(&self) {
        let now = UNIX_EPOCH + Duration::from_millis(self.now().millis().unsigned_abs());
        let mut seen = self.seen.lock().unwrap();
        for cache in std::fs::read_dir(self.env.path("cache")).into_iter().flatten() {
            let path = cache.unwrap().path().join("seen");
            let Ok(file) = File::open(&path) else { continue };
            if seen.get(&path) != Some(&file.metadata().unwrap().modified().unwrap()) {
                file.set_modified(now).unwrap();
                seen.insert(path, file.metadata().unwrap().modified().unwrap());
            }
        }
    }

    /// Waits until nothing runs, and nothing is due but what is `held` up.
    pub(super) fn settle_but(&self, held: impl Fn(&Row) -> bool) {
        self.service.tick();
        self.until("rest", |rig| {
            let now = rig.now();
            let is_due = |row: &Row| row.due().is_some_and(|due| due <= now);
            let may_run = |row: &Row| row.paused.is_none() && row.parked.is_none() && !held(row);
            let rows = rig.store.rows().unwrap();
            rows.iter().all(|row| row.running.is_none() && !(is_due(row) && may_run(row)))
        });
        self.date();
    }

    /// Waits until nothing runs, and nothing is due.
    pub(super) fn settle(&self) {
        self.settle_but(|_| false);
    }

    /// Sets the clock.
    pub(super) fn at(&self, now: Timestamp) {
        self.clock.set(now);
    }

    /// Lets time pass, at once, and waits until what is due then is done.
    pub(super) fn pass(&self, time: Duration) {
        self.clock.set(self.clock.now().after(time));
        self.settle();
    }

    /// What was synced since this was last asked, in the order of the names.
    pub(super) fn synced(&self) -> Vec<String> {
        let mut synced = std::mem::take(&mut *self.substitute.synced.lock().unwrap());
        synced.sort();
        synced
    }

    /// The same, each name once. A mirror that a request makes known is due from then on, so it may be synced for that
    /// before the request is noted, and once more for the request.
    pub(super) fn synced_at_all(&self) -> Vec<String> {
        let mut synced = self.synced();
        synced.dedup();
        synced
    }

    /// How many syncs began since that was last asked.
    pub(super) fn synced_so_far(&self) -> usize {
        self.substitute.synced.lock().unwrap().len()
    }

    /// Whether one of these was of `mirror`.
    pub(super) fn synced_so_far_has(&self, mirror: &str) -> bool {
        self.substitute.synced.lock().unwrap().iter().any(|synced| synced == mirror)
    }

    /// A hook for what is called so, or has this address.
    pub(super) fn hook(&self, mapping: &str) -> Received {
        self.deliver("hg", mapping, &[])
    }

    /// The same to another endpoint and with headers.
    pub(super) fn deliver(
        &self,
        endpoint: &str,
        mapping: &str,
        headers: &[(&str, &[u8])],
    ) -> Received {
        self.deliver_from(Ipv4Addr::LOCALHOST.into(), endpoint, mapping, headers)
    }

    pub(super) fn deliver_from(
        &self,
        from: IpAddr,
        endpoint: &str,
        mapping: &str,
        headers: &[(&str, &[u8])],
    ) -> Received {
        let body = format!(r#"{{"schema":"synchroniser/1","event":"push","mapping":"{mapping}"}}"#);
        let all: Vec<_> = headers.iter().copied().chain([TYPE]).collect();
        let delivery = Delivery { headers: &all, query: "", body: body.as_bytes() };
        self.service.receive(endpoint, &delivery, from)
    }
}

const TYPE: (&str, &[u8]) = ("content-type", b"application/json");

fn listen(
    service: &Service,
    clock: &Arc<TestClock>,
    events: &Arc<Mutex<Vec<(Timestamp, ServiceEvent)>>>,
) {
    let (clock, events) = (Arc::clone(clock), Arc::clone(events));
    service.listen(Box::new(move |event| {
        events.lock().unwrap().push((clock.now(), event.clone()));
    }));
}
