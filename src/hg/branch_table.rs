//! Which named branch each changeset is on, kept between runs: the one thing about an old changeset
//! that every sync asks for, and the only reason to read old changesets at all.

use std::collections::HashMap;

use bstr::{BStr, BString, ByteSlice};

use super::revlog::RevlogError;
use super::{Changelog, Rev, RevSet};
use crate::base::reader::{Reader, ShortRead};
use crate::base::sha1;

/// The branch of each changeset that was asked for, by revision.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct BranchTable {
    names: Vec<BString>,
    /// What neighbours have, as long as it is the same: the number of the first of them, and twice the
    /// index into `names`, plus one if they close their branch; or [`UNREAD`]. The first is that of the
    /// first changeset.
    runs: Vec<(u32, u32)>,
    /// How many changesets there are.
    len: usize,
}

/// Stands for a changeset that was not read yet.
const UNREAD: u32 = u32::MAX;
/// So many changesets are read faster than a table is saved.
const FEW: usize = 32;
/// What a saved table begins with: changes when the form does.
const MAGIC: &[u8] = b"synchroniser branch table 3\n";

impl BranchTable {
    /// Reads the changesets of `wanted` that the table does not have yet. Says whether there were
    /// so many that they are worth saving: a few are read again as soon.
    pub fn fill(&mut self, changelog: &Changelog, wanted: &RevSet) -> Result<bool, RevlogError> {
        let wanted = self.unread(changelog.dag().len(), wanted);
        if wanted.is_empty() {
            return Ok(false);
        }
        let names = self.names.iter().enumerate();
        let mut numbers: HashMap<BString, u32> =
            names.filter_map(|(at, name)| Some((name.clone(), u32::try_from(at).ok()?))).collect();
        let mut reader = changelog.reader();
        let mut values = Vec::new();
        for rev in &wanted {
            let rev = *rev;
            let changeset = reader.changeset(rev)?;
            let branch = changeset.branch();
            let number = numbers.get(branch).copied().unwrap_or_else(|| {
                // There are no more names than revisions, whose numbers have 31 bits.
                let number = u32::try_from(self.names.len()).unwrap_or(0);
                numbers.insert(branch.to_owned(), number);
                self.names.push(branch.to_owned());
                number
            });
            values.push((rev, number << 1 | u32::from(changeset.closes_branch())));
        }
        self.put(&values);
        Ok(values.len() > FEW)
    }

    /// Makes the table one of `len` changesets, and finds those of `wanted` that were not read yet.
    fn unread(&mut self, len: usize, wanted: &RevSet) -> Vec<Rev> {
        if self.len < len {
            push(&mut self.runs, self.len, UNREAD);
        }
        self.len = self.len.max(len);
        let mut read = RevSet::empty(self.len);
        for (first, end, of) in self.runs() {
            if of != UNREAD {
                read.insert_range(first..end);
            }
        }
        wanted.without(&read)
    }

    /// Enters what was read of changesets, which are in order.
    fn put(&mut self, values: &[(Rev, u32)]) {
        let mut runs = Vec::with_capacity(self.runs.len());
        let mut values = values.iter().peekable();
        for (first, end, of) in self.runs() {
            let mut next = first;
            while let Some((rev, value)) = values.next_if(|(rev, _)| rev.number() < end) {
                if next < rev.number() {
                    push(&mut runs, next as usize, of);
                }
                push(&mut runs, rev.index(), *value);
                next = rev.number() + 1;
            }
            if next < end {
                push(&mut runs, next as usize, of);
            }
        }
        self.runs = runs;
    }

    /// Where each run begins and ends, and what is in it.
    fn runs(&self) -> impl Iterator<Item = (u32, u32, u32)> {
        let len = u32::try_from(self.len).unwrap_or(u32::MAX);
        let ends = self.runs.iter().skip(1).map(|(first, _)| *first).chain([len]);
        self.runs.iter().zip(ends).map(|((first, of), end)| (*first, end, *of))
    }

    /// What is known of a changeset, and the number of the first one of the next run.
    fn of(&self, rev: Rev) -> (u32, u32) {
        let after = self.runs.partition_point(|(first, _)| *first <= rev.number());
        let of = after.checked_sub(1).and_then(|at| self.runs.get(at));
        let of = of.filter(|_| rev.index() < self.len).map_or(UNREAD, |(_, of)| *of);
        (of, self.runs.get(after).map_or(u32::MAX, |(first, _)| *first))
    }

    /// The branches, in the order in which they were first met.
    pub fn names(&self) -> &[BString] {
        &self.names
    }

    /// The branch of a changeset that was read.
    pub fn branch(&self, rev: Rev) -> &BStr {
        self.run(rev).0
    }

    /// The branch of a changeset that was read, and the number of the next one that may be on another.
    pub fn run(&self, rev: Rev) -> (&BStr, u32) {
        let (of, end) = self.of(rev);
        let name = self.names.get((of >> 1) as usize);
        (name.map_or(BStr::new(""), |name| name.as_bstr()), end)
    }

