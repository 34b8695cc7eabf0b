//! Mirrors that would move the same refs: each would undo, or refuse, what the other does.

use std::collections::HashMap;

use super::MirrorConfig;
use super::problem::ProblemKind;
use crate::net::url::RepositoryId;

/// Which mirrors publish to which repository, by its name in lower case.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets(HashMap<RepositoryId, Vec<(RepositoryId, usize)>>);

impl Targets {
    /// Adds the mirror that has this place in the list.
    pub(super) fn add(&mut self, place: usize, mirror: &MirrorConfig) {
        if let Some(repository) = repository(mirror) {
            self.0.entry(repository.to_lower_case()).or_default().push((repository, place));
        }
    }

    /// What is wrong with `mirror`, which is not among them, beside those of `mirrors` that are.
    pub(super) fn find(
        &self,
        mirrors: &[MirrorConfig],
        mirror: &MirrorConfig,
    ) -> Option<ProblemKind> {
        let repository = repository(mirror)?;
        let mut others = self.0.get(&repository.to_lower_case())?.iter();
        others.find_map(|(other, place)| {
            refs(mirrors.get(*place).filter(|_| *other == repository)?, mirror)
        })
    }

    /// The same, with names of repositories that differ in case alone taken for one.
    pub(super) fn find_alike(
        &self,
        mirrors: &[MirrorConfig],
        mirror: &MirrorConfig,
    ) -> Option<ProblemKind> {
        let mut others = self.0.get(&repository(mirror)?.to_lower_case())?.iter();
        others.find_map(|(_, place)| refs(mirrors.get(*place)?, mirror))
    }
}

/// What is wrong with `mirror` beside `other`, which publishes to the same repository, if they move the
/// same refs of it.
pub(super) fn refs(other: &MirrorConfig, mirror: &MirrorConfig) -> Option<ProblemKind> {
    let (first, second) = (&other.mirror, &mirror.mirror);
    let (one, two) = (&first.options.naming.prefix, &second.options.naming.prefix);
    let notes = first.options.notes && second.options.notes;
    let shares = one.starts_with(two.as_str()) || two.starts_with(one.as_str());
    let prefix = if one.len() > two.len() { one } else { two }.clone();
    let same =
        || ProblemKind::SameTarget { other: first.name.clone(), prefix, notes: notes && !shares };
    (shares || notes).then(same)
}

/// The repository that a mirror publishes to; a path without links, as far as it is there.
pub(super) fn repository(mirror: &MirrorConfig) -> Option<RepositoryId> {
    match RepositoryId::of_target(&mirror.mirror.target.as_ref()?.url) {
        RepositoryId::Local(path) => Some(RepositoryId::Local(path.canonicalize().unwrap_or(path))),
        remote @ RepositoryId::Remote { .. } => Some(remote),
    }
}
