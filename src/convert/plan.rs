//! What a run has to do: which file revisions become blobs, and what each changeset's manifest
//! changes in the tree of its parent.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::ConvertError;
use super::engine::Input;
use super::left_out::Collector;
use crate::base::repo_path::components;
use crate::base::{RepoPath, RepoPathBuf};
use crate::git::tree::Mode;
use crate::git::tree_name::{Forbidden, forbidden, forbidden_path};
use crate::hg::manifest::{Change, FileKind, Line, Manifest, diff};
use crate::hg::revlog::{Revlog, RevlogError, RevlogReader, Text, check_node};
use crate::hg::{Node, Rev};

/// Everything that a run has to do, in compact numbers.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The paths that occur.
    pub paths: Vec<RepoPathBuf>,
    /// The file revisions that become blobs.
    pub files: Vec<WantedFile>,
    /// One entry for each changeset, in the order of the input.
    pub trees: Vec<TreePlan>,
    /// The edits of all trees, one after the other.
    pub edits: Vec<PlannedEdit>,
    /// What has no place in Git.
    pub left_out: Collector,
}

/// A file revision that becomes a blob.
#[derive(Clone, Copy, Debug)]
pub(super) struct WantedFile {
    /// Its path, in [`Plan::paths`].
    pub path: u32,
    /// Its node in the path's filelog.
    pub node: Node,
    /// The first changeset that needs it.
    pub changeset: Rev,
}

/// How one changeset's tree is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct TreePlan {
    /// The changeset whose tree is edited; the empty tree if there is none.
    pub base: Option<Rev>,
    /// How many of [`Plan::edits`] are this tree's.
    pub edits: usize,
}

/// One path of one tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlannedEdit {
    /// The path, in [`Plan::paths`].
    pub path: u32,
    /// The file that is there afterwards, in [`Plan::files`]; `None` for nothing.
    pub file: Option<(Mode, u32)>,
}

/// Makes the plan for the changesets of `input`, which come in revision order. Every manifest that
/// is used is checked against its node, on a thread of its own.
pub(super) fn plan(input: &Input<'_>) -> Result<Plan, ConvertError> {
    let manifests = input.manifests;
    // A few texts under way are enough to keep both sides busy, however large they are.
    let (to_check, texts) = sync_channel(4);
    std::thread::scope(|scope| {
        let checker = scope.spawn(move || check_manifests(manifests, &texts));
        let planned = Planner::new(input, to_check).run();
        match checker.join().map_err(|_| ConvertError::Worker)? {
            // The manifest is why the planner found nobody listening.
            Err(damaged) => Err(damaged.into()),
            Ok(()) => planned,
        }
    })
}

fn check_manifests(manifests: &Revlog, texts: &Receiver<(Rev, Text)>) -> Result<(), RevlogError> {
    texts.iter().try_for_each(|(rev, text)| check_node(manifests, rev, &text))
}

struct Planner<'p> {
    input: &'p Input<'p>,
    manifests: RevlogReader<'p>,
    to_check: SyncSender<(Rev, Text)>,
    plan: Plan,
    path_numbers: HashMap<RepoPathBuf, u32>,
    /// Why a path has no place in Git whatever it is, by number.
    forbidden: Vec<Option<Forbidden>>,
    file_numbers: HashMap<(u32, Node), u32>,
    /// The manifest nodes of changesets in this run.
    manifest_of: HashMap<Rev, Node>,
    /// Manifests in which some path is a file and a directory at once.
    clashing: HashSet<Node>,
    /// Manifests of earlier runs that were looked at for that.
    looked_at: HashSet<Node>,
}

impl<'p> Planner<'p> {
    fn new(input: &'p Input<'p>, to_check: SyncSender<(Rev, Text)>) -> Self {
        Self {
            input,
            manifests: input.manifests.reader(),
            to_check,
            plan: Plan::default(),
            path_numbers: HashMap::new(),
            forbidden: Vec::new(),
            file_numbers: HashMap::new(),
            manifest_of: HashMap::new(),
            clashing: HashSet::new(),
            looked_at: HashSet::new(),
        }
    }

