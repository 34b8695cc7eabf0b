//! What a person types into a forge so that it sends its hooks: the words of its own pages.

/// How a forge is told to send hooks. Every format has one, so that none is without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The page of the forge, in its own words.
    pub page: &'static str,
    /// What the field for the secret is called there, for the usual scheme of the format; empty if the forge
    /// has none.
    pub secret: &'static str,
    /// What is chosen as the kind of the content; empty if there is nothing to choose.
    pub content: &'static str,
    /// The events to choose, as the forge calls them.
    pub events: &'static [&'static str],
    /// What must stand behind the address.
    pub query: Query,
    /// What else there is to know, a sentence each.
    pub notes: &'static [&'static str],
}

/// What stands behind the `?` of the address that the forge sends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// Nothing: the hook says which repository it is of, in the words of its source.
    None,
    /// `user` and `project`, as the forge fills them in for each repository.
    Filled {
        /// What stands for the owner.
        user: &'static str,
        /// What stands for the repository.
        project: &'static str,
    },
    /// `user` and `project` of the mirror, for the hook does not say what a source is called.
    OfMirror,
}
