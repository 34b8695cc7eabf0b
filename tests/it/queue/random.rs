//! Whatever happens in whatever order, with processes that end in between: a small model says what must
//! hold of every store, and the stores do the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tempfile::TempDir;

use synchroniser::base::Fault;
use synchroniser::base::time::Timestamp;
use synchroniser::queue::model::{
    Cause, Claim, Claimed, End, EndState, Finish, Member, Receipt, Request, Row, Run, RunId,
    RunState, Running, Waiting, Weight,
};
use synchroniser::queue::{ClaimLimits, JobStore, MemoryStore, PostgresStore, SqliteStore};

use super::support::*;
use crate::support::env;
use crate::support::postgres::{self, Postgres};

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Clone, Debug)]
enum Event {
    Enqueue {
        key: usize,
        cause: Cause,
        delay: u64,
    },
    Claim {
        workers: usize,
    },
    /// Of the claims that were ever made, one counted from the last.
    Renew {
        claim: usize,
    },
    Finish {
        claim: usize,
        state: RunState,
        park: bool,
        due: Option<u64>,
    },
    Release {
        claim: usize,
    },
    /// So many of the last claims end with nothing found, and are noted together.
    Turn {
        ends: usize,
        workers: usize,
        due: Option<u64>,
    },
    Schedule {
        key: usize,
        delay: u64,
    },
    Pause {
        key: usize,
        paused: bool,
    },
    Park {
        key: usize,
        parked: bool,
    },
    /// The mirrors that there are from now on, and which of them have another configuration.
    Configure {
        members: u8,
        changed: u8,
    },
    Advance {
        seconds: u64,
    },
    /// The process ends, and another one opens the queue.
    Crash,
}

fn event() -> impl Strategy<Value = Event> {
    let key = || 0..KEYS.len();
    let cause = prop_oneof![Just(Cause::Hook), Just(Cause::Person), Just(Cause::Schedule)];
    let state = prop_oneof![
        3 => Just(RunState::Done),
        1 => Just(RunState::Partial),
        2 => Just(RunState::Failed),
        1 => Just(RunState::Interrupted),
    ];
    prop_oneof![
        6 => (key(), cause, 0_u64..30)
            .prop_map(|(key, cause, delay)| Event::Enqueue { key, cause, delay }),
        6 => (1_usize..4).prop_map(|workers| Event::Claim { workers }),
        2 => (0_usize..4).prop_map(|claim| Event::Renew { claim }),
        5 => (0_usize..4, state, any::<bool>(), prop::option::of(0_u64..100)).prop_map(
            |(claim, state, park, due)| Event::Finish { claim, state, park, due }
        ),
        1 => (0_usize..3).prop_map(|claim| Event::Release { claim }),
        3 => (0_usize..5, 0_usize..4, prop::option::of(0_u64..100))
            .prop_map(|(ends, workers, due)| Event::Turn { ends, workers, due }),
        1 => (key(), 0_u64..50).prop_map(|(key, delay)| Event::Schedule { key, delay }),
        1 => (key(), any::<bool>()).prop_map(|(key, paused)| Event::Pause { key, paused }),
        1 => (key(), any::<bool>()).prop_map(|(key, parked)| Event::Park { key, parked }),
        1 => (any::<u8>(), any::<u8>())
            .prop_map(|(members, changed)| Event::Configure { members, changed }),
        4 => (1_u64..80).prop_map(|seconds| Event::Advance { seconds }),
        1 => Just(Event::Crash),
    ]
}

/// A store, and how it is opened again.
enum Subject {
    Memory(MemoryStore),
    Sqlite(TempDir, Option<SqliteStore>),
    /// With its address.
    Postgres(String, Option<PostgresStore>),
}

/// What has become of a store that was opened again, and of the claims that were held.
enum Opened {
    /// It is the same one.
    Same,
    /// Nobody else can have it, so they have run out.
    Alone,
    /// It is one among others: they run out when their time has come, and take none of its workers.
    Another,
}

impl Subject {
    fn sqlite() -> Self {
        let mut subject = Self::Sqlite(tempfile::tempdir().unwrap(), None);
        subject.open_again();
        subject
    }

    fn postgres(server: &Postgres) -> Self {
        let address = server.schema();
        let store = open_postgres(&address);
        Self::Postgres(address, Some(store))
    }

    fn store(&self) -> &dyn JobStore {
        match self {
            Self::Memory(store) => store,
            Self::Sqlite(_, store) => store.as_ref().unwrap(),
            Self::Postgres(_, store) => store.as_ref().unwrap(),
        }
    }