    fn run(mut self) -> Result<Plan, ConvertError> {
        let input = self.input;
        let mut changesets = input.changelog.reader();
        for &rev in input.changesets {
            input.interrupt.check()?;
            let manifest = changesets.changeset(rev)?.manifest;
            let base = match input.changelog.dag().parents(rev).next() {
                None => None,
                Some(base) => Some((
                    base,
                    match self.manifest_of.get(&base) {
                        Some(node) => *node,
                        None => changesets.changeset(base)?.manifest,
                    },
                )),
            };
            self.manifest_of.insert(rev, manifest);
            self.plan_tree(rev, manifest, base)?;
            input.progress.advance(1);
        }
        Ok(self.plan)
    }

    /// The text of a manifest, on its way to be checked.
    fn manifest_text(
        &mut self,
        node: Node,
        changeset: Rev,
    ) -> Result<(Option<Rev>, Text), ConvertError> {
        if node.is_null() {
            return Ok((None, Text::default()));
        }
        let rev = self.manifests.revlog().rev(node).ok_or_else(|| ConvertError::NoManifest {
            manifest: node,
            changeset: self.input.changelog.node(changeset),
        })?;
        Ok((Some(rev), self.manifests.unchecked_text(rev)?))
    }

    fn plan_tree(
        &mut self,
        changeset: Rev,
        manifest: Node,
        base: Option<(Rev, Node)>,
    ) -> Result<(), ConvertError> {
        let old = match base {
            Some((base, node)) => self.base_text(base, node)?,
            None => Text::default(),
        };
        let (rev, new) = self.manifest_text(manifest, changeset)?;
        if let Some(rev) = rev {
            // If nobody listens, a manifest is damaged, and the checker says which.
            self.to_check.send((rev, new.clone())).map_err(|_| ConvertError::Worker)?;
        }
        let start = self.plan.edits.len();
        let base_clashes = base.is_some_and(|(_, node)| self.clashing.contains(&node));
        let changes = self.changes(changeset, rev, &old, &new)?;
        let look = base_clashes || may_clash(&changes, Manifest::new(&new));
        let hidden = Hidden {
            before: if base_clashes { clashes(&old) } else { Vec::new() },
            after: if look { clashes(&new) } else { Vec::new() },
        };
        if hidden.is_empty() {
            for change in changes {
                self.edit(changeset, change);
            }
        } else {
            self.edit_around(changeset, &changes, &old, &new, &hidden);
        }
        if !hidden.after.is_empty() {
            self.clashing.insert(manifest);
        }
        let base = base.map(|(base, _)| base);
        self.plan.trees.push(TreePlan { base, edits: self.plan.edits.len() - start });
        Ok(())
    }

    /// The text of the manifest that a changeset's is compared with. One of an earlier run is
    /// looked at as a whole, once: its tree must not have lost what a clash hides.
    fn base_text(&mut self, base: Rev, node: Node) -> Result<Text, ConvertError> {
        let (rev, text) = self.manifest_text(node, base)?;
        if !self.manifest_of.contains_key(&base) && self.looked_at.insert(node) {
            if let Some(rev) = rev {
                check_node(self.input.manifests, rev, &text)?;
            }
            if !clashes(&text).is_empty() {
                self.clashing.insert(node);
            }
        }
        Ok(text)
    }

