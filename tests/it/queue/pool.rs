//! The threads that run what is due, with a store in memory and one that fails when it is told to.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use synchroniser::base::time::{Clock, SystemClock, Timestamp};
use synchroniser::base::{Fault, FenceError, Interrupt};
use synchroniser::queue::model::{
    Cause, Claim, Claimed, DeliveryEntry, DeliveryRecord, Finish, Member, Receipt, Request, Row,
    Run, RunId, RunState,
};
use synchroniser::queue::{
    ClaimLimits, Closed, Failure, JobStore, MemoryStore, Pool, Runner, StoreError,
};

use super::support::{done, failed, hook, limits, member, members, request};

const LONG: Duration = Duration::from_secs(20);

/// Tells of each run that begins, and ends it as it is told.
struct FakeRunner {
    begun: Mutex<Sender<(Claim, Sender<Finish>)>>,
    /// The keys that run now.
    running: Mutex<BTreeSet<String>>,
    /// Whether runs go on though they are asked to stop.
    is_deaf: Arc<AtomicBool>,
}

impl Runner for FakeRunner {
    fn run(&self, claim: &Claim, interrupt: &Interrupt) -> Option<Finish> {
        assert!(claim.key != "panic", "as asked");
        assert!(self.running.lock().unwrap().insert(claim.key.clone()), "two runs of one mirror");
        let (end, ended) = channel();
        self.begun.lock().unwrap().send((claim.clone(), end)).unwrap();
        let finish = loop {
            match ended.recv_timeout(Duration::from_millis(5)) {
                Ok(finish) => break finish,
                Err(_) if interrupt.is_raised() && !self.is_deaf.load(Ordering::SeqCst) => {
                    break Finish { state: RunState::Interrupted, ..done() };
                }
                Err(_) => {}
            }
        };
        self.running.lock().unwrap().remove(&claim.key);
        Some(finish)
    }
}

/// A store in memory that fails while it is told to.
#[derive(Default)]
struct Failing {
    store: MemoryStore,
    fails: AtomicBool,
    failures: AtomicUsize,
}

impl Failing {
    fn check(&self) -> Result<(), StoreError> {
        if !self.fails.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.failures.fetch_add(1, Ordering::SeqCst);
        let message = "database or disk is full".to_owned();
        Err(StoreError::Database { path: "queue".into(), message })
    }
}

/// The methods of the trait, each of which fails when it has to.
macro_rules! failing {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)+) => {
        impl JobStore for Failing {
            $(fn $name(&self, $($argument: $type),*) -> Result<$result, StoreError> {
                self.check()?;
                self.store.$name($($argument),*)
            })+
        }
    };
}

failing! {
    fn configure(members: &[Member], now: Timestamp) -> ();
    fn enqueue(
        requests: &[Request], delivery: Option<&DeliveryRecord>, now: Timestamp
    ) -> Vec<Receipt>;
    fn record(delivery: &DeliveryRecord) -> ();
    fn claim(limits: &ClaimLimits, now: Timestamp) -> Claimed;
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

struct Rig {
    store: Arc<Failing>,
    pool: Pool,
    begun: Receiver<(Claim, Sender<Finish>)>,
    is_deaf: Arc<AtomicBool>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.pool.close();
    }
}

/// A pool whose mirrors have all been run, if they are called otherwise than `panic`.
fn rig(keys: &[&str], limits: ClaimLimits) -> Rig {
    let store = Arc::new(Failing::default());
    let now = Timestamp::now();
    store.configure(&members(keys), now).unwrap();
    for claim in store.claim(&super::support::limits(), now).unwrap().claims {
        assert!(store.finish(&claim, &done(), now).unwrap());
    }
    let (sender, begun) = channel();
    let is_deaf = Arc::<AtomicBool>::default();
    let (begun_here, running) = (Mutex::new(sender), Mutex::default());
    let runner = FakeRunner { begun: begun_here, running, is_deaf: is_deaf.clone() };
    let (clock, runner) = (Arc::new(SystemClock), Arc::new(runner));
    let pool = Pool::start(store.clone(), runner, clock, limits).unwrap();
    Rig { store, pool, begun, is_deaf }
}

impl Rig {
    fn ask(&self, request: Request) -> RunId {
        let receipt = self.store.enqueue(&[request], None, Timestamp::now()).unwrap()[0].clone();
        self.pool.wake();
        receipt.run
    }

