//! The queue in a PostgreSQL database, which several processes may use, on as many machines.
//!
//! | module | is |
//! |---|---|
//! | `connection`, `trouble` | how a connection is made and set up; what goes wrong with it |
//! | `look` | what a server is like, for whoever checks a configuration |
//! | `migrate` | the schema, and how an old one becomes the newest |
//! | `writer` | the one thread of this process that writes, many operations in one commit |
//! | `batch` | those operations: what they need is locked at once, and what they change is written at once |
//! | `turn` | what is done all the time with one statement: runs begin, and looks that found nothing end |
//! | `alone` | operations that are not part of a batch: claims, configurations |
//! | `due` | which rows a claim looks at, however many there are |
//! | `listener` | hints from other processes that something was asked for |
//! | `hosts` | what is left alone by all processes |
//! | `homes` | which process has which caches |
//! | `place` | which process was here before |
//! | `nodes` | the table of processes |
//! | `ledgers` | the table of ledgers |
//! | `sessions` | the table of sessions |
//! | `receivers` | the table of receivers |
//! | `readers` | connections that only read |
//! | `mirrors`, `runs`, `deliveries`, `values` | the tables: all SQL of them is here and in the numbered files |
//!
//! Rows are locked while they are changed, so that of two processes one waits for the other; a claim passes over what
//! is locked. Due times and leases are by the clock of the database. A process that ends holds nothing but its
//! claims, which run out.

mod alone;
mod batch;
mod connection;
mod deliveries;
mod due;
mod homes;
mod hosts;
mod ledgers;
mod listener;
mod look;
mod migrate;
mod mirrors;
mod nodes;
mod place;
mod portable;
mod readers;
mod receivers;
mod runs;
mod sessions;
mod trouble;
mod turn;
mod values;
mod writer;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use self::connection::PostgresOptions;
pub use self::look::ServerFacts;
pub use self::trouble::Problem;

use self::alone::Work;
use self::batch::Needs;
use self::connection::Connector;
use self::homes::Process;
use self::listener::Listener;
use self::place::Place;
use self::readers::Readers;
use self::writer::Writer;
use super::backoff::random;
use super::failure::Failure;
use super::fleet::Fleet;
use super::hosts::Closed;
use super::job_store::{ClaimLimits, JobStore};
use super::ledgers::Ledgers;
use super::model::{
    Claim, Claimed, DeliveryEntry, DeliveryRecord, End, EndState, Finish, Member, Receipt, Request,
    Row, Run, RunId,
};
use super::receivers::Receivers;
use super::sessions::Sessions;
use super::store_error::StoreError;
use crate::base::time::Timestamp;

/// How often a process looks what others have asked for.
const LOOK: Duration = Duration::from_secs(2);
/// Mirrors whose history is trimmed, and deliveries that are forgotten, in one operation: so few that nobody waits
/// for it.
const TRIMMED_AT_ONCE: usize = 500;

/// A queue in a database. Its connections end when this is dropped.
pub struct PostgresStore {
    readers: Readers,
    writer: Writer,
    /// Whether there may be other processes.
    is_shared: bool,
    /// The id of this process.
    node: String,
    connector: Arc<Connector>,
    /// The hosts that have failed since they last answered, as far as is known here.
    failing: Mutex<HashSet<String>>,
    /// What listens to others, once somebody wants to hear of them.
    listener: Mutex<Option<Listener>>,
    /// Given back last.
    _place: Option<Place>,
}

impl PostgresStore {
    /// Opens the queue in a database, which gets its tables if it has none.
    pub fn open(options: &PostgresOptions) -> Result<Self, StoreError> {
        let connector = Arc::new(Connector::new(options)?);
        let place = options.folder.as_deref().map(Place::take).transpose()?;
        let mut client = connector.connect().map_err(|trouble| connector.error(&trouble))?;
        migrate::migrate(&mut client).map_err(|trouble| connector.error(&trouble))?;
        // New for each process: who comes after one that has ended is not it.
        let mut process = Process { id: RunId::random(), home: None };
        if let Some(place) = &place {
            if let Some(before) = place.before()? {
                let expired = mirrors::expire_all_of(&mut client, &before);
                expired.map_err(|trouble| connector.error(&trouble))?;
                let ended = nodes::end(&mut client, &before);
                ended.map_err(|trouble| connector.error(&trouble))?;
            }
            place.note(&process.id.to_string())?;
        }
        if options.has_caches {
            let home = place.as_ref().map_or(Ok(process.id), Place::home)?;
            process.home = Some(home);
            let moved = homes::move_in(&mut client, home, process.id);
            moved.map_err(|trouble| connector.error(&trouble))?;
        } else if let Some(home) = place.as_ref().map(Place::old_home).transpose()?.flatten() {
            // It makes no more caches, and still has those that whoever was here before it has made.
            let moved = homes::move_in(&mut client, home, process.id);
            moved.map_err(|trouble| connector.error(&trouble))?;
        }
        let node = process.id.to_string();
        let writer = Writer::start(Arc::clone(&connector), client, process).map_err(|error| {
            let problem = Problem::Other;
            StoreError::Server {
                place: connector.place().to_owned(),
                problem,
                message: error.to_string(),
            }
        })?;
        let is_shared = connector.is_shared();
        Ok(Self {
            readers: Readers::new(Arc::clone(&connector)),
            writer,
            is_shared,
            node,
            connector,
            failing: Mutex::default(),
            listener: Mutex::default(),
            _place: place,
        })
    }
}

