//! One push in several, where a server takes no push of that size.

use std::collections::BTreeMap;

use super::RefUpdate;
use crate::base::{Interrupt, Limits, Progress};
use crate::git::ObjectId;
use crate::git::pack::{OutgoingError, Slice, Wanted};
use crate::git::reference::BRANCHES;
use crate::git::repository::BareRepository;

/// The parts in which `updates` are pushed to a target that `has` these objects, so that each of them
/// sends about `most` bytes at most. Each part leaves a valid state: branches stop at commits on their
/// way, and what is removed goes with the last.
pub(super) fn parts(
    source: &BareRepository,
    updates: &[RefUpdate],
    has: &[ObjectId],
    most: u64,
    limits: &Limits,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<Vec<Vec<RefUpdate>>, OutgoingError> {
    let (made, removed): (Vec<_>, Vec<_>) =
        updates.iter().cloned().partition(|update| update.new.is_some());
    let wanted: Vec<Wanted> = made
        .iter()
        .filter_map(|update| {
            let may_stop = update.name.starts_with(BRANCHES);
            Some(Wanted { tip: update.new?, old: update.old, may_stop })
        })
        .collect();
    let slices = Slice::cut(source, &wanted, has, most, limits, progress, interrupt)?;
    if slices.len() <= 1 {
        return Ok(vec![updates.to_vec()]);
    }
    let mut reached: BTreeMap<usize, ObjectId> = BTreeMap::new();
    let mut parts = Vec::with_capacity(slices.len());
    for slice in slices {
        let mut part = Vec::with_capacity(slice.tips.len());
        for (number, tip) in slice.tips {
            let Some(update) = made.get(number) else { continue };
            let old = reached.insert(number, tip).or(update.old);
            part.push(RefUpdate { name: update.name.clone(), old, new: Some(tip) });
        }
        parts.push(part);
    }
    parts.retain(|part| !part.is_empty());
    if let Some(last) = parts.last_mut() {
        last.extend(removed);
    }
    Ok(parts)
}