    fn open_again(&mut self) -> Opened {
        match self {
            Self::Memory(_) => Opened::Same,
            Self::Sqlite(folder, store) => {
                *store = None;
                *store = Some(SqliteStore::open(&folder.path().join("queue")).unwrap());
                Opened::Alone
            }
            // Other processes may hold claims, so that they run out is all that ends them.
            Self::Postgres(address, store) => {
                *store = None;
                *store = Some(open_postgres(address));
                Opened::Another
            }
        }
    }
}

/// What is known of one mirror.
#[derive(Default)]
struct Known {
    is_member: bool,
    fingerprint: u32,
    /// Requests that no run has taken up, and those that the run under way has.
    waiting: u64,
    taken: u64,
    /// The claim that holds, and until when.
    live: Option<(Claim, Timestamp)>,
    last_token: u64,
    /// The number of the event that last asked, and of that which began the last run that came to an end.
    asked: usize,
    answered: usize,
    begun: usize,
}

struct Model {
    subject: Subject,
    now: Timestamp,
    /// How many events there were.
    events: usize,
    known: BTreeMap<String, Known>,
    claims: Vec<Claim>,
    /// Those before it are of processes that are gone.
    first_of_ours: usize,
    receipts: Vec<RunId>,
}

/// What a step shows to whoever asked for it, to compare stores.
#[derive(Debug, PartialEq)]
enum Seen {
    Nothing,
    Receipt(Receipt),
    Claims(Vec<Claim>, Option<Timestamp>),
    Turn(Vec<EndState>, Vec<Claim>, Option<Timestamp>),
    Held(bool),
}

type Checked<T> = Result<T, TestCaseError>;

impl Model {
    fn new(subject: Subject) -> Checked<Self> {
        let known = KEYS.iter().map(|key| ((*key).to_owned(), Known::default())).collect();
        let (claims, receipts) = (Vec::new(), Vec::new());
        let (now, events, first_of_ours) = (at(0), 0, 0);
        let mut model = Self { subject, now, events, known, claims, first_of_ours, receipts };
        model.step(&Event::Configure { members: 0xff, changed: 0 })?;
        Ok(model)
    }

    fn claim_back(&self, back: usize) -> Option<Claim> {
        let at = self.claims.len().checked_sub(back + 1)?;
        Some(self.claims[at].clone())
    }

    /// The mirror that `claim` holds, if it still does.
    fn held(&mut self, claim: &Claim) -> Option<&mut Known> {
        let known = self.known.get_mut(&claim.key).unwrap();
        known.live.as_ref().is_some_and(|(live, _)| live.token == claim.token).then_some(known)
    }

    fn step(&mut self, event: &Event) -> Checked<Seen> {
        self.events += 1;
        match *event {
            Event::Enqueue { key, cause, delay } => return self.enqueue(KEYS[key], cause, delay),
            Event::Claim { workers } => {
                let limits = ClaimLimits { short: workers, long: workers, ..limits() };
                return self.claim(&limits);
            }
            Event::Renew { claim } => return self.renew(claim),
            Event::Finish { claim, state, park, due } => {
                let Some(claim) = self.claim_back(claim) else { return Ok(Seen::Nothing) };
                let due = due.map(|seconds| self.now.after(Duration::from_secs(seconds)));
                let failure = (state == RunState::Failed).then(|| failure(Fault::Unavailable));
                let finish = Finish { state, failure, park, due, ..done() };
                return self.finish(&claim, &finish);
            }
            Event::Release { claim } => self.release(claim),
            Event::Turn { ends, workers, due } => return self.turn(ends, workers, due),
            Event::Schedule { key, delay } => {
                let due = self.now.after(Duration::from_secs(delay));
                let scheduled = self.subject.store().schedule(KEYS[key], due);
                prop_assert_eq!(scheduled.is_ok(), self.known[KEYS[key]].is_member);
            }
            Event::Pause { key, paused } => {
                let done = self.subject.store().pause(KEYS[key], paused, self.now);
                prop_assert_eq!(done.is_ok(), self.known[KEYS[key]].is_member);
            }
            Event::Park { key, parked } => {
                let failure = failure(Fault::Config);
                let parked = parked.then_some(&failure);
                let done = self.subject.store().park(KEYS[key], parked, self.now);
                prop_assert_eq!(done.is_ok(), self.known[KEYS[key]].is_member);
            }
            Event::Configure { members, changed } => self.configure(members, changed),
            Event::Advance { seconds } => {
                self.now = self.now.after(Duration::from_secs(seconds));
            }
            Event::Crash => match self.subject.open_again() {
                Opened::Same => {}
                Opened::Alone => {
                    for known in self.known.values_mut() {
                        if let Some((_, until)) = &mut known.live {
                            *until = Timestamp::from_millis(0);
                        }
                    }
                }
                Opened::Another => self.first_of_ours = self.claims.len(),
            },
        }
        Ok(Seen::Nothing)
    }

