//! What an operator allows a mirror to do to the references that it has published.

use crate::base::text::named;

/// What becomes of a reference of ours where commits would be lost by moving it: the source does not
/// have them any more, and no other reference of the mirror reaches them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Divergence {
    /// It is refused, and stays where it is.
    #[default]
    Reject,
    /// It stays where it is, and that is as it should be.
    Keep,
    /// It is moved.
    Overwrite,
}

impl Divergence {
    /// Every rule with its name, the default first.
    pub const ALL: [(&str, Self); 3] =
        [("reject", Self::Reject), ("keep", Self::Keep), ("overwrite", Self::Overwrite)];

    /// The rule of this name.
    pub fn named(name: &str) -> Option<Self> {
        named(&Self::ALL, name)
    }
}

/// Which references of ours are removed once the source does not have the name any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prune {
    /// None.
    Off,
    /// Those whose commits another reference of the mirror reaches.
    #[default]
    Merged,
    /// All.
    All,
}

impl Prune {
    /// Every rule with its name, the default first.
    pub const ALL: [(&str, Self); 3] =
        [("merged", Self::Merged), ("off", Self::Off), ("all", Self::All)];

    /// The rule of this name.
    pub fn named(name: &str) -> Option<Self> {
        named(&Self::ALL, name)
    }
}

/// What may be done to the references that this mirror has published, and to no others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key or a flag of its own")]
pub struct PublishRules {
    /// What becomes of a reference where commits would be lost.
    pub divergence: Divergence,
    /// Whether a reference is made that keeps the commits which [`Divergence::Overwrite`] would lose.
    pub backup: bool,
    /// What becomes of references whose name the source does not have any more.
    pub prune: Prune,
    /// Whether references are moved this once as if [`Self::divergence`] were
    /// [`Divergence::Overwrite`].
    pub allow_rewrite: bool,
    /// Whether many references may be removed at once, this once.
    pub allow_prune: bool,
    /// Whether what a target refused before is tried again, though nothing has changed.
    pub retry: bool,
}

impl PublishRules {
    /// What becomes of a reference where commits would be lost, this once.
    pub(super) fn divergence_now(&self) -> Divergence {
        if self.allow_rewrite { Divergence::Overwrite } else { self.divergence }
    }
}
