//! Trees and commits, in revision order.

use std::collections::HashMap;
use std::sync::Arc;

use super::ConvertError;
use super::blobs::Files;
use super::identity::{CopiedFile, Facts, History};
use super::idmap::Record;
use super::input::Input;
use super::plan::{Plan, Planned, TreePlan};
use crate::git::pipeline::write_in_background;
use crate::git::sink::{NewObject, ObjectSink, ObjectWriter};
use crate::git::tree::{Directory, Edit, TreeEditor, TreeError, TreeSource};
use crate::git::{ObjectId, ObjectKind};
use crate::hg::Rev;

/// Writes the trees and commits of the plan to `sink`; `files` are what [`Plan::files`] became.
/// Returns one record for each changeset, in order, and its tree.
pub(super) fn convert_changesets(
    input: &Input<'_>,
    plan: &Plan,
    files: &Files,
    existing: &dyn TreeSource,
    sink: &dyn ObjectSink,
) -> Result<(Vec<Record>, Vec<ObjectId>), ConvertError> {
    // Each tree needs the one before it, so making them is work for one thread; packing them is as
    // much.
    write_in_background(sink, |writer| write_changesets(input, plan, files, existing, writer))
}

fn write_changesets(
    input: &Input<'_>,
    plan: &Plan,
    files: &Files,
    existing: &dyn TreeSource,
    writer: &mut dyn ObjectWriter,
) -> Result<(Vec<Record>, Vec<ObjectId>), ConvertError> {
    for contents in &plan.made {
        let kind = ObjectKind::Blob;
        let id = ObjectId::of(kind, contents);
        writer.write(NewObject { id, kind, contents, delta_hint: None })?;
    }
    let mut trees = Trees::new(input, plan, existing);
    let mut changesets = input.changelog.reader();
    let mut records = Vec::with_capacity(input.changesets.len());
    let mut made = Vec::with_capacity(input.changesets.len());
    let mut commits: HashMap<Rev, ObjectId> = HashMap::with_capacity(input.changesets.len());
    let mut history = History::new(input.changelog);
    let mut edits = plan.edits.as_slice();
    let mut introduced = plan.introduced.as_slice();
    let mut buffer = Vec::new();
    for (&rev, tree_plan) in input.changesets.iter().zip(&plan.trees) {
        input.interrupt.check()?;
        let node = input.changelog.node(rev);
        let (mine, rest) = edits.split_at(tree_plan.edits.min(edits.len()));
        edits = rest;
        buffer.clear();
        buffer.extend(mine.iter().filter_map(|edit| {
            let path: &[u8] = plan.paths.get(edit.path as usize)?;
            let id = |planned| match planned {
                Planned::File(file) => files.blobs.get(file as usize).copied(),
                Planned::Object(id) => Some(id),
            };
            let entry = |(mode, planned)| Some((mode, id(planned)?));
            Some(Edit { path, file: edit.entry.and_then(entry) })
        }));
        let mut editor = TreeEditor { source: existing, writer: &mut *writer };
        let tree = trees
            .make(tree_plan, rev, |old| editor.apply(old, &buffer))
            .map_err(|source| ConvertError::Tree { changeset: node, source })?;
        let commit_of = |parent: Rev| {
            let earlier = || input.map.commit(input.changelog.node(parent));
            commits.get(&parent).copied().or_else(earlier)
        };
        let mut changeset = changesets.changeset(rev)?;
        changeset.user = input.rules.user(&changeset.user);
        // The input is closed under ancestors, together with the map.
        let parents = input.rules.identity.parents(rev, &changeset, &mut history)?;
        let parents: Vec<_> = parents.into_iter().filter_map(commit_of).collect();
        let (mine, rest) = introduced.split_at(tree_plan.introduced.min(introduced.len()));
        introduced = rest;
        let copies = copies(plan, files, mine);
        let facts = Facts { node, changeset: &changeset, tree, parents: &parents, copies: &copies };
        let contents = input.rules.identity.commit(&facts).to_bytes();
        let id = ObjectId::of(ObjectKind::Commit, &contents);
        let kind = ObjectKind::Commit;
        writer.write(NewObject { id, kind, contents: &contents, delta_hint: None })?;
        commits.insert(rev, id);
        records.push((node, id));
        made.push(tree);
        input.progress.advance(1);
    }
    Ok((records, made))
}

/// Those of the introduced file revisions that are copies.
fn copies(plan: &Plan, files: &Files, introduced: &[u32]) -> Vec<CopiedFile> {
    let copy = |number: &u32| {
        let from = files.copied_from.get(number)?.clone();
        let file = plan.files.get(*number as usize)?;
        Some(CopiedFile { to: plan.paths.get(file.path as usize)?.clone(), from })
    };
    introduced.iter().filter_map(copy).collect()
}

/// The directories that later changesets will be made from.
struct Trees<'t> {
    source: &'t dyn TreeSource,
    input: &'t Input<'t>,
    /// For each base, its directory once it is made, and how many changesets still need it.
    bases: HashMap<Rev, (Option<Arc<Directory>>, usize)>,
    empty: Arc<Directory>,
}

impl<'t> Trees<'t> {
    fn new(input: &'t Input<'t>, plan: &Plan, source: &'t dyn TreeSource) -> Self {
        let mut bases = HashMap::new();
        for base in plan.trees.iter().filter_map(|tree| tree.base) {
            bases.entry(base).or_insert((None, 0)).1 += 1;
        }
        Self { source, input, bases, empty: Directory::empty() }
    }

    /// Makes the tree of `rev`, keeps it as long as it is needed, and returns its id.
    fn make(
        &mut self,
        plan: &TreePlan,
        rev: Rev,
        apply: impl FnOnce(&Arc<Directory>) -> Result<Arc<Directory>, TreeError>,
    ) -> Result<ObjectId, TreeError> {
        let old = match plan.base {
            Some(base) => self.take(base)?,
            None => self.empty.clone(),
        };
        let new = apply(&old)?;
        let id = new.id();
        if let Some((slot, _)) = self.bases.get_mut(&rev) {
            *slot = Some(new);
        }
        Ok(id)
    }

    /// The directory of `base`, which is read if an earlier run made it, and forgotten if nobody
    /// needs it after this.
    fn take(&mut self, base: Rev) -> Result<Arc<Directory>, TreeError> {
        let directory = match self.bases.get(&base) {
            Some((Some(directory), _)) => directory.clone(),
            _ => self.read(base)?,
        };
        if let Some((slot, uses)) = self.bases.get_mut(&base) {
            *uses = uses.saturating_sub(1);
            *slot = (*uses > 0).then(|| directory.clone());
        }
        Ok(directory)
    }

    fn read(&self, base: Rev) -> Result<Arc<Directory>, TreeError> {
        let commit = self.input.map.commit(self.input.changelog.node(base));
        let commit = commit.unwrap_or(ObjectId::NULL);
        Directory::read(self.source.tree_of_commit(commit)?, self.source)
    }
}
