//! The id map: which commit stands for which changeset.
//!
//! On disk: records of 40 bytes, the node and the commit's id, in the order they were converted.
//! Records are appended after the pack with the commits is durable and before any reference names
//! them, so a record never lies, and a torn last one is recognised by its length.
//!
//! Beside it, in `adopted`, stand the nodes whose commits another tool made, a line each: what they
//! say is not what an identity would make them say. And in `mapped` stands which changesets of a history
//! have a commit, so that a sync need not look up all of them; made again if lost.

mod coverage;
mod file;

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::durable::{self, Step, replace_file, replace_remade_file};
use crate::base::{IdTable, LazyBytes, ReadAt, faults};
use crate::git::ObjectId;
use crate::hg::{Changelog, Node, RevSet};
use coverage::Coverage;
use file::{record_in, whole_records};

/// The name of the list of adopted changesets, in the folder of the map.
pub const ADOPTED: &str = "adopted";

/// The name of what earlier runs knew of a whole history, in the folder of the map.
pub const COVERAGE: &str = "mapped";

/// So many changesets are looked up faster than that is saved.
const FEW: usize = 32;

/// Bytes of one record.
const RECORD: usize = 40;

/// So many records at the end are looked through before all are put into a table.
const NEWEST: usize = 64;

/// The map of one mirror, in memory and on disk. The default one is empty and nowhere.
///
/// Of the records on disk those are read that are asked for. If they cannot be, they are taken for not
/// there until [`IdMap::check`] tells, which is before anything is done that cannot be taken back.
#[derive(Debug, Default)]
pub struct IdMap {
    path: PathBuf,
    /// The whole records that were on disk when it was opened.
    before: LazyBytes,
    /// The records that were added since, as they are on disk.
    added: Vec<u8>,
    /// Their numbers by their nodes; made when one is looked for that is not among the newest.
    table: OnceLock<IdTable>,
    /// The changesets whose commits are not as the identity makes them.
    adopted: HashSet<Node>,
    /// Bytes of whole records on disk.
    length: u64,
    /// What an earlier run knew of a whole history.
    coverage: Option<Coverage>,
    /// Whether a record could not be read.
    unreadable: AtomicBool,
}

/// One changeset and its commit.
pub type Record = (Node, ObjectId);

/// The map cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{doing} the id map {}", path.display())]
pub struct IdMapError {
    doing: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

faults!(IdMapError { Self { source, .. } => io(source) });

impl IdMap {
    /// Reads the map at `path`; `None` if there is none. `exists` says whether a commit is there:
    /// records at the end whose commits are not, which only a broken disk can leave, are dropped.
    pub fn open(
        path: &Path,
        exists: impl Fn(ObjectId) -> bool,
    ) -> Result<Option<Self>, IdMapError> {
        let error = |source| IdMapError { doing: "read", path: path.to_owned(), source };
        let file = match File::open(path) {
            Ok(file) => ReadAt::File(file),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(other) => return Err(error(other)),
        };
        let adopted = read_adopted(&path.with_file_name(ADOPTED))?;
        let records = usize::try_from(file.size().map_err(error)?).unwrap_or(usize::MAX) / RECORD;
        let coverage = Coverage::read(&path.with_file_name(COVERAGE));
        let coverage = coverage.filter(|coverage| {
            let last = coverage.records.checked_sub(1).and_then(|last| record_in(&file, last));
            coverage.records <= records && last == Some(coverage.last)
        });
        // What an earlier run has looked at is whole.
        let known = coverage.as_ref().map_or(0, |coverage| coverage.records);
        let mut count = whole_records(&file, known..records).map_err(error)?;
        while count > 0 && !record_in(&file, count - 1).is_some_and(|(_, id)| exists(id)) {
            count -= 1;
        }
        let coverage = coverage.filter(|coverage| coverage.records <= count);
        Ok(Some(Self {
            path: path.to_owned(),
            before: LazyBytes::of_file(file, count * RECORD, RECORD),
            adopted,
            length: (count * RECORD) as u64,
            coverage,
            ..Self::default()
        }))
    }

