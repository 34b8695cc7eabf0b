//! The shape of a long history, kept between runs, so that not all of its index has to be read to learn
//! it again.
//!
//! It is believed where every run of changesets, each of which has the one before it as its only parent,
//! still ends with the same node at the same place. A node is a hash over its parents' nodes, and a
//! parent comes before its child. So what is before a run being where it was, the changesets of the
//! run can only be where they were, too: none of them fits elsewhere.

use super::Dag;
use super::changelog::{Changelog, digest};
use super::revlog::Revlog;
use crate::base::reader::{Reader, ShortRead};
use crate::base::sha1;

/// What is kept of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedHistory {
    dag: Dag,
    digest: [u8; 20],
}

/// What a saved one begins with: changes when the form does.
const MAGIC: &[u8] = b"synchroniser history 1\n";
/// Shorter histories are read as fast.
const LONG: usize = 16 << 10;
/// So many changesets are in a run on average, at least: for each run a part of the index is read.
const RUN: usize = 256;

impl SavedHistory {
    /// That of `changelog`, if it is worth being saved.
    pub fn of(changelog: &Changelog) -> Option<Self> {
        let dag = changelog.dag();
        let is_worth_it = dag.len() >= LONG && dag.runs().count() <= dag.len() / RUN;
        is_worth_it.then(|| Self { dag: dag.clone(), digest: changelog.digest(dag.len()) })
    }

    /// The shape of the beginning of the changelog in `revlog`, if that is the history that was saved.
    pub(super) fn beginning_of(&self, revlog: &Revlog) -> Option<Dag> {
        let node = |rev| revlog.node(rev).ok();
        let is_it = self.dag.len() <= revlog.len()
            && digest(&self.dag, self.dag.len(), node) == Some(self.digest);
        is_it.then(|| self.dag.clone())
    }

    /// As bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(self.digest);
        for (run, parents) in self.dag.runs() {
            out.extend((run.end - run.start).to_be_bytes());
            for parent in parents {
                out.extend(parent.map_or(u32::MAX, super::Rev::number).to_be_bytes());
            }
        }
        let checksum = sha1::digest(&[&out]);
        out.extend(checksum);
        out
    }

    /// What is in these bytes; `None` if they are not as they were saved.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
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
        let (digest, mut dag) = (reader.array("digest of the history")?, Dag::new());
        while !reader.is_empty() {
            let length = reader.u32("length of a run")?;
            let parents = [reader.u32("first parent")?, reader.u32("second parent")?];
            let slots = parents.map(|parent| (parent != u32::MAX).then(|| super::Rev::new(parent)));
            let further = length.checked_sub(1).map(|further| further as usize);
            if dag.push(slots).zip(further).and_then(|(_, further)| dag.go_on(further)).is_none() {
                return Ok(None);
            }
        }
        Ok(Some(Self { dag, digest }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Limits;
    use crate::hg::Rev;

    /// A history in which each changeset says its number and its parents' revisions.
    fn revlog(changesets: &[(u8, [i32; 2])]) -> Revlog {
        let mut index = Vec::new();
        for (rev, (number, parents)) in (0_i32..).zip(changesets) {
            let header = if index.is_empty() { [0, 0, 0, 1] } else { [0; 4] };
            index.extend([header, [0; 4]].concat());
            for field in [0, 0, rev, rev, parents[0], parents[1]] {
                index.extend(field.to_be_bytes());
            }
            index.extend([&[*number; 20][..], &[0; 12]].concat());
        }
        Revlog::from_bytes("00changelog", index, Vec::new(), &Limits::default()).unwrap()
    }

    fn changelog(changesets: &[(u8, [i32; 2])]) -> Changelog {
        Changelog::new(revlog(changesets)).unwrap()
    }

    #[test]
    fn a_saved_history_is_believed_only_of_what_it_is_the_beginning_of() {
        let all =
            [(1, [-1, -1]), (2, [0, -1]), (3, [0, -1]), (4, [2, -1]), (5, [1, 3]), (6, [4, -1])];
        let saved = |changelog: &Changelog| {
            let dag = changelog.dag().clone();
            SavedHistory { digest: changelog.digest(dag.len()), dag }
        };
        let whole = changelog(&all);
        for len in 0..=all.len() {
            let beginning = saved(&changelog(&all[..len]));
            let found = beginning.beginning_of(whole.revlog());
            assert_eq!(found.as_ref(), Some(changelog(&all[..len]).dag()), "{len}");
            let read = Changelog::of(revlog(&all), Some(&beginning)).unwrap();
            assert_eq!((read.dag(), read.known()), (whole.dag(), len));
            assert!(read.check_unchanged().is_ok());
            assert_eq!(SavedHistory::from_bytes(&beginning.to_bytes()), Some(beginning));
        }
        let of_all = saved(&whole);
        assert_eq!(of_all.beginning_of(changelog(&all[..5]).revlog()), None);
        // Two lines of development the other way round, and another changeset at the end.
        let turned = [all[0], (3, [0, -1]), (4, [1, -1]), (2, [0, -1]), (5, [3, 2]), all[5]];
        let other = [&all[..5], &[(7, [4, -1])]].concat();
        for history in [&turned[..], &other] {
            let read = Changelog::of(revlog(history), Some(&of_all)).unwrap();
            assert_eq!((read.dag(), read.known()), (changelog(history).dag(), 0));
        }
        assert_eq!(read_back(&of_all), Some(of_all.clone()));
    }

    fn read_back(saved: &SavedHistory) -> Option<SavedHistory> {
        let bytes = saved.to_bytes();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(SavedHistory::from_bytes(&damaged), None);
            assert_eq!(SavedHistory::from_bytes(&bytes[..at]), None);
        }
        SavedHistory::from_bytes(&bytes)
    }

    #[test]
    fn only_long_histories_with_few_merges_are_saved() {
        let back = |rev: usize| i32::try_from(rev).unwrap() - 1;
        let line: Vec<_> = (0..LONG).map(|rev| (7, [back(rev), -1])).collect();
        let long = SavedHistory::of(&changelog(&line)).unwrap();
        assert_eq!(long.dag.runs().collect::<Vec<_>>(), [(0..16 << 10, [None::<Rev>; 2])]);
        assert_eq!(SavedHistory::from_bytes(&long.to_bytes()), Some(long));
        assert_eq!(SavedHistory::of(&changelog(&line[..LONG - 1])), None);
    }
}
