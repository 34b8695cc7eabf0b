//! Bringing a target to what it shall have, and making sure that it is there.

use std::collections::HashMap;
use std::path::Path;

use super::plan::{Ancestry, Decision, plan};
use super::{Destination, PublishError, RefOutcome, RefResult, RefUpdate, RefusalKind};
use crate::base::{Interrupt, Progress, Stage};
use crate::git::ObjectId;
use crate::git::reference::{BRANCHES, Reference, by_name};
use crate::git::repository::{BareRepository, RepositoryError};

/// How many references one push moves at most. Servers run a hook for each of them before they
/// answer, and GitHub gives its hooks little time.
const REFS_IN_A_PUSH: usize = 1000;

/// Makes `destination` have the `wanted` references, as far as they only add to what it has. The
/// result has one outcome for each of them, in the same order.
///
/// `wanted` are branches and tags, the main branch first: to a target without any branch it is
/// pushed alone, because forges make the branch that comes first the default one. `git_dir` is the
/// bare repository that has what they point at. Where nothing differs, nothing is pushed. What the
/// target reports is not taken on trust: what it has is listed again and compared.
pub fn publish(
    destination: &mut dyn Destination,
    wanted: &[Reference],
    git_dir: &Path,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<Vec<RefOutcome>, PublishError> {
    interrupt.check()?;
    progress.begin(Stage::ListingRefs, None);
    let mut target = destination.references(interrupt)?;
    progress.end();
    let source = BareRepository::open(git_dir)?;
    source.peel(&mut target);
    let decisions = plan(wanted, &target, |old, new| ancestry(&source, old, new))?;
    let updates: Vec<RefUpdate> = wanted
        .iter()
        .zip(&decisions)
        .filter(|(_, decision)| matches!(decision, Decision::Create | Decision::FastForward { .. }))
        .map(|(reference, decision)| RefUpdate {
            name: reference.name.clone(),
            old: decision.old(reference.id),
            new: Some(reference.id),
        })
        .collect();
    let is_empty = !target.iter().any(Reference::is_branch);
    let mut pushed = Vec::new();
    for batch in batches(&updates, is_empty) {
        interrupt.check()?;
        if let (true, [main], []) = (is_empty, batch, pushed.as_slice())
            && main.name.starts_with(BRANCHES)
        {
            destination.make_default(&main.name)?;
        }
        pushed.extend(destination.push(batch, progress, interrupt)?);
    }
    if pushed.iter().any(RefOutcome::is_there) {
        verify(&mut pushed, &destination.references(interrupt)?);
    }
    Ok(outcomes(wanted, &decisions, pushed))
}

/// How the commit that the target has is related to the one it shall have.
fn ancestry(
    source: &BareRepository,
    old: ObjectId,
    new: ObjectId,
) -> Result<Ancestry, RepositoryError> {
    if !source.contains(old) {
        return Ok(Ancestry::Unknown);
    }
    match source.is_ancestor(old, new) {
        Ok(true) => Ok(Ancestry::Ancestor),
        // A branch that was pushed by hand may name something that is no commit.
        Ok(false) | Err(RepositoryError::Object { .. }) => Ok(Ancestry::NotAncestor),
        Err(error) => Err(error),
    }
}

/// What is pushed together: everything, but a target without branches gets its first one alone.
fn batches(updates: &[RefUpdate], is_empty: bool) -> impl Iterator<Item = &[RefUpdate]> {
    let is_branch = |update: &RefUpdate| update.name.starts_with(BRANCHES);
    let alone = usize::from(is_empty && updates.first().is_some_and(is_branch));
    let (first, rest) = updates.split_at_checked(alone).unwrap_or((updates, &[]));
    (!first.is_empty()).then_some(first).into_iter().chain(rest.chunks(REFS_IN_A_PUSH))
}

/// Turns an outcome into a refusal where the target does not have what it said it took.
fn verify(pushed: &mut [RefOutcome], target: &[Reference]) {
    let has = by_name(target);
    for outcome in pushed.iter_mut().filter(|outcome| outcome.is_there()) {
        let there = has.get(outcome.name.as_str()).map(|there| there.id);
        let reason = match there {
            there if there == outcome.new => continue,
            Some(there) => format!("the target took the push, but is at {there}"),
            None => "the target took the push, but does not have the ref".to_owned(),
        };
        outcome.result = RefResult::Refused { kind: RefusalKind::NotKept, reason };
    }
}

/// One outcome for each wanted reference, out of what was decided and what was pushed.
fn outcomes(
    wanted: &[Reference],
    decisions: &[Decision],
    pushed: Vec<RefOutcome>,
) -> Vec<RefOutcome> {
    let mut pushed: HashMap<String, RefOutcome> =
        pushed.into_iter().map(|outcome| (outcome.name.clone(), outcome)).collect();
    let outcome = |(reference, decision): (&Reference, &Decision)| {
        pushed.remove(&reference.name).unwrap_or_else(|| RefOutcome {
            name: reference.name.clone(),
            old: decision.old(reference.id),
            new: Some(reference.id),
            result: match decision.refusal() {
                Some((kind, reason)) => RefResult::Refused { kind, reason },
                None => RefResult::UpToDate,
            },
        })
    };
    wanted.iter().zip(decisions).map(outcome).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(name: &str) -> RefUpdate {
        RefUpdate { name: name.to_owned(), old: None, new: Some(ObjectId::NULL) }
    }

    fn sizes(updates: &[RefUpdate], is_empty: bool) -> Vec<usize> {
        batches(updates, is_empty).map(<[_]>::len).collect()
    }

    #[test]
    fn the_main_branch_goes_alone_to_an_empty_target() {
        let many: Vec<_> = (0..2500).map(|n| update(&format!("refs/heads/{n}"))).collect();
        assert_eq!(sizes(&many, true), [1, 1000, 1000, 499]);
        assert_eq!(sizes(&many, false), [1000, 1000, 500]);
        assert_eq!(sizes(&many[..1], true), [1]);
        assert_eq!(sizes(&[], true), [0; 0]);
        assert_eq!(sizes(&[update("refs/tags/a"), update("refs/tags/b")], true), [2]);
    }

    #[test]
    fn a_target_that_says_yes_and_does_no_is_found_out() {
        let id = |number| ObjectId::from_bytes([number; 20]);
        let accepted = |name: &str, new| {
            RefOutcome::accepted(&RefUpdate {
                name: name.to_owned(),
                old: None,
                new: Some(id(new)),
            })
        };
        let mut pushed = [accepted("refs/heads/a", 1), accepted("refs/heads/b", 1)];
        pushed[1].name = "refs/heads/b".to_owned();
        verify(&mut pushed, &[Reference::new("refs/heads/a", id(1))]);
        assert!(pushed[0].is_there());
        assert!(!pushed[1].is_there());
        let mut pushed = [accepted("refs/heads/a", 1)];
        verify(&mut pushed, &[Reference::new("refs/heads/a", id(2))]);
        assert!(!pushed[0].is_there());
    }
}
