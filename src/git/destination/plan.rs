//! What may happen to each reference of the target. Pure: no repository, no network.

use crate::git::ObjectId;
use crate::git::reference::{Reference, by_name};

/// What may happen to one reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The target has it already; if it is a tag, perhaps an annotated one of the same commit.
    UpToDate,
    /// The target does not have a reference of that name.
    Create,
    /// The target has an ancestor of what it shall have.
    FastForward {
        /// What it has.
        old: ObjectId,
    },
    /// The target has something that would be lost.
    NotFastForward {
        /// What it has.
        old: ObjectId,
        /// Whether we know that commit: if not, it did not come from this mirror.
        known: bool,
    },
    /// The target has the tag, and means something else by it. Tags do not move: people who have
    /// fetched one never see that it did.
    TagDiffers {
        /// What it has.
        old: ObjectId,
    },
}

impl Decision {
    /// What the target has; `None` if it has no reference of that name.
    pub fn old(&self, wanted: ObjectId) -> Option<ObjectId> {
        match *self {
            Self::UpToDate => Some(wanted),
            Self::Create => None,
            Self::FastForward { old }
            | Self::NotFastForward { old, .. }
            | Self::TagDiffers { old } => Some(old),
        }
    }
}

/// How two commits are related, as far as we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ancestry {
    /// The first is an ancestor of the second.
    Ancestor,
    /// It is not.
    NotAncestor,
    /// We do not have the first.
    Unknown,
}

/// Decides for each of the `wanted` references, given what the target has. `ancestry(old, new)` is
/// asked only about branches that exist there and differ.
pub fn plan<E>(
    wanted: &[Reference],
    target: &[Reference],
    mut ancestry: impl FnMut(ObjectId, ObjectId) -> Result<Ancestry, E>,
) -> Result<Vec<Decision>, E> {
    let has = by_name(target);
    wanted
        .iter()
        .map(|reference| match has.get(reference.name.as_str()) {
            None => Ok(Decision::Create),
            Some(there) if there.stands_for(reference.id) => Ok(Decision::UpToDate),
            Some(&&Reference { id: old, .. }) if reference.is_tag() => {
                Ok(Decision::TagDiffers { old })
            }
            Some(&&Reference { id: old, .. }) => Ok(match ancestry(old, reference.id)? {
                Ancestry::Ancestor => Decision::FastForward { old },
                Ancestry::NotAncestor => Decision::NotFastForward { old, known: true },
                Ancestry::Unknown => Decision::NotFastForward { old, known: false },
            }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn id(number: u8) -> ObjectId {
        ObjectId::from_bytes([number; 20])
    }

    /// A history in which each commit is the child of the one before, up to 9.
    #[expect(clippy::unnecessary_wraps, reason = "it has the shape that `plan` asks for")]
    fn line(old: ObjectId, new: ObjectId) -> Result<Ancestry, Infallible> {
        Ok(match (old.as_bytes()[0], new.as_bytes()[0]) {
            (10.., _) => Ancestry::Unknown,
            (old, new) if old <= new => Ancestry::Ancestor,
            _ => Ancestry::NotAncestor,
        })
    }

    #[test]
    fn each_case() {
        let target = [
            Reference::new("refs/heads/same", id(3)),
            Reference::new("refs/heads/behind", id(2)),
            Reference::new("refs/heads/ahead", id(5)),
            Reference::new("refs/heads/foreign", id(77)),
            Reference::new("refs/tags/same", id(3)),
            Reference::new("refs/tags/moved", id(2)),
            Reference::new("refs/heads/not ours", id(9)),
        ];
        for (name, decision) in [
            ("refs/heads/same", Decision::UpToDate),
            ("refs/heads/new", Decision::Create),
            ("refs/heads/behind", Decision::FastForward { old: id(2) }),
            ("refs/heads/ahead", Decision::NotFastForward { old: id(5), known: true }),
            ("refs/heads/foreign", Decision::NotFastForward { old: id(77), known: false }),
            ("refs/tags/same", Decision::UpToDate),
            ("refs/tags/new", Decision::Create),
            ("refs/tags/moved", Decision::TagDiffers { old: id(2) }),
        ] {
            let wanted = [Reference::new(name, id(3))];
            assert_eq!(plan(&wanted, &target, line), Ok(vec![decision]), "{name}");
        }
    }

    proptest! {
        /// Whatever the target has, what we send never takes a commit away from it.
        #[test]
        fn nothing_is_lost(has in proptest::option::of(0_u8..20), wants in 0_u8..10, tag: bool) {
            let name = if tag { "refs/tags/x" } else { "refs/heads/x" };
            let target: Vec<_> = has.map(|has| Reference::new(name, id(has))).into_iter().collect();
            let Ok(decisions) = plan(&[Reference::new(name, id(wants))], &target, line);
            let sends = decisions[0].refusal().is_none();
            let keeps = has.is_none_or(|has| has == wants || (!tag && has < 10 && has < wants));
            prop_assert_eq!(sends, keeps);
            prop_assert_eq!(decisions[0].old(id(wants)), has.map(id));
        }
    }
}
