//! The `obsstore` file: which changesets were rewritten or dropped, and what replaced them.
//!
//! Source: files of both versions as `hg debugobsolete` writes them, and what `hg log` and `hg
//! clone` make of them (`fixtures/store/views.json`).

use std::collections::HashSet;

use crate::base::{Reader, ShortRead, faults};
use crate::hg::{Dag, Node, RevSet};

use super::Lookup;
use super::phases::{Phase, Phases};

/// The `obsstore` file could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObsstoreError {
    /// The file's version is not known.
    #[error("read obsstore: version {version} is not known")]
    UnknownVersion {
        /// The version.
        version: u8,
    },
    /// Markers of one version were to be added to those of another.
    #[error("add to obsstore: it is of version {there}, and what came is of version {came}")]
    Versions {
        /// The version of the file.
        there: u8,
        /// The version of what came.
        came: u8,
    },
    /// A marker uses hashes that are not in use yet.
    #[error("read obsstore: the marker at offset {offset} uses SHA-256")]
    Sha256 {
        /// Where the marker begins.
        offset: usize,
    },
    /// The file ends within a marker.
    #[error("read obsstore")]
    Cut {
        /// What is missing.
        #[from]
        source: ShortRead,
    },
    /// A marker's size is not that of what it holds.
    #[error(
        "read obsstore: the marker at offset {offset} declares {declared} bytes and has {needed}"
    )]
    WrongSize {
        /// Where the marker begins.
        offset: usize,
        /// The size that it declares, in bytes.
        declared: usize,
        /// The size of its parts together.
        needed: usize,
    },
    /// A marker names the null changeset as a successor.
    #[error("read obsstore: the marker at offset {offset} has the null changeset as successor")]
    NullSuccessor {
        /// Where the marker begins.
        offset: usize,
    },
}

faults!(ObsstoreError {
    Self::UnknownVersion { .. } | Self::Versions { .. } | Self::Sha256 { .. } => Unsupported,
    Self::Cut { .. } | Self::WrongSize { .. } | Self::NullSuccessor { .. } => Corrupt,
});

/// One changeset was replaced by others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The changeset that is obsolete.
    pub precursor: Node,
    /// What replaced it; nothing if it was dropped.
    pub successors: Vec<Node>,
    /// Flags: 1 says that the successor repairs the rewriting of a public changeset.
    pub flags: u16,
}

/// The flag of a marker whose nodes are SHA-256.
const USES_SHA256: u16 = 2;
/// The number of parents that says that they were not recorded.
const NO_PARENTS: u8 = 3;

/// Parses the contents of `obsstore`, version 0 or 1. A file of less than two bytes is empty.
pub fn parse_markers(bytes: &[u8]) -> Result<Vec<Marker>, ObsstoreError> {
    Ok(parse_each(bytes)?.into_iter().map(|(_, marker)| marker).collect())
}

/// Every marker, with the bytes that it is in.
fn parse_each(bytes: &[u8]) -> Result<Vec<(&[u8], Marker)>, ObsstoreError> {
    let mut reader = Reader::new(bytes);
    if bytes.len() < 2 {
        return Ok(Vec::new());
    }
    let parse = match reader.u8("version")? {
        0 => parse_v0,
        1 => parse_v1,
        version => return Err(ObsstoreError::UnknownVersion { version }),
    };
    let mut markers = Vec::new();
    while !reader.is_empty() {
        let (offset, rest) = (reader.offset(), reader.rest());
        let marker = parse(&mut reader)?;
        if marker.successors.contains(&Node::NULL) {
            return Err(ObsstoreError::NullSuccessor { offset });
        }
        let length = reader.offset() - offset;
        markers.push((rest.get(..length).unwrap_or_default(), marker));
    }
    Ok(markers)
}

/// The contents of `obsstore` that has what is in `old`, and then those markers of `new`, which is
/// laid out alike, that `old` has not.
pub(in crate::hg) fn merged_markers(old: &[u8], new: &[u8]) -> Result<Vec<u8>, ObsstoreError> {
    let (there, came) = (parse_each(old)?, parse_each(new)?);
    let mut merged =
        if there.is_empty() { new.get(..1) } else { Some(old) }.unwrap_or_default().to_vec();
    if let [Some(there), Some(came)] = [merged.first().copied(), new.first().copied()]
        && there != came
    {
        return Err(ObsstoreError::Versions { there, came });
    }
    let mut known: HashSet<&[u8]> = there.into_iter().map(|(bytes, _)| bytes).collect();
    for (bytes, _) in came {
        if known.insert(bytes) {
            merged.extend_from_slice(bytes);
        }
    }
    Ok(merged)
}

