//! Going on with a history that another tool made: which of its commits stands for which changeset.
//!
//! If an identity makes exactly the existing commits, id by id, they are taken to be its own. Other
//! commits are matched by content, from the roots up. Nothing is written here.

pub(in crate::convert) mod content;
mod detect;
mod existing;
mod matching;

use std::collections::{HashMap, HashSet};

use content::{Content, ContentTrees};
use detect::{Pair, Signs};
pub use existing::ExistingCommit;
use matching::{Candidate, Known, Matches};
pub(in crate::convert) use matching::{parents_fit, same_time};

use super::identity::{History, Identity, IdentityChoice};
use super::idmap::Record;
use super::input::Input;
pub use super::options::AdoptionPolicy;
use super::{ConvertError, ConvertOptions, engine};
use crate::base::Stage;
use crate::git::ObjectId;
use crate::git::sink::Nowhere;
use crate::git::tree::TreeSource;
use crate::hg::{Node, Rev};

/// What was found out about the commits that are there.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// The identity to continue with.
    pub identity: &'static dyn Identity,
    /// The changesets that have a commit.
    pub records: Vec<Record>,
    /// Those of them whose commit is not what the identity makes.
    pub adopted: Vec<Node>,
    /// The commits that are of no changeset.
    pub unmatched_commits: Vec<ObjectId>,
    /// The changesets that have no commit, in revision order.
    pub unmatched_changesets: Vec<Node>,
    /// What was told and is not so: the changeset, and the commit that is not its.
    pub mismatched: Vec<Record>,
}

/// Finds out which of the `existing` commits stand for the changesets of `input`, under the identity
/// that `options` ask for or the one that made them. `trees` has their trees; `given` is what a
/// map says, to be checked. The map and the rules of `input` are not looked at.
pub fn resolve(
    input: &Input<'_>,
    options: &ConvertOptions,
    existing: &[ExistingCommit],
    given: &[(Rev, ObjectId)],
    trees: &dyn TreeSource,
) -> Result<Resolution, ConvertError> {
    let ids = existing::ids(existing);
    let made_by = detect::identity_by_ids(input, trees, options, &ids)?;
    let exact = match made_by {
        Some(identity) => detect::exact(input, trees, &options.rules(identity), &ids)?,
        None => HashMap::new(),
    };
    let found: HashSet<_> = exact.values().copied().collect();
    let gone = made_by.map(|identity| gone(input, identity, existing, &found)).unwrap_or_default();
    let is_whole = found.len() + gone.len() == ids.len();
    let given: HashMap<_, _> = given.iter().copied().collect();
    let is_true = given.iter().all(|(rev, id)| exact.get(rev) == Some(id));
    let known = Known { exact: &exact, given: &given };
    let mut resolution = match made_by {
        Some(identity) if is_whole && is_true => Resolution::exact(input, identity, &exact),
        _ => by_content(input, made_by, options, existing, known, trees)?,
    };
    resolution.unmatched_commits.retain(|id| !gone.iter().any(|(_, known)| known == id));
    resolution.records.extend(gone);
    Ok(resolution)
}

/// The commits that say themselves that they are of changesets which the source no longer has.
fn gone(
    input: &Input<'_>,
    identity: &dyn Identity,
    existing: &[ExistingCommit],
    found: &HashSet<ObjectId>,
) -> Vec<Record> {
    let served: HashSet<_> = input.changesets.iter().copied().collect();
    let is_gone = |node: &Node| input.changelog.rev(*node).is_none_or(|rev| !served.contains(&rev));
    let others = existing.iter().filter(|commit| !found.contains(&commit.id));
    let told = others.filter_map(|commit| Some((identity.node_of(&commit.contents)?, commit.id)));
    let mut gone: Vec<_> = told.filter(|(node, _)| is_gone(node)).collect();
    gone.sort_unstable();
    gone
}

impl Resolution {
    /// Every existing commit is one that `identity` makes.
    fn exact(
        input: &Input<'_>,
        identity: &'static dyn Identity,
        exact: &HashMap<Rev, ObjectId>,
    ) -> Self {
        let node = |rev: &Rev| input.changelog.node(*rev);
        let (have, lack): (Vec<_>, Vec<_>) =
            input.changesets.iter().partition(|rev| exact.contains_key(rev));
        Self {
            identity,
            records: have.iter().filter_map(|rev| Some((node(rev), *exact.get(rev)?))).collect(),
            adopted: Vec::new(),
            unmatched_commits: Vec::new(),
            unmatched_changesets: lack.into_iter().map(|rev| node(&rev)).collect(),
            mismatched: Vec::new(),
        }
    }
}

/// Matches by content what is not known.
fn by_content(
    input: &Input<'_>,
    made_by: Option<&'static dyn Identity>,
    options: &ConvertOptions,
    existing: &[ExistingCommit],
    known: Known<'_>,
    trees: &dyn TreeSource,
) -> Result<Resolution, ConvertError> {
    let conversion =
        engine::convert(&Input { rules: &options.rules(&Content), ..*input }, trees, &Nowhere)?;
    let mut contents = ContentTrees::new(trees);
    let mut candidates = Vec::with_capacity(existing.len());
    let mut read = Vec::with_capacity(existing.len());
    input.progress.begin(Stage::MatchingCommits, Some(existing.len() as u64));
    for commit in existing {
        input.interrupt.check()?;
        input.progress.advance(1);
        let Some(text) = commit.read() else { continue };
        let content =
            contents.top(text.tree).map_err(|source| ConvertError::Existing { source })?;
        candidates.push(Candidate { id: commit.id, commit: text, content });
        read.push(commit);
    }
    let Matches { commits, mismatched } =
        matching::match_up(input, &conversion.trees, &candidates, known)?;
    input.progress.end();
    let mut signs = Signs::default();
    let (mut records, mut adopted, mut unmatched_changesets) = (Vec::new(), Vec::new(), Vec::new());
    let mut history = History::new(input.changelog);
    for (rev, at) in input.changesets.iter().zip(commits) {
        let node = input.changelog.node(*rev);
        let pair = at.and_then(|at| Some((candidates.get(at)?, *read.get(at)?)));
        let Some((Candidate { id, commit, .. }, existing)) = pair else {
            unmatched_changesets.push(node);
            continue;
        };
        records.push((node, *id));
        if known.exact.get(rev) != Some(id) {
            adopted.push(node);
            let changeset = history.changeset(*rev)?;
            let wrote_tags = changeset.files.iter().any(|path| path == ".hgtags");
            let has_hgtags = wrote_tags.then(|| contents.has_hgtags(commit.tree)).transpose();
            let has_hgtags = has_hgtags.map_err(|source| ConvertError::Existing { source })?;
            signs.add(&Pair { node, changeset, existing, commit }, has_hgtags);
        }
    }
    let identity = match (made_by, options.identity) {
        (Some(identity), _) | (None, IdentityChoice::Named(identity)) => identity,
        (None, IdentityChoice::Auto) => signs.identity(),
    };
    let ours: HashSet<_> = records.iter().map(|(_, id)| *id).collect();
    let unmatched_commits = existing.iter().map(|commit| commit.id).filter(|id| !ours.contains(id));
    let pair = |rev: Rev| Some((input.changelog.node(rev), *known.given.get(&rev)?));
    Ok(Resolution {
        identity,
        unmatched_commits: unmatched_commits.collect(),
        mismatched: mismatched.into_iter().filter_map(pair).collect(),
        records,
        adopted,
        unmatched_changesets,
    })
}
