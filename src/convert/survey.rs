//! Looks for all that is broken in a run, and for the changesets that need it.

use std::collections::HashMap;

use super::ConvertError;
use super::damage::{Broken, BrokenChangeset, BrokenFile, BrokenNumbers, HistoryProblem, NeededBy};
use super::input::Input;
use super::plan::{Plan, Planned};
use crate::hg::manifest::diff;
use crate::hg::{Rev, RevSet};

/// Those in `files`, with the changesets of the run that need them.
pub(super) fn broken_files(
    input: &Input<'_>,
    plan: &Plan,
    files: BrokenNumbers,
) -> Broken<BrokenFile> {
    let numbers: Vec<u32> = files.first.keys().map(|(_, number)| *number).collect();
    let needed = needed_by(input, plan, &numbers);
    let told = files.first.into_iter().zip(needed);
    let broken = told.filter_map(|(((path, number), problem), needed_by)| {
        let node = plan.files.get(number as usize)?.node;
        Some(BrokenFile { path, node, problem, needed_by })
    });
    Broken { first: broken.collect(), count: files.count }
}

/// The changesets whose trees have each of these files, or that introduced them.
fn needed_by(input: &Input<'_>, plan: &Plan, numbers: &[u32]) -> Vec<NeededBy> {
    let chunks = numbers.chunks(64).flat_map(|numbers| needed_by_each(input, plan, numbers));
    chunks.collect()
}

/// The same for up to 64 files: one bit for each.
fn needed_by_each(input: &Input<'_>, plan: &Plan, numbers: &[u32]) -> Vec<NeededBy> {
    let bits: HashMap<u32, u64> =
        numbers.iter().zip(0..64).map(|(number, bit)| (*number, 1 << bit)).collect();
    let bit = |number: &u32| bits.get(number).copied().unwrap_or(0);
    // The files that an edit of each path puts an end to.
    let mut at: HashMap<u32, u64> = HashMap::new();
    for edit in &plan.edits {
        if let Some((_, Planned::File(file))) = &edit.entry
            && bit(file) != 0
        {
            *at.entry(edit.path).or_default() |= bit(file);
        }
    }
    let mut needed = vec![NeededBy::default(); numbers.len()];
    let mut has: HashMap<Rev, u64> = HashMap::with_capacity(input.changesets.len());
    let (mut edits, mut introduced) = (plan.edits.as_slice(), plan.introduced.as_slice());
    for (rev, tree) in input.changesets.iter().zip(&plan.trees) {
        let (mine, rest) = edits.split_at(tree.edits.min(edits.len()));
        edits = rest;
        let mut held = tree.base.and_then(|base| has.get(&base).copied()).unwrap_or(0);
        for edit in mine {
            held &= !at.get(&edit.path).copied().unwrap_or(0);
            if let Some((_, Planned::File(file))) = &edit.entry {
                held |= bit(file);
            }
        }
        has.insert(*rev, held);
        let (mine, rest) = introduced.split_at(tree.introduced.min(introduced.len()));
        introduced = rest;
        let needs = mine.iter().fold(held, |needs, file| needs | bit(file));
        for (place, needed) in needed.iter_mut().enumerate() {
            if needs & 1 << place != 0 {
                needed.add(input.changelog.node(*rev));
            }
        }
    }
    needed
}

/// Looks at all changesets of `input` and their manifests, when it is known that some cannot be
/// read, and says which.
pub(super) fn survey(input: &Input<'_>) -> Result<Broken<BrokenChangeset>, ConvertError> {
    let mut changesets = input.changelog.reader();
    let mut manifests = input.manifests.reader();
    let mut broken = Broken::default();
    for &rev in input.changesets {
        input.interrupt.check()?;
        let read = changesets.changeset(rev).and_then(|changeset| {
            let Some(manifest) = input.manifests.rev(changeset.manifest) else {
                return Ok((!changeset.manifest.is_null()).then_some(changeset.manifest));
            };
            let text = manifests.text(manifest)?;
            diff(b"", &text, |_| {}).map_err(|what| input.manifests.malformed(manifest, what))?;
            Ok(None)
        });
        match read {
            Ok(None) => {}
            Ok(Some(missing)) => broken.push((rev, HistoryProblem::NoManifest(missing))),
            Err(error) => broken.push((rev, HistoryProblem::Damaged(error))),
        }
    }
    let Broken { first, count } = broken;
    let tell = |(rev, problem)| BrokenChangeset {
        node: input.changelog.node(rev),
        problem,
        descendants: descendants(input, rev),
    };
    Ok(Broken { first: first.into_iter().map(tell).collect(), count })
}

/// How many changesets of the run descend from `rev`.
fn descendants(input: &Input<'_>, rev: Rev) -> usize {
    let dag = input.changelog.dag();
    let mut set = RevSet::empty(dag.len());
    set.insert(rev);
    set.extend_to_descendants(dag);
    input.changesets.iter().filter(|other| **other != rev && set.contains(**other)).count()
}
