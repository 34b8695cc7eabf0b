//! Topics: short-lived names for work in progress, which the evolve extension keeps in an extra.
//!
//! A topic lies within a named branch. A changeset with a topic is no head of the branch itself, and
//! what follows without one covers no head of the topic. Seen with `hg heads`, `hg branches` and
//! `hg topics` of the evolve extension.

use std::collections::{BTreeMap, HashMap};

use bstr::{BStr, BString, ByteSlice};

use super::Rev;
use super::store::branches::Branches;

/// Between branch and topic in the name of a scope. No branch holds a NUL: extras end at one.
const BETWEEN: u8 = 0;

/// A topic of one named branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// The named branch.
    pub branch: BString,
    /// The name of the topic.
    pub name: BString,
    /// Its heads, the newest first.
    pub heads: Vec<Rev>,
}

/// The topics of some changesets.
#[derive(Debug, Default)]
pub(super) struct Topics {
    /// For each changeset with a topic, which scope it is in.
    of: HashMap<Rev, usize>,
    /// The name of each scope and the topic, in the order in which they were first met.
    scopes: Vec<(BString, BString)>,
    numbers: BTreeMap<BString, usize>,
}

impl Topics {
    /// Whether no changeset is in one.
    pub(super) fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Puts a changeset of a branch into a topic.
    pub(super) fn add(&mut self, rev: Rev, branch: &BStr, topic: &BStr) {
        let scope: BString = [branch.as_bytes(), &[BETWEEN], topic.as_bytes()].concat().into();
        let number = *self.numbers.entry(scope.clone()).or_insert_with(|| {
            self.scopes.push((scope, topic.to_owned()));
            self.scopes.len() - 1
        });
        self.of.insert(rev, number);
    }

    /// What stands for the branch of a changeset with a topic when heads are looked for.
    pub(super) fn scope(&self, rev: Rev) -> Option<&BStr> {
        let (scope, _) = self.scopes.get(*self.of.get(&rev)?)?;
        Some(scope.as_bstr())
    }

    /// The topics, from the oldest to the youngest, with the heads that are taken out of `found`,
    /// the newest first. A topic on several branches is there once for each.
    pub(super) fn with_heads(&self, found: &mut Branches) -> Vec<Topic> {
        let heads = |(scope, name): &(BString, BString)| {
            let heads = found.remove(scope)?.heads.into_iter().map(|head| head.rev).collect();
            let branch = scope.split(|byte| *byte == BETWEEN).next().unwrap_or_default().into();
            Some(Topic { branch, name: name.clone(), heads })
        };
        self.scopes.iter().filter_map(heads).collect()
    }
}