impl PostgresStore {
    fn failing(&self) -> MutexGuard<'_, HashSet<String>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl JobStore for PostgresStore {
    fn configure(&self, members: &[Member], now: Timestamp) -> Result<(), StoreError> {
        let members = members.to_vec();
        self.writer.write_alone(move |work| alone::configure(work, &members, now))
    }

    fn enqueue(
        &self,
        requests: &[Request],
        delivery: Option<&DeliveryRecord>,
        now: Timestamp,
    ) -> Result<Vec<Receipt>, StoreError> {
        let needs = Needs::enqueue(requests, delivery);
        let (requests, delivery) = (requests.to_vec(), delivery.cloned());
        self.writer.write(needs, move |batch| batch.enqueue(&requests, delivery.as_ref(), now))
    }

    fn record(&self, delivery: &DeliveryRecord) -> Result<(), StoreError> {
        let delivery = delivery.clone();
        self.writer.write(Needs::default(), move |batch| {
            batch.record(&delivery);
            Ok(())
        })
    }

    fn watch(&self, wake: Box<dyn Fn() + Send + Sync>) {
        let listen = || Listener::start(Arc::clone(&self.connector), self.node.clone(), wake);
        let listener = self.is_shared.then(listen);
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner) = listener;
    }

    fn claim(&self, limits: &ClaimLimits, now: Timestamp) -> Result<Claimed, StoreError> {
        Ok(self.turn(&[], Some(limits), now)?.1)
    }

    fn turn(
        &self,
        ends: &[End],
        limits: Option<&ClaimLimits>,
        now: Timestamp,
    ) -> Result<(Vec<EndState>, Claimed), StoreError> {
        let found_nothing = |end: &End| end.finish.found_nothing();
        let (empty, kept): (Vec<_>, Vec<_>) = ends.iter().cloned().partition(found_nothing);
        let limits = limits.cloned();
        let (kept, (empty, claimed)) = self.writer.write_last(
            Needs::of(kept.iter().map(|end| Needs::claim(&end.claim)).collect::<Vec<_>>().iter()),
            move |batch| {
                let note = |End { claim, finish }: &End| batch.finish(claim, finish, now);
                Ok(kept.iter().map(note).map(EndState::of).collect::<Vec<_>>())
            },
            move |work| alone::turn(work, &empty, limits.as_ref(), now),
        )?;
        let (mut empty, mut kept) = (empty.into_iter(), kept.into_iter());
        let state = |end| if found_nothing(end) { empty.next() } else { kept.next() };
        let states = ends.iter().filter_map(state);
        // Others may have asked meanwhile, and nothing tells us.
        let look = self.is_shared.then(|| now.after(LOOK.mul_f64(0.75 + random() / 2.0)));
        let again = claimed.again.into_iter().chain(look).min();
        Ok((states.collect(), Claimed { again, ..claimed }))
    }

    fn renew(&self, claim: &Claim, until: Timestamp) -> Result<bool, StoreError> {
        let claim = claim.clone();
        self.writer.write(Needs::claim(&claim), move |batch| Ok(batch.renew(&claim, until)))
    }

    fn finish(&self, claim: &Claim, finish: &Finish, now: Timestamp) -> Result<bool, StoreError> {
        let (claim, finish) = (claim.clone(), finish.clone());
        let needs = Needs::claim(&claim);
        self.writer.write(needs, move |batch| Ok(batch.finish(&claim, &finish, now)))
    }

    fn release(&self, claim: &Claim, now: Timestamp) -> Result<(), StoreError> {
        let claim = claim.clone();
        self.writer.write(Needs::claim(&claim), move |batch| {
            batch.release(&claim, now);
            Ok(())
        })
    }

    fn schedule(&self, key: &str, due: Timestamp) -> Result<(), StoreError> {
        let needs = Needs::mirror(key);
        let key = key.to_owned();
        self.writer.write(needs, move |batch| batch.change(&key, |row| row.schedule(due)))
    }

    fn pause(&self, key: &str, paused: bool, now: Timestamp) -> Result<(), StoreError> {
        let needs = Needs::mirror(key);
        let key = key.to_owned();
        self.writer.write(needs, move |batch| batch.change(&key, |row| row.pause(paused, now)))
    }

    fn park(&self, key: &str, parked: Option<&Failure>, now: Timestamp) -> Result<(), StoreError> {
        let needs = Needs::mirror(key);
        let (key, parked) = (key.to_owned(), parked.cloned());
        self.writer
            .write(needs, move |batch| batch.change(&key, |row| row.park(parked.as_ref(), now)))
    }

    fn note_host(&self, host: &str, answered: bool, now: Timestamp) -> Result<bool, StoreError> {
        // Nearly always there is nothing to note of one that answers; others are known in a few seconds.
        if answered && !self.failing().contains(host) {
            return Ok(false);
        }
        let name = host.to_owned();
        let is_other = self.writer.write_alone(move |Work { client, ahead, .. }| {
            hosts::note(client, *ahead, &name, answered, now)
        })?;
        match answered {
            true => self.failing().remove(host),
            false => self.failing().insert(host.to_owned()),
        };
        Ok(is_other)
    }

    fn pause_target(&self, host: &str, owner: &str, until: Timestamp) -> Result<(), StoreError> {
        let (host, owner) = (host.to_owned(), owner.to_owned());
        self.writer.write_alone(move |Work { client, ahead, .. }| {
            hosts::pause(client, *ahead, &host, &owner, until)
        })
    }

    fn closed(&self, now: Timestamp) -> Result<Closed, StoreError> {
        let (closed, failing) =
            self.readers.read(|client, ahead| hosts::closed(client, ahead, now))?;
        *self.failing() = failing;
        Ok(closed)
    }

    fn rows(&self) -> Result<Vec<Row>, StoreError> {
        let stored = self.readers.read(mirrors::members)?;
        Ok(stored.into_iter().map(|stored| stored.row).collect())
    }

    fn keys(&self) -> Result<Vec<String>, StoreError> {
        self.readers.read(|client, _| mirrors::names(client))
    }

    fn removed(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.readers.read(mirrors::removed)
    }

    fn row(&self, key: &str) -> Result<Option<Row>, StoreError> {
        let stored = self.readers.read(|client, ahead| mirrors::named(client, ahead, key))?;
        Ok(stored.map(|stored| stored.row).filter(Row::is_member))
    }

    fn run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        self.readers.read(|client, ahead| {
            if let Some(run) = runs::get(client, ahead, &[id])?.pop() {
                return Ok(Some(run));
            }
            let waiting = mirrors::waiting_for(client, ahead, id)?;
            Ok(waiting.and_then(|stored| stored.row.queued_run()))
        })
    }

    fn runs(
        &self,
        key: Option<&str>,
        before: Option<RunId>,
        count: usize,
    ) -> Result<Vec<Run>, StoreError> {
        self.readers.read(|client, ahead| {
            let end = match before {
                None => Some(i64::MAX),
                Some(before) => match runs::number_of(client, before)? {
                    None => mirrors::waiting_for(client, ahead, before)?.map(|_| i64::MAX),
                    number => number,
                },
            };
            let Some(end) = end else { return Ok(Vec::new()) };
            let Some(key) = key else { return runs::list(client, ahead, None, end, count) };
            match mirrors::named(client, ahead, key)? {
                Some(stored) => runs::list(client, ahead, Some(stored.id), end, count),
                None => Ok(Vec::new()),
            }
        })
    }

    fn deliveries(
        &self,
        before: Option<i64>,
        count: usize,
    ) -> Result<Vec<DeliveryEntry>, StoreError> {
        let end = before.unwrap_or(i64::MAX);
        self.readers.read(|client, ahead| deliveries::list(client, ahead, end, count))
    }

    fn trim(&self, before: Timestamp, keep: usize) -> Result<(), StoreError> {
        let mirrors = self.readers.read(|client, _| mirrors::numbers(client))?;
        for some in mirrors.chunks(TRIMMED_AT_ONCE) {
            let some = some.to_vec();
            self.writer.write_alone(move |Work { client, ahead, .. }| {
                runs::trim(client, *ahead, &some, before, keep)
            })?;
        }
        let trim = || {
            self.writer.write_alone(move |Work { client, ahead, .. }| {
                deliveries::trim(client, *ahead, before, TRIMMED_AT_ONCE)
            })
        };
        while trim()? > 0 {}
        self.writer
            .write_alone(move |Work { client, ahead, .. }| nodes::trim(client, *ahead, before))
    }

    fn fleet(&self) -> Option<&dyn Fleet> {
        Some(self)
    }

    fn ledgers(&self) -> Option<&dyn Ledgers> {
        Some(self)
    }

    fn sessions(&self) -> Option<&dyn Sessions> {
        Some(self)
    }

    fn receivers(&self) -> Option<&dyn Receivers> {
        Some(self)
    }

    fn probe(&self, _now: Timestamp) -> Result<(), StoreError> {
        let update = "UPDATE schema_version SET version = version";
        self.writer.write_alone(move |work| Ok(work.client.batch_execute(update)?))
    }

    fn backup(&self, _path: &Path) -> Result<(), StoreError> {
        Err(StoreError::InDatabase)
    }
}