    /// Whether a changeset that was read closes its branch.
    pub fn closes(&self, rev: Rev) -> bool {
        let (of, _) = self.of(rev);
        of != UNREAD && of & 1 == 1
    }

    /// The table as bytes, for a later run over the same history, or one that extends it.
    pub fn to_bytes(&self, changelog: &Changelog) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let number = |n: usize| u32::try_from(n).unwrap_or(UNREAD).to_be_bytes();
        out.extend(number(self.len));
        out.extend(changelog.digest(self.len));
        out.extend(number(self.names.len()));
        for name in &self.names {
            out.extend(number(name.len()));
            out.extend_from_slice(name);
        }
        // Neighbours are mostly on one branch: what they have, and how many they are.
        for (first, end, of) in self.runs() {
            out.extend(of.to_be_bytes());
            out.extend((end - first).to_be_bytes());
        }
        let checksum = sha1::digest(&[&out]);
        out.extend(checksum);
        out
    }

    /// The table that was saved as `bytes`; an empty one if they are damaged, or of a history that
    /// `changelog` does not begin with.
    pub fn from_bytes(bytes: &[u8], changelog: &Changelog) -> Self {
        Self::parse(bytes, changelog).ok().flatten().unwrap_or_default()
    }

    fn parse(bytes: &[u8], changelog: &Changelog) -> Result<Option<Self>, ShortRead> {
        let Some((body, checksum)) = bytes.split_last_chunk::<20>() else { return Ok(None) };
        if sha1::digest(&[body]) != *checksum {
            return Ok(None);
        }
        let mut reader = Reader::new(body);
        if reader.bytes("magic", MAGIC.len())? != MAGIC {
            return Ok(None);
        }
        let len = reader.u32("number of changesets")? as usize;
        let of_history: [u8; 20] = reader.array("digest of the history")?;
        if len > changelog.dag().len() || changelog.digest(len) != of_history {
            return Ok(None);
        }
        let mut table = Self::default();
        for _ in 0..reader.u32("number of names")? {
            let length = reader.u32("length of a name")? as usize;
            table.names.push(reader.bytes("name", length)?.into());
        }
        while table.len < len {
            let of = reader.u32("branch")?;
            let count = reader.u32("number of changesets on it")? as usize;
            push(&mut table.runs, table.len, of);
            table.len = (table.len + count.max(1)).min(len);
        }
        Ok(Some(table))
    }
}

/// Says that from `first` on, changesets have `of`.
fn push(runs: &mut Vec<(u32, u32)>, first: usize, of: u32) {
    if runs.last().is_none_or(|(_, last)| *last != of) {
        // There are no more changesets than that.
        runs.push((u32::try_from(first).unwrap_or(u32::MAX), of));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Limits;
    use crate::hg::revlog::Revlog;

    #[test]
    fn what_was_read_later_goes_where_it_belongs() {
        let mut table = BranchTable::default();
        let revs = |numbers: &[u32]| numbers.iter().map(|rev| Rev::new(*rev)).collect::<Vec<_>>();
        let mut wanted = RevSet::full(9);
        wanted.remove(Rev::new(3));
        wanted.remove(Rev::new(4));
        assert_eq!(table.unread(9, &wanted), revs(&[0, 1, 2, 5, 6, 7, 8]));
        let all = |values: &[u32]| {
            let numbers = [0, 1, 2, 5, 6, 7, 8].map(Rev::new);
            numbers.into_iter().zip(values.iter().copied()).collect::<Vec<_>>()
        };
        table.put(&all(&[0, 0, 2, 2, 3, 0, 0]));
        assert_eq!(table.runs, [(0, 0), (2, 2), (3, UNREAD), (5, 2), (6, 3), (7, 0)]);
        assert_eq!(table.unread(10, &RevSet::full(10)), revs(&[3, 4, 9]));
        table.put(&[(Rev::new(3), 2), (Rev::new(4), 2), (Rev::new(9), 0)]);
        assert_eq!(table.runs, [(0, 0), (2, 2), (6, 3), (7, 0)]);
        assert_eq!((table.of(Rev::new(1)), table.of(Rev::new(9))), ((0, 2), (0, u32::MAX)));
        assert_eq!(table.of(Rev::new(10)).0, UNREAD);
    }

    #[test]
    fn a_saved_table_is_believed_only_as_it_was_saved() {
        let changelog = Changelog::new(Revlog::empty("00changelog", &Limits::default())).unwrap();
        let table =
            BranchTable { names: vec!["default".into(), "x y".into()], ..BranchTable::default() };
        let bytes = table.to_bytes(&changelog);
        assert_eq!(BranchTable::from_bytes(&bytes, &changelog), table);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(BranchTable::from_bytes(&damaged, &changelog), BranchTable::default());
            assert_eq!(BranchTable::from_bytes(&bytes[..at], &changelog), BranchTable::default());
        }
        // A table of a longer history.
        let longer = BranchTable { runs: vec![(0, 0)], len: 1, ..table };
        let bytes = longer.to_bytes(&changelog);
        assert_eq!(BranchTable::from_bytes(&bytes, &changelog), BranchTable::default());
    }
}