    /// A map at `path` with these records and no others, on disk before this returns. `adopted` are
    /// the nodes among them whose commits are not as the identity makes them.
    pub fn create(path: &Path, records: &[Record], adopted: &[Node]) -> Result<Self, IdMapError> {
        let list = path.with_file_name(ADOPTED);
        let coverage = path.with_file_name(COVERAGE);
        durable::remove_if_there(&coverage).map_err(|source| IdMapError {
            doing: "write",
            path: coverage.clone(),
            source,
        })?;
        let write = |path: &Path, bytes: &[u8]| {
            replace_file(path, bytes).map_err(|source| IdMapError {
                doing: "write",
                path: path.to_owned(),
                source,
            })
        };
        if !adopted.is_empty() || list.exists() {
            let lines: Vec<_> = adopted.iter().map(|node| format!("{node}\n")).collect();
            write(&list, lines.concat().as_bytes())?;
        }
        let bytes = encode(records);
        write(path, &bytes)?;
        Ok(Self {
            path: path.to_owned(),
            length: bytes.len() as u64,
            before: LazyBytes::Whole(bytes),
            adopted: adopted.iter().copied().collect(),
            ..Self::default()
        })
    }

    /// The commit of a changeset.
    pub fn commit(&self, node: Node) -> Option<ObjectId> {
        if self.table.get().is_none() {
            let newest = (0..self.len()).rev().take(NEWEST);
            let found = newest.filter_map(|at| self.record(at)).find(|(newest, _)| *newest == node);
            if found.is_some() || self.len() <= NEWEST {
                return found.map(|(_, commit)| commit);
            }
        }
        self.record(self.number(node)?).map(|(_, commit)| commit)
    }

    /// The changesets of a history that have a commit. It is cheap where an earlier run remembered it, or
    /// where the records come in the order of the history.
    pub fn mapped(&self, changelog: &Changelog) -> RevSet {
        let known = self.coverage.as_ref().and_then(|coverage| coverage.mapped(changelog));
        let revs = changelog.dag().revs();
        if let Some(mut known) = known {
            for rev in RevSet::full(revs.len()).without(&known) {
                if self.is_beyond_coverage(changelog.node(rev)) {
                    known.insert(rev);
                }
            }
            return known;
        }
        // The record that is expected, and how many were met. If that is all, there are no more.
        let (mut next, mut met) = (0, 0);
        RevSet::of(revs.map(|rev| {
            let node = changelog.node(rev);
            if met >= self.len() {
                return false;
            }
            let is_next = self.record(next).is_some_and(|(at, _)| at == node);
            let found = if is_next { Some(next) } else { self.number(node) };
            if let Some(found) = found {
                next = found + 1;
                met += 1;
            }
            found.is_some()
        }))
    }

    /// Whether a changeset has a commit that the coverage knows nothing of.
    fn is_beyond_coverage(&self, node: Node) -> bool {
        let Some(coverage) = self.coverage.as_ref().filter(|coverage| !coverage.has_others())
        else {
            return self.commit(node).is_some();
        };
        // All records that there were then are of changesets that it knows to have one.
        let since = coverage.records..self.len();
        match since.len() > NEWEST {
            true => self.commit(node).is_some(),
            false => since.rev().filter_map(|at| self.record(at)).any(|(newer, _)| newer == node),
        }
    }

    /// Remembers which changesets of a history have a commit, for later runs; not if there are only a
    /// few more than an earlier run remembered. What is not remembered is found out again.
    pub fn remember(&self, changelog: &Changelog, mapped: &RevSet) -> Result<(), IdMapError> {
        let known = self.coverage.as_ref().filter(|coverage| coverage.is_of(changelog));
        let known = known.map_or(0, Coverage::changesets);
        let last = self.len().checked_sub(1).and_then(|last| self.record(last));
        let Some(last) = last.filter(|_| changelog.dag().len() > known + FEW) else {
            return Ok(());
        };
        self.check()?;
        let path = self.path.with_file_name(COVERAGE);
        let coverage = Coverage::of(changelog, mapped, self.len(), last);
        replace_remade_file(&path, &coverage.to_bytes()).map_err(|source| IdMapError {
            doing: "write",
            path,
            source,
        })
    }

    /// Forgets what earlier runs knew of a whole history: there is a doubt about it.
    pub fn doubt(&mut self) {
        self.coverage = None;
    }

    /// An error if a record that is on disk could not be read.
    pub fn check(&self) -> Result<(), IdMapError> {
        match self.unreadable.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err(IdMapError {
                doing: "read",
                path: self.path.clone(),
                source: io::Error::other("records that were there cannot be read any more"),
            }),
        }
    }

    /// The record with this number.
    fn record(&self, number: usize) -> Option<Record> {
        let start = number.checked_mul(RECORD)?;
        let Some(later) = start.checked_sub(self.before.len()) else {
            let record = self.before.get(start, RECORD);
            if record.is_none() {
                self.unreadable.store(true, Ordering::Relaxed);
            }
            return parse(record?);
        };
        self.added.get(later..)?.get(..RECORD).and_then(parse)
    }

