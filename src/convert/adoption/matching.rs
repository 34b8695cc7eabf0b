//! Which existing commit holds what a changeset holds, from the roots up.
//!
//! Tree, time and parents must fit. Where they fit more than one pair, the author, the message and
//! whether anything follows decide, and at last the order.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use bstr::ByteSlice;

use crate::base::text::utf8_or_latin1;
use crate::convert::ConvertError;
use crate::convert::identity::{Facts, History, IDENTITIES};
use crate::convert::input::Input;
use crate::git::ObjectId;
use crate::git::commit::ReadCommit;
use crate::hg::revlog::RevlogError;
use crate::hg::{Changeset, Rev};

/// An existing commit, as far as it takes part.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub id: ObjectId,
    /// What it says.
    pub commit: ReadCommit,
    /// Its tree, without what tools treat differently.
    pub content: ObjectId,
}

/// What must be the same before anything else is looked at: the tree, and the time.
type Key = (ObjectId, i64);

/// How well a commit fits a changeset: parents, author, message, whether anything follows.
type Score = (u8, u8, u8, bool);

/// Above this many pairs, only their order is looked at.
const MOST_PAIRS: usize = 1 << 14;

/// What fits what.
#[derive(Debug, Default)]
pub(super) struct Matches {
    /// The commit of each changeset of the input, in its order, by its place among the candidates.
    pub commits: Vec<Option<usize>>,
    /// The changesets whose given commits do not fit.
    pub mismatched: Vec<Rev>,
}

/// What is known before anything is compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'k> {
    /// The commits that an identity makes, by their ids: there is no doubt about them.
    pub exact: &'k HashMap<Rev, ObjectId>,
    /// What the given map says. It is taken if it fits.
    pub given: &'k HashMap<Rev, ObjectId>,
}

/// Matches the changesets of `input`, whose trees are `trees`, with `candidates`.
pub(super) fn match_up(
    input: &Input<'_>,
    trees: &[ObjectId],
    candidates: &[Candidate],
    known: Known<'_>,
) -> Result<Matches, ConvertError> {
    Matcher::new(input, trees, candidates, known)?.run()
}

struct Matcher<'m> {
    input: &'m Input<'m>,
    candidates: &'m [Candidate],
    by_id: HashMap<ObjectId, usize>,
    by_key: HashMap<Key, Vec<usize>>,
    /// The key of each changeset, and the changesets of each key, by their places in the input.
    keys: Vec<Key>,
    rivals: HashMap<Key, Vec<usize>>,
    known: Known<'m>,
    /// Commits that have a child.
    followed: HashSet<ObjectId>,
    /// Changesets that have one.
    followed_revs: HashSet<Rev>,
    /// The commits that are matched already.
    taken: HashMap<usize, usize>,
    of_rev: HashMap<Rev, ObjectId>,
    history: History<'m>,
    matches: Matches,
}

impl<'m> Matcher<'m> {
    fn new(
        input: &'m Input<'m>,
        trees: &[ObjectId],
        candidates: &'m [Candidate],
        known: Known<'m>,
    ) -> Result<Self, ConvertError> {
        let mut by_key: HashMap<Key, Vec<usize>> = HashMap::new();
        for (at, candidate) in candidates.iter().enumerate() {
            let key = (candidate.content, time(candidate.commit.authored));
            by_key.entry(key).or_default().push(at);
        }
        let mut rivals: HashMap<Key, Vec<usize>> = HashMap::new();
        let mut keys = Vec::with_capacity(trees.len());
        let mut history = History::new(input.changelog);
        for (at, (rev, tree)) in input.changesets.iter().zip(trees).enumerate() {
            let key = (*tree, time(history.changeset(*rev)?.date.seconds));
            rivals.entry(key).or_default().push(at);
            keys.push(key);
        }
        let dag = input.changelog.dag();
        Ok(Self {
            input,
            candidates,
            by_id: candidates.iter().enumerate().map(|(at, c)| (c.id, at)).collect(),
            by_key,
            matches: Matches { commits: vec![None; keys.len()], mismatched: Vec::new() },
            keys,
            rivals,
            known,
            followed: candidates.iter().flat_map(|c| c.commit.parents.iter().copied()).collect(),
            followed_revs: input.changesets.iter().flat_map(|rev| dag.parents(*rev)).collect(),
            taken: HashMap::new(),
            of_rev: HashMap::new(),
            history,
        })
    }

