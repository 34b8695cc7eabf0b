//! What a run knew of a whole history: which of its changesets have a commit.

use std::path::Path;

use super::{Record, parse};
use crate::base::reader::{Reader, ShortRead};
use crate::base::sha1;
use crate::hg::{Changelog, RevSet};

/// What a saved one begins with: changes when the form does.
const MAGIC: &[u8] = b"synchroniser mapped changesets 1\n";

/// Which changesets of a history have a commit in the id map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Coverage {
    /// How many records the map had, which were whole.
    pub records: usize,
    /// The last of them.
    pub last: Record,
    /// What tells the history from every other one.
    digest: [u8; 20],
    /// How many changesets in a row have none, have one, have none, and so on.
    runs: Vec<u32>,
}

impl Coverage {
    /// That of a history of which the changesets `mapped` have a commit in a map of so many records.
    pub(super) fn of(changelog: &Changelog, mapped: &RevSet, records: usize, last: Record) -> Self {
        let (mut runs, mut next) = (Vec::new(), 0);
        for range in mapped.ranges() {
            runs.extend([range.start - next, range.end - range.start]);
            next = range.end;
        }
        let rest = u32::try_from(changelog.dag().len()).unwrap_or(u32::MAX).saturating_sub(next);
        if rest > 0 || runs.is_empty() {
            runs.push(rest);
        }
        Self { records, last, digest: changelog.digest(changelog.dag().len()), runs }
    }

    /// How many changesets it knows of.
    pub(super) fn changesets(&self) -> usize {
        self.runs.iter().map(|run| *run as usize).sum()
    }

    /// Whether there were records of other changesets, or several of one.
    pub(super) fn has_others(&self) -> bool {
        let mapped = self.runs.iter().skip(1).step_by(2).map(|run| *run as usize).sum::<usize>();
        mapped != self.records
    }

    /// Whether `changelog` begins with that history.
    pub(super) fn is_of(&self, changelog: &Changelog) -> bool {
        let len = self.changesets();
        len <= changelog.dag().len() && changelog.digest(len) == self.digest
    }

    /// The changesets of which it knows that they have a commit; `None` if `changelog` does not begin with
    /// that history.
    pub(super) fn mapped(&self, changelog: &Changelog) -> Option<RevSet> {
        if !self.is_of(changelog) {
            return None;
        }
        let (mut mapped, mut next) = (RevSet::empty(changelog.dag().len()), 0_u32);
        for (run, has) in self.runs.iter().zip([false, true].into_iter().cycle()) {
            let first = next;
            next = next.saturating_add(*run);
            if has {
                mapped.insert_range(first..next);
            }
        }
        Some(mapped)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend((self.records as u64).to_be_bytes());
        out.extend(self.last.0.as_bytes());
        out.extend(self.last.1.as_bytes());
        out.extend(self.digest);
        for run in &self.runs {
            out.extend(run.to_be_bytes());
        }
        let checksum = sha1::digest(&[&out]);
        out.extend(checksum);
        out
    }

    /// What is in a file; `None` if that is not as it was saved.
    pub(super) fn read(path: &Path) -> Option<Self> {
        // Whatever keeps us from reading it, it can be found out again.
        Self::from_bytes(&std::fs::read(path).ok()?)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (body, checksum) = bytes.split_last_chunk::<20>()?;
        if sha1::digest(&[body]) != *checksum {
            return None;
        }
        Self::parse(body).ok().flatten()
    }

    fn parse(body: &[u8]) -> Result<Option<Self>, ShortRead> {
        let mut reader = Reader::new(body);
        if reader.bytes("magic", MAGIC.len())? != MAGIC {
            return Ok(None);
        }
        let records = reader.u64("number of records")?;
        let last = parse(reader.bytes("last record", super::RECORD)?);
        let digest = reader.array("digest of the history")?;
        let mut runs = Vec::new();
        while !reader.is_empty() {
            runs.push(reader.u32("length of a run")?);
        }
        let records = usize::try_from(records).ok();
        Ok(last.zip(records).map(|(last, records)| Self { records, last, digest, runs }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Limits;
    use crate::git::ObjectId;
    use crate::hg::Node;
    use crate::hg::revlog::Revlog;

    #[test]
    fn a_saved_one_is_believed_only_as_it_was_saved() {
        let changelog = Changelog::new(Revlog::empty("00changelog", &Limits::default())).unwrap();
        let last = (Node::from_bytes([1; 20]), ObjectId::from_bytes([2; 20]));
        let coverage = Coverage::of(&changelog, &RevSet::empty(0), 7, last);
        let bytes = coverage.to_bytes();
        assert_eq!(Coverage::from_bytes(&bytes), Some(coverage.clone()));
        assert_eq!(coverage.mapped(&changelog), Some(RevSet::empty(0)));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(Coverage::from_bytes(&damaged), None);
            assert_eq!(Coverage::from_bytes(&bytes[..at]), None);
        }
        // That of a longer history.
        let longer = Coverage { runs: vec![0, 1], ..coverage };
        assert_eq!(longer.mapped(&changelog), None);
    }
}
