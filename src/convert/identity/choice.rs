//! Which identity is asked for: one by its name, or the one that made the existing commits.

use super::{Identity, NATIVE, UnknownIdentity, names};

/// The word for [`IdentityChoice::Auto`].
pub const AUTO: &str = "auto";

/// Which identity is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub enum IdentityChoice {
    /// The one that is recorded, or else the one that made what the target has; `native` for a
    /// target without history.
    #[default]
    Auto,
    /// This one and no other.
    Named(&'static dyn Identity),
}

impl IdentityChoice {
    /// The choice of this name: `auto`, or that of an identity.
    pub fn named(name: &str) -> Result<Self, UnknownIdentity> {
        match name {
            AUTO => Ok(Self::Auto),
            name => super::named(name).map(Self::Named),
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => AUTO,
            Self::Named(identity) => identity.name(),
        }
    }

    /// The identity for a target without history.
    pub fn for_new_targets(self) -> &'static dyn Identity {
        match self {
            Self::Auto => NATIVE,
            Self::Named(identity) => identity,
        }
    }
}

/// The names of all choices, the default first.
pub fn choices() -> impl Iterator<Item = &'static str> {
    std::iter::once(AUTO).chain(names())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_has_a_name() {
        for name in choices() {
            assert_eq!(IdentityChoice::named(name).unwrap().name(), name);
        }
        assert_eq!(IdentityChoice::default().for_new_targets().name(), "native");
        assert_eq!(IdentityChoice::named("hg_git").unwrap_err().similar(), Some("hg-git"));
        assert_eq!(IdentityChoice::named("Auto").unwrap_err().similar(), Some("auto"));
    }
}
