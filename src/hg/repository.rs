//! A repository on this machine, put together: its history, what it serves, and its names.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice};

use super::filelog;
use super::manifest::{Manifest, Manifests};
use super::revlog::{Revlog, RevlogError};
use super::store::branches::{Branch, branches};
use super::store::tags::{self, Tags, TagsFile};
use super::store::view::{ServedView, Serving};
use super::store::{Layout, OpenError, Phase, ViewError};
pub use super::topics::Topic;
use super::topics::Topics;
use super::{BranchTable, Changelog, Node, Rev, RevSet};
use crate::base::{Limits, RepoPath, faults};

/// A Mercurial repository, opened for reading.
///
/// What is appended to it later is not seen. Mercurial writes files first, then manifests, then
/// changesets, so the changelog is read first: what it names is there.
#[derive(Debug)]
pub struct Repository {
    path: PathBuf,
    layout: Layout,
    limits: Limits,
    changelog: Changelog,
    manifests: Manifests,
    view: ServedView,
}

/// Why a repository cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// There is none, or we cannot read its format.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its changelog or manifest is damaged.
    #[error("open the repository {}", path.display())]
    Revlog {
        /// The repository.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: RevlogError,
    },
    /// Its small files are damaged.
    #[error("find the changesets that the repository {} serves", path.display())]
    View {
        /// The repository.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: ViewError,
    },
}

faults!(RepositoryError {
    Self::Open(error) => of(error),
    Self::Revlog { source, .. } => of(source),
    Self::View { source, .. } => of(source),
});

/// The file with the tags.
pub const TAGS: &str = ".hgtags";

/// The names that a repository gives to changesets it serves.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The newest changeset that is not obsolete; `None` if there is none.
    pub tip: Option<Rev>,
    /// The named branches, from the oldest to the youngest, with their heads.
    pub branches: Vec<(BString, Branch)>,
    /// The topics, from the oldest to the youngest. None unless they are asked for.
    pub topics: Vec<Topic>,
    /// The bookmarks.
    pub bookmarks: Vec<(BString, Rev)>,
    /// The tags.
    pub tags: Tags,
    /// Whether changesets were read into the table, which is worth saving then.
    pub table_grew: bool,
}