    fn renew(&mut self, back: usize) -> Checked<Seen> {
        let Some(claim) = self.claim_back(back) else { return Ok(Seen::Nothing) };
        let until = self.now.after(LEASE);
        let renewed = self.subject.store().renew(&claim, until).unwrap();
        let held = self.held(&claim);
        prop_assert_eq!(renewed, held.is_some(), "renewed {:?}", claim);
        if let Some((_, live)) = held.and_then(|known| known.live.as_mut()) {
            *live = until;
        }
        Ok(Seen::Held(renewed))
    }

    fn release(&mut self, back: usize) {
        let Some(claim) = self.claim_back(back) else { return };
        self.subject.store().release(&claim, self.now).unwrap();
        if let Some(known) = self.held(&claim) {
            known.waiting += std::mem::take(&mut known.taken);
            known.live = None;
        }
    }

    fn configure(&mut self, members: u8, changed: u8) {
        let mut all = Vec::new();
        for (bit, key) in KEYS.iter().enumerate() {
            let known = self.known.get_mut(*key).unwrap();
            let was_member = known.is_member;
            known.is_member = members >> bit & 1 == 1;
            if !known.is_member {
                continue;
            }
            let is_changed = changed >> bit & 1 == 1;
            known.fingerprint += u32::from(is_changed);
            if is_changed || !was_member {
                known.waiting += 1;
                known.asked = self.events;
            }
            all.push(Member { fingerprint: known.fingerprint.to_string(), ..member(key) });
        }
        self.subject.store().configure(&all, self.now).unwrap();
    }

    fn enqueue(&mut self, key: &str, cause: Cause, delay: u64) -> Checked<Seen> {
        let delay = Duration::from_secs(delay);
        let request = Request { delay, longest_delay: delay * 3, ..request(key, cause) };
        let receipts = self.subject.store().enqueue(&[request], None, self.now);
        let known = self.known.get_mut(key).unwrap();
        prop_assert_eq!(receipts.is_ok(), known.is_member);
        let Ok(receipts) = receipts else { return Ok(Seen::Nothing) };
        prop_assert_eq!(receipts[0].folded, known.waiting > 0);
        known.waiting += 1;
        known.asked = self.events;
        let waiting = known.waiting;
        self.receipts.push(receipts[0].run);
        let run = self.run(receipts[0].run)?;
        prop_assert_eq!((run.state, run.requests), (RunState::Queued, waiting));
        Ok(Seen::Receipt(receipts[0].clone()))
    }

    fn run(&self, id: RunId) -> Checked<Run> {
        let run = self.subject.store().run(id).unwrap();
        run.ok_or_else(|| TestCaseError::fail(format!("{id} is gone")))
    }

    fn claim(&mut self, limits: &ClaimLimits) -> Checked<Seen> {
        let before = self.rows();
        let claimed = self.subject.store().claim(limits, self.now).unwrap();
        self.claimed(&before, limits, &claimed)?;
        Ok(Seen::Claims(claimed.claims, claimed.again))
    }

