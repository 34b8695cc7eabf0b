//! One changeset against its commit.

mod adopted;

use bstr::ByteSlice;

use super::commits::Commits;
use super::files::Blobs;
use super::replay::Replay;
use super::target::Sound;
use super::trees::TreeHasher;
use super::{Context, Difference, Differences};
use crate::base::RepoPath;
use crate::convert::ConvertError;
use crate::convert::adoption::content::{Content, ContentTrees};
use crate::convert::identity::{CopiedFile, Facts, History};
use crate::convert::submodules::{Overlay, SubmoduleHistory};
use crate::git::{ObjectId, ObjectKind};
use crate::hg::manifest::{Line, Manifest, ManifestReader};
use crate::hg::revlog::{RevlogError, Text};
use crate::hg::{Changeset, Node, Rev, RevSet};

/// Changesets against commits.
pub(super) struct Comparison<'c> {
    context: &'c Context<'c>,
    /// The commits as the target tells them, and those that had to be computed.
    pub commits: Commits,
    published: &'c RevSet,
    sound: &'c Sound,
    blobs: &'c Blobs,
    trees: TreeHasher<'c>,
    /// What changesets and commits hold, without what tools treat differently.
    contents: TreeHasher<'c>,
    content_trees: ContentTrees<'c>,
    replay: Option<Replay<'c>>,
    history: History<'c>,
    /// Reads the manifests of parents.
    manifests: ManifestReader<'c>,
    submodules: Option<SubmoduleHistory<'c>>,
}

impl<'c> Comparison<'c> {
    /// A comparison that knows these commits.
    pub(super) fn new(
        context: &'c Context<'c>,
        sound: &'c Sound,
        blobs: &'c Blobs,
        commits: Commits,
        published: &'c RevSet,
    ) -> Result<Self, RevlogError> {
        Ok(Self {
            context,
            commits,
            published,
            sound,
            blobs,
            trees: TreeHasher::new(context.rules.identity, blobs, Some(&sound.ids)),
            contents: TreeHasher::new(&Content, blobs, None),
            content_trees: ContentTrees::new(context.target),
            replay: Replay::if_needed(context, blobs)?,
            history: History::new(context.source.changelog()),
            manifests: context.source.manifests().reader(),
            submodules: SubmoduleHistory::new(
                context.rules.identity,
                context.source,
                &context.placeholders,
            ),
        })
    }

    /// Compares one changeset, whose manifest has this text, with its commit.
    pub(super) fn changeset(
        &mut self,
        rev: Rev,
        changeset: &Changeset,
        manifest: &[u8],
        differences: &mut Differences,
    ) -> Result<(), RevlogError> {
        let identity = self.context.rules.identity;
        let node = self.context.source.changelog().node(rev);
        if let Some(id) = self.context.adopted.get(&node) {
            return self.adopted(rev, changeset, manifest, *id, differences);
        }
        let tree = self.tree(rev, changeset, manifest, differences)?;
        let told = self.commits.get(&node).copied();
        let recorded = self.context.map.as_ref().and_then(|map| map.commit(node));
        let must_be_there = self.published.contains(rev) || recorded.is_some();
        if must_be_there && !self.sound.ids.contains(&tree) {
            differences.add(Difference::ObjectMissing { object: tree });
        }
        if told.is_none() && must_be_there && identity.names_changesets() {
            differences.add(Difference::CommitMissing { changeset: node, commit: None });
        }
        let parents = identity.parents(rev, changeset, &mut self.history)?;
        let commit_of = |parent| {
            let node = self.context.source.changelog().node(parent);
            self.commits.get(&node).copied().unwrap_or_default()
        };
        let parents: Vec<_> = parents.into_iter().map(commit_of).collect();
        let copies = self.copies(rev, changeset, manifest)?;
        let facts = Facts { node, changeset, tree, parents: &parents, copies: &copies };
        let expected = identity.commit(&facts).to_bytes();
        match told {
            Some(id) => self.compare(node, id, &expected, differences),
            None if identity.names_changesets() => {}
            None => {
                let id = ObjectId::of(ObjectKind::Commit, &expected);
                if self.published.contains(rev) && !self.sound.ids.contains(&id) {
                    let commit = Some(id);
                    differences.add(Difference::CommitMissing { changeset: node, commit });
                }
                self.commits.insert(node, id);
            }
        }
        Ok(())
    }

