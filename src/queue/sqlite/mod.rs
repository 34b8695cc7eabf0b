//! The queue in an `SQLite` database: the one that a daemon has that needs no other server.
//!
//! | module | is |
//! |---|---|
//! | `open` | what is refused, how connections are set up, migrations |
//! | `writer` | the one thread that writes, many operations in one commit |
//! | `readers` | connections that only read |
//! | `operations` | what is written, as one operation each |
//! | `mirrors`, `runs`, `deliveries`, `values` | the tables: all SQL is here and in `schema.sql` |
//!
//! What a method has done is on the disk when it returns (`synchronous=FULL`). The file belongs to one
//! process, which holds a lock beside it (`.lock`) for as long as it lives, so the claims that are found
//! at the start are those of a process that is gone. It must be on a disk of this machine.

mod deliveries;
mod mirrors;
mod open;
mod operations;
mod portable;
mod readers;
mod runs;
mod values;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::operations as write;
use self::readers::Readers;
use self::writer::Writer;
use super::failure::Failure;
use super::hosts::{Closed, Hosts};
use super::job_store::{ClaimLimits, JobStore};
use super::model::{
    Claim, Claimed, DeliveryEntry, DeliveryRecord, End, EndState, Finish, Member, Receipt, Request,
    Row, Run, RunId,
};
use super::store_error::StoreError;
use crate::base::LockedFile;
use crate::base::durable::{self, Step};
use crate::base::time::Timestamp;

/// Mirrors whose history is trimmed, and deliveries that are forgotten, in one operation: so few that
/// nobody waits for it.
const TRIMMED_AT_ONCE: usize = 500;

/// A queue in a file. It is closed when this is dropped.
pub struct SqliteStore {
    path: PathBuf,
    readers: Readers,
    writer: Writer,
    hosts: Arc<Hosts>,
    /// Given back last.
    _lock: LockedFile,
}

impl SqliteStore {
    /// Opens the queue in the file at `path`, which is made if it is not there; its folder must be. No
    /// other process can open it until this is dropped.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path = std::path::absolute(path)
            .map_err(|source| StoreError::File { path: path.to_owned(), source })?;
        let (connection, lock) = open::open(&path)?;
        let writer = Writer::start(connection, path.clone())
            .map_err(|source| StoreError::File { path: path.clone(), source })?;
        let hosts = Arc::default();
        Ok(Self { readers: Readers::new(path.clone()), path, writer, hosts, _lock: lock })
    }

    fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let file_error = |source| StoreError::File { path: path.to_owned(), source };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        durable::step(Step::Write(path)).map_err(file_error)?;
        // Only we may read it, like the queue.
        let copy = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder);
        let copy = copy.map_err(file_error)?;
        let name = copy.path().to_string_lossy().into_owned();
        self.readers.copy(&name)?;
        durable::flush_path(copy.path()).map_err(file_error)?;
        if path.try_exists().map_err(file_error)? {
            return Err(file_error(std::io::ErrorKind::AlreadyExists.into()));
        }
        durable::persist(copy, path).map_err(file_error)?;
        durable::sync_folder(folder).map_err(file_error)
    }
}

impl JobStore for SqliteStore {
    fn configure(&self, members: &[Member], now: Timestamp) -> Result<(), StoreError> {
        let members = members.to_vec();
        self.writer.write(move |work| write::configure(work, &members, now))
    }

    fn enqueue(
        &self,
        requests: &[Request],
        delivery: Option<&DeliveryRecord>,
        now: Timestamp,
    ) -> Result<Vec<Receipt>, StoreError> {
        let (requests, delivery) = (requests.to_vec(), delivery.cloned());
        self.writer.write(move |work| write::enqueue(work, &requests, delivery.as_ref(), now))
    }

    fn record(&self, delivery: &DeliveryRecord) -> Result<(), StoreError> {
        let delivery = delivery.clone();
        self.writer.write(move |work| write::record(work, &delivery))
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
        let (ends, limits, hosts) = (ends.to_vec(), limits.cloned(), Arc::clone(&self.hosts));
        self.writer.write(move |work| {
            let mut states = Vec::new();
            for End { claim, finish } in &ends {
                states.push(EndState::of(write::finish(work, claim, finish, now)?));
            }
            let claimed =
                limits.map(|limits| write::claim(work, &hosts, limits, now)).transpose()?;
            Ok((states, claimed.unwrap_or_default()))
        })
    }

    fn renew(&self, claim: &Claim, until: Timestamp) -> Result<bool, StoreError> {
        let claim = claim.clone();
        self.writer.write(move |work| write::renew(work, &claim, until))
    }