    /// Ends of runs, of which every second one has found nothing, and then a claim, as one operation.
    fn turn(&mut self, ends: usize, workers: usize, due: Option<u64>) -> Checked<Seen> {
        let due = due.map(|seconds| self.now.after(Duration::from_secs(seconds)));
        let kept = Finish { due, ..done() };
        let empty = Finish { changed: false, unremarkable: true, ..kept.clone() };
        let finishes = [empty, kept].into_iter().cycle();
        let claims = (0..ends).filter_map(|back| self.claim_back(back));
        let ends: Vec<_> =
            claims.zip(finishes).map(|(claim, finish)| End { claim, finish }).collect();
        let limits = ClaimLimits { short: workers, long: workers, ..limits() };
        let before = self.rows();
        let (states, claimed) = self.subject.store().turn(&ends, Some(&limits), self.now).unwrap();
        for (end, state) in ends.iter().zip(&states) {
            let held = self.held(&end.claim);
            let expected = if held.is_some() { EndState::Noted } else { EndState::Lost };
            prop_assert_eq!(*state, expected, "{:?}", end.claim);
            if let Some(known) = held {
                known.live = None;
                known.taken = 0;
                known.answered = known.begun;
                let run = self.subject.store().run(end.claim.run).unwrap();
                if !end.finish.unremarkable {
                    prop_assert_eq!(run.map(|run| run.state), Some(RunState::Done));
                    continue;
                }
                prop_assert!(run.is_none(), "{:?}", run);
                // Nobody waits for what has no place in the history.
                self.receipts.retain(|run| *run != end.claim.run);
            }
        }
        self.claimed(&before, &limits, &claimed)?;
        Ok(Seen::Turn(states, claimed.claims, claimed.again))
    }

    /// Checks what was claimed, where rows were like this `before`, and keeps it.
    fn claimed(&mut self, before: &[Row], limits: &ClaimLimits, claimed: &Claimed) -> Checked<()> {
        let before: BTreeMap<_, _> =
            before.iter().map(|row| (row.member.key.clone(), row)).collect();
        for known in self.known.values_mut() {
            if known.live.as_ref().is_some_and(|(_, until)| *until <= self.now) {
                known.waiting += std::mem::take(&mut known.taken);
                known.live = None;
            }
        }
        for claim in &claimed.claims {
            let known = self.known.get_mut(&claim.key).unwrap();
            prop_assert!(known.is_member, "{} is no member", claim.key);
            prop_assert!(known.live.is_none(), "{} has two claims", claim.key);
            prop_assert!(claim.token > known.last_token, "{} is no larger", claim.token);
            prop_assert_eq!(claim.requests, known.waiting);
            let row = before[&claim.key];
            prop_assert!(row.paused.is_none());
            prop_assert!(row.parked.is_none() || row.attempts >= limits.attempts);
            // If its run has ended with this very operation, only the store knows when it is due again.
            let is_ended = row.running.is_some_and(|running| running.until > self.now);
            let due = row.running.map_or(row.due(), |running| Some(running.until));
            let due = if is_ended { Some(self.now) } else { due };
            prop_assert!(due.is_some_and(|due| due <= self.now), "{} is not due", claim.key);
            known.taken = std::mem::take(&mut known.waiting);
            known.last_token = claim.token;
            known.live = Some((claim.clone(), claim.until));
            known.begun = self.events;
            self.claims.push(claim.clone());
        }
        for (weight, workers) in [(Weight::Short, limits.short), (Weight::Long, limits.long)] {
            let is_new = claimed.claims.iter().any(|claim| claim.weight == weight);
            let live = self.known.values().filter_map(|known| known.live.as_ref());
            let is_ours = |claim: &Claim| {
                self.claims[self.first_of_ours..].iter().any(|ours| ours.run == claim.run)
            };
            let live = live.filter(|(claim, _)| claim.weight == weight && is_ours(claim)).count();
            prop_assert!(!is_new || live <= workers, "{} runs for {} workers", live, workers);
        }
        Ok(())
    }

    fn finish(&mut self, claim: &Claim, finish: &Finish) -> Checked<Seen> {
        let finished = self.subject.store().finish(claim, finish, self.now).unwrap();
        let held = self.held(claim);
        prop_assert_eq!(finished, held.is_some(), "finished {:?}", claim);
        let Some(known) = held else { return Ok(Seen::Held(false)) };
        known.live = None;
        let taken = std::mem::take(&mut known.taken);
        match finish.state {
            RunState::Interrupted => known.waiting += taken,
            _ => known.answered = known.begun,
        }
        prop_assert_eq!(self.run(claim.run)?.state, finish.state);
        Ok(Seen::Held(true))
    }

    fn rows(&self) -> Vec<Row> {
        self.subject.store().rows().unwrap()
    }

