//! What a person should know of a conversion, as data. How each note reads is said here, and nowhere
//! else; the layers that show notes decide how, and which.

use std::fmt;

use bstr::BString;
use serde::{Deserialize, Serialize};

use super::LeftOut;
use super::damage::{Broken, BrokenFile};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceName {
    /// The main branch, which has no name of its own there.
    Main,
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
    /// All changesets, of which the notes tell.
    Notes,
}

impl SourceName {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Main => "main branch",
            Self::Branch => "branch",
            Self::ClosedBranch => "closed branch",
            Self::Head => "head",
            Self::Topic => "topic",
            Self::Bookmark => "bookmark",
            Self::Tag => "tag",
            Self::Notes => "notes",
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

    /// The side that its reason is on.
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
            Self::PlaceholderMade(BrokenFile { path, node, problem, needed_by }) => write!(
                f,
                "made a placeholder for revision {} of {path:?}: {problem} (needed by {needed_by})",
                node.short()
            ),
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
                write!(
                    f,
                    "left out the tag {tag:?}: the source does not serve its changeset {node}"
                )
            }
            Self::TagsUnreadable { revision } => write!(
                f,
                "left out the tags in revision {} of \".hgtags\": it is damaged or missing",
                revision.short()
            ),
            Self::DivergentBookmark { bookmark } => {
                write!(
                    f,
                    "left out the bookmark {bookmark:?}: it is divergent, and Mercurial does not \
                     publish such ones either"
                )
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

impl Broken<BrokenFile> {
    /// What to say of each, once there is a placeholder for it.
    pub fn notes(&self) -> impl Iterator<Item = Note> {
        let count = self.count - self.first.len();
        let more = (count > 0).then_some(Note::MorePlaceholdersMade { count });
        self.first.iter().cloned().map(Note::PlaceholderMade).chain(more)
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

#[cfg(test)]
mod tests {
    use bstr::BString;

    use super::*;
    use crate::base::Cause;
    use crate::convert::LeftOutReason;
    use crate::convert::damage::{Damage, FileProblem, NeededBy};
    use crate::convert::placeholder::PlaceholderKind;
    use crate::git::tree_name::Forbidden;

    fn node(byte: u8) -> Node {
        Node::from_bytes([byte; 20])
    }

    fn broken(problem: FileProblem) -> Note {
        let needed_by = NeededBy { count: 4, first: vec![node(2), node(3), node(4)] };
        Note::PlaceholderMade(BrokenFile { path: "a b".into(), node: node(1), problem, needed_by })
    }

    fn kept(kind: PlaceholderKind, is_back: bool) -> Note {
        let placeholder = Placeholder { path: "a".into(), node: node(1), kind };
        Note::PlaceholderKept(PlaceholderKept { placeholder, is_back })
    }

    /// One of each, and of those that read in several ways, each way.
    fn samples() -> Vec<Note> {
        let damage = Damage {
            cause: Cause { fault: Fault::Corrupt, side: None, message: "read a.i: cut off".into() },
            hint: None,
        };
        let renamed = |of, name: &str| {
            Note::Renamed(Renamed { of, name: name.into(), reference: "refs/x".into() })
        };
        let left_out = |reason| {
            Note::LeftOut(LeftOut { path: BString::from(b"\xffa"), reason, first: node(1) })
        };
        vec![
            left_out(LeftOutReason::IsDirectory),
            left_out(LeftOutReason::Forbidden(Forbidden::DotGit)),
            broken(FileProblem::Damaged(std::sync::Arc::new(damage))),
            broken(FileProblem::Missing),
            broken(FileProblem::Kept),
            Note::MorePlaceholdersMade { count: 50 },
            kept(PlaceholderKind::Censored, false),
            kept(PlaceholderKind::Damaged, true),
            Note::MorePlaceholdersKept { count: 2 },
            renamed(SourceName::Branch, "a b"),
            renamed(SourceName::ClosedBranch, "old"),
            renamed(SourceName::Head, "default-0123"),
            Note::TagNotServed { tag: "v1".into(), changeset: node(1) },
            Note::TagsUnreadable { revision: node(1) },
            Note::DivergentBookmark { bookmark: "x@default".into() },
            Note::NoMainBranch { branch: "default".into() },
            Note::Store(store::Note::MalformedLine { file: ".hgtags", line: 3, text: "x".into() }),
            Note::Store(store::Note::UnknownNode { file: "phaseroots", node: node(1) }),
            Note::Store(store::Note::IncludeNotRead {
                file: "hgrc".into(),
                line: 1,
                target: "more".into(),
            }),
            Note::Store(store::Note::More { count: 7 }),
        ]
    }

    /// The tag that a note has for programs. It does not change: a variant may get another name.
    fn tag(note: &Note) -> &'static str {
        match note {
            Note::LeftOut(_) => "left_out",
            Note::PlaceholderMade(_) => "placeholder_made",
            Note::MorePlaceholdersMade { .. } => "more_placeholders_made",
            Note::PlaceholderKept(_) => "placeholder_kept",
            Note::MorePlaceholdersKept { .. } => "more_placeholders_kept",
            Note::Renamed(_) => "renamed",
            Note::TagNotServed { .. } => "tag_not_served",
            Note::TagsUnreadable { .. } => "tags_unreadable",
            Note::DivergentBookmark { .. } => "divergent_bookmark",
            Note::NoMainBranch { .. } => "no_main_branch",
            Note::Store(store::Note::MalformedLine { .. }) => "malformed_line",
            Note::Store(store::Note::UnknownNode { .. }) => "unknown_node",
            Note::Store(store::Note::IncludeNotRead { .. }) => "include_not_read",
            Note::Store(store::Note::More { .. }) => "more_in_file",
        }
    }

    #[test]
    fn every_note_has_a_tag_of_its_own() {
        for note in samples() {
            assert_eq!(serde_json::to_value(&note).unwrap()["kind"], tag(&note), "{note}");
        }
        let [left_out, forbidden, damaged] = &samples()[..3] else { panic!("they are there") };
        let json = |note| serde_json::to_string(note).unwrap();
        let first = "0101010101010101010101010101010101010101";
        let path = r"\\xffa";
        assert_eq!(
            json(left_out),
            format!(
                r#"{{"kind":"left_out","path":"{path}","reason":"is_directory","first":"{first}"}}"#
            )
        );
        assert!(json(forbidden).contains(r#""reason":"dot_git""#), "{}", json(forbidden));
        assert!(json(damaged).contains(r#""problem":"damaged""#), "{}", json(damaged));
        assert!(json(damaged).contains(r#""fault":"corrupt""#), "{}", json(damaged));
    }

    #[test]
    fn how_notes_read() {
        let lines: Vec<_> = samples()
            .iter()
            .map(|note| format!("{} ({}): {note}", note.severity().name(), note.side().name()))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
note (source): left out "\xffa", since changeset 010101010101: it is also a directory
note (source): left out "\xffa", since changeset 010101010101: it has a component that is a spelling of `.git`
warning (source): made a placeholder for revision 010101010101 of "a b": read a.i: cut off (needed by 4 changesets: 020202020202, 030303030303, 040404040404, …)
warning (source): made a placeholder for revision 010101010101 of "a b": the source has no such revision (needed by 4 changesets: 020202020202, 030303030303, 040404040404, …)
warning (source): made a placeholder for revision 010101010101 of "a b": an earlier run made a placeholder for it (needed by 4 changesets: 020202020202, 030303030303, 040404040404, …)
warning (source): and placeholders for 50 more file revisions
note (source): revision 0101010101010101010101010101010101010101 of the file "a" was censored in the Mercurial repository: a placeholder stands for it
note (source): revision 0101010101010101010101010101010101010101 of the file "a" is damaged or missing in the Mercurial repository: a placeholder stands for it; the source has it again, and commits keep the placeholder
note (source): placeholders stand for 2 more file revisions
note (source): the branch "a b" of the source is refs/x here
note (source): the closed branch "old" of the source is refs/x here
note (source): the head "default-0123" of the source is refs/x here
note (source): left out the tag "v1": the source does not serve its changeset 010101010101
warning (source): left out the tags in revision 010101010101 of ".hgtags": it is damaged or missing
note (source): left out the bookmark "x@default": it is divergent, and Mercurial does not publish such ones either
warning (here): every changeset of the branch "default" is obsolete or in a topic, so there is no main branch
note (source): .hgtags: line 3 is malformed and was ignored: "x"
note (source): phaseroots: names changeset 0101010101010101010101010101010101010101, which is not in the repository
note (source): hgrc: line 1 includes "more", which was not read
note (source): and 7 more notes of this kind
"#);
    }
}
