//! Some changesets against their commits, at a cost that grows with what they changed.
//!
//! What differs between the manifests of a changeset and its first parent must be what differs
//! between the trees of their commits. Where the parent's tree is known to be right, so is the
//! changeset's then; where it is not, its whole manifest is compared with its whole tree.

mod files;
mod touched;
mod tree_diff;

use std::collections::{HashMap, HashSet};

use bstr::ByteSlice;

use super::comparison::commit_differs;
use super::{Difference, TreeFile, VerifyError};
use crate::base::{Cause, HasFault, Interrupt, Limits, Progress, RepoPathBuf, Stage};
use crate::convert::ConvertError;
use crate::convert::Rules;
use crate::convert::damage::FileProblem;
use crate::convert::identity::{CopiedFile, Facts, History};
use crate::convert::placeholder::Placeholders;
use crate::convert::submodules::{Earlier, Overlay, SubmoduleHistory};
use crate::git::pack::{ObjectReader, ReadError};
use crate::git::{BareRepository, ObjectId, ObjectKind};
use crate::hg::manifest::ManifestReader;
use crate::hg::revlog::{RevlogError, Text};
use crate::hg::{Changeset, Node, Repository, Rev};
use files::Contents;
use touched::{Touched, Wanted};
use tree_diff::Trees;

/// What to verify, and what to believe.
#[derive(Clone, Copy)]
pub struct Chosen<'c> {
    /// The source.
    pub source: &'c Repository,
    /// The repository with the commits.
    pub git: &'c BareRepository,
    /// What decides commits.
    pub rules: &'c Rules,
    /// The commit of each changeset.
    pub commit_of: &'c dyn Fn(Node) -> Option<ObjectId>,
    /// Whether the commit of a changeset is another tool's. Nothing is known of its tree, and that
    /// of a child is judged by itself.
    pub is_adopted: &'c dyn Fn(Node) -> bool,
    /// The placeholders that it has.
    pub placeholders: &'c Placeholders,
    /// The changesets to verify, in revision order.
    pub changesets: &'c [Rev],
    /// Whether the trees of all other changesets are known to be right.
    pub trusts_others: bool,
    /// Whether a blob or a commit is there, with contents that hash to its id.
    pub is_sound: &'c dyn Fn(ObjectId) -> bool,
    /// Hears how far we are.
    pub progress: &'c dyn Progress,
    /// Bounds of what is read.
    pub limits: &'c Limits,
    /// Asks us to stop.
    pub interrupt: &'c Interrupt,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What differs: the first of it, if there is very much.
    pub differences: Vec<Difference>,
    /// How much more there is.
    pub more: usize,
    /// Whether some of it is that the source or the repository cannot be read.
    pub unreadable: bool,
}

/// The most differences that are listed; the rest is counted.
const MAX_DIFFERENCES: usize = 100;

impl Findings {
    fn add(&mut self, difference: Difference) {
        self.unreadable |= difference.is_unreadable();
        match self.differences.len() < MAX_DIFFERENCES {
            true => self.differences.push(difference),
            false => self.more += 1,
        }
    }

    /// Adds that something cannot be read.
    pub fn unreadable(&mut self, error: &dyn HasFault) {
        self.add(Difference::Unreadable { cause: Cause::of(error) });
    }

    fn cannot_read(&mut self, changeset: Node, error: &dyn HasFault) {
        self.add(Difference::ChangesetUnreadable { changeset, cause: Cause::of(error) });
    }
}

/// Compares the chosen changesets with their commits.
pub fn verify_changesets(chosen: &Chosen<'_>) -> Result<Findings, VerifyError> {
    let mut findings = Findings::default();
    let count = Some(chosen.changesets.len() as u64);
    chosen.progress.begin(Stage::VerifyingManifests, count);
    let (wanted, plans) = touched::touched(chosen, &mut findings)?;
    chosen.progress.end();
    let contents = files::read(chosen, &wanted)?;
    chosen.progress.begin(Stage::VerifyingCommits, count);
    let objects = match chosen.git.object_reader(chosen.limits) {
        Ok(objects) => objects,
        Err(error) => {
            findings.unreadable(&error);
            return Ok(findings);
        }
    };
    let mut verifier = Verifier {
        chosen,
        wanted: &wanted,
        contents,
        objects,
        trees: Trees::default(),
        history: History::new(chosen.source.changelog()),
        sound: HashSet::new(),
        submodules: SubmoduleHistory::new(
            chosen.rules.identity,
            chosen.source,
            chosen.placeholders,
        ),
        manifests: chosen.source.manifests().reader(),
        tree_of: HashMap::new(),
        findings,
    };
    for (&rev, touched) in chosen.changesets.iter().zip(&plans) {
        chosen.interrupt.check()?;
        if let Some(touched) = touched {
            verifier.changeset(rev, touched);
        }
        chosen.progress.advance(1);
    }
    chosen.progress.end();
    Ok(verifier.findings)
}