/// Version 0: numbers of successors and metadata bytes, flags, nodes, metadata.
fn parse_v0(reader: &mut Reader<'_>) -> Result<Marker, ObsstoreError> {
    let successors = reader.u8("number of successors")?;
    let metadata = reader.u32("length of metadata")?;
    let flags = u16::from(reader.u8("flags")?);
    let precursor = Node::from_bytes(reader.array("precursor")?);
    let successors = nodes(reader, "successor", successors)?;
    reader.bytes("metadata", usize::try_from(metadata).unwrap_or(usize::MAX))?;
    Ok(Marker { precursor, successors, flags })
}

/// Version 1: size of the marker, date, zone, flags, numbers of successors, parents and pieces of
/// metadata, nodes, the lengths of the metadata's keys and values, metadata.
fn parse_v1(reader: &mut Reader<'_>) -> Result<Marker, ObsstoreError> {
    let offset = reader.offset();
    let declared = usize::try_from(reader.u32("size of marker")?).unwrap_or(usize::MAX);
    reader.bytes("date", 8)?;
    reader.bytes("time zone", 2)?;
    let flags = reader.u16("flags")?;
    if flags & USES_SHA256 != 0 {
        return Err(ObsstoreError::Sha256 { offset });
    }
    let successors = reader.u8("number of successors")?;
    let parents = reader.u8("number of parents")?;
    let metadata = reader.u8("pieces of metadata")?;
    let precursor = Node::from_bytes(reader.array("precursor")?);
    let successors = nodes(reader, "successor", successors)?;
    if parents != NO_PARENTS {
        nodes(reader, "parent", parents)?;
    }
    let lengths = reader.bytes("lengths of metadata", 2 * usize::from(metadata))?;
    let metadata = lengths.iter().map(|&length| usize::from(length)).sum();
    reader.bytes("metadata", metadata)?;
    let needed = reader.offset() - offset;
    if needed == declared {
        Ok(Marker { precursor, successors, flags })
    } else {
        Err(ObsstoreError::WrongSize { offset, declared, needed })
    }
}

fn nodes(reader: &mut Reader<'_>, field: &'static str, count: u8) -> Result<Vec<Node>, ShortRead> {
    (0..count).map(|_| reader.array(field).map(Node::from_bytes)).collect()
}

/// The obsolete revisions: those that a marker replaces, unless they are public by now.
pub fn obsolete_revs(
    markers: &[Marker],
    dag: &Dag,
    phases: &Phases,
    lookup: &Lookup<'_>,
) -> RevSet {
    let mut obsolete = RevSet::empty(dag.len());
    for rev in markers.iter().filter_map(|marker| lookup(marker.precursor)) {
        if phases.of(rev) > Phase::Public {
            obsolete.insert(rev);
        }
    }
    obsolete
}