    fn run(mut self) -> Result<Matches, ConvertError> {
        // What is known is matched with no other changeset.
        let Known { exact, given } = self.known;
        for (at, rev) in self.input.changesets.iter().enumerate() {
            let id = exact.get(rev).or_else(|| given.get(rev));
            if let Some(commit) = id.and_then(|id| self.by_id.get(id)) {
                self.taken.entry(*commit).or_insert(at);
            }
        }
        for (at, &rev) in self.input.changesets.iter().enumerate() {
            self.input.interrupt.check()?;
            let told = given.get(&rev);
            let is_open = self.matches.commits.get(at).is_some_and(Option::is_none);
            match exact.get(&rev).and_then(|id| Some((id, *self.by_id.get(id)?))) {
                Some((id, _)) if told.is_some_and(|told| told != id) => {
                    self.matches.mismatched.push(rev);
                }
                Some((_, commit)) => self.take(at, commit),
                None if !is_open => {}
                None => match told {
                    Some(id) => self.take_given(at, rev, *id)?,
                    None => self.find(at, rev)?,
                },
            }
        }
        Ok(self.matches)
    }

    /// Takes the commit that was given to a changeset, if it may be its.
    fn take_given(&mut self, at: usize, rev: Rev, id: ObjectId) -> Result<(), ConvertError> {
        let expected = self.expected(rev)?;
        let commit = self.by_id.get(&id).and_then(|at| Some((*at, self.candidates.get(*at)?)));
        let fits = commit.is_some_and(|(_, candidate)| {
            let key = (candidate.content, time(candidate.commit.authored));
            let parents = &candidate.commit.parents;
            // Where the commit of a parent is not known, there is nothing to compare with.
            let related = expected.is_empty() || relation(&expected, parents).is_some();
            Some(&key) == self.keys.get(at) && related
        });
        match commit.filter(|_| fits) {
            Some((commit, _)) => self.take(at, commit),
            None => self.matches.mismatched.push(rev),
        }
        Ok(())
    }

