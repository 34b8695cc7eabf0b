//! Going on with a history that another tool made: which of its commits stands for which changeset.

/// What is done with a history that is not that of the source in every commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GraftPolicy {
    /// It is refused, and nothing moves.
    #[default]
    Exact,
    /// Changesets without a commit are converted anew. Commits without a changeset stay where they
    /// are; what would have to leave them behind is refused reference by reference.
    Partial,
}

impl GraftPolicy {
    /// Every policy with its name, the default first.
    pub const ALL: [(&str, Self); 2] = [("exact", Self::Exact), ("partial", Self::Partial)];

    /// The policy of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, policy)| *policy)
    }
}
