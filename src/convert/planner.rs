//! Makes the plan of a run: compares manifests, and says what each changeset's changes in the tree of
//! its parent.

mod introduced;
mod submodules;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::mpsc::IntoIter;

use super::ConvertError;
use super::clashes::{Hidden, clashes, may_clash};
use super::input::Input;
use super::left_out::LeftOutReason;
use super::places::{Places, Spot, mode};
use super::plan::{Plan, Planned, PlannedEdit, TreePlan, WantedFile};
use super::submodules::SubmoduleHistory;
use crate::base::pipeline::{Batches, Weight, run_pipeline};
use crate::base::{RepoPath, RepoPathBuf};
use crate::git::tree::{Mode, TreeSource};
use crate::hg::manifest::{Change, Manifest, ManifestReader, diff};
use crate::hg::revlog::Text;
use crate::hg::{Changeset, Node, Rev};

/// After so few changesets, what is read next are mostly the manifests that were read last.
const FEW: usize = 64;

/// Makes the plan for the changesets of `input`, which come in revision order, or for the first of
/// them. Every manifest that
/// is used is checked against its node, on a thread of its own.
pub(super) fn plan(input: &Input<'_>, existing: &dyn TreeSource) -> Result<Plan, ConvertError> {
    let manifests = input.manifests;
    let check = |batches: IntoIter<Vec<ToCheck>>| {
        for batch in batches {
            let texts: Vec<_> = batch.into_iter().flat_map(|ToCheck(texts)| texts).collect();
            manifests.check_all(&texts)?;
        }
        Ok(())
    };
    // A damaged manifest is why the planner finds nobody listening.
    let make = |to_check: &mut Batches<ToCheck>| Planner::new(input, existing, to_check).run();
    let (plan, last) = run_pipeline(BATCH_BYTES, check, make)?;
    if input.changesets.len() <= FEW {
        manifests.keep(last);
    }
    Ok(plan)
}

/// How many bytes of manifests are checked at a time.
const BATCH_BYTES: usize = 512 << 10;

/// The texts of the manifests of a changeset that are to be checked.
struct ToCheck(Vec<(Rev, Text)>);

impl Weight for ToCheck {
    fn bytes(&self) -> usize {
        self.0.iter().map(|(_, text)| text.len()).sum()
    }
}

struct Planner<'p> {
    input: &'p Input<'p>,
    manifests: ManifestReader<'p>,
    to_check: &'p mut Batches<ToCheck>,
    plan: Plan,
    places: Places,
    file_numbers: HashMap<(u32, Node), u32>,
    /// The manifest nodes of changesets in this run.
    manifest_of: HashMap<Rev, Node>,
    /// Manifests in which some path is a file and a directory at once.
    clashing: HashSet<Node>,
    /// Manifests of earlier runs that were looked at for that.
    looked_at: HashSet<Node>,
    existing: &'p dyn TreeSource,
    /// For identities that make submodules.
    submodules: Option<SubmoduleHistory<'p>>,
    /// The manifest of the last changeset and that of its base, each checked or on its way to be.
    last: Vec<(Rev, Text)>,
}

impl<'p> Planner<'p> {
    fn new(
        input: &'p Input<'p>,
        existing: &'p dyn TreeSource,
        to_check: &'p mut Batches<ToCheck>,
    ) -> Self {
        Self {
            input,
            manifests: input.manifests.reader(),
            to_check,
            plan: Plan::default(),
            places: Places::new(input.rules.identity),
            file_numbers: HashMap::new(),
            manifest_of: HashMap::new(),
            clashing: HashSet::new(),
            looked_at: HashSet::new(),
            existing,
            submodules: SubmoduleHistory::new(
                input.rules.identity,
                input.filelogs,
                input.placeholders,
            ),
            last: Vec::new(),
        }
    }

    fn run(mut self) -> Result<(Plan, Vec<(Rev, Text)>), ConvertError> {
        let input = self.input;
        let mut changesets = input.changelog.reader();
        for &rev in input.changesets {
            input.interrupt.check()?;
            let changeset = changesets.changeset(rev)?;
            let mut parents = Vec::with_capacity(2);
            for parent in input.changelog.dag().parents(rev) {
                let manifest = match self.manifest_of.get(&parent) {
                    Some(node) => *node,
                    None => changesets.changeset(parent)?.manifest,
                };
                parents.push((parent, manifest));
            }
            self.manifest_of.insert(rev, changeset.manifest);
            self.plan_tree(rev, &changeset, &parents)?;
            input.progress.advance(1);
            if self.plan.edits.len() >= input.most_edits {
                break;
            }
        }
        self.plan.paths = self.places.into_paths();
        Ok((self.plan, self.last))
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
        let rev = self.input.manifests.rev_of(node, changeset);
        let rev = rev.ok_or_else(|| ConvertError::NoManifest {
            manifest: node,
            changeset: self.input.changelog.node(changeset),
        })?;
        Ok((Some(rev), self.manifests.unchecked_text(rev)?))
    }

