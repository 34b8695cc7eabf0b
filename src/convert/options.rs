//! What a conversion is asked for.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bstr::BString;

use super::authors::{self, AuthorMap};
use super::identity::{Identity, IdentityChoice};
use super::naming::RefNaming;
use crate::base::Limits;
use crate::base::text::{named, utf8_or_latin1};
use crate::hg::repository::RepositoryError;
use crate::hg::{Repository, SavedHistory, ServedPhases, Serving, Shown};

/// What a sync verifies before references move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// What it has converted.
    #[default]
    New,
    /// Nothing.
    Off,
}

/// What is done with a history that is not that of the source in every commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdoptionPolicy {
    /// It is refused, and nothing moves.
    #[default]
    Exact,
    /// Changesets without a commit are converted anew. Commits without a changeset stay where they
    /// are; each ref that would have to leave them behind is refused.
    Partial,
}

impl AdoptionPolicy {
    /// Every policy with its name, the default first.
    pub const ALL: [(&str, Self); 2] = [("exact", Self::Exact), ("partial", Self::Partial)];

    /// The policy of this name.
    pub fn named(name: &str) -> Option<Self> {
        named(&Self::ALL, name)
    }
}

/// How much of a history is converted at a time, before it is made durable: what a run that is killed
/// may lose, and what it holds in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceLimits {
    /// Changesets, at most.
    pub changesets: usize,
    /// Changes of single files; the last changeset may go beyond it.
    pub edits: usize,
    /// Bytes of the source's store, if all changesets take as many.
    pub store_bytes: u64,
}

impl Default for SliceLimits {
    fn default() -> Self {
        Self { changesets: 10_000, edits: 1 << 18, store_bytes: 256 << 20 }
    }
}

impl SliceLimits {
    /// Slices that are worked on in so many bytes of memory: the default ones, or smaller ones where that is less
    /// than [`Limits::WORKING_BYTES`].
    pub fn within(memory: u64) -> Self {
        let whole = Self::default();
        let part = |of: u64| Limits::part_of(memory, of).min(of).max(1);
        let part_of = |of: usize| usize::try_from(part(of as u64)).unwrap_or(of);
        Self {
            changesets: part_of(whole.changesets),
            edits: part_of(whole.edits),
            store_bytes: part(whole.store_bytes),
        }
    }
}

/// What configuration and command line can choose. Verification takes the same: it compares with
/// what a conversion under these options makes.
#[derive(Clone, Debug, Default)]
pub struct ConvertOptions {
    /// The rules that decide what a commit is.
    pub identity: IdentityChoice,
    /// What is done with a target whose history is not that of the source in every commit.
    pub adopt: AdoptionPolicy,
    /// Who stands in place of which users.
    pub authors: Arc<AuthorMap>,
    /// Which changesets the source is taken to serve.
    pub phases: ServedPhases,
    /// How source names become references.
    pub naming: RefNaming,
    /// Whether each commit gets a note that names its changeset.
    pub notes: bool,
    /// What outside data may cost.
    pub limits: Limits,
    /// Whether damaged file revisions become placeholders, and do not end a run.
    pub skip_damaged: bool,
    /// What is verified before references move.
    pub verify: Verify,
    /// How much of the history is converted at a time.
    pub slice: SliceLimits,
    /// Whether a source is accepted that serves none of the changesets converted before.
    pub allow_empty: bool,
}

impl ConvertOptions {
    /// What decides commits, once it is settled which identity it is.
    pub fn rules(&self, identity: &'static dyn Identity) -> Rules {
        Rules { identity, authors: self.authors.clone() }
    }

    /// Opens a source, as one that serves what they say; `shown` is what the repository shows that it
    /// is a copy of, and `saved` what an earlier run has kept of its history.
    pub fn open(
        &self,
        path: &Path,
        shown: Option<&Shown>,
        saved: Option<&SavedHistory>,
    ) -> Result<Repository, RepositoryError> {
        Repository::open_with(path, &self.limits, Serving { phases: self.phases, shown, saved })
    }
}

/// What decides commits beside the source itself: the same source under the same rules becomes the
/// same commits, always and everywhere.
#[derive(Clone, Debug)]
pub struct Rules {
    /// How a changeset becomes a commit.
    pub identity: &'static dyn Identity,
    /// Who stands in place of which users, before the identity makes authors of them.
    pub authors: Arc<AuthorMap>,
}

impl Rules {
    /// The user that the identity gets to see in place of `user`.
    pub fn user(&self, user: &[u8]) -> BString {
        if self.authors.is_empty() {
            return user.into();
        }
        self.authors.find(&self.identity.known_as(user)).map_or_else(|| user.into(), BString::from)
    }

    /// The author that `user` becomes.
    pub fn author(&self, user: &[u8]) -> BString {
        authors::author(self.identity, &self.user(user))
    }

    /// An author map that names every one of `users` and changes nothing about what these rules make of
    /// them: a file to edit, in the order of the users. The few whose author would become another one
    /// when it is read again are there as comments.
    pub fn author_map_template(&self, users: impl IntoIterator<Item = BString>) -> String {
        let mut lines = BTreeMap::new();
        for user in users {
            let made = self.author(&user);
            let same = authors::author(self.identity, &made) == made;
            let known = self.identity.known_as(&user).into_owned();
            let line = authors::line(&known, &utf8_or_latin1(&made));
            lines.entry(known).or_insert(if same { line } else { format!("# {line}") });
        }
        lines.into_values().collect()
    }
}