/// The hidden revisions.
///
/// What is obsolete, archived or internal is hidden, unless it is `pinned` (the parents of the
/// working directory, bookmarks, local tags) or something visible stands on it.
pub fn hidden_revs(dag: &Dag, phases: &Phases, obsolete: &RevSet, pinned: &RevSet) -> RevSet {
    if obsolete.has_none() && phases.above(Phase::Secret).next().is_none() {
        return RevSet::empty(dag.len());
    }
    let mut hidden = obsolete.clone();
    let mut shown = pinned.clone();
    for rev in phases.above(Phase::Public) {
        match phases.of(rev) {
            Phase::Archived | Phase::Internal => {
                hidden.insert(rev);
            }
            Phase::Draft | Phase::Secret if !obsolete.contains(rev) => {
                shown.insert(rev);
            }
            Phase::Public | Phase::Draft | Phase::Secret => {}
        }
    }
    shown.extend_to_ancestors(dag);
    for rev in shown.iter() {
        hidden.remove(rev);
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(i: u8) -> Node {
        Node::from_bytes([i; 20])
    }

    /// Two markers each, as `hg debugobsolete` writes them but for shorter nodes.
    fn v0() -> Vec<u8> {
        let first = [&[1, 0, 0, 0, 7, 0][..], &[1; 20], &[5; 20], b"user:ab"].concat();
        let second = [&[0, 0, 0, 0, 0, 1][..], &[3; 20]].concat();
        [&[0][..], &first, &second].concat()
    }

    fn v1() -> Vec<u8> {
        let fixed = |size: u8, flags: u8, counts: [u8; 3]| {
            [&[0, 0, 0, size][..], &[0x41; 8], &[0xfe, 0xb6], &[0, flags], &counts].concat()
        };
        let first = [&fixed(68, 0, [1, 3, 1])[..], &[1; 20], &[5; 20], &[4, 3], b"userab!"];
        let second = [&fixed(59, 1, [0, 1, 0])[..], &[3; 20], &[2; 20]];
        [&[1][..], &first.concat(), &second.concat()].concat()
    }

    fn markers() -> Vec<Marker> {
        vec![
            Marker { precursor: node(1), successors: vec![node(5)], flags: 0 },
            Marker { precursor: node(3), successors: vec![], flags: 1 },
        ]
    }

    #[test]
    fn both_versions() {
        assert_eq!(parse_markers(&v0()), Ok(markers()));
        assert_eq!(parse_markers(&v1()), Ok(markers()));
        for empty in [&b""[..], b"\0", b"\x01", b"\x02"] {
            assert_eq!(parse_markers(empty), Ok(vec![]));
        }
        assert_eq!(parse_markers(b"\x02a"), Err(ObsstoreError::UnknownVersion { version: 2 }));
    }

    #[test]
    fn markers_are_added_once() {
        for (bytes, second) in [(v0(), 54), (v1(), 69)] {
            let (first, version) = (&bytes[..second], &bytes[..1]);
            let last = [version, &bytes[second..]].concat();
            assert_eq!(merged_markers(b"", &bytes), Ok(bytes.clone()));
            assert_eq!(merged_markers(version, &bytes), Ok(bytes.clone()));
            assert_eq!(merged_markers(&bytes, &bytes), Ok(bytes.clone()));
            assert_eq!(merged_markers(first, &last), Ok(bytes.clone()));
            assert_eq!(merged_markers(&last, version), Ok(last.clone()));
            assert!(merged_markers(first, &bytes[..second + 5]).is_err());
        }
        let versions = ObsstoreError::Versions { there: 1, came: 0 };
        assert_eq!(merged_markers(&v1(), &v0()), Err(versions));
    }

    #[test]
    fn cuts_are_errors_or_fewer_markers() {
        for (bytes, second) in [(v0(), 54), (v1(), 69)] {
            for end in 2..bytes.len() {
                let parsed = parse_markers(&bytes[..end]);
                if end == second {
                    assert_eq!(parsed, Ok(markers()[..1].to_vec()));
                } else {
                    assert!(matches!(parsed, Err(ObsstoreError::Cut { .. })), "cut at {end}");
                }
            }
        }
    }

    #[test]
    fn flips_are_errors_or_other_markers() {
        // Dates, zones, parents and metadata are passed over.
        let skipped_v0 = [47..54, 0..0];
        let skipped_v1 = [5..15, 62..69, 73..83, 108..128];
        for (bytes, skipped) in [(v0(), &skipped_v0[..]), (v1(), &skipped_v1)] {
            for i in 0..bytes.len() {
                for bit in 0..8 {
                    let mut flipped = bytes.clone();
                    flipped[i] ^= 1 << bit;
                    let same = parse_markers(&flipped) == Ok(markers());
                    let skipped = skipped.iter().any(|range| range.contains(&i));
                    assert_eq!(same, skipped, "byte {i}, bit {bit}");
                }
            }
        }
        // A size that lies is found, whichever way.
        for size in [67, 69] {
            let mut bytes = v1();
            bytes[4] = size;
            assert!(matches!(
                parse_markers(&bytes),
                Err(ObsstoreError::WrongSize { offset: 1, needed: 68, .. })
            ));
        }
        let mut bytes = v1();
        bytes[16] = 2;
        assert_eq!(parse_markers(&bytes), Err(ObsstoreError::Sha256 { offset: 1 }));
        let mut bytes = v0();
        bytes[27..47].fill(0);
        assert_eq!(parse_markers(&bytes), Err(ObsstoreError::NullSuccessor { offset: 1 }));
    }
}