    fn begun(&self) -> (Claim, Sender<Finish>) {
        self.begun.recv_timeout(LONG).unwrap()
    }

    /// The run once it is in one of the states.
    fn wait(&self, id: RunId, is_it: impl Fn(&Run) -> bool) -> Run {
        let begin = Instant::now();
        loop {
            let run = self.store.store.run(id).unwrap().unwrap();
            if is_it(&run) {
                return run;
            }
            assert!(begin.elapsed() < LONG, "{run:?}");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

#[test]
fn what_is_asked_for_is_run_at_once_as_far_as_there_are_workers() {
    let rig = rig(&["a", "b", "c"], ClaimLimits { short: 2, long: 0, ..limits() });
    let ids = ["a", "b", "c"].map(|key| rig.ask(hook(key)));
    // Two workers begin at the same moment, and either may say so first.
    let mut begun = [rig.begun(), rig.begun()];
    begun.sort_by(|a, b| a.0.key.cmp(&b.0.key));
    let [first, second] = begun;
    assert_eq!((&*first.0.key, &*second.0.key), ("a", "b"));
    assert!(rig.begun.recv_timeout(Duration::from_millis(50)).is_err());
    assert_eq!(rig.store.run(ids[2]).unwrap().unwrap().state, RunState::Queued);
    first.1.send(done()).unwrap();
    let third = rig.begun();
    assert_eq!(third.0.run, ids[2]);
    assert_eq!(rig.wait(ids[0], |run| run.state.is_over()).state, RunState::Done);
    third.1.send(done()).unwrap();
    let finish = failed(Fault::Refused, None);
    second.1.send(finish.clone()).unwrap();
    assert_eq!(rig.pool.wait_idle(LONG), 0);
    assert_eq!(rig.store.run(ids[1]).unwrap().unwrap().failure, finish.failure);
}

#[test]
fn what_falls_due_is_run_though_nobody_says_so() {
    let rig = rig(&["a"], limits());
    let asked = Instant::now();
    let due = Timestamp::now().after(Duration::from_millis(150));
    rig.store.schedule("a", due).unwrap();
    rig.pool.wake();
    let (claim, end) = rig.begun();
    assert!(asked.elapsed() >= Duration::from_millis(140) && asked.elapsed() < LONG / 4);
    assert_eq!(claim.cause, Cause::Schedule);
    // And again after its end.
    let due = Some(Timestamp::now().after(Duration::from_millis(50)));
    end.send(Finish { due, ..done() }).unwrap();
    assert_eq!(rig.begun().0.key, "a");
}

#[test]
fn requests_during_a_run_are_answered_by_one_later_run() {
    let rig = rig(&["a"], limits());
    rig.ask(hook("a"));
    let (first, end) = rig.begun();
    let later: BTreeSet<_> = (0..50).map(|_| rig.ask(hook("a"))).collect();
    assert!(rig.begun.recv_timeout(Duration::from_millis(50)).is_err(), "one run at a time");
    end.send(done()).unwrap();
    let (second, _end) = rig.begun();
    assert_eq!((later.len(), later.first(), second.requests), (1, Some(&second.run), 50));
    assert!(second.token > first.token);
}

#[test]
fn no_two_runs_of_one_mirror_at_once_whatever_is_asked_for() {
    let keys = ["a", "b", "c", "d", "e"];
    let rig = rig(&keys, ClaimLimits { short: 4, ..limits() });
    let asked: Vec<RunId> = thread::scope(|scope| {
        let (store, pool) = (&rig.store, &rig.pool);
        let ask = |key: &str| {
            let receipt = store.enqueue(&[hook(key)], None, Timestamp::now()).unwrap()[0].clone();
            pool.wake();
            receipt.run
        };
        let threads =
            keys.map(|key| scope.spawn(move || (0..200).map(|_| ask(key)).collect::<Vec<_>>()));
        // The runner asserts that no key runs twice.
        while threads.iter().any(|thread| !thread.is_finished()) {
            while let Ok((_, end)) = rig.begun.recv_timeout(Duration::from_millis(20)) {
                end.send(done()).unwrap();
            }
        }
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    while let Ok((_, end)) = rig.begun.recv_timeout(Duration::from_millis(100)) {
        end.send(done()).unwrap();
    }
    for id in asked {
        assert_eq!(rig.wait(id, |run| run.state.is_over()).state, RunState::Done);
    }
    for row in rig.store.rows().unwrap() {
        assert_eq!((row.requests(), row.wanted), (0, 201));
    }
}

#[test]
fn a_panic_is_a_failure_of_ours_and_the_worker_lives() {
    let rig = rig(&["panic", "a"], ClaimLimits { short: 1, ..limits() });
    let id = rig.ask(hook("panic"));
    let run = rig.wait(id, |run| run.state.is_over());
    let failure = run.failure.unwrap();
    assert_eq!((run.state, failure.fault), (RunState::Failed, Fault::Internal));
    assert_eq!(failure.message, "panicked: as asked");
    let row = rig.store.row("panic").unwrap().unwrap();
    assert!(row.due().unwrap() > Timestamp::now() && row.parked.is_none(), "it is tried again");
    rig.ask(hook("a"));
    assert_eq!(rig.begun().0.key, "a");
}

#[test]
fn a_claim_is_renewed_while_it_is_run_and_when_it_is_lost_the_run_stops() {
    let lease = Duration::from_secs(1);
    let rig = rig(&["a"], ClaimLimits { lease, ..limits() });
    let id = rig.ask(hook("a"));
    let (claim, _end) = rig.begun();
    thread::sleep(lease * 3 / 2);
    let until = rig.store.row("a").unwrap().unwrap().running.unwrap().until;
    assert!(until > claim.until && until > Timestamp::now(), "{until:?}");
    assert_eq!(rig.store.run(id).unwrap().unwrap().state, RunState::Running);
    // Somebody else claims it, as when this process has stood still.
    let far = Timestamp::now().after(LONG * 100);
    let stolen = rig.store.claim(&limits(), far).unwrap().claims.remove(0);
    assert!(stolen.token > claim.token);
    assert_eq!(rig.pool.wait_idle(LONG), 0, "the run was interrupted");
    let row = rig.store.row("a").unwrap().unwrap();
    assert_eq!(row.running.map(|running| running.run), Some(stolen.run), "and changed nothing");
}

#[test]
fn a_mirror_waits_for_an_earlier_run_that_does_not_stop() {
    let lease = Duration::from_millis(300);
    let rig = rig(&["a", "b"], ClaimLimits { lease, ..limits() });
    rig.is_deaf.store(true, Ordering::SeqCst);
    rig.ask(hook("a"));
    let (first, end) = rig.begun();
    rig.store.fails.store(true, Ordering::SeqCst);
    thread::sleep(lease * 4);
    rig.store.fails.store(false, Ordering::SeqCst);
    let claimed_again = || {
        let running = rig.store.row("a").unwrap().unwrap().running;
        running.is_some_and(|running| running.run != first.run)
    };
    let begin = Instant::now();
    while !claimed_again() {
        assert!(begin.elapsed() < LONG);
        thread::sleep(Duration::from_millis(5));
    }
    // Others do not wait.
    rig.ask(hook("b"));
    assert_eq!(rig.begun().0.key, "b");
    assert!(rig.begun.recv_timeout(lease * 2).is_err(), "the first one runs still");
    end.send(done()).unwrap();
    let (second, _end) = rig.begun();
    assert!(second.key == "a" && second.token > first.token);
    rig.is_deaf.store(false, Ordering::SeqCst);
}

#[test]
fn draining_lets_runs_end_and_begins_none() {
    let rig = rig(&["a", "b"], ClaimLimits { short: 1, ..limits() });
    let ids = ["a", "b"].map(|key| rig.ask(hook(key)));
    let (_, end) = rig.begun();
    rig.pool.drain();
    assert_eq!(rig.pool.wait_idle(Duration::from_millis(50)), 1);
    end.send(done()).unwrap();
    assert_eq!(rig.pool.wait_idle(LONG), 0);
    let states = ids.map(|id| rig.store.run(id).unwrap().unwrap().state);
    assert_eq!(states, [RunState::Done, RunState::Queued]);
}

#[test]
fn closing_interrupts_runs_and_gives_their_claims_back() {
    let rig = rig(&["a", "b", "c"], ClaimLimits { short: 2, ..limits() });
    let ids = ["a", "b", "c"].map(|key| rig.ask(hook(key)));
    // Two threads: either may be the first to say that it has begun.
    let mut begun = [rig.begun(), rig.begun()];
    begun.sort_by(|(one, _), (other, _)| one.key.cmp(&other.key));
    let [_first, second] = begun;
    // One of them comes to its end all the same.
    second.1.send(done()).unwrap();
    let third = rig.begun();
    assert_eq!(third.0.key, "c");
    rig.pool.close();
    assert_eq!(rig.pool.wait_idle(LONG), 0);
    let runs = ids.map(|id| rig.store.run(id).unwrap().unwrap());
    let states = runs.map(|run| (run.key, run.state, run.requests));
    let expected = [RunState::Queued, RunState::Done, RunState::Queued];
    assert_eq!(states.map(|(_, state, requests)| (state, requests)), expected.map(|s| (s, 1)));
    rig.ask(hook("b"));
    assert!(rig.begun.recv_timeout(Duration::from_millis(100)).is_err(), "nothing begins any more");
    // The next process takes it up at once.
    let next = rig.store.claim(&limits(), Timestamp::now()).unwrap().claims;
    assert_eq!((next.len(), next[0].attempt), (3, 1));
}

#[test]
fn one_run_can_be_interrupted_and_its_requests_wait() {
    let rig = rig(&["a", "b"], limits());
    let id = rig.ask(hook("a"));
    let (_claim, _end) = rig.begun();
    assert!(!rig.pool.interrupt("b"));
    rig.store.pause("a", true, Timestamp::now()).unwrap();
    assert!(rig.pool.interrupt("a"));
    assert_eq!(rig.pool.wait_idle(LONG), 0);
    assert_eq!(rig.store.run(id).unwrap().unwrap().state, RunState::Interrupted);
    let row = rig.store.row("a").unwrap().unwrap();
    assert_eq!((row.requests(), row.running), (1, None));
}

#[test]
fn a_store_that_fails_is_tried_until_it_works() {
    let rig = rig(&["a", "b"], limits());
    let id = rig.ask(hook("a"));
    let (_claim, end) = rig.begun();
    rig.store.fails.store(true, Ordering::SeqCst);
    end.send(done()).unwrap();
    let begin = Instant::now();
    while rig.store.failures.load(Ordering::SeqCst) == 0 {
        assert!(begin.elapsed() < LONG);
        thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(rig.pool.wait_idle(Duration::ZERO), 1, "what is not written is not over");
    rig.store.store.enqueue(&[hook("b")], None, Timestamp::now()).unwrap();
    rig.pool.wake();
    let before = rig.pool.beat();
    let begin = Instant::now();
    while rig.pool.beat() <= before {
        assert!(begin.elapsed() < LONG, "the dispatcher goes on");
        thread::sleep(Duration::from_millis(2));
    }
    thread::sleep(Duration::from_millis(500));
    let failures = rig.store.failures.load(Ordering::SeqCst);
    assert!(failures < 100, "there are pauses: {failures}");
    rig.store.fails.store(false, Ordering::SeqCst);
    assert_eq!(rig.wait(id, |run| run.state.is_over()).state, RunState::Done);
    assert_eq!(rig.begun().0.key, "b");
}

#[test]
fn limits_can_be_changed_while_it_works() {
    let rig = rig(&["a", "b", "c"], ClaimLimits { short: 1, long: 0, ..limits() });
    for key in ["a", "b", "c"] {
        rig.ask(hook(key));
    }
    let (_a, _end_a) = rig.begun();
    assert!(rig.begun.recv_timeout(Duration::from_millis(50)).is_err());
    rig.pool.adjust(|limits| limits.closed.hosts = vec![member("b").source_host]).unwrap();
    rig.pool.adjust(|limits| limits.short = 3).unwrap();
    assert!(rig.begun.recv_timeout(Duration::from_millis(50)).is_err(), "the host is closed");
    rig.ask(request("c", Cause::Person));
    assert_eq!(rig.begun().0.key, "c", "a person may try");
    rig.pool.adjust(|limits| limits.closed.hosts.clear()).unwrap();
    assert_eq!(rig.begun().0.key, "b");
}

/// A clock that tests set.
struct FakeClock(Mutex<Timestamp>);

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

#[test]
fn a_clock_that_is_set_is_noticed() {
    let store = Arc::new(MemoryStore::default());
    let clock = Arc::new(FakeClock(Mutex::new(Timestamp::from_seconds(1000))));
    store.configure(&members(&["a"]), clock.now()).unwrap();
    let (sender, begun) = channel();
    let runner = Arc::new(FakeRunner {
        begun: Mutex::new(sender),
        running: Mutex::default(),
        is_deaf: Arc::default(),
    });
    let pool = Pool::start(store, runner, clock.clone(), limits()).unwrap();
    let (_, end) = begun.recv_timeout(LONG).unwrap();
    let due = clock.now().after(LONG * 1000);
    end.send(Finish { due: Some(due), ..done() }).unwrap();
    assert_eq!(pool.wait_idle(LONG), 0);
    assert!(begun.try_recv().is_err());
    *clock.0.lock().unwrap() = due;
    let (claim, _end) = begun.recv_timeout(LONG).unwrap();
    assert_eq!(claim.key, "a");
    // The beat is that of the round before, if the clock was set within one.
    let since = Instant::now();
    while pool.beat() != due {
        assert!(since.elapsed() < LONG, "the beat stands still");
    }
    pool.close();
}

#[test]
fn a_run_is_told_whether_its_claim_still_holds() {
    let rig = rig(&["a"], ClaimLimits { lease: Duration::from_secs(3), ..limits() });
    rig.ask(hook("a"));
    let (claim, end) = rig.begun.recv_timeout(LONG).unwrap();
    rig.pool.check(&claim).unwrap();
    // While the store says nothing, for as long as nobody else can have claimed it.
    rig.store.fails.store(true, Ordering::SeqCst);
    rig.pool.check(&claim).unwrap();
    let begin = Instant::now();
    let error = loop {
        match rig.pool.check(&claim) {
            Ok(()) => thread::sleep(Duration::from_millis(10)),
            Err(error) => break error,
        }
        assert!(begin.elapsed() < LONG);
    };
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert!(matches!(error, FenceError::Unknown), "{error}");
    rig.store.fails.store(false, Ordering::SeqCst);
    let later = Claim { token: claim.token + 1, ..claim.clone() };
    assert!(matches!(rig.pool.check(&later), Err(FenceError::Lost)));
    end.send(done()).unwrap();
    let begin = Instant::now();
    while rig.pool.check(&claim).is_ok() {
        assert!(begin.elapsed() < LONG);
    }
}

/// What a look says that found nothing.
fn found_nothing() -> Finish {
    Finish { unremarkable: true, changed: false, ..done() }
}

/// A pool of which a look at each mirror is under way.
fn looking(keys: &[&str]) -> (Rig, Vec<(Claim, Sender<Finish>)>) {
    let rig = rig(keys, ClaimLimits { short: keys.len(), ..limits() });
    for key in keys {
        rig.store.schedule(key, Timestamp::now()).unwrap();
    }
    rig.pool.wake();
    let looks = keys.iter().map(|_| rig.begun()).collect();
    (rig, looks)
}

#[test]
fn looks_that_find_nothing_are_held_until_that_is_noted() {
    let keys = ["a", "b", "c", "d"];
    let (rig, looks) = looking(&keys);
    rig.store.fails.store(true, Ordering::SeqCst);
    for (_, end) in &looks {
        end.send(found_nothing()).unwrap();
    }
    let begin = Instant::now();
    while rig.store.failures.load(Ordering::SeqCst) == 0 {
        assert!(begin.elapsed() < LONG);
        thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(rig.pool.wait_idle(Duration::from_millis(100)), 4);
    rig.store.fails.store(false, Ordering::SeqCst);
    assert_eq!(rig.pool.wait_idle(LONG), 0);
    for (claim, _) in &looks {
        let row = rig.store.row(&claim.key).unwrap().unwrap();
        assert_eq!((row.running, row.attempts), (None, 0));
        assert!(rig.store.run(claim.run).unwrap().is_none(), "it has no place in the history");
    }
    assert!(rig.pool.failing().is_none());
}

#[test]
fn a_pool_that_ends_notes_what_was_looked_at() {
    let (rig, looks) = looking(&["a", "b"]);
    rig.pool.drain();
    for (_, end) in &looks {
        end.send(found_nothing()).unwrap();
    }
    assert_eq!(rig.pool.wait_idle(LONG), 0);
    for row in rig.store.rows().unwrap() {
        assert_eq!((row.running, row.due()), (None, None), "{row:?}");
    }
}