    /// Lets everything come to its end: whatever was asked for is answered by a run that began later.
    fn settle(&mut self) -> Checked<()> {
        for key in KEYS {
            if self.known[key].is_member {
                let store = self.subject.store();
                store.pause(key, false, self.now).unwrap();
            }
        }
        for round in 0.. {
            prop_assert!(round < 50, "it does not come to an end: {:?}", self.rows());
            for row in self.rows().iter().filter(|row| row.parked.is_some()) {
                self.subject.store().park(&row.member.key, None, self.now).unwrap();
            }
            self.step(&Event::Advance { seconds: 200 })?;
            self.events += 1;
            let before = self.claims.len();
            self.claim(&limits())?;
            for at in before..self.claims.len() {
                let claim = self.claims[at].clone();
                self.finish(&claim, &done())?;
            }
            let is_settled = |row: &Row| row.due().is_none() && row.running.is_none();
            if self.rows().iter().all(|row| is_settled(row) && row.parked.is_none()) {
                break;
            }
        }
        for row in self.rows() {
            let known = &self.known[&row.member.key];
            prop_assert_eq!(row.wanted, row.taken);
            prop_assert!(known.answered > known.asked, "{} was forgotten", row.member.key);
        }
        let members: BTreeSet<_> = self.rows().into_iter().map(|row| row.member.key).collect();
        for id in self.receipts.clone() {
            let run = self.run(id)?;
            prop_assert!(run.state.is_over() || !members.contains(&run.key), "{:?}", run);
        }
        Ok(())
    }
}

fn holds(subject: Subject, events: &[Event]) -> Checked<()> {
    let mut model = Model::new(subject)?;
    for event in events {
        model.step(event)?;
    }
    model.settle()
}

/// A row, but for the ids of runs, which are random.
fn without_ids(mut row: Row) -> Row {
    let none = RunId(0);
    row.waiting = row.waiting.map(|waiting| Waiting { run: none, ..waiting });
    row.running = row.running.map(|running| Running { run: none, ..running });
    row.last_run = row.last_run.map(|(_, state, failure)| (none, state, failure));
    row
}

fn are_alike(first: Seen, second: Seen) -> bool {
    let without_ids = |claims: Vec<Claim>| -> Vec<_> {
        claims.into_iter().map(|claim| Claim { run: RunId(0), ..claim }).collect()
    };
    match (first, second) {
        (Seen::Receipt(first), Seen::Receipt(second)) => first.folded == second.folded,
        (Seen::Claims(first, again), Seen::Claims(second, also)) => {
            without_ids(first) == without_ids(second) && again == also
        }
        (Seen::Turn(states, first, again), Seen::Turn(of_other, second, also)) => {
            states == of_other && without_ids(first) == without_ids(second) && again == also
        }
        (first, second) => first == second,
    }
}

fn does_the_same_as_memory(subject: Subject, events: &[Event]) -> Checked<()> {
    let mut memory = Model::new(Subject::Memory(MemoryStore::default()))?;
    let mut model = Model::new(subject)?;
    for event in events.iter().filter(|event| !matches!(event, Event::Crash)) {
        let (first, second) = (memory.step(event)?, model.step(event)?);
        let shown = format!("{event:?}: {first:?}, {second:?}");
        prop_assert!(are_alike(first, second), "{}", shown);
        let rows = |model: &Model| model.rows().into_iter().map(without_ids).collect::<Vec<_>>();
        prop_assert_eq!(rows(&memory), rows(&model), "after {:?}", event);
    }
    Ok(())
}

/// Real files are flushed for each event, so they get fewer cases; more with `PROPTEST_CASES`.
fn cases(factor: u32) -> ProptestConfig {
    let cases = ProptestConfig::default().cases / factor;
    ProptestConfig { cases: cases.max(1), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(1))]
    #[test]
    fn nothing_is_lost_or_run_twice_in_memory(events in prop::collection::vec(event(), 1..120)) {
        holds(Subject::Memory(MemoryStore::default()), &events)?;
    }
}

proptest! {
    #![proptest_config(cases(env::cases(16, 8)))]
    #[test]
    fn nothing_is_lost_or_run_twice_in_sqlite(events in prop::collection::vec(event(), 1..100)) {
        holds(Subject::sqlite(), &events)?;
    }

    #[test]
    fn sqlite_does_the_same(events in prop::collection::vec(event(), 1..100)) {
        does_the_same_as_memory(Subject::sqlite(), &events)?;
    }

    #[test]
    fn nothing_is_lost_or_run_twice_in_postgres(events in prop::collection::vec(event(), 1..100)) {
        let Some(server) = postgres::shared() else { return Ok(()) };
        holds(Subject::postgres(server), &events)?;
    }

    #[test]
    fn postgres_does_the_same(events in prop::collection::vec(event(), 1..100)) {
        let Some(server) = postgres::shared() else { return Ok(()) };
        does_the_same_as_memory(Subject::postgres(server), &events)?;
    }
}