    /// The number of the record of a changeset.
    fn number(&self, node: Node) -> Option<usize> {
        let is = |number: u32, node| self.record(number as usize).is_some_and(|(at, _)| at == node);
        let table = self.table.get_or_init(|| {
            let mut table = IdTable::with_capacity(self.len());
            // Of two records of one changeset the later one counts.
            for number in (0..u32::try_from(self.len()).unwrap_or(u32::MAX)).rev() {
                if let Some((node, _)) = self.record(number as usize) {
                    table.insert(node.as_bytes(), number, |number| is(number, node));
                }
            }
            table
        });
        table.find(node.as_bytes(), |number| is(number, node)).map(|number| number as usize)
    }

    /// Whether the commit of a changeset is another tool's.
    pub fn is_adopted(&self, node: Node) -> bool {
        self.adopted.contains(&node)
    }

    /// Every record, in the order in which they were added.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        (0..self.len()).filter_map(|number| self.record(number))
    }

    /// How many changesets have a commit.
    pub fn len(&self) -> usize {
        (self.before.len() + self.added.len()) / RECORD
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds records, on disk before this returns.
    pub fn append(&mut self, records: &[Record]) -> Result<(), IdMapError> {
        if records.is_empty() {
            return Ok(());
        }
        self.check()?;
        let bytes = encode(records);
        self.append_bytes(&bytes).map_err(|source| IdMapError {
            doing: "extend",
            path: self.path.clone(),
            source,
        })?;
        let (first, table) = (self.len(), self.table.take());
        self.added.extend(bytes);
        if let Some(mut table) = table {
            let mut numbered = (first..).zip(records);
            let are_new = numbered.all(|(number, (node, _))| {
                let is =
                    |other: u32| self.record(other as usize).is_some_and(|(at, _)| at == *node);
                u32::try_from(number).is_ok_and(|number| table.insert(node.as_bytes(), number, is))
            });
            // If not, it is made again when it is needed.
            if are_new {
                self.table = OnceLock::from(table);
            }
        }
        Ok(())
    }

    /// Forgets the commits of these changesets, on disk before this returns. The others stay in their
    /// order.
    pub fn forget(&mut self, lost: &HashSet<Node>) -> Result<(), IdMapError> {
        let path = self.path.clone();
        let bytes = std::fs::read(&path).map_err(|source| IdMapError {
            doing: "read",
            path: path.clone(),
            source,
        })?;
        self.check()?;
        let records = bytes.chunks_exact(RECORD).map_while(parse);
        let kept: Vec<Record> = records
            .filter(|(node, _)| !lost.contains(node) && self.commit(*node).is_some())
            .collect();
        let adopted: Vec<Node> = self.adopted.difference(lost).copied().collect();
        *self = Self::create(&path, &kept, &adopted)?;
        Ok(())
    }

    fn append_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        durable::step(Step::Write(&self.path))?;
        // What a crash left of a record is not the start of the next one.
        file.set_len(self.length)?;
        file.write_all(bytes)?;
        // Its folder has named it since `create`.
        durable::flush(&file, &self.path)?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// The list of adopted changesets at `path`; empty if there is none.
fn read_adopted(path: &Path) -> Result<HashSet<Node>, IdMapError> {
    let error = |source| IdMapError { doing: "read", path: path.to_owned(), source };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(HashSet::new()),
        Err(other) => return Err(error(other)),
    };
    let lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let node = |line: &[u8]| Node::from_hex(line.strip_suffix(b"\n")?);
    let nodes =
        lines.map(|line| node(line).ok_or_else(|| error(io::ErrorKind::InvalidData.into())));
    nodes.collect()
}

/// A whole record; a crash may leave zeros where bytes were meant to be.
fn parse(record: &[u8]) -> Option<Record> {
    let (node, id) = record.split_first_chunk()?;
    let (node, id) = (Node::from_bytes(*node), ObjectId::from_bytes(*id.first_chunk()?));
    (!node.is_null() && !id.is_null()).then_some((node, id))
}

