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
    /// Twice the index into `names`, plus one if the changeset closes its branch; or [`UNREAD`].
    of: Vec<u32>,
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
        self.of.resize(changelog.dag().len(), UNREAD);
        let names = self.names.iter().enumerate();
        let mut numbers: HashMap<BString, u32> =
            names.filter_map(|(at, name)| Some((name.clone(), u32::try_from(at).ok()?))).collect();
        let mut reader = changelog.reader();
        let mut read = 0;
        for rev in wanted.iter() {
            let Some(slot) = self.of.get_mut(rev.index()).filter(|slot| **slot == UNREAD) else {
                continue;
            };
            let changeset = reader.changeset(rev)?;
            let branch = changeset.branch();
            let number = numbers.get(branch).copied().unwrap_or_else(|| {
                // There are no more names than revisions, whose numbers have 31 bits.
                let number = u32::try_from(self.names.len()).unwrap_or(0);
                numbers.insert(branch.to_owned(), number);
                self.names.push(branch.to_owned());
                number
            });
            *slot = number << 1 | u32::from(changeset.closes_branch());
            read += 1;
        }
        Ok(read > FEW)
    }

    /// The branches, in the order in which they were first met.
    pub fn names(&self) -> &[BString] {
        &self.names
    }

    /// The branch of a changeset that was read.
    pub fn branch(&self, rev: Rev) -> &BStr {
        let number = self.of.get(rev.index()).map_or(UNREAD, |of| of >> 1);
        self.names.get(number as usize).map_or(BStr::new(""), |name| name.as_bstr())
    }

    /// Whether a changeset that was read closes its branch.
    pub fn closes(&self, rev: Rev) -> bool {
        self.of.get(rev.index()).is_some_and(|of| *of != UNREAD && of & 1 == 1)
    }

    /// The table as bytes, for a later run over the same history, or one that extends it.
    pub fn to_bytes(&self, changelog: &Changelog) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let number = |n: usize| u32::try_from(n).unwrap_or(UNREAD).to_be_bytes();
        out.extend(number(self.of.len()));
        out.extend(changelog.digest(self.of.len()));
        out.extend(number(self.names.len()));
        for name in &self.names {
            out.extend(number(name.len()));
            out.extend_from_slice(name);
        }
        // Neighbours are mostly on one branch: what they have, and how many they are.
        for same in self.of.chunk_by(|a, b| a == b) {
            out.extend(same.first().copied().unwrap_or(UNREAD).to_be_bytes());
            out.extend(number(same.len()));
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
        while table.of.len() < len {
            let of = reader.u32("branch")?;
            let count = reader.u32("number of changesets on it")? as usize;
            table.of.resize((table.of.len() + count.max(1)).min(len), of);
        }
        Ok(Some(table))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Limits;
    use crate::hg::revlog::Revlog;

    #[test]
    fn a_saved_table_is_believed_only_as_it_was_saved() {
        let changelog = Changelog::new(Revlog::empty("00changelog", &Limits::default())).unwrap();
        let table = BranchTable { names: vec!["default".into(), "x y".into()], of: Vec::new() };
        let bytes = table.to_bytes(&changelog);
        assert_eq!(BranchTable::from_bytes(&bytes, &changelog), table);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(BranchTable::from_bytes(&damaged, &changelog), BranchTable::default());
            assert_eq!(BranchTable::from_bytes(&bytes[..at], &changelog), BranchTable::default());
        }
        // A table of a longer history.
        let longer = BranchTable { of: vec![0], ..table };
        let bytes = longer.to_bytes(&changelog);
        assert_eq!(BranchTable::from_bytes(&bytes, &changelog), BranchTable::default());
    }
}