    /// What differs between the manifests of a changeset and its base.
    fn changes<'m>(
        &self,
        changeset: Rev,
        rev: Option<Rev>,
        old: &'m [u8],
        new: &'m [u8],
    ) -> Result<Vec<Change<'m>>, ConvertError> {
        let mut changes = Vec::new();
        diff(old, new, |change| changes.push(change)).map_err(|what| match rev {
            Some(rev) => ConvertError::History(self.input.manifests.malformed(rev, what)),
            None => ConvertError::NoManifest {
                manifest: Node::NULL,
                changeset: self.input.changelog.node(changeset),
            },
        })?;
        Ok(changes)
    }

    /// Plans the changes of a tree that lacks the files in `hidden.before` and must lack those in
    /// `hidden.after`.
    fn edit_around(
        &mut self,
        changeset: Rev,
        changes: &[Change<'_>],
        old: &[u8],
        new: &[u8],
        hidden: &Hidden<'_>,
    ) {
        let start = self.plan.edits.len();
        for &change in changes {
            let is_hidden = hidden.after.binary_search(&change.path()).is_ok();
            self.edit(changeset, if is_hidden { Change::Removed(change.path()) } else { change });
        }
        // Lines that did not change, and yet a place is taken or free now.
        let only = |these: &[&'_ RepoPath], those: &[&'_ RepoPath]| {
            let mut only = these.to_vec();
            only.retain(|path| those.binary_search(path).is_err());
            only.into_iter().map(RepoPath::to_owned).collect::<Vec<RepoPathBuf>>()
        };
        for path in only(&hidden.before, &hidden.after) {
            if let Some(line) = Manifest::new(new).file(path.as_ref()) {
                self.edit(changeset, Change::Added(line));
            }
        }
        let node = self.input.changelog.node(changeset);
        for path in only(&hidden.after, &hidden.before) {
            self.plan.left_out.add(path.as_ref(), "is a directory too", node);
            if Manifest::new(old).has_file(path.as_ref()) {
                self.edit(changeset, Change::Removed(path.as_ref()));
            }
        }
        let Plan { paths, edits, .. } = &mut self.plan;
        let mut mine = edits.split_off(start);
        mine.sort_by_key(|edit| paths.get(edit.path as usize));
        mine.dedup_by_key(|edit| edit.path);
        edits.append(&mut mine);
    }

    /// Adds one edit to the plan, unless Git has no place for its path.
    fn edit(&mut self, changeset: Rev, change: Change<'_>) {
        let path = change.path();
        let number = self.path_number(path);
        let forbidden = self.forbidden.get(number as usize).copied().flatten();
        let file = match change {
            Change::Removed(_) => None,
            Change::Added(line) | Change::Modified(line) => {
                let mode = mode(line.kind);
                let name = components(path).last().unwrap_or_default();
                match forbidden.or_else(|| self::forbidden(name, mode)) {
                    None => Some((mode, self.file_number(changeset, number, line))),
                    Some(why) => {
                        let node = self.input.changelog.node(changeset);
                        self.plan.left_out.add(path, why.reason(), node);
                        None
                    }
                }
            }
        };
        if forbidden.is_none() {
            self.plan.edits.push(PlannedEdit { path: number, file });
        }
    }

    fn path_number(&mut self, path: &RepoPath) -> u32 {
        if let Some(number) = self.path_numbers.get(path) {
            return *number;
        }
        // Each path takes more than a byte of memory, so there are fewer than fit.
        let number = u32::try_from(self.plan.paths.len()).unwrap_or(u32::MAX);
        self.path_numbers.insert(path.to_owned(), number);
        self.plan.paths.push(path.to_owned());
        self.forbidden.push(forbidden_path(path));
        number
    }

    fn file_number(&mut self, changeset: Rev, path: u32, line: Line<'_>) -> u32 {
        let files = &mut self.plan.files;
        *self.file_numbers.entry((path, line.node)).or_insert_with(|| {
            files.push(WantedFile { path, node: line.node, changeset });
            u32::try_from(files.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

/// The files of two manifests whose places are taken: a path that is a file and a directory stays a
/// directory, which holds more. Each list is in path order.
struct Hidden<'m> {
    /// Those of the manifest that a changeset's is compared with.
    before: Vec<&'m RepoPath>,
    /// Those of the changeset's manifest.
    after: Vec<&'m RepoPath>,
}

impl Hidden<'_> {
    fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }
}

/// The files of a manifest whose path is a directory too, in a tree without what Git forbids.
fn clashes(manifest: &[u8]) -> Vec<&RepoPath> {
    Manifest::new(manifest).clashes(|line| {
        let name = components(line.path).last().unwrap_or_default();
        forbidden_path(line.path).is_none() && forbidden(name, mode(line.kind)).is_none()
    })
}

/// Up to so many directories are looked up one by one; then looking at each line is cheaper.
const MANY_LOOKUPS: usize = 1000;

/// Whether a manifest may have a clash that its base has not: one that `changes` made.
fn may_clash(changes: &[Change<'_>], new: Manifest<'_>) -> bool {
    let added = || changes.iter().filter(|change| matches!(change, Change::Added(_)));
    let mut lookups = added().flat_map(|change| components(change.path()));
    lookups.nth(MANY_LOOKUPS).is_some() || added().any(|change| new.clashes_at(change.path()))
}

fn mode(kind: FileKind) -> Mode {
    match kind {
        FileKind::Regular => Mode::Regular,
        FileKind::Executable => Mode::Executable,
        FileKind::Symlink => Mode::Symlink,
    }
}