impl Repository {
    /// Opens the repository at `path`, the folder that holds `.hg` or `.hg` itself.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, RepositoryError> {
        Self::open_with(path, limits, Serving::default())
    }

    /// The same, with what `serving` says served.
    pub fn open_with(
        path: &Path,
        limits: &Limits,
        serving: Serving<'_>,
    ) -> Result<Self, RepositoryError> {
        let layout = Layout::open(path, limits)?;
        let revlog = |source| RepositoryError::Revlog { path: path.to_owned(), source };
        let changelog = Changelog::open_after(&layout, limits, serving.saved).map_err(revlog)?;
        let manifests = Manifests::open(&layout, limits).map_err(revlog)?;
        let lookup = |node: Node| changelog.rev(node);
        let view = ServedView::read(&layout, limits, changelog.dag(), &lookup, serving)
            .map_err(|source| RepositoryError::View { path: path.to_owned(), source })?;
        Ok(Self {
            path: path.to_owned(),
            layout,
            limits: limits.clone(),
            changelog,
            manifests,
            view,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its parts are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Its changelog.
    pub fn changelog(&self) -> &Changelog {
        &self.changelog
    }

    /// Its manifests.
    pub fn manifests(&self) -> &Manifests {
        &self.manifests
    }

    /// What it serves.
    pub fn view(&self) -> &ServedView {
        &self.view
    }

    /// The filelog of `path`; `None` if there is none.
    pub fn filelog(&self, path: &RepoPath) -> Result<Option<Revlog>, RevlogError> {
        // A name that leads out of the store has no history in it.
        let Ok(files) = self.layout.filelog(path) else { return Ok(None) };
        Revlog::open(&path.to_string(), &files, &self.limits)
    }

    /// The names of what it serves. Reads the served changesets that `table` does not have, and the
    /// tags of every head; with `topics` also all that is draft. A revision of `.hgtags` that cannot be
    /// read has no tags if `lost` says so, which is asked of no other.
    ///
    /// A draft changeset with a topic is a head of the topic then, and never of its named branch.
    pub fn names(
        &self,
        table: &mut BranchTable,
        topics: bool,
        lost: &dyn Fn(Node) -> bool,
    ) -> Result<Names, RevlogError> {
        let (dag, served) = (self.changelog.dag(), self.view.served());
        let table_grew = table.fill(&self.changelog, served)?;
        let topics = if topics { self.topics(table)? } else { Topics::default() };
        let name = |rev: Rev| match topics.is_empty() {
            true => table.run(rev),
            false => (topics.scope(rev).unwrap_or_else(|| table.branch(rev)), rev.number() + 1),
        };
        let obsolete = self.obsolete(table);
        let mut by_name = branches(dag, (served, &obsolete), name, |rev| table.closes(rev));
        let topics = topics.with_heads(&mut by_name);
        let in_order = table.names().iter();
        let branches = in_order.filter_map(|name| by_name.remove_entry(name)).collect();
        let bookmarks = self.view.bookmarks().to_vec();
        let tip = self.view.tip().filter(|tip| !obsolete.contains(*tip));
        let tip = tip.or_else(|| served.iter().rev().find(|rev| !obsolete.contains(*rev)));
        Ok(Names { tip, branches, topics, bookmarks, tags: self.tags(lost)?, table_grew })
    }

    /// The obsolete changesets, but for those below heads of their branch, which change nothing about
    /// it. Those that another repository shows are not below the heads that it says its branch has:
    /// so they are known whether it sent the markers or not.
    fn obsolete(&self, table: &BranchTable) -> RevSet {
        let Some(told) = self.view.branch_heads() else { return self.view.obsolete().clone() };
        let (dag, served) = (self.changelog.dag(), self.view.served());
        let mut told_of: HashMap<&BStr, Vec<Rev>> = HashMap::new();
        for rev in told.iter().filter(|rev| served.contains(**rev)) {
            told_of.entry(table.branch(*rev)).or_default().push(*rev);
        }
        let mut obsolete = RevSet::empty(dag.len());
        // What is public is never obsolete.
        let is_public = |rev| self.view.phases().of(rev) == Phase::Public;
        let nothing = RevSet::empty(dag.len());
        let name = |rev| table.run(rev);
        for (name, branch) in branches(dag, (served, &nothing), name, |rev| table.closes(rev)) {
            let told = told_of.remove(name.as_bstr()).unwrap_or_default();
            if branch.heads.iter().all(|head| is_public(head.rev) || told.contains(&head.rev)) {
                continue;
            }
            let below = RevSet::below(dag, told);
            for rev in served.iter() {
                if table.branch(rev) == name && !below.contains(rev) && !is_public(rev) {
                    obsolete.insert(rev);
                }
            }
        }
        obsolete
    }

    /// The topics of the draft changesets that are served. Those of public ones have had their time.
    fn topics(&self, table: &BranchTable) -> Result<Topics, RevlogError> {
        let mut topics = Topics::default();
        let mut changesets = self.changelog.reader();
        for rev in self.view.served().iter() {
            if self.view.phases().of(rev) == Phase::Draft
                && let Some(topic) = changesets.changeset(rev)?.topic()
            {
                topics.add(rev, table.branch(rev), topic);
            }
        }
        Ok(topics)
    }

    /// The tags, from the `.hgtags` of every head.
    fn tags(&self, lost: &dyn Fn(Node) -> bool) -> Result<Tags, RevlogError> {
        let mut changesets = self.changelog.reader();
        let mut manifests = self.manifests.reader();
        let mut files = Vec::new();
        for head in self.view.heads() {
            let manifest = changesets.changeset(*head)?.manifest;
            if manifest.is_null() {
                continue;
            }
            let rev = self.manifests.rev_of(manifest, *head);
            let text =
                manifests.text(rev.ok_or_else(|| self.manifests.revlog().missing(manifest))?)?;
            let line = Manifest::new(&text).file(TAGS.into());
            files.extend(line.map(|line| line.node).filter(|node| !node.is_null()));
        }
        if files.is_empty() {
            return Ok(Tags::default());
        }
        let filelog = match self.filelog(TAGS.into()) {
            // With its whole history lost there is nothing to read.
            Err(_) if files.iter().all(|node| lost(*node)) => return Ok(Tags::default()),
            opened => opened?.unwrap_or_else(|| Revlog::empty(TAGS, &self.limits)),
        };
        let mut reader = filelog.reader();
        let mut texts = Vec::new();
        for node in files {
            // What a served changeset names is there, unless it is damaged or being cut off.
            let rev = filelog.rev(node).ok_or_else(|| filelog.missing(node));
            match rev.and_then(|rev| reader.text(rev)) {
                Err(_) if lost(node) => {}
                text => texts.push((node, text?)),
            }
        }
        let files = texts.iter().map(|(file_node, text)| TagsFile {
            file_node: *file_node,
            text: filelog::contents(text).unwrap_or_default(),
        });
        let known = |node| self.changelog.rev(node).is_some_and(|r| self.view.served().contains(r));
        Ok(tags::compute(files, &known))
    }
}
