//! What a person should know of a conversion, as data. How each note reads is said here, and nowhere
//! else; whoever shows notes decides how, and which.

use std::fmt;

use bstr::BString;
use serde::Serialize;

use super::LeftOut;
use super::damage::BrokenFile;
use super::placeholder::Placeholder;
use crate::base::text::serialize_printable;
use crate::base::{Fault, Severity, Side};
use crate::hg::{Node, store};

/// What a person should know of a conversion that went well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Note {
    /// A path has no place in Git.
    LeftOut(LeftOut),
    /// A file revision cannot be read, and a placeholder was made for it.
    PlaceholderMade(BrokenFile),
    /// There were more of these than are listed.
    MorePlaceholdersMade {
        /// How many more.
        count: usize,
    },
    /// A placeholder of an earlier run is there, as it should be.
    PlaceholderKept(PlaceholderKept),
    /// There are more of these than are listed.
    MorePlaceholdersKept {
        /// How many more.
        count: usize,
    },
    /// A name of the source is called otherwise in Git.
    Renamed(Renamed),
    /// A tag names a changeset that is not served.
    TagNotServed {
        /// The tag.
        tag: String,
        /// Its changeset.
        changeset: Node,
    },
    /// A revision of `.hgtags` cannot be read, and what it says is passed over.
    TagsUnreadable {
        /// The revision of the file.
        revision: Node,
    },
    /// A bookmark that is this clone's memory of another one's.
    DivergentBookmark {
        /// Its name.
        bookmark: String,
    },
    /// All of the named branch that the main branch should follow is obsolete or in topics.
    NoMainBranch {
        /// The named branch.
        branch: String,
    },
    /// Something odd in a small file of the source.
    #[serde(untagged)]
    Store(store::Note),
}

/// A placeholder that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlaceholderKept {
    /// The placeholder.
    #[serde(flatten)]
    pub placeholder: Placeholder,
    /// Whether the source has the file revision again.
    pub is_back: bool,
}

/// A name of the source that is called otherwise in Git.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Renamed {
    /// What it is a name of.
    pub of: SourceName,
    /// The name in the source.
    #[serde(serialize_with = "serialize_printable")]
    pub name: BString,
    /// The full name of the ref.
    pub reference: String,
}

/// What has a name in a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceName {
    /// A named branch.
    Branch,
    /// A named branch whose heads are all closed.
    ClosedBranch,
    /// A further head of a named branch or of a topic.
    Head,
    /// A topic.
    Topic,
    /// A bookmark.
    Bookmark,
    /// A tag.
    Tag,
}

impl SourceName {
    fn word(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::ClosedBranch => "closed branch",
            Self::Head => "head",
            Self::Topic => "topic",
            Self::Bookmark => "bookmark",
            Self::Tag => "tag",
        }
    }
}

impl Note {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::PlaceholderMade(_)
            | Self::MorePlaceholdersMade { .. }
            | Self::TagsUnreadable { .. }
            | Self::NoMainBranch { .. } => Severity::Warning,
            Self::LeftOut(_)
            | Self::PlaceholderKept(_)
            | Self::MorePlaceholdersKept { .. }
            | Self::Renamed(_)
            | Self::TagNotServed { .. }
            | Self::DivergentBookmark { .. }
            | Self::Store(_) => Severity::Note,
        }
    }

    /// Where its reason lies.
    pub fn side(&self) -> Side {
        match self {
            Self::NoMainBranch { .. } => Side::Here,
            _ => Side::Source,
        }
    }

    /// The class of what is wrong, if something is.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::PlaceholderMade(file) => Some(file.problem.fault()),
            Self::MorePlaceholdersMade { .. } | Self::TagsUnreadable { .. } => Some(Fault::Corrupt),
            Self::NoMainBranch { .. } => Some(Fault::Config),
            Self::LeftOut(_)
            | Self::PlaceholderKept(_)
            | Self::MorePlaceholdersKept { .. }
            | Self::Renamed(_)
            | Self::TagNotServed { .. }
            | Self::DivergentBookmark { .. }
            | Self::Store(_) => None,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut(left_out) => left_out.fmt(f),
            Self::PlaceholderMade(file) => write!(f, "made a placeholder: {file}"),
            Self::MorePlaceholdersMade { count } => {
                write!(f, "and placeholders for {count} more file revisions")
            }
            Self::PlaceholderKept(PlaceholderKept { placeholder, is_back: false }) => {
                write!(f, "{placeholder}: a placeholder stands for it")
            }
            Self::PlaceholderKept(PlaceholderKept { placeholder, is_back: true }) => write!(
                f,
                "{placeholder}: a placeholder stands for it; the source has it again, and commits \
                 keep the placeholder"
            ),
            Self::MorePlaceholdersKept { count } => {
                write!(f, "placeholders stand for {count} more file revisions")
            }
            Self::Renamed(Renamed { of, name, reference }) => {
                write!(f, "the {} {name:?} of the source is {reference} here", of.word())
            }
            Self::TagNotServed { tag, changeset } => {
                let node = changeset.short();
                write!(f, "left out the tag {tag:?}: its changeset {node} is not served")
            }
            Self::TagsUnreadable { revision } => write!(
                f,
                "left out the tags in revision {} of \".hgtags\": it is damaged or missing",
                revision.short()
            ),
            Self::DivergentBookmark { bookmark } => {
                write!(f, "left out the divergent bookmark {bookmark:?}")
            }
            Self::NoMainBranch { branch } => {
                write!(
                    f,
                    "every changeset of the branch {branch:?} is obsolete or in a topic, so there \
                     is no main branch"
                )
            }
            Self::Store(note) => note.fmt(f),
        }
    }
}

impl From<store::Note> for Note {
    fn from(note: store::Note) -> Self {
        Self::Store(note)
    }
}

impl From<LeftOut> for Note {
    fn from(left_out: LeftOut) -> Self {
        Self::LeftOut(left_out)
    }
}

impl From<Renamed> for Note {
    fn from(renamed: Renamed) -> Self {
        Self::Renamed(renamed)
    }
}