    fn finish(&self, claim: &Claim, finish: &Finish, now: Timestamp) -> Result<bool, StoreError> {
        let (claim, finish) = (claim.clone(), finish.clone());
        self.writer.write(move |work| write::finish(work, &claim, &finish, now))
    }

    fn release(&self, claim: &Claim, now: Timestamp) -> Result<(), StoreError> {
        let claim = claim.clone();
        self.writer.write(move |work| write::release(work, &claim, now))
    }

    fn schedule(&self, key: &str, due: Timestamp) -> Result<(), StoreError> {
        let key = key.to_owned();
        self.writer.write(move |work| write::change(work, &key, |row| row.schedule(due)))
    }

    fn pause(&self, key: &str, paused: bool, now: Timestamp) -> Result<(), StoreError> {
        let key = key.to_owned();
        self.writer.write(move |work| write::change(work, &key, |row| row.pause(paused, now)))
    }

    fn park(&self, key: &str, parked: Option<&Failure>, now: Timestamp) -> Result<(), StoreError> {
        let (key, parked) = (key.to_owned(), parked.cloned());
        self.writer
            .write(move |work| write::change(work, &key, |row| row.park(parked.as_ref(), now)))
    }

    fn note_host(&self, host: &str, answered: bool, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.hosts.note(host, answered, now))
    }

    fn pause_target(&self, host: &str, owner: &str, until: Timestamp) -> Result<(), StoreError> {
        self.hosts.pause(host, owner, until);
        Ok(())
    }

    fn closed(&self, now: Timestamp) -> Result<Closed, StoreError> {
        Ok(self.hosts.closed(now))
    }

    fn rows(&self) -> Result<Vec<Row>, StoreError> {
        let stored = self.readers.read(mirrors::members)?;
        Ok(stored.into_iter().map(|stored| stored.row).collect())
    }

    fn keys(&self) -> Result<Vec<String>, StoreError> {
        self.readers.read(mirrors::names)
    }

    fn removed(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.readers.read(mirrors::removed)
    }

    fn row(&self, key: &str) -> Result<Option<Row>, StoreError> {
        let stored = self.readers.read(|connection| mirrors::named(connection, key))?;
        Ok(stored.map(|stored| stored.row).filter(Row::is_member))
    }

    fn run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        self.readers.read(|connection| {
            if let Some(run) = runs::get(connection, id)? {
                return Ok(Some(run));
            }
            let waiting = mirrors::waiting_for(connection, id)?;
            Ok(waiting.and_then(|stored| stored.row.queued_run()))
        })
    }

    fn runs(
        &self,
        key: Option<&str>,
        before: Option<RunId>,
        count: usize,
    ) -> Result<Vec<Run>, StoreError> {
        self.readers.read(|connection| {
            let end = match before {
                None => Some(i64::MAX),
                Some(before) => write::end_of_runs(connection, before)?,
            };
            let Some(end) = end else { return Ok(Vec::new()) };
            let Some(key) = key else { return runs::list(connection, None, end, count) };
            match mirrors::named(connection, key)? {
                Some(stored) => runs::list(connection, Some(stored.id), end, count),
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
        self.readers.read(|connection| deliveries::list(connection, end, count))
    }

    fn trim(&self, before: Timestamp, keep: usize) -> Result<(), StoreError> {
        let mirrors = self.readers.read(mirrors::numbers)?;
        for some in mirrors.chunks(TRIMMED_AT_ONCE) {
            let some = some.to_vec();
            self.writer.write(move |work| {
                let mut some = some.into_iter();
                let trim = |mirror| runs::trim(work.connection, mirror, before, keep);
                work.check(some.try_for_each(trim))
            })?;
        }
        let trim = || {
            self.writer.write(move |work| {
                work.check(deliveries::trim(work.connection, before, TRIMMED_AT_ONCE))
            })
        };
        while trim()? > 0 {}
        Ok(())
    }

    fn probe(&self, now: Timestamp) -> Result<(), StoreError> {
        self.writer.write(move |work| {
            // No claim will have it.
            work.check(mirrors::next_token(work.connection, now)).map(drop)
        })
    }

    fn log_size(&self) -> Option<u64> {
        let mut path = self.path.as_os_str().to_owned();
        path.push("-wal");
        Some(std::fs::metadata(path).map_or(0, |metadata| metadata.len()))
    }

    fn backup(&self, path: &Path) -> Result<(), StoreError> {
        self.copy_to(path)
    }
}
