//! Which names of a source become references, and what the main branch follows.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use bstr::{BStr, BString, ByteSlice};

use super::placeholder::Placeholders;
use super::refs::{SourceNames, WantedRefs, name_refs};
use super::report::Note;
use super::selection::{NameKind, Selection};
use crate::base::text::utf8_or_latin1;
use crate::hg::repository::{Names, TAGS};
use crate::hg::revlog::RevlogError;
use crate::hg::store::bookmarks::is_divergent;
use crate::hg::{BranchTable, Node, Repository, Rev};

/// How source names become references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefNaming {
    /// The Git branch that follows [`RefNaming::main`], without `refs/heads/` and the prefix.
    pub main_branch: String,
    /// What the main branch follows.
    pub main: MainBranch,
    /// What every branch and every tag begins with, the main branch too.
    pub prefix: String,
    /// What is to become of the names of named branches and bookmarks.
    pub branches: BTreeMap<String, String>,
    /// What is to become of the names of tags.
    pub tags: BTreeMap<String, String>,
    /// Which names become references at all. The main branch always does.
    pub selection: Selection,
    /// What the tags begin with that stand for named branches whose heads are all closed; `None`
    /// for no such tags.
    pub closed_branches: Option<String>,
    /// What the branches begin with that stand for topics. `None` to pay no heed to topics: a
    /// changeset with one is on its named branch then, like any other.
    pub topics: Option<String>,
}

impl Default for RefNaming {
    fn default() -> Self {
        Self {
            main_branch: "master".to_owned(),
            main: MainBranch::Tip,
            prefix: String::new(),
            branches: BTreeMap::new(),
            tags: BTreeMap::new(),
            selection: Selection::default(),
            closed_branches: None,
            topics: None,
        }
    }
}

impl RefNaming {
    /// The name of the main branch as Git has it, without `refs/heads/`.
    pub fn main_name(&self) -> String {
        format!("{}{}", self.prefix, self.main_branch)
    }
}

/// What the main Git branch follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MainBranch {
    /// The source's tip: its newest served changeset, whatever branch that is on.
    Tip,
    /// The tipmost open head of the named branch with this name, usually `default`.
    Branch(String),
}

impl From<&str> for MainBranch {
    /// What is written so. Mercurial reserves the word `tip`: no branch can have it as its name.
    fn from(text: &str) -> Self {
        match text {
            "tip" => Self::Tip,
            branch => Self::Branch(branch.to_owned()),
        }
    }
}

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

/// The references that `source` asks for. Reads the served changesets that `table` does not have. A
/// placeholder for `.hgtags` has no tags; with `skip_damaged`, neither has what cannot be read.
pub fn source_refs(
    source: &Repository,
    naming: &RefNaming,
    (placeholders, skip_damaged): (&Placeholders, bool),
    table: &mut BranchTable,
) -> Result<SourceRefs, RevlogError> {
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
    let main = main(source, &names, &naming.main).map(node);
    if let (None, MainBranch::Branch(branch), Some(_)) = (main, &naming.main, source.view().tip()) {
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
    let topics = names.topics.iter().filter(|(name, _)| has(NameKind::Topic, name.as_bstr()));
    let heads = |heads: &[Rev]| heads.iter().map(|rev| node(*rev)).collect::<Vec<Node>>();
    let names = SourceNames {
        main,
        branches: open.collect(),
        topics: topics.map(|(name, revs)| (name.clone(), heads(revs))).collect(),
        bookmarks: own.map(|(name, rev)| (name.clone(), node(*rev))).collect(),
        tags: tags.map(|(name, node)| (BString::from(name.as_str()), *node)).collect(),
        closed: closed.collect(),
    };
    let wanted = name_refs(&names, naming);
    Ok(SourceRefs { wanted, notes, table_grew, skipped: skipped.into_iter().collect() })
}

/// What the main branch follows.
fn main(source: &Repository, names: &Names, main: &MainBranch) -> Option<Rev> {
    match main {
        MainBranch::Tip => source.view().tip(),
        MainBranch::Branch(wanted) => {
            let (_, branch) = names.branches.iter().find(|(name, _)| name == wanted.as_str())?;
            branch.open_heads().next().map(|head| head.rev)
        }
    }
}