    /// Finds commits for a changeset and for those that could be taken for it.
    fn find(&mut self, at: usize, rev: Rev) -> Result<(), ConvertError> {
        let expected = self.expected(rev)?;
        let Some(key) = self.keys.get(at).copied() else { return Ok(()) };
        let fits = |commit: &usize| {
            let found = self.candidates.get(*commit)?;
            Some((*commit, relation(&expected, &found.commit.parents)?))
        };
        let all: Vec<(usize, u8)> =
            self.by_key.get(&key).into_iter().flatten().filter_map(fits).collect();
        let (taken, free): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(commit, _)| self.taken.contains_key(commit));
        let alike = self.alike(at, rev, key);
        match (free.as_slice(), alike.as_slice()) {
            ([], _) => return self.share(at, rev, &taken),
            ([(commit, _)], [_]) => self.take(at, *commit),
            _ => self.pair(&alike, &free)?,
        }
        // Two changesets that tell the same may be one commit.
        if self.matches.commits.get(at).is_some_and(Option::is_none) {
            let now: Vec<_> =
                free.into_iter().filter(|(c, _)| self.taken.contains_key(c)).collect();
            self.share(at, rev, &now)?;
        }
        Ok(())
    }

    /// The changesets without a commit that have the same key and parents as the one at `at`, which
    /// is among them.
    fn alike(&self, at: usize, rev: Rev, key: Key) -> Vec<usize> {
        let rivals = self.rivals.get(&key).map(Vec::as_slice).unwrap_or_default();
        let dag = self.input.changelog.dag();
        let Known { exact, given } = self.known;
        let is_open = |at: usize| self.matches.commits.get(at).is_some_and(Option::is_none);
        let is_like = |other: Rev| {
            let is_known = exact.contains_key(&other) || given.contains_key(&other);
            !is_known && dag.parents(other).eq(dag.parents(rev))
        };
        let alike = rivals.iter().copied().filter(|&rival| {
            let other = self.input.changesets.get(rival).copied();
            rival == at || is_open(rival) && other.is_some_and(is_like)
        });
        alike.collect()
    }

    /// Gives the `free` commits to the changesets `alike`, the pairs that fit best first.
    fn pair(&mut self, alike: &[usize], free: &[(usize, u8)]) -> Result<(), ConvertError> {
        let few = alike.len().saturating_mul(free.len()) <= MOST_PAIRS;
        let mut pairs = Vec::new();
        for (order, at) in alike.iter().enumerate() {
            let Some(rev) = self.input.changesets.get(*at).copied() else { continue };
            let changeset = self.history.changeset(rev)?;
            let commits = free.iter().enumerate().filter(|(other, _)| few || *other == order);
            for (_, (commit, relation)) in commits {
                let Some(candidate) = self.candidates.get(*commit) else { continue };
                let score = self.score(rev, &changeset, candidate, *relation);
                pairs.push((Reverse(score), *at, candidate.commit.committed, *commit));
            }
        }
        pairs.sort_unstable();
        for (_, at, _, commit) in pairs {
            let open = self.matches.commits.get(at).is_some_and(Option::is_none);
            if open && !self.taken.contains_key(&commit) {
                self.take(at, commit);
            }
        }
        Ok(())
    }

    fn score(&self, rev: Rev, changeset: &Changeset, found: &Candidate, relation: u8) -> Score {
        let followed = self.followed_revs.contains(&rev) == self.followed.contains(&found.id);
        (
            relation,
            author_score(changeset, &found.commit, rev, self.input),
            message_score(changeset, &found.commit),
            followed,
        )
    }

    /// Gives a changeset the commit of another one that tells the same.
    fn share(&mut self, at: usize, rev: Rev, taken: &[(usize, u8)]) -> Result<(), ConvertError> {
        if taken.is_empty() {
            return Ok(());
        }
        let mine = self.history.changeset(rev)?;
        for (commit, _) in taken {
            let owner = self.taken.get(commit).and_then(|at| self.input.changesets.get(*at));
            let Some(&owner) = owner else { continue };
            let dag = self.input.changelog.dag();
            let other = self.history.changeset(owner)?;
            let same = mine.user == other.user && mine.description == other.description;
            if same && dag.parents(owner).eq(dag.parents(rev)) {
                self.take(at, *commit);
                break;
            }
        }
        Ok(())
    }

    fn take(&mut self, at: usize, commit: usize) {
        self.taken.entry(commit).or_insert(at);
        if let Some(slot) = self.matches.commits.get_mut(at) {
            *slot = Some(commit);
        }
        let pair = (self.input.changesets.get(at), self.candidates.get(commit));
        if let (Some(rev), Some(candidate)) = pair {
            self.of_rev.insert(*rev, candidate.id);
        }
    }

    /// The parents that the commit of `rev` may have, one list for each way of choosing them;
    /// those in which some parent has no commit are left out.
    fn expected(&mut self, rev: Rev) -> Result<BTreeSet<Vec<ObjectId>>, ConvertError> {
        let changeset = self.history.changeset(rev)?;
        let commit_of = |rev| self.of_rev.get(&rev).copied();
        Ok(expected(rev, &changeset, &mut self.history, commit_of)?)
    }
}

/// The parents that the commit of `rev` may have, where those of all are known to `commit_of`.
fn expected(
    rev: Rev,
    changeset: &Changeset,
    history: &mut History<'_>,
    commit_of: impl Fn(Rev) -> Option<ObjectId>,
) -> Result<BTreeSet<Vec<ObjectId>>, RevlogError> {
    let mut expected = BTreeSet::new();
    for identity in IDENTITIES {
        let parents = identity.parents(rev, changeset, history)?;
        expected.extend(parents.into_iter().map(&commit_of).collect::<Option<Vec<_>>>());
    }
    Ok(expected)
}

/// Whether a commit of `rev` may have these parents, where changesets have the commits that
/// `commit_of` says.
pub(in crate::convert) fn parents_fit(
    rev: Rev,
    changeset: &Changeset,
    history: &mut History<'_>,
    commit_of: impl Fn(Rev) -> Option<ObjectId>,
    parents: &[ObjectId],
) -> Result<bool, RevlogError> {
    let expected = expected(rev, changeset, history, commit_of)?;
    Ok(expected.is_empty() || relation(&expected, parents).is_some())
}