impl Chosen<'_> {
    fn node(&self, rev: Rev) -> Node {
        self.source.changelog().node(rev)
    }
}

struct Verifier<'v> {
    chosen: &'v Chosen<'v>,
    wanted: &'v Wanted<'v>,
    contents: Vec<Contents>,
    /// What the repository has.
    objects: ObjectReader,
    trees: Trees,
    history: History<'v>,
    /// The blobs and commits that were asked for and are sound.
    sound: HashSet<ObjectId>,
    submodules: Option<SubmoduleHistory<'v>>,
    manifests: ManifestReader<'v>,
    /// The trees of commits that were looked at.
    tree_of: HashMap<ObjectId, ObjectId>,
    findings: Findings,
}

impl Verifier<'_> {
    fn changeset(&mut self, rev: Rev, touched: &Touched) {
        let node = self.chosen.node(rev);
        let Some(commit) = (self.chosen.commit_of)(node) else {
            return self.findings.add(Difference::CommitMissing { changeset: node, commit: None });
        };
        match self.objects.read(commit) {
            Ok(Some((ObjectKind::Commit, bytes))) => match tree_in(&bytes) {
                Some(tree) => {
                    self.tree_of.insert(commit, tree);
                    if let Err(error) = self.commit(rev, node, touched, (tree, &bytes)) {
                        self.findings.cannot_read(node, &error);
                    }
                    match self.overlays(rev, touched.base) {
                        Ok(overlays) => self.tree(node, touched, tree, overlays),
                        Err(error) => self.findings.cannot_read(node, &error),
                    }
                }
                None => self.findings.add(Difference::TreeNotNamed { changeset: node, commit }),
            },
            Ok(_) => self.findings.add(Difference::CommitNotThere { changeset: node, commit }),
            Err(error) => self.findings.cannot_read(node, &error),
        }
    }

    /// Compares everything in a commit but its tree with what the changeset must become.
    fn commit(
        &mut self,
        rev: Rev,
        node: Node,
        touched: &Touched,
        (tree, bytes): (ObjectId, &[u8]),
    ) -> Result<(), RevlogError> {
        let identity = self.chosen.rules.identity;
        let mut changeset: Changeset = self.history.changeset(rev)?;
        changeset.user = self.chosen.rules.user(&changeset.user);
        let mut parents = Vec::new();
        for parent in identity.parents(rev, &changeset, &mut self.history)? {
            let parent = self.chosen.node(parent);
            if let Some(commit) = (self.chosen.commit_of)(parent) {
                parents.push(commit);
                if !self.is_sound(commit) {
                    self.findings.add(Difference::CommitNotThere { changeset: parent, commit });
                }
            } else {
                self.findings.add(Difference::ParentWithoutCommit { changeset: node, parent });
            }
        }
        let copies: Vec<_> = touched.introduced.iter().filter_map(|f| self.copy(*f)).collect();
        let facts = Facts { node, changeset: &changeset, tree, parents: &parents, copies: &copies };
        let expected = identity.commit(&facts).to_bytes();
        if expected != bytes {
            let commit = ObjectId::of(ObjectKind::Commit, bytes);
            self.findings.add(commit_differs(node, commit, bytes, &expected));
        }
        Ok(())
    }

    fn copy(&self, file: u32) -> Option<CopiedFile> {
        let from = self.contents.get(file as usize)?.copied_from.clone()?;
        let to = self.wanted.file_path(file)?.clone();
        Some(CopiedFile { to, from })
    }

    /// Compares what differs between two trees with what a changeset touched.
    fn tree(
        &mut self,
        node: Node,
        touched: &Touched,
        tree: ObjectId,
        [before, after]: [Overlay; 2],
    ) {
        let base = match touched.base.map(|base| self.base_tree(node, base)).transpose() {
            Ok(base) => base,
            Err(difference) => return self.findings.add(difference),
        };
        let mut differing = match self.trees.differences(&mut self.objects, base, tree) {
            Ok(differing) => differing,
            Err((tree, problem)) => {
                let changeset = node;
                return self.findings.add(Difference::TreeUnreadable { changeset, tree, problem });
            }
        };
        self.submodules_at(node, tree, &after);
        let overlaid = |path: &RepoPathBuf| before.contains_key(path) || after.contains_key(path);
        differing.retain(|path, _| !overlaid(path));
        for (place, file) in &touched.places {
            let Some(path) = self.wanted.path(*place).filter(|p| !overlaid(p)) else { continue };
            let expected = match file.map(|(mode, file)| (mode, self.contents.get(file as usize))) {
                None => None,
                Some((mode, Some(Contents { blob: Ok(id), .. }))) => {
                    Some(TreeFile { mode, id: *id })
                }
                Some((_, contents)) => {
                    let problem = contents.and_then(|c| c.blob.as_ref().err());
                    self.findings.add(Difference::FileUnreadable {
                        changeset: node,
                        path: path.clone(),
                        problem: problem.cloned().unwrap_or(FileProblem::Missing),
                    });
                    differing.remove(path);
                    continue;
                }
            };
            let actual = match differing.remove(path) {
                Some(actual) => actual,
                None => self.trees.find(&mut self.objects, tree, path.as_bstr()).unwrap_or(None),
            };
            if actual != expected {
                self.findings.add(Difference::FileDiffers {
                    changeset: node,
                    path: path.clone(),
                    has: actual,
                    wants: expected,
                });
            }
            if let Some(leaf) = expected {
                self.check_blob(node, path, leaf.id);
            }
        }
        for (path, has) in differing {
            self.findings.add(Difference::FileNotChanged { changeset: node, path, has });
        }
    }

    /// Compares the submodules that a changeset must have with what its tree has.
    fn submodules_at(&mut self, node: Node, tree: ObjectId, overlay: &Overlay) {
        for (path, expected) in overlay {
            let entry = self.trees.entry(&mut self.objects, tree, path.as_bstr());
            if entry.as_ref() != Ok(expected) {
                let path = path.clone();
                self.findings.add(Difference::SubmoduleDiffers { changeset: node, path });
            }
        }
    }

    /// The submodules of the base of a changeset, and its own.
    fn overlays(&mut self, rev: Rev, base: Option<Rev>) -> Result<[Overlay; 2], ConvertError> {
        let Some(history) = &mut self.submodules else { return Ok(Default::default()) };
        let chosen = self.chosen;
        let earlier = &mut |rev| {
            let Some(commit) = (chosen.commit_of)(chosen.node(rev)) else { return Ok(None) };
            let changeset = chosen.source.changelog().reader().changeset(rev)?;
            let manifest = manifest_text(&mut chosen.source.manifests().reader(), &changeset)?;
            Ok(Some(Earlier { changeset, manifest, commit, objects: chosen.git }))
        };
        let mut overlays = [Overlay::new(), Overlay::new()];
        if let Some(base) = base {
            let manifest = manifest_text(&mut self.manifests, &self.history.changeset(base)?)?;
            overlays[0] = history.overlay(base, &manifest, earlier)?.0;
        }
        let changeset = self.history.changeset(rev)?;
        let manifest = manifest_text(&mut self.manifests, &changeset)?;
        history.add(rev, &changeset, &manifest, earlier)?;
        overlays[1] = history.overlay(rev, &manifest, earlier)?.0;
        for lost in history.take_lost().into_iter().filter(|lost| !lost.flaw.is_stood_for()) {
            self.findings.add(Difference::FileUnreadable {
                changeset: chosen.node(rev),
                path: lost.path.clone(),
                problem: lost.flaw.problem.clone(),
            });
        }
        Ok(overlays)
    }

    fn check_blob(&mut self, node: Node, path: &RepoPathBuf, id: ObjectId) {
        if !self.is_sound(id) {
            let (path, blob) = (path.clone(), id);
            self.findings.add(Difference::BlobMissing { changeset: node, path, blob });
        }
    }

    /// Whether an object is there and sound; each is asked for once.
    fn is_sound(&mut self, id: ObjectId) -> bool {
        let is_sound = self.sound.contains(&id) || (self.chosen.is_sound)(id);
        if is_sound {
            self.sound.insert(id);
        }
        is_sound
    }

    /// The tree of the commit of `base`, which `changeset` is compared with.
    fn base_tree(&mut self, changeset: Node, base: Rev) -> Result<ObjectId, Difference> {
        let parent = self.chosen.node(base);
        let commit = (self.chosen.commit_of)(parent)
            .ok_or(Difference::ParentWithoutCommit { changeset, parent })?;
        if let Some(tree) = self.tree_of.get(&commit) {
            return Ok(*tree);
        }
        let unreadable = |cause| Difference::ChangesetUnreadable { changeset, cause };
        let read = self.objects.read(commit);
        let read = read.map_err(|error: ReadError| unreadable(Cause::of(&error)))?;
        let named = read.filter(|(kind, _)| *kind == ObjectKind::Commit);
        let named = named.and_then(|(_, bytes)| tree_in(&bytes));
        let missing = Difference::CommitNotThere { changeset: parent, commit };
        let tree = named.ok_or(missing)?;
        self.tree_of.insert(commit, tree);
        Ok(tree)
    }
}

/// The text of a changeset's manifest, which was checked before.
fn manifest_text(
    manifests: &mut ManifestReader<'_>,
    changeset: &Changeset,
) -> Result<Text, RevlogError> {
    let rev = manifests.rev(changeset.manifest);
    rev.map_or(Ok(Text::default()), |rev| manifests.unchecked_text(rev))
}

/// The tree that a commit names.
fn tree_in(commit: &[u8]) -> Option<ObjectId> {
    ObjectId::from_hex(commit.strip_prefix(b"tree ")?.get(..40)?)
}
