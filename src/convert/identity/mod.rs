//! Identities: the rules that decide a commit's bytes, and so its id.
//!
//! An identity is one file and one line in [`IDENTITIES`].

mod choice;
mod fast_export;
mod gitmodules;
mod hg_git;
mod native;
mod person;
pub mod recorded;
pub mod submodules;

pub(super) use hg_git::is_refused_as_dotgit as is_refused_by_hg_git;

pub use choice::{AUTO, IdentityChoice, choices};
pub(super) use person::address;

use std::borrow::Cow;

use super::left_out::LeftOutReason;
use crate::base::similar::similar;
use crate::base::text::utf8_or_latin1;
use crate::base::{RepoPath, RepoPathBuf, faults};
use crate::git::ObjectId;
use crate::git::commit::Commit;
use crate::git::tree::Mode;
use crate::hg::changelog::ChangesetReader;
use crate::hg::revlog::RevlogError;
use crate::hg::{Changelog, Changeset, Dag, Node, Rev};
use submodules::SubmoduleRules;

/// What a commit is made from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The changeset's hash.
    pub node: Node,
    /// The changeset.
    pub changeset: &'a Changeset,
    /// Its snapshot.
    pub tree: ObjectId,
    /// The commits of the parents that [`Identity::parents`] chose, in its order.
    pub parents: &'a [ObjectId],
    /// The copies that the changeset made, in no order; empty unless
    /// [`Identity::records_copies`].
    pub copies: &'a [CopiedFile],
}

/// A file that began as a copy of another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CopiedFile {
    /// The copy.
    pub to: RepoPathBuf,
    /// What it is a copy of.
    pub from: RepoPathBuf,
}

/// Where a file of a manifest is in the tree of its commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where it is in the manifest.
    Same,
    /// Elsewhere.
    At(RepoPathBuf),
    /// Nowhere, because the rules do not use it. That is not reported.
    Nowhere,
    /// Nowhere, because Git has no place for it.
    LeftOut(LeftOutReason),
}

/// What an identity may look at beyond one changeset.
pub struct History<'c> {
    changelog: &'c Changelog,
    reader: ChangesetReader<'c>,
}

impl<'c> History<'c> {
    /// The history in `changelog`.
    pub fn new(changelog: &'c Changelog) -> Self {
        Self { changelog, reader: changelog.reader() }
    }

    /// The shape of the history.
    pub fn dag(&self) -> &'c Dag {
        self.changelog.dag()
    }

    /// A changeset.
    pub fn changeset(&mut self, rev: Rev) -> Result<Changeset, RevlogError> {
        self.reader.changeset(rev)
    }
}

/// The rules that decide a commit's bytes.
///
/// All of it is a function of the source's history; what is asked of one changeset can be answered
/// from that changeset, its parents, and what differs between their manifests.
pub trait Identity: Sync {
    /// What configuration calls it.
    fn name(&self) -> &'static str;

    /// The commit of a changeset. Never fails: whatever people typed has a commit.
    fn commit(&self, facts: &Facts<'_>) -> Commit;

    /// The user as an author map names them.
    fn known_as<'u>(&self, user: &'u [u8]) -> Cow<'u, str> {
        utf8_or_latin1(user)
    }

    /// Whether each commit says which changeset it was made from, so that a lost map can be made
    /// again.
    fn names_changesets(&self) -> bool {
        false
    }

    /// The changeset that a commit says it was made from, if [`Identity::names_changesets`].
    fn node_of(&self, _commit: &[u8]) -> Option<Node> {
        None
    }

    /// Where the file at `path` is in a tree. Plain and executable files are at the same place; a
    /// symbolic link is there too, or nowhere.
    fn place(&self, path: &RepoPath, mode: Mode) -> Place;

    /// Whether the first changeset of a history has only those files of its manifest that its own
    /// list of files names.
    fn trusts_lists_of_roots(&self) -> bool {
        false
    }

    /// The changesets whose commits are the parents of the commit of `rev`.
    fn parents(
        &self,
        rev: Rev,
        _changeset: &Changeset,
        history: &mut History<'_>,
    ) -> Result<Vec<Rev>, RevlogError> {
        Ok(history.dag().parents(rev).collect())
    }

    /// Whether the commits of a changeset's children do not name its own commit as their parent.
    fn is_bypassed(&self, _changeset: &Changeset) -> bool {
        false
    }

    /// How subrepositories become submodules; `None` if they do not.
    fn submodules(&self) -> Option<&'static dyn SubmoduleRules> {
        None
    }

    /// Whether commits say which files are copies.
    fn records_copies(&self) -> bool {
        false
    }
}

/// Every identity there is; the first is that of new mirrors.
pub const IDENTITIES: &[&dyn Identity] =
    &[&native::Native, &hg_git::HgGit, &fast_export::FastExport];

/// The identity of targets that have no history yet.
pub const NATIVE: &dyn Identity = &native::Native;

impl std::fmt::Debug for dyn Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// No identity has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("find the identity {name:?}: there is none of this name")]
pub struct UnknownIdentity {
    /// The name.
    pub name: String,
}

impl UnknownIdentity {
    /// The name that was most likely meant.
    pub fn similar(&self) -> Option<&'static str> {
        similar(&self.name, choices())
    }
}

faults!(UnknownIdentity {
    this => Config.hint(match this.similar() {
        Some(name) => format!("did you mean {name:?}?"),
        None => format!("there are {}", choices().collect::<Vec<_>>().join(", ")),
    }),
});

/// The names of all identities.
pub fn names() -> impl Iterator<Item = &'static str> {
    IDENTITIES.iter().map(|identity| identity.name())
}

/// The identity called `name`.
pub fn named(name: &str) -> Result<&'static dyn Identity, UnknownIdentity> {
    let found = IDENTITIES.iter().find(|identity| identity.name() == name).copied();
    found.ok_or_else(|| UnknownIdentity { name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::HasFault;

    #[test]
    fn names_are_found_and_wrong_ones_explained() {
        for name in names() {
            assert_eq!(named(name).unwrap().name(), name);
        }
        let hint = |name: &str| named(name).unwrap_err().hint().unwrap();
        assert_eq!(hint("Native"), "did you mean \"native\"?");
        assert_eq!(hint("fast_export"), "did you mean \"fast-export\"?");
        assert!(hint("x").starts_with("there are auto, native, "));
    }
}
