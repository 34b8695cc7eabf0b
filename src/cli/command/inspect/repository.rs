//! `inspect repository`

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Outcome, Shown, damaged, open, show};
use crate::base::text::printable;
use crate::cli::args::InspectRepositoryArgs;
use crate::cli::ui::Ui;
use crate::hg::repository::Names;
use crate::hg::store::branches::BranchHead;
use crate::hg::{BranchTable, Repository, Rev};

/// A repository as it is told.
#[derive(Debug, Serialize)]
struct ShownRepository {
    requirements: Vec<String>,
    changesets: usize,
    served: usize,
    manifests: usize,
    publishes: bool,
    /// How many changesets are in each phase.
    phases: BTreeMap<&'static str, usize>,
    tip: Option<String>,
    /// The served changesets without served children.
    heads: Vec<String>,
    branches: Vec<ShownBranch>,
    bookmarks: Vec<(String, String)>,
    tags: Vec<(String, String)>,
    /// What was odd and passed over.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ShownBranch {
    name: String,
    /// The newest first.
    open_heads: Vec<String>,
    closed_heads: Vec<String>,
}

pub(super) fn run(args: &InspectRepositoryArgs, ui: &Ui) -> Outcome {
    let repository = open(&args.source, ui)?;
    let names = repository
        .names(&mut BranchTable::default(), false, &|_| false)
        .map_err(damaged(&repository))?;
    Ok(show(ui, &ShownRepository::new(&repository, &names), args.show))
}

impl ShownRepository {
    fn new(repository: &Repository, names: &Names) -> Self {
        let (changelog, view) = (repository.changelog(), repository.view());
        let node = |rev: Rev| changelog.node(rev).to_string();
        let mut phases = BTreeMap::new();
        for rev in changelog.revlog().revs() {
            *phases.entry(view.phases().of(rev).name()).or_insert(0) += 1;
        }
        let branches = names.branches.iter().map(|(name, branch)| {
            let heads = branch.heads.iter().copied();
            let (closed, open): (Vec<BranchHead>, Vec<BranchHead>) =
                heads.partition(|head| head.closed);
            ShownBranch {
                name: printable(name),
                open_heads: open.into_iter().map(|head| node(head.rev)).collect(),
                closed_heads: closed.into_iter().map(|head| node(head.rev)).collect(),
            }
        });
        let bookmark = |(name, rev): &(bstr::BString, Rev)| (printable(name), node(*rev));
        let tags = names.tags.known.iter();
        let notes = view.notes().iter().chain(&names.tags.notes);
        Self {
            requirements: repository.layout().requirements().iter().map(str::to_owned).collect(),
            changesets: changelog.dag().len(),
            served: view.served().count(),
            manifests: repository.manifests().revlog().len(),
            publishes: view.publishes(),
            phases,
            tip: view.tip().map(node),
            heads: view.heads().iter().map(|rev| node(*rev)).collect(),
            branches: branches.collect(),
            bookmarks: names.bookmarks.iter().map(bookmark).collect(),
            tags: tags.map(|(n, node)| (printable(n.as_bytes()), node.to_string())).collect(),
            notes: notes.map(|note| printable(note.to_string().as_bytes())).collect(),
        }
    }
}

impl Shown for ShownRepository {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("requirements: {}", self.requirements.join(" ")),
            format!("changesets: {}, {} served", self.changesets, self.served),
            format!("manifests: {}", self.manifests),
            format!("publishes: {}", if self.publishes { "yes" } else { "no" }),
        ];
        lines.extend(self.phases.iter().map(|(phase, count)| format!("phase {phase}: {count}")));
        lines.extend(self.tip.iter().map(|node| format!("tip: {node}")));
        lines.extend(self.heads.iter().map(|node| format!("head: {node}")));
        for ShownBranch { name, open_heads, closed_heads } in &self.branches {
            lines.extend(open_heads.iter().map(|node| format!("branch: {node} {name}")));
            lines.extend(closed_heads.iter().map(|node| format!("closed: {node} {name}")));
        }
        lines.extend(self.bookmarks.iter().map(|(name, node)| format!("bookmark: {node} {name}")));
        lines.extend(self.tags.iter().map(|(name, node)| format!("tag: {node} {name}")));
        lines.extend(self.notes.iter().map(|note| format!("note: {note}")));
        lines
    }
}
