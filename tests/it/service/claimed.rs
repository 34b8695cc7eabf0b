//! A configuration that changes between the claim of a mirror and its run.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use synchroniser::base::Interrupt;
use synchroniser::base::time::{SystemClock, Timestamp};
use synchroniser::mirror::{Mirror, Observer, SyncContext, SyncReport};
use synchroniser::queue::model::{
    Claim, Claimed, DeliveryEntry, DeliveryRecord, Finish, Member, Receipt, Request, Row, Run,
    RunId, RunState,
};
use synchroniser::queue::{ClaimLimits, Closed, Failure, JobStore, MemoryStore, StoreError};
use synchroniser::service::Service;

use super::rig::config;
use crate::support::TestEnv;

/// A store that shows what was claimed to the test before the dispatcher gets it.
struct Gate {
    store: MemoryStore,
    claimed: Mutex<Sender<Vec<String>>>,
    go_on: Mutex<Receiver<()>>,
}

macro_rules! gated {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)+) => {
        impl JobStore for Gate {
            $(fn $name(&self, $($argument: $type),*) -> Result<$result, StoreError> {
                self.store.$name($($argument),*)
            })+

            fn claim(&self, limits: &ClaimLimits, now: Timestamp) -> Result<Claimed, StoreError> {
                let claimed = self.store.claim(limits, now)?;
                if !claimed.claims.is_empty() {
                    let keys = claimed.claims.iter().map(|claim| claim.key.clone()).collect();
                    let _ = self.claimed.lock().unwrap().send(keys);
                    let _ = self.go_on.lock().unwrap().recv();
                }
                Ok(claimed)
            }
        }
    };
}

gated! {
    fn configure(members: &[Member], now: Timestamp) -> ();
    fn enqueue(
        requests: &[Request], delivery: Option<&DeliveryRecord>, now: Timestamp
    ) -> Vec<Receipt>;
    fn record(delivery: &DeliveryRecord) -> ();
    fn renew(claim: &Claim, until: Timestamp) -> bool;
    fn finish(claim: &Claim, finish: &Finish, now: Timestamp) -> bool;
    fn release(claim: &Claim, now: Timestamp) -> ();
    fn schedule(key: &str, due: Timestamp) -> ();
    fn pause(key: &str, paused: bool, now: Timestamp) -> ();
    fn park(key: &str, parked: Option<&Failure>, now: Timestamp) -> ();
    fn note_host(host: &str, answered: bool, now: Timestamp) -> bool;
    fn pause_target(host: &str, owner: &str, until: Timestamp) -> ();
    fn closed(now: Timestamp) -> Closed;
    fn rows() -> Vec<Row>;
    fn keys() -> Vec<String>;
    fn row(key: &str) -> Option<Row>;
    fn run(id: RunId) -> Option<Run>;
    fn runs(key: Option<&str>, before: Option<RunId>, count: usize) -> Vec<Run>;
    fn deliveries(before: Option<i64>, count: usize) -> Vec<DeliveryEntry>;
    fn trim(before: Timestamp, keep: usize) -> ();
    fn backup(path: &Path) -> ();
}

const LONG: Duration = Duration::from_secs(10);

/// A service whose mirror `a` was claimed, and has not begun to run.
struct Scene {
    env: TestEnv,
    service: Service,
    store: Arc<Gate>,
    claimed: Receiver<Vec<String>>,
    go_on: Option<Sender<()>>,
    synced: Receiver<String>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.go_on = None;
        self.service.close();
    }
}

const A: &str = "mirrors.a = { source = \"hg/a\", target = \"git/a\" }\n";

fn scene() -> Scene {
    let env = TestEnv::new();
    let (claimed_sender, claimed) = channel();
    let (go_on, wait) = channel();
    let gate = Gate {
        store: MemoryStore::default(),
        claimed: Mutex::new(claimed_sender),
        go_on: Mutex::new(wait),
    };
    let store = Arc::new(gate);
    let (tell, synced) = channel();
    let tell = Mutex::new(tell);
    let run = move |mirror: &Mirror, _: &SyncContext<'_>, _: &dyn Observer, _: &Interrupt| {
        let _ = tell.lock().unwrap().send(mirror.name.clone());
        Ok(SyncReport::default())
    };
    let kept: Arc<dyn JobStore> = Arc::<Gate>::clone(&store);
    let service = Service::start(config(&env, A), kept, Arc::new(SystemClock), Arc::new(run));
    let service = service.unwrap();
    assert_eq!(claimed.recv_timeout(LONG).unwrap(), ["a"]);
    Scene { env, service, store, claimed, go_on: Some(go_on), synced }
}

impl Scene {
    fn goes_on(&self) {
        self.go_on.as_ref().unwrap().send(()).unwrap();
    }

    fn no_run_has_failed(&self) {
        let runs = self.store.runs(None, None, 9).unwrap();
        let failed = |run: &&Run| run.state == RunState::Failed || run.failure.is_some();
        assert_eq!(runs.iter().find(failed), None);
    }
}

#[test]
fn a_mirror_that_was_renamed_since_it_was_claimed_runs_under_its_new_name() {
    let scene = scene();
    let renamed = A.replace("mirrors.a = {", "mirrors.z = { was = \"a\",");
    scene.service.reload(config(&scene.env, &renamed)).unwrap();
    scene.goes_on();
    assert_eq!(scene.claimed.recv_timeout(LONG).unwrap(), ["z"]);
    scene.goes_on();
    assert_eq!(scene.synced.recv_timeout(LONG).unwrap(), "z");
    scene.no_run_has_failed();
}

#[test]
fn a_mirror_that_was_removed_since_it_was_claimed_is_left_alone() {
    let scene = scene();
    scene.service.reload(config(&scene.env, "")).unwrap();
    scene.goes_on();
    let begin = Instant::now();
    let is_held = || {
        let runs = scene.store.runs(Some("a"), None, 9).unwrap();
        runs.iter().any(|run| run.state == RunState::Running)
    };
    while is_held() {
        assert!(begin.elapsed() < LONG, "the claim is never given back");
        std::thread::yield_now();
    }
    assert_eq!(scene.service.wait_idle(LONG), 0);
    scene.no_run_has_failed();
    assert!(scene.claimed.try_recv().is_err(), "it was claimed again");
    assert!(scene.synced.try_recv().is_err());
    // It is as it was when it comes back.
    scene.service.reload(config(&scene.env, A)).unwrap();
    assert_eq!(scene.claimed.recv_timeout(LONG).unwrap(), ["a"]);
    scene.goes_on();
    assert_eq!(scene.synced.recv_timeout(LONG).unwrap(), "a");
}
