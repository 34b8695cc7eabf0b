//! Pulls from a repository of this machine.

use std::path::Path;

use super::local_revisions::LocalRevisions;
use super::{Copy, PullError, Pulled, Run, State};
use crate::hg::store::Phase;
use crate::hg::store::branches::branches;
use crate::hg::write::{NewStore, WriteError, Writer};
use crate::hg::{BranchTable, Node, Repository, Rev, Shown};

/// Brings `copy` up to date with what the repository at `path` serves.
pub(super) fn pull(path: &Path, copy: &Copy, run: &Run<'_>) -> Result<Pulled, PullError> {
    let source = Repository::open(path, run.limits)?;
    if !copy.exists() {
        let tree_manifests = source.layout().requirements().has("treemanifest");
        Writer::create(copy.root(), &NewStore { tree_manifests })?;
    }
    let before = copy.changelog()?;
    let (served, changelog) = (source.view().served(), source.changelog());
    let is_missing = |rev: &Rev| before.rev(changelog.node(*rev)).is_none();
    let missing: Vec<Rev> = served.iter().filter(is_missing).collect();
    if missing.len() == served.count() && !missing.is_empty() && !before.dag().is_empty() {
        let (path, origin) = (copy.root().to_owned(), path.display().to_string());
        return Err(PullError::Unrelated { path, origin });
    }
    let mut pulled = Pulled::default();
    if !missing.is_empty() {
        let mut writer = Writer::open(copy.root(), run.limits)?;
        let layout = copy.layout()?;
        let revisions = LocalRevisions::new(&source, &layout, &missing, run);
        let mut revisions = revisions.map_err(WriteError::from)?;
        let added = writer.add(&mut revisions, run.progress, run.interrupt)?;
        writer.commit()?;
        pulled.changesets = added.changesets.len() as u64;
    }
    let node = |rev: &Rev| changelog.node(*rev);
    let phases = source.view().phases();
    let drafts = served.iter().filter(|rev| phases.of(*rev) == Phase::Draft);
    let bookmarks = source.view().bookmarks().iter();
    let state = State {
        shown: Shown {
            heads: source.view().heads().iter().rev().map(node).collect(),
            branch_heads: branch_heads(&source)?,
        },
        bookmarks: bookmarks.map(|(name, rev)| (name.clone(), node(rev))).collect(),
        publishes: source.view().publishes(),
        draft_roots: drafts.map(|rev| node(&rev)).collect(),
    };
    pulled.gone = state.keep(copy, &copy.changelog()?, run)?;
    Ok(pulled)
}

/// The heads of its branches, if it shows obsolete changesets: the copy is not told which those are,
/// and has no need to know otherwise.
fn branch_heads(source: &Repository) -> Result<Option<Vec<Node>>, PullError> {
    let (view, changelog) = (source.view(), source.changelog());
    if !view.served().iter().any(|rev| view.obsolete().contains(rev)) {
        return Ok(None);
    }
    let mut table = BranchTable::default();
    let filled = table.fill(changelog, view.served());
    filled.map_err(|error| PullError::Revlog { path: source.path().to_owned(), source: error })?;
    let found = branches(
        changelog.dag(),
        (view.served(), view.obsolete()),
        |rev| table.run(rev),
        |rev| table.closes(rev),
    );
    let heads = found.values().flat_map(|branch| &branch.heads);
    Ok(Some(heads.map(|head| changelog.node(head.rev)).collect()))
}
