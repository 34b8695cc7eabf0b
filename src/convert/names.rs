//! Which names of a source become references, and what the main branch follows.

use bstr::BString;

use super::placeholder::Placeholders;
use super::refs::{SourceNames, WantedRefs, name_refs};
use crate::hg::repository::{Names, TAGS};
use crate::hg::revlog::RevlogError;
use crate::hg::store::bookmarks::is_divergent;
use crate::hg::{BranchTable, Repository, Rev};

/// How source names become references.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefNaming {
    /// The Git branch that follows [`RefNaming::main`], without `refs/heads/`.
    pub main_branch: String,
    /// What the main branch follows.
    pub main: MainBranch,
}

impl Default for RefNaming {
    fn default() -> Self {
        Self { main_branch: "master".to_owned(), main: MainBranch::Tip }
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

/// The references that a source asks for.
#[derive(Clone, Debug, Default)]
pub struct SourceRefs {
    /// The references, and what is called otherwise than in the source.
    pub wanted: WantedRefs,
    /// What a person should know: names that have no reference.
    pub notes: Vec<String>,
    /// Whether the table of branches is worth saving.
    pub table_grew: bool,
}

/// The references that `source` asks for. Reads the served changesets that `table` does not have. A
/// placeholder for `.hgtags` has no tags.
pub fn source_refs(
    source: &Repository,
    naming: &RefNaming,
    placeholders: &Placeholders,
    table: &mut BranchTable,
) -> Result<SourceRefs, RevlogError> {
    let names = source.names(table, &|node| placeholders.kind(TAGS.into(), node).is_some())?;
    let table_grew = names.table_grew;
    let mut notes: Vec<_> = names.tags.notes.iter().map(ToString::to_string).collect();
    notes.extend(names.tags.unknown.iter().map(|(tag, node)| {
        format!("left out the tag {tag:?}: its changeset {} is not served", node.short())
    }));
    let node = |rev: Rev| source.changelog().node(rev);
    let main = main(source, &names, &naming.main).map(node);
    if let (None, MainBranch::Branch(branch), Some(_)) = (main, &naming.main, source.view().tip()) {
        notes.push(format!("the branch {branch:?} has no open head, so there is no main branch"));
    }
    let open = names.branches.iter().map(|(name, branch)| {
        (name.clone(), branch.open_heads().map(|head| node(head.rev)).collect())
    });
    // Mercurial does not show these to clients either: they are this clone's memory of another one.
    let (divergent, own): (Vec<_>, Vec<_>) =
        names.bookmarks.iter().partition(|(name, _)| is_divergent(name));
    notes.extend(
        divergent.iter().map(|(name, _)| format!("left out the divergent bookmark {name:?}")),
    );
    let bookmarks = own.into_iter().map(|(name, rev)| (name.clone(), node(*rev)));
    let tags = names.tags.known.iter().map(|(name, node)| (BString::from(name.as_str()), *node));
    let names = SourceNames {
        main,
        branches: open.collect(),
        bookmarks: bookmarks.collect(),
        tags: tags.collect(),
    };
    Ok(SourceRefs { wanted: name_refs(&names, &naming.main_branch), notes, table_grew })
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
