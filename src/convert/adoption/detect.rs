//! Which identity made the existing commits.

use std::collections::{HashMap, HashSet};

use bstr::ByteSlice;

use super::ExistingCommit;
use crate::base::NoProgress;
use crate::convert::identity::{Facts, IDENTITIES, Identity, IdentityChoice, NATIVE, named};
use crate::convert::input::Input;
use crate::convert::{ConvertError, ConvertOptions, Rules, engine};
use crate::git::ObjectId;
use crate::git::commit::ReadCommit;
use crate::git::sink::Nowhere;
use crate::git::tree::TreeSource;
use crate::hg::{Changeset, Node, Rev};

/// How many changesets are converted at first, to see which identity makes commits that are there.
const FIRST: usize = 32;

/// How many times more it is each time that several do.
const MORE: usize = 8;

/// The identities that are looked at.
fn candidates(choice: IdentityChoice) -> Vec<&'static dyn Identity> {
    match choice {
        IdentityChoice::Auto => IDENTITIES.to_vec(),
        IdentityChoice::Named(identity) => vec![identity],
    }
}

/// The identity that makes most of the first commits that are there, by their `ids`; `None` if none
/// makes any. Among those that make as many to the end, the first of the list: what both make tells
/// of Git before it was in Mercurial, which is where hg-git comes from.
pub(super) fn identity_by_ids(
    input: &Input<'_>,
    trees: &dyn TreeSource,
    options: &ConvertOptions,
    ids: &HashSet<ObjectId>,
) -> Result<Option<&'static dyn Identity>, ConvertError> {
    let mut left = candidates(options.identity);
    let mut size = FIRST.min(input.changesets.len());
    loop {
        let prefix = input.changesets.get(..size).unwrap_or(input.changesets);
        let mut made = Vec::with_capacity(left.len());
        for identity in &left {
            let quiet = Input { changesets: prefix, progress: &NoProgress, ..*input };
            made.push(exact(&quiet, trees, &options.rules(*identity), ids)?.len());
        }
        let most = made.iter().copied().max().unwrap_or_default();
        if most == 0 {
            return Ok(None);
        }
        let mut made = made.iter();
        left.retain(|_| made.next() == Some(&most));
        if left.len() == 1 || size == input.changesets.len() {
            return Ok(left.first().copied());
        }
        size = size.saturating_mul(MORE).min(input.changesets.len());
    }
}

/// The changesets of `input` whose commits under `rules` are there, by their `ids`.
pub(super) fn exact(
    input: &Input<'_>,
    trees: &dyn TreeSource,
    rules: &Rules,
    ids: &HashSet<ObjectId>,
) -> Result<HashMap<Rev, ObjectId>, ConvertError> {
    let conversion = engine::convert(&Input { rules, ..*input }, trees, &Nowhere)?;
    let pairs = input.changesets.iter().zip(conversion.records);
    let made = pairs.map(|(rev, (_, id))| (*rev, id)).filter(|(_, id)| ids.contains(id));
    Ok(made.collect())
}

/// One changeset and its commit.
pub(super) struct Pair<'p> {
    pub node: Node,
    pub changeset: Changeset,
    pub existing: &'p ExistingCommit,
    pub commit: &'p ReadCommit,
}

/// What the commits say about the identity to continue with, if no identity makes all of them.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// How many of them each identity would make, had it their trees and parents; in the order of
    /// [`IDENTITIES`].
    made: [usize; IDENTITIES.len()],
    /// Whether some have what only hg-git writes.
    hg_git: bool,
    /// Whether some have an address that only hg-fast-export makes up.
    fast_export: bool,
    /// Whether trees have the file `.hgtags` that their changesets wrote: if any has.
    hgtags: Option<bool>,
}

impl Signs {
    /// Takes one pair into account. `has_hgtags` tells whether the commit's tree has a file `.hgtags`,
    /// if its changeset wrote one.
    pub(super) fn add(&mut self, pair: &Pair<'_>, has_hgtags: Option<bool>) {
        let Pair { node, changeset, existing, commit } = pair;
        let facts = Facts {
            node: *node,
            changeset,
            tree: commit.tree,
            parents: &commit.parents,
            copies: &[],
        };
        for (count, identity) in self.made.iter_mut().zip(IDENTITIES) {
            *count += usize::from(identity.commit(&facts).to_bytes() == existing.contents);
        }
        let contents = existing.contents.as_slice();
        let of_hg_git = [&b"\n--HG--\n"[..], b"\nHG:rename", b"\nHG:extra "];
        self.hg_git |= of_hg_git.iter().any(|sign| contents.contains_str(sign));
        self.hgtags = self.hgtags.max(has_hgtags);
        self.fast_export |= commit.author.ends_with(b"<devnull@localhost>");
    }

    /// The identity to continue with.
    pub(super) fn identity(&self) -> &'static dyn Identity {
        let most = self.made.iter().copied().max().unwrap_or_default();
        let best = self.made.iter().position(|made| *made == most && most > 0);
        if let Some(identity) = best.and_then(|best| IDENTITIES.get(best)) {
            return *identity;
        }
        let name = match self {
            Self { hg_git: true, .. } => "hg-git",
            Self { fast_export: true, .. } | Self { hgtags: Some(false), .. } => "fast-export",
            _ => NATIVE.name(),
        };
        named(name).unwrap_or(NATIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_decide_where_no_commit_is_made_as_it_is() {
        let name = |signs: Signs| signs.identity().name();
        let none = Signs::default;
        assert_eq!(name(none()), "native");
        assert_eq!(name(Signs { hgtags: Some(false), ..none() }), "fast-export");
        assert_eq!(name(Signs { hgtags: Some(true), ..none() }), "native");
        assert_eq!(name(Signs { hg_git: true, ..none() }), "hg-git");
        assert_eq!(name(Signs { fast_export: true, ..none() }), "fast-export");
        assert_eq!(name(Signs { made: [0, 1, 2], hg_git: true, ..none() }), "fast-export");
    }
}