    /// Compares the commit `id` with the bytes that the one of `node` must have.
    fn compare(&self, node: Node, id: ObjectId, expected: &[u8], differences: &mut Differences) {
        match self.context.target.read(id) {
            Ok(Some((ObjectKind::Commit, contents))) if contents == expected => {}
            Ok(Some((_, contents))) => {
                differences.add(commit_differs(node, id, &contents, expected));
            }
            Ok(None) => {
                differences.add(Difference::CommitNotThere { changeset: node, commit: id });
            }
            Err(error) => differences.add_error(&error),
        }
    }

    /// The tree that the changeset must have.
    fn tree(
        &mut self,
        rev: Rev,
        changeset: &Changeset,
        manifest: &[u8],
        differences: &mut Differences,
    ) -> Result<ObjectId, RevlogError> {
        let overlay = match self.overlay(rev, changeset, manifest) {
            Ok(overlay) => overlay,
            Err(error) => {
                differences.add_error(&error);
                Overlay::new()
            }
        };
        if self.replay.is_none() {
            return Ok(self.trees.tree(manifest, &overlay, differences));
        }
        let old = match self.history.dag().parents(rev).next() {
            Some(parent) => self.manifest_of(parent)?,
            None => Text::default(),
        };
        let replay = self.replay.as_mut();
        let texts = (old.as_slice(), manifest);
        let tree = replay.map(|replay| replay.tree(rev, changeset, texts, &overlay, differences));
        Ok(tree.unwrap_or_default())
    }

    /// The submodules of a changeset, which replace files of its manifest.
    fn overlay(
        &mut self,
        rev: Rev,
        changeset: &Changeset,
        manifest: &[u8],
    ) -> Result<Overlay, ConvertError> {
        let Some(submodules) = &mut self.submodules else { return Ok(Overlay::new()) };
        // All changesets are gone through here: none is of an earlier run.
        let earlier = &mut |_| Ok(None);
        submodules.add(rev, changeset, manifest, earlier)?;
        // What is wrong with files is reported where they are read.
        drop(submodules.take_lost());
        Ok(submodules.overlay(rev, manifest, earlier)?.0)
    }

    /// The copies that the changeset made.
    fn copies(
        &mut self,
        rev: Rev,
        changeset: &Changeset,
        manifest: &[u8],
    ) -> Result<Vec<CopiedFile>, RevlogError> {
        let mut copies = Vec::new();
        if !self.context.rules.identity.records_copies() {
            return Ok(copies);
        }
        for path in &changeset.files {
            let path: &RepoPath = path.as_ref();
            let line = Manifest::new(manifest).file(path);
            let from = line.and_then(|line| self.blobs.copied_from(path, line.node));
            let (Some(line), Some(from)) = (line, from) else { continue };
            let mut is_new = true;
            for parent in self.history.dag().parents(rev) {
                let text = self.manifest_of(parent)?;
                let same = |found: Line<'_>| found.node == line.node;
                is_new &= !Manifest::new(&text).file(path).is_some_and(same);
            }
            if is_new {
                copies.push(CopiedFile { to: path.to_owned(), from: from.clone() });
            }
        }
        Ok(copies)
    }

    /// The text of the manifest of another changeset.
    fn manifest_of(&mut self, rev: Rev) -> Result<Text, RevlogError> {
        let node = self.history.changeset(rev)?.manifest;
        let manifest = self.context.source.manifests().rev(node);
        manifest.map_or(Ok(Text::default()), |manifest| self.manifests.unchecked_text(manifest))
    }
}

/// That the commit of a changeset has other bytes than it must have.
pub(super) fn commit_differs(
    changeset: Node,
    commit: ObjectId,
    has: &[u8],
    wants: &[u8],
) -> Difference {
    let (has, wants) = first_difference(has, wants);
    let (has, wants) = (has.to_owned(), wants.to_owned());
    Difference::CommitDiffers { changeset, commit, has, wants }
}

/// The first lines in which two texts differ.
fn first_difference<'t>(a: &'t [u8], b: &'t [u8]) -> (&'t bstr::BStr, &'t bstr::BStr) {
    let mut lines = a.lines_with_terminator().zip(b.lines_with_terminator());
    let rest = lines.find(|(a, b)| a != b);
    let (a, b) = rest.unwrap_or_else(|| {
        let shared = a.len().min(b.len());
        (a.get(shared..).unwrap_or_default(), b.get(shared..).unwrap_or_default())
    });
    (a.as_bstr(), b.as_bstr())
}
