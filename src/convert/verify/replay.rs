//! Trees that a manifest alone does not tell: those of identities under which a tree is what its
//! parent's became, where a file is elsewhere than in the manifest, or a root has not all files.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::files::Blobs;
use super::trees::{Entry, hash_entries, mode};
use super::{Context, Differences};
use crate::base::{RepoPath, RepoPathBuf};
use crate::convert::identity::Place;
use crate::convert::submodules::Overlay;
use crate::git::tree::Mode;
use crate::git::{ObjectId, ObjectKind};
use crate::hg::manifest::{Change, Line, Manifest, diff};
use crate::hg::revlog::RevlogError;
use crate::hg::{Changeset, Rev};

/// All files of a tree.
type Files = BTreeMap<RepoPathBuf, (Mode, ObjectId)>;

/// Goes through the history once more, tree by tree.
pub(super) struct Replay<'c> {
    context: &'c Context<'c>,
    blobs: &'c Blobs,
    /// The trees that later ones are made from, and how many are.
    trees: HashMap<Rev, (Arc<Files>, usize)>,
    /// How many changesets have each as their first parent.
    children: HashMap<Rev, usize>,
}

impl<'c> Replay<'c> {
    /// A replay, if this history needs one under the identity.
    pub(super) fn if_needed(
        context: &'c Context<'c>,
        blobs: &'c Blobs,
    ) -> Result<Option<Self>, RevlogError> {
        let moved = |path: &RepoPathBuf| {
            let place = context.rules.identity.place(path.as_ref(), Mode::Regular);
            matches!(place, Place::At(_))
        };
        if !blobs.paths().any(moved) && !has_poor_root(context)? {
            return Ok(None);
        }
        let mut children = HashMap::new();
        let dag = context.source.changelog().dag();
        for parent in
            context.source.view().served().iter().filter_map(|rev| dag.parents(rev).next())
        {
            *children.entry(parent).or_insert(0) += 1;
        }
        Ok(Some(Self { context, blobs, trees: HashMap::new(), children }))
    }

    /// The tree of a changeset with the second of these manifests, whose first parent has the first
    /// one, and with these submodules over it.
    pub(super) fn tree(
        &mut self,
        rev: Rev,
        changeset: &Changeset,
        (old, new): (&[u8], &[u8]),
        overlay: &Overlay,
        differences: &mut Differences,
    ) -> ObjectId {
        let parent = self.context.source.changelog().dag().parents(rev).next();
        let mut files = parent.map(|parent| self.take(parent)).unwrap_or_default();
        let listed: Option<HashSet<&RepoPath>> = (parent.is_none()
            && self.context.rules.identity.trusts_lists_of_roots())
        .then(|| changeset.files.iter().map(AsRef::as_ref).collect());
        let (before, after) = (self.clashes(old), self.clashes(new));
        let (mut gone, mut come) = (Vec::new(), Vec::new());
        let sorted = diff(old, new, |change| match change {
            Change::Removed(path) => gone.push(path),
            Change::Added(line) | Change::Modified(line) => come.push(line),
        });
        if let Err(what) = sorted {
            let manifests = self.context.source.manifests();
            let at = manifests.rev(changeset.manifest).unwrap_or(Rev::new(0));
            differences.add_error(&manifests.malformed(at, what));
        }
        come.retain(|line| listed.as_ref().is_none_or(|listed| listed.contains(line.path)));
        // What a directory hid and hides no more is there again.
        come.extend(before.iter().filter_map(|path| Manifest::new(new).file(path)));
        for path in gone.iter().chain(&after) {
            if let Some(place) = self.place(path, Mode::Regular) {
                files.remove(&place);
            }
        }
        for line in come.into_iter().filter(|line| !after.contains(&line.path)) {
            self.put(&mut files, line, differences);
        }
        let id = hash_files(&files, overlay);
        if let Some(uses) = self.children.get(&rev) {
            self.trees.insert(rev, (Arc::new(files), *uses));
        }
        id
    }

    /// The files of a manifest whose path is a directory too, which it stays.
    fn clashes<'m>(&self, manifest: &'m [u8]) -> Vec<&'m RepoPath> {
        Manifest::new(manifest).clashes(|line| self.place(line.path, mode(line.kind)).is_some())
    }

    fn put(&self, files: &mut Files, line: Line<'_>, differences: &mut Differences) {
        let mode = mode(line.kind);
        let Some(plain) = self.place(line.path, Mode::Regular) else { return };
        if self.place(line.path, mode).is_none() {
            files.remove(&plain);
            return;
        }
        match self.blobs.id(line.path, line.node) {
            Some(id) => drop(files.insert(plain, (mode, id))),
            None => differences.add_missing(line),
        }
    }

    fn place(&self, path: &RepoPath, mode: Mode) -> Option<RepoPathBuf> {
        match self.context.rules.identity.place(path, mode) {
            Place::Same => Some(path.to_owned()),
            Place::At(path) => Some(path),
            Place::Nowhere | Place::LeftOut(_) => None,
        }
    }

    /// The files of `parent`, forgotten if no other changeset needs them.
    fn take(&mut self, parent: Rev) -> Files {
        let Some((files, uses)) = self.trees.get_mut(&parent) else { return Files::new() };
        *uses = uses.saturating_sub(1);
        if *uses > 0 {
            return Files::clone(files);
        }
        let last = self.trees.remove(&parent);
        last.map(|(files, _)| Arc::unwrap_or_clone(files)).unwrap_or_default()
    }
}

/// The tree of these files with submodules over them.
fn hash_files(files: &Files, overlay: &Overlay) -> ObjectId {
    let plain = files.iter().filter(|(path, _)| !overlay.contains_key(*path));
    let over = overlay.iter().filter_map(|(path, entry)| Some((path, entry.as_ref()?)));
    let mut entries: Vec<_> = plain
        .chain(over)
        .map(|(path, (mode, id))| Entry { name: path, mode: *mode, id: *id })
        .collect();
    entries.sort_unstable_by_key(|entry| entry.name);
    hash_entries(&entries, 0).unwrap_or_else(|| ObjectId::of(ObjectKind::Tree, b""))
}

/// Whether the identity goes by the list of files of a root, and some root lists not all it has.
fn has_poor_root(context: &Context<'_>) -> Result<bool, RevlogError> {
    if !context.rules.identity.trusts_lists_of_roots() {
        return Ok(false);
    }
    let source = context.source;
    let (mut changesets, mut manifests) =
        (source.changelog().reader(), source.manifests().reader());
    let is_root = |rev: &Rev| source.changelog().dag().parents(*rev).next().is_none();
    for rev in source.view().served().iter().filter(is_root) {
        let changeset = changesets.changeset(rev)?;
        let Some(manifest) = source.manifests().rev(changeset.manifest) else { continue };
        let text = manifests.text(manifest)?;
        let listed: HashSet<&RepoPath> = changeset.files.iter().map(AsRef::as_ref).collect();
        let lines = Manifest::new(&text).lines().map_while(Result::ok);
        if lines.into_iter().any(|line| !listed.contains(line.path)) {
            return Ok(true);
        }
    }
    Ok(false)
}
