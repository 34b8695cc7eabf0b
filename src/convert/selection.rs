//! Which names of a source become references: patterns over the source's names.

use std::fmt;

use wildmatch::WildMatch;

/// What kind of name a source gives to a changeset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// A named branch.
    Branch,
    /// A bookmark.
    Bookmark,
    /// A tag.
    Tag,
    /// A topic.
    Topic,
}

impl NameKind {
    const ALL: [Self; 4] = [Self::Branch, Self::Bookmark, Self::Tag, Self::Topic];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Bookmark => "bookmark",
            Self::Tag => "tag",
            Self::Topic => "topic",
        }
    }
}

/// A pattern over names: `branch:GLOB`, `bookmark:GLOB`, `tag:GLOB`, `topic:GLOB`, or `GLOB` for
/// names of any kind. In a glob `*` stands for any characters and `?` for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    kind: Option<NameKind>,
    glob: String,
}

impl NamePattern {
    /// The pattern that is written so. Every text is one.
    pub fn new(text: &str) -> Self {
        let of = |kind: NameKind| {
            let glob = text.strip_prefix(kind.word())?.strip_prefix(':')?;
            Some(Self { kind: Some(kind), glob: glob.to_owned() })
        };
        let found = NameKind::ALL.into_iter().find_map(of);
        found.unwrap_or_else(|| Self { kind: None, glob: text.to_owned() })
    }

    fn matches(&self, kind: NameKind, name: &str) -> bool {
        self.kind.is_none_or(|wanted| wanted == kind) && WildMatch::new(&self.glob).matches(name)
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{}:{}", kind.word(), self.glob),
            None => f.write_str(&self.glob),
        }
    }
}

/// Which names become references: those that a pattern of the first list matches, or all if it is
/// empty, without those that a pattern of the second one matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// What is published.
    pub publish: Vec<NamePattern>,
    /// What is not, nevertheless.
    pub exclude: Vec<NamePattern>,
}

impl Selection {
    /// Whether the name becomes a reference.
    pub fn has(&self, kind: NameKind, name: &str) -> bool {
        let any = |patterns: &[NamePattern]| patterns.iter().any(|p| p.matches(kind, name));
        (self.publish.is_empty() || any(&self.publish)) && !any(&self.exclude)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (glob, name, expected) in [
            ("default", "default", true),
            ("default", "default2", false),
            ("release-*", "release-1.0", true),
            ("release-*", "release-", true),
            ("release-*", "prerelease-1", false),
            ("*", "a/b", true),
            ("", "", true),
            ("", "a", false),
            ("v?.?", "v1.2", true),
            ("v?.?", "v1.22", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "ab-ba", false),
            ("*ab", "aab", true),
            ("\u{e4}?", "\u{e4}\u{f6}", true),
        ] {
            assert_eq!(WildMatch::new(glob).matches(name), expected, "{glob} {name}");
        }
    }

    #[test]
    fn kinds() {
        let selection = |publish: &[&str], exclude: &[&str]| Selection {
            publish: publish.iter().map(|text| NamePattern::new(text)).collect(),
            exclude: exclude.iter().map(|text| NamePattern::new(text)).collect(),
        };
        let all = selection(&[], &[]);
        let some = selection(&["default", "tag:v*"], &["tag:*-rc*"]);
        for (kind, name, expected) in [
            (NameKind::Branch, "default", true),
            (NameKind::Bookmark, "default", true),
            (NameKind::Branch, "v1", false),
            (NameKind::Tag, "v1", true),
            (NameKind::Tag, "v1-rc1", false),
        ] {
            assert!(all.has(kind, name));
            assert_eq!(some.has(kind, name), expected, "{kind:?} {name}");
        }
        for text in ["tag:v*", "topic:", "branches:x", "x"] {
            assert_eq!(NamePattern::new(text).to_string(), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_name_matches_itself_with_stars(name: String) {
            let literal = name.replace(['*', '?'], "?");
            assert!(WildMatch::new(&literal).matches(&name));
            let stars: String = literal.chars().flat_map(|c| ['*', c]).collect();
            assert!(WildMatch::new(&stars).matches(&name));
        }
    }
}