    /// Plans the tree of `rev`, whose parents have these manifests.
    fn plan_tree(
        &mut self,
        rev: Rev,
        changeset: &Changeset,
        parents: &[(Rev, Node)],
    ) -> Result<(), ConvertError> {
        let base = parents.first().copied();
        self.last.clear();
        let mut unchecked = Vec::new();
        let old = match base {
            Some((base, node)) => self.base_text(base, node, &mut unchecked)?,
            None => Text::default(),
        };
        let (manifest, new) = self.manifest_text(changeset.manifest, rev)?;
        unchecked.extend(manifest.map(|manifest| (manifest, new.clone())));
        self.last.extend(manifest.map(|manifest| (manifest, new.clone())));
        // If nobody listens, a manifest is damaged, and the checker says which.
        self.to_check.add(ToCheck(unchecked)).map_err(|_| ConvertError::Worker)?;
        let mut delta = Delta { rev, manifest, old: &old, new: &new };
        let mut changes = self.changes(delta)?;
        let first_introduced = self.plan.introduced.len();
        self.introduced(&changes, delta, changeset, parents.get(1))?;
        if let Some(listed) = self.listed(changeset, base.is_none()) {
            changes.retain(|change| listed.contains(change.path()));
        }
        // The tree that another tool made of the parent's manifest is not ours to go on from.
        let is_adopted = |rev| self.input.map.is_adopted(self.input.changelog.node(rev));
        let base = base.filter(|(base, _)| !is_adopted(*base));
        if base.is_none() && !parents.is_empty() {
            delta.old = &[];
            changes = self.changes(delta)?;
        }
        let overlays = self.overlays(delta, changeset, base.map(|(base, _)| base))?;
        changes.retain(|change| !overlays.after.contains_key(change.path()));
        let base_clashes = base.is_some_and(|(_, node)| self.clashing.contains(&node));
        let look = base_clashes || may_clash(&changes, Manifest::new(&new));
        let identity = self.input.rules.identity;
        let hidden = Hidden {
            before: if base_clashes { clashes(identity, &old) } else { Vec::new() },
            after: if look { clashes(identity, &new) } else { Vec::new() },
        };
        let start = self.plan.edits.len();
        if hidden.is_empty() {
            for change in changes {
                self.edit(rev, change);
            }
        } else {
            self.edit_around(delta, &changes, &hidden);
        }
        self.edit_overlays(rev, &new, overlays);
        if !hidden.after.is_empty() {
            self.clashing.insert(changeset.manifest);
        }
        let (base, edits) = (base.map(|(base, _)| base), self.settle(start));
        let introduced = self.plan.introduced.len() - first_introduced;
        self.plan.trees.push(TreePlan { base, edits, introduced });
        Ok(())
    }