/// Whether a commit and a changeset of these seconds may be of the same moment.
pub(in crate::convert) fn same_time(a: i64, b: i64) -> bool {
    time(a) == time(b)
}

/// Negative times are not told by every tool.
fn time(seconds: i64) -> i64 {
    seconds.max(0)
}

/// How a commit's parents are related to those that were expected: the same, the same in another
/// order, or one of two, because tools have dropped the other; or not at all.
fn relation(expected: &BTreeSet<Vec<ObjectId>>, parents: &[ObjectId]) -> Option<u8> {
    let set: BTreeSet<_> = parents.iter().collect();
    let related = |expected: &Vec<ObjectId>| match expected.as_slice() {
        same if same == parents => Some(3),
        other if other.iter().collect::<BTreeSet<_>>() == set => Some(2),
        [a, b] => (parents == [*a] || parents == [*b]).then_some(1),
        _ => None,
    };
    expected.iter().filter_map(related).max()
}

/// 2 if an identity makes this author of the user, 1 if the address is in the user's name.
fn author_score(changeset: &Changeset, commit: &ReadCommit, rev: Rev, input: &Input<'_>) -> u8 {
    let facts = Facts {
        node: input.changelog.node(rev),
        changeset,
        tree: commit.tree,
        parents: &commit.parents,
        copies: &[],
    };
    let makes = |author| commit.author == author;
    if IDENTITIES.iter().any(|identity| makes(identity.commit(&facts).author.person)) {
        return 2;
    }
    let address =
        commit.author.rsplit_once_str("<").map(|(_, rest)| rest.trim_end_with(|c| c == '>'));
    let known =
        address.is_some_and(|address| !address.is_empty() && changeset.user.contains_str(address));
    u8::from(known)
}

/// 2 if the message is the description, 1 if one is in the other.
fn message_score(changeset: &Changeset, commit: &ReadCommit) -> u8 {
    let description = utf8_or_latin1(&changeset.description);
    let (description, message) = (description.trim(), commit.message.trim_ascii());
    if message == description.as_bytes() {
        2
    } else {
        u8::from(!description.is_empty() && message.contains_str(description))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> ObjectId {
        ObjectId::from_bytes([number; 20])
    }

    #[test]
    fn parents_may_be_turned_and_one_of_two_dropped() {
        let related = |expected: &[u8], parents: &[u8]| {
            let ids = |numbers: &[u8]| numbers.iter().copied().map(id).collect::<Vec<_>>();
            relation(&BTreeSet::from([ids(expected)]), &ids(parents))
        };
        assert_eq!(related(&[], &[]), Some(3));
        assert_eq!(related(&[1, 2], &[1, 2]), Some(3));
        assert_eq!(related(&[1, 2], &[2, 1]), Some(2));
        assert_eq!(related(&[1, 1], &[1]), Some(2));
        assert_eq!(related(&[1, 2], &[2]), Some(1));
        for (expected, parents) in
            [(&[1][..], &[][..]), (&[1], &[2]), (&[1, 2], &[]), (&[1, 2], &[1, 2, 3]), (&[], &[1])]
        {
            assert_eq!(related(expected, parents), None, "{expected:?} {parents:?}");
        }
        assert_eq!(relation(&BTreeSet::new(), &[]), None, "nothing is known of the parents");
    }

    #[test]
    fn messages() {
        let changeset = |description: &str| {
            let text = format!("{}\nA <a@b>\n0 0\n\n{description}", "0".repeat(40));
            Changeset::parse(text.as_bytes()).unwrap()
        };
        let score = |description, message: &str| {
            let contents = format!(
                "tree {0}\nauthor A <a> 0 +0\ncommitter A <a> 0 +0\n\n{message}",
                "0".repeat(40)
            );
            message_score(&changeset(description), &ReadCommit::parse(contents.as_bytes()).unwrap())
        };
        assert_eq!(score("fix", "fix\n"), 2);
        assert_eq!(score("fix", "fix\n\n--HG--\nbranch : x\n"), 1);
        assert_eq!(score("fix", "other\n"), 0);
        assert_eq!(score("", "other\n"), 0);
    }
}
