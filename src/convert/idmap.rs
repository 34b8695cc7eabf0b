//! The id map: which commit stands for which changeset.
//!
//! On disk: records of 40 bytes, the node and the commit's id, in the order they were converted.
//! Records are appended after the pack with the commits is durable and before any reference names
//! them, so a record never lies, and a torn last one is recognised by its length.
//!
//! Beside it, in `adopted`, stand the nodes whose commits another tool made, a line each: what they
//! say is not what an identity would make them say.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::base::durable::{self, Step, replace_file, sync_folder};
use crate::base::faults;
use crate::git::ObjectId;
use crate::hg::Node;

/// The name of the list of adopted changesets, in the folder of the map.
pub const ADOPTED: &str = "adopted";

/// Bytes of one record.
const RECORD: usize = 40;

/// The map of one mirror, in memory and on disk. The default one is empty and nowhere.
#[derive(Debug, Default)]
pub struct IdMap {
    path: PathBuf,
    commits: HashMap<Node, ObjectId>,
    /// The changesets whose commits are not as the identity makes them.
    adopted: HashSet<Node>,
    /// Bytes of whole records on disk.
    length: u64,
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
        let mut bytes = Vec::new();
        match File::open(path) {
            Ok(mut file) => file.read_to_end(&mut bytes).map_err(error)?,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(other) => return Err(error(other)),
        };
        let adopted = read_adopted(&path.with_file_name(ADOPTED))?;
        let mut map = Self { path: path.to_owned(), commits: HashMap::new(), adopted, length: 0 };
        map.commits.reserve(bytes.len() / RECORD);
        let mut records: Vec<_> = bytes.chunks_exact(RECORD).map_while(parse).collect();
        while records.last().is_some_and(|(_, id)| !exists(*id)) {
            records.pop();
        }
        map.length = (records.len() * RECORD) as u64;
        map.commits.extend(records);
        Ok(Some(map))
    }

    /// A map at `path` with these records and no others, on disk before this returns. `adopted` are
    /// the nodes among them whose commits are not as the identity makes them.
    pub fn create(path: &Path, records: &[Record], adopted: &[Node]) -> Result<Self, IdMapError> {
        let list = path.with_file_name(ADOPTED);
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
        write(path, &encode(records))?;
        Ok(Self {
            path: path.to_owned(),
            commits: records.iter().copied().collect(),
            adopted: adopted.iter().copied().collect(),
            length: (records.len() * RECORD) as u64,
        })
    }

    /// The commit of a changeset.
    pub fn commit(&self, node: Node) -> Option<ObjectId> {
        self.commits.get(&node).copied()
    }

    /// Whether the commit of a changeset is another tool's.
    pub fn is_adopted(&self, node: Node) -> bool {
        self.adopted.contains(&node)
    }

    /// Every record, in no order.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        self.commits.iter().map(|(node, commit)| (*node, *commit))
    }

    /// How many changesets have a commit.
    pub fn len(&self) -> usize {
        self.commits.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    /// Adds records, on disk before this returns.
    pub fn append(&mut self, records: &[Record]) -> Result<(), IdMapError> {
        if records.is_empty() {
            return Ok(());
        }
        self.append_bytes(&encode(records)).map_err(|source| IdMapError {
            doing: "extend",
            path: self.path.clone(),
            source,
        })?;
        self.commits.extend(records.iter().copied());
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
        let records = bytes.chunks_exact(RECORD).map_while(parse);
        let kept: Vec<Record> = records
            .filter(|(node, _)| !lost.contains(node) && self.commits.contains_key(node))
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
        durable::flush(&file, &self.path)?;
        self.length += bytes.len() as u64;
        self.path.parent().map_or(Ok(()), sync_folder)
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
    records.iter().flat_map(|(node, id)| [*node.as_bytes(), *id.as_bytes()]).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