    /// The paths that a changeset's tree is confined to: what it lists itself, if it is a root and
    /// the identity goes by that.
    fn listed<'c>(&self, changeset: &'c Changeset, root: bool) -> Option<HashSet<&'c RepoPath>> {
        let confined = root && self.input.rules.identity.trusts_lists_of_roots();
        confined.then(|| changeset.files.iter().map(AsRef::as_ref).collect())
    }

    /// Brings the edits from `start` on into order if clashes, or places other than the files' own,
    /// disturbed it: of two edits of one path, the later one holds. Returns how many there are.
    fn settle(&mut self, start: usize) -> usize {
        let Plan { edits, .. } = &mut self.plan;
        let edited = edits.get(start..).unwrap_or_default();
        let path = |edit: &PlannedEdit| self.places.path(edit.path);
        if !edited.is_sorted_by(|a, b| path(a) < path(b)) {
            let mut last: BTreeMap<&RepoPathBuf, PlannedEdit> = BTreeMap::new();
            // Removals come first: what another path leaves behind may be taken by this one.
            let (gone, come): (Vec<_>, Vec<_>) =
                edited.iter().partition(|edit| edit.entry.is_none());
            for edit in gone.into_iter().chain(come) {
                if let Some(path) = path(edit) {
                    last.insert(path, *edit);
                }
            }
            let last: Vec<_> = last.into_values().collect();
            edits.truncate(start);
            edits.extend(last);
        }
        edits.len() - start
    }

    /// The text of the manifest that a changeset's is compared with. One of an earlier run is added to what is
    /// `unchecked`, and looked at as a whole, once: its tree must not have lost what a clash hides.
    fn base_text(
        &mut self,
        base: Rev,
        node: Node,
        unchecked: &mut Vec<(Rev, Text)>,
    ) -> Result<Text, ConvertError> {
        let (rev, text) = self.manifest_text(node, base)?;
        if !self.manifest_of.contains_key(&base) && self.looked_at.insert(node) {
            unchecked.extend(rev.map(|rev| (rev, text.clone())));
            if !clashes(self.input.rules.identity, &text).is_empty() {
                self.clashing.insert(node);
            }
        }
        self.last.extend(rev.map(|rev| (rev, text.clone())));
        Ok(text)
    }

    /// What differs between the manifests of a changeset and its base.
    fn changes<'m>(&self, delta: Delta<'m>) -> Result<Vec<Change<'m>>, ConvertError> {
        let Delta { rev, manifest, old, new } = delta;
        let mut changes = Vec::new();
        diff(old, new, |change| changes.push(change)).map_err(|what| match manifest {
            Some(manifest) => ConvertError::History(self.input.manifests.malformed(manifest, what)),
            None => ConvertError::NoManifest {
                manifest: Node::NULL,
                changeset: self.input.changelog.node(rev),
            },
        })?;
        Ok(changes)
    }

    /// Plans the changes of a tree that lacks the files in `hidden.before` and must lack those in
    /// `hidden.after`.
    fn edit_around(&mut self, delta: Delta<'_>, changes: &[Change<'_>], hidden: &Hidden<'_>) {
        let Delta { rev, old, new, .. } = delta;
        for &change in changes {
            let is_hidden = hidden.after.binary_search(&change.path()).is_ok();
            self.edit(rev, if is_hidden { Change::Removed(change.path()) } else { change });
        }
        // Lines that did not change, and yet a place is taken or free now.
        for path in hidden.freed() {
            if let Some(line) = Manifest::new(new).file(path) {
                self.edit(rev, Change::Added(line));
            }
        }
        let node = self.input.changelog.node(rev);
        for path in hidden.taken() {
            self.plan.left_out.add(path, LeftOutReason::IsDirectory, node);
            if Manifest::new(old).has_file(path) {
                self.edit(rev, Change::Removed(path));
            }
        }
    }

    /// Adds one edit to the plan, unless the identity has no place for its path.
    fn edit(&mut self, rev: Rev, change: Change<'_>) {
        let path = change.path();
        let number = self.places.number(path);
        let plain = self.places.spot(path, number, Mode::Regular);
        let entry = match change {
            Change::Removed(_) => None,
            Change::Added(line) | Change::Modified(line) => {
                let mode = mode(line.kind);
                match self.places.spot(path, number, mode) {
                    Spot::At(_) => {
                        Some((mode, Planned::File(self.wanted_file(rev, number, line.node, true))))
                    }
                    Spot::Nowhere => None,
                    Spot::LeftOut(why) => {
                        let node = self.input.changelog.node(rev);
                        self.plan.left_out.add(path, why, node);
                        None
                    }
                }
            }
        };
        if let Spot::At(path) = plain {
            self.plan.edits.push(PlannedEdit { path, entry });
        }
    }

    /// The number of a file revision, which is wanted from now on.
    fn wanted_file(&mut self, changeset: Rev, path: u32, node: Node, in_tree: bool) -> u32 {
        let files = &mut self.plan.files;
        let number = *self.file_numbers.entry((path, node)).or_insert_with(|| {
            files.push(WantedFile { path, node, changeset, in_tree });
            u32::try_from(files.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(file) = files.get_mut(number as usize) {
            file.in_tree |= in_tree;
        }
        number
    }
}

/// What leads from one manifest to the next.
#[derive(Clone, Copy)]
struct Delta<'d> {
    /// The changeset that the next one is of.
    rev: Rev,
    /// Its revision; `None` for the empty one.
    manifest: Option<Rev>,
    /// The text of the one before.
    old: &'d [u8],
    /// Its text.
    new: &'d [u8],
}