fn encode(records: &[Record]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(records.len() * RECORD);
    for (node, id) in records {
        bytes.extend_from_slice(node.as_bytes());
        bytes.extend_from_slice(id.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Limits;
    use crate::hg::revlog::Revlog;

    fn record(number: u8) -> Record {
        (Node::from_bytes([number; 20]), ObjectId::from_bytes([number ^ 0xff; 20]))
    }

    #[test]
    fn remembers_what_is_adopted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map");
        IdMap::create(&path, &[record(1), record(2)], &[record(2).0]).unwrap();
        let adopted = || {
            let map = IdMap::open(&path, |_| true).unwrap().unwrap();
            [1, 2].map(|number| map.is_adopted(record(number).0))
        };
        assert_eq!(adopted(), [false, true]);
        IdMap::create(&path, &[record(1), record(2)], &[]).unwrap();
        assert_eq!(adopted(), [false, false]);
        std::fs::write(folder.path().join(ADOPTED), "0123\n").unwrap();
        assert!(IdMap::open(&path, |_| true).is_err());
    }

    /// A history of changesets with these numbers, each the parent of the next.
    fn history(numbers: &[u8]) -> Changelog {
        let mut index = Vec::new();
        for (rev, number) in (-1_i32..).zip(numbers) {
            let header = if index.is_empty() { [0, 0, 0, 1] } else { [0; 4] };
            index.extend([header, [0; 4]].concat());
            for field in [0, 0, rev + 1, rev + 1, rev, -1] {
                index.extend(field.to_be_bytes());
            }
            index.extend([&[*number; 20][..], &[0; 12]].concat());
        }
        let revlog = Revlog::from_bytes("00changelog", index, Vec::new(), &Limits::default());
        Changelog::new(revlog.unwrap()).unwrap()
    }

    #[test]
    fn what_is_remembered_stays_true_whatever_becomes_of_history_and_map() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map");
        let numbers: Vec<u8> = (1..=80).collect();
        let open = || IdMap::open(&path, |_| true).unwrap().unwrap();
        let mapped = |map: &IdMap, numbers: &[u8]| map.mapped(&history(numbers)).count();
        let records: Vec<_> = (1..=70).map(record).collect();
        // The last one is of a changeset that the source does not have.
        for (known, others) in [(70, 0), (69, 1)] {
            IdMap::create(&path, &records, &[]).unwrap();
            let map = open();
            let before = history(&numbers[..known]);
            map.remember(&before, &map.mapped(&before)).unwrap();
            assert!(folder.path().join(COVERAGE).exists());
            let mut map = open();
            assert!(map.coverage.as_ref().is_some_and(|known| known.has_others() == (others > 0)));
            assert_eq!(mapped(&map, &numbers), 70);
            assert_eq!(mapped(&map, &numbers[..40]), 40);
            // In another order, and with another beginning.
            let turned: Vec<_> = numbers.iter().rev().copied().collect();
            assert_eq!(mapped(&map, &turned), 70);
            map.append(&[record(75)]).unwrap();
            assert_eq!((mapped(&map, &numbers), mapped(&open(), &numbers)), (71, 71));
            map.append(&(90..=190).map(record).collect::<Vec<_>>()).unwrap();
            assert_eq!((mapped(&map, &numbers), mapped(&open(), &numbers)), (71, 71));
            map.forget(&HashSet::from([record(3).0])).unwrap();
            assert!(!folder.path().join(COVERAGE).exists());
            assert_eq!((mapped(&map, &numbers), mapped(&open(), &numbers)), (70, 70));
        }
    }

    #[test]
    fn a_record_that_cannot_be_read_any_more_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map");
        IdMap::create(&path, &(1..=200).map(record).collect::<Vec<_>>(), &[]).unwrap();
        let mut map = IdMap::open(&path, |_| true).unwrap().unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(40).unwrap();
        map.check().unwrap();
        assert_eq!(map.commit(record(9).0), None);
        assert!(map.check().is_err() && map.append(&[record(201)]).is_err());
    }

    #[test]
    fn survives_a_torn_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map");
        assert!(IdMap::open(&path, |_| true).unwrap().is_none());
        IdMap::create(&path, &[record(1)], &[]).unwrap().append(&[record(2)]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(whole.len(), 80);
        for tail in [&whole[..39], &[0; 40][..], &[][..]] {
            std::fs::write(&path, [&whole[..], tail].concat()).unwrap();
            let mut map = IdMap::open(&path, |_| true).unwrap().unwrap();
            assert_eq!(map.len(), 2);
            map.append(&[record(3)]).unwrap();
            let map = IdMap::open(&path, |_| true).unwrap().unwrap();
            assert_eq!(map.commit(record(3).0), Some(record(3).1));
            assert_eq!(std::fs::metadata(&path).unwrap().len(), 120);
            let mut map = map;
            map.forget(&HashSet::from([record(1).0])).unwrap();
            let map = IdMap::open(&path, |_| true).unwrap().unwrap();
            assert_eq!([1, 2, 3].map(|n| map.commit(record(n).0).is_some()), [false, true, true]);
            std::fs::write(&path, [&whole[..], &encode(&[record(3)])].concat()).unwrap();
            let first = record(1).1;
            assert_eq!(IdMap::open(&path, |id| id == first).unwrap().unwrap().len(), 1);
        }
    }
}
