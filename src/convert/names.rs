//! Which names of a source become references, and what the main branch follows.

use std::cell::RefCell;
use std::collections::BTreeSet;

use bstr::{BStr, BString, ByteSlice};

pub use super::naming::{MainBranch, RefNaming};
use super::placeholder::Placeholders;
use super::refs::{KnownName, SourceNames, SourceTopic, WantedRefs, name_refs};
use super::report::Note;
use super::selection::NameKind;
use crate::base::faults;
use crate::base::similar::similar;
use crate::base::text::utf8_or_latin1;
use crate::hg::repository::{Names, TAGS};
use crate::hg::revlog::RevlogError;
use crate::hg::store::bookmarks::is_divergent;
use crate::hg::{BranchTable, Node, Repository, Rev};

/// The references that a source asks for.
#[derive(Clone, Debug, Default)]
pub struct SourceRefs {
    /// The references, and what is called otherwise than in the source.
    pub wanted: WantedRefs,
    /// What a person should know: names that have no reference.
    pub notes: Vec<Note>,
    /// Whether the table of branches is worth saving.
    pub table_grew: bool,
    /// The revisions of `.hgtags` that cannot be read, and were skipped.
    pub skipped: Vec<Node>,
}

/// Why the references that a source asks for cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// A changeset, or a file with tags, cannot be read.
    #[error("read the names of the source")]
    History(#[from] RevlogError),
    /// There is no branch for the main branch to follow.
    #[error("let the main branch follow {wanted:?}: the source has no named branch {wanted:?}")]
    NoMainBranch {
        /// The name that was asked for.
        wanted: String,
        /// Named branches of the source, that with the most similar name first.
        branches: Vec<String>,
        /// Whether a bookmark has that name.
        is_bookmark: bool,
    },
}

/// So many branches are named in place of one that is not there.
const NEAR: usize = 5;

faults!(NamesError {
    Self::History(error) => of(error).at(Source),
    Self::NoMainBranch { branches, is_bookmark, .. } => {
        Config.at(Here).hint(those_there(branches, *is_bookmark))
    }
});

/// What the main branch can follow.
fn those_there(branches: &[String], is_bookmark: bool) -> String {
    let names: Vec<_> = branches.iter().take(NEAR).map(|name| format!("{name:?}")).collect();
    let more = if branches.len() > NEAR { ", …" } else { "" };
    let bookmark = if is_bookmark { "that is a bookmark, which it cannot follow; " } else { "" };
    format!(
        "{bookmark}the source has {}{more}; `tip` follows its newest changeset",
        names.join(", ")
    )
}

/// The references that `source` asks for. Reads the served changesets that `table` does not have. A
/// placeholder for `.hgtags` has no tags; with `skip_damaged`, neither has what cannot be read. `known`
/// are the names that were given before.
pub fn source_refs(
    source: &Repository,
    naming: &RefNaming,
    (placeholders, skip_damaged): (&Placeholders, bool),
    table: &mut BranchTable,
    known: &[KnownName],
) -> Result<SourceRefs, NamesError> {
    let skipped = RefCell::new(BTreeSet::new());
    let lost = |node| {
        let is_kept = placeholders.kind(TAGS.into(), node).is_some();
        if skip_damaged && !is_kept {
            skipped.borrow_mut().insert(node);
        }
        is_kept || skip_damaged
    };
    let names = source.names(table, naming.topics.is_some(), &lost)?;
    let table_grew = names.table_grew;
    let mut notes: Vec<_> = names.tags.notes.iter().cloned().map(Note::from).collect();
    let selection = &naming.selection;
    let has = |kind, name: &BStr| selection.has(kind, &utf8_or_latin1(name));
    let unknown = names.tags.unknown.iter().filter(|(tag, _)| selection.has(NameKind::Tag, tag));
    notes.extend(
        unknown.map(|(tag, node)| Note::TagNotServed { tag: tag.clone(), changeset: *node }),
    );
    let skipped = skipped.into_inner();
    notes.extend(skipped.iter().map(|revision| Note::TagsUnreadable { revision: *revision }));
    let node = |rev: Rev| source.changelog().node(rev);
    let main = main(&names, &naming.main).map(node);
    if let (None, MainBranch::Branch(branch), Some(_)) = (main, &naming.main, source.view().tip()) {
        if !table.names().iter().any(|name| name == branch.as_str()) {
            return Err(no_main_branch(branch, table, &names));
        }
        notes.push(Note::NoMainBranch { branch: branch.clone() });
    }
    let published = names.branches.iter().filter(|(name, _)| has(NameKind::Branch, name.as_bstr()));
    let open = published.clone().map(|(name, branch)| {
        (name.clone(), branch.open_heads().map(|head| node(head.rev)).collect())
    });
    let closed = published.filter(|(_, branch)| branch.is_closed());
    let closed = closed.filter_map(|(name, branch)| Some((name.clone(), node(branch.tip()?.rev))));
    // Mercurial does not show these to clients either: they are this clone's memory of another one.
    let (divergent, own): (Vec<_>, Vec<_>) =
        names.bookmarks.iter().partition(|(name, _)| is_divergent(name));
    notes.extend(
        divergent.iter().map(|(name, _)| Note::DivergentBookmark { bookmark: name.to_string() }),
    );
    let own = own.into_iter().filter(|(name, _)| has(NameKind::Bookmark, name.as_bstr()));
    let tags = names.tags.known.iter().filter(|(name, _)| selection.has(NameKind::Tag, name));
    let topics = names.topics.iter().filter(|topic| has(NameKind::Topic, topic.name.as_bstr()));
    let heads = |heads: &[Rev]| heads.iter().map(|rev| node(*rev)).collect::<Vec<Node>>();
    let names = SourceNames {
        main,
        branches: open.collect(),
        topics: topics
            .map(|topic| SourceTopic {
                branch: topic.branch.clone(),
                name: topic.name.clone(),
                heads: heads(&topic.heads),
            })
            .collect(),
        bookmarks: own.map(|(name, rev)| (name.clone(), node(*rev))).collect(),
        tags: tags.map(|(name, node)| (BString::from(name.as_str()), *node)).collect(),
        closed: closed.collect(),
    };
    let wanted = name_refs(&names, naming, known);
    Ok(SourceRefs { wanted, notes, table_grew, skipped: skipped.into_iter().collect() })
}

/// What the main branch follows.
fn main(names: &Names, main: &MainBranch) -> Option<Rev> {
    match main {
        MainBranch::Tip => names.tip,
        MainBranch::Branch(wanted) => {
            let (_, branch) = names.branches.iter().find(|(name, _)| name == wanted.as_str())?;
            branch.tip().map(|head| head.rev)
        }
    }
}

/// The error that no branch is called `wanted`, with those that there are, the most similar first.
fn no_main_branch(wanted: &str, table: &BranchTable, names: &Names) -> NamesError {
    let mut left: Vec<_> = table.names().iter().map(|name| utf8_or_latin1(name)).collect();
    let mut branches = Vec::new();
    while let Some(near) = similar(wanted, left.iter().map(AsRef::as_ref)).map(str::to_owned) {
        left.retain(|name| *name != near);
        branches.push(near);
    }
    branches.extend(left.into_iter().map(std::borrow::Cow::into_owned));
    let is_bookmark = names.bookmarks.iter().any(|(name, _)| name == wanted);
    NamesError::NoMainBranch { wanted: wanted.to_owned(), branches, is_bookmark }
}
