//! A changegroup, group by group, into the revlogs that its revisions belong to.

use super::Added;
use super::Revisions;
use super::appender::{Appender, Kind, Outcome, Place, Tools};
use super::error::{WriteError, Wrong};
use crate::base::{Interrupt, Progress, RepoPath, Stage};
use crate::hg::Node;
use crate::hg::bundle::{DeltaRevision, Group, Item};
use crate::hg::revlog::RevlogFiles;
use crate::hg::store::Layout;

/// Receives one changegroup.
pub(super) struct Receiver<'w, 't> {
    layout: &'w Layout,
    changelog: &'w mut Appender,
    /// Names of new files.
    made: &'w mut Vec<Vec<u8>>,
    tools: Tools<'t>,
    group: Group,
    /// The revlog of the group, once there is a revision for it. The changelog is not here.
    open: Option<Appender>,
    added: Added,
}

/// What counts a revision of a group.
fn stage(group: &Group) -> Stage {
    match group {
        Group::Changelog => Stage::AddingChangesets,
        Group::Manifests | Group::Directory(_) => Stage::AddingManifests,
        Group::File(_) => Stage::AddingFiles,
    }
}

/// A revlog at the top of the store.
pub(super) fn place(stem: &str, files: RevlogFiles) -> Place {
    let name = |suffix: &str| format!("{stem}{suffix}").into_bytes();
    Place { shown: stem.into(), files, index_name: name(".i"), data_name: name(".d") }
}

impl<'w, 't> Receiver<'w, 't> {
    pub(super) fn new(
        layout: &'w Layout,
        changelog: &'w mut Appender,
        made: &'w mut Vec<Vec<u8>>,
        tools: Tools<'t>,
    ) -> Self {
        let (group, added) = (Group::Changelog, Added::default());
        Self { layout, changelog, made, tools, group, open: None, added }
    }

    /// Receives all of it.
    pub(super) fn all(
        mut self,
        revisions: &mut dyn Revisions,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Added, WriteError> {
        let mut at = stage(&Group::Changelog);
        progress.begin(at, None);
        while let Some(item) = revisions.next_item()? {
            interrupt.check()?;
            match item {
                Item::Group(group) => {
                    self.close()?;
                    let next = stage(&group);
                    self.group = group;
                    if next != at {
                        progress.end();
                        progress.begin(next, None);
                        at = next;
                    }
                }
                Item::Revision(revision) => {
                    self.revision(&revision)?;
                    progress.advance(1);
                }
            }
        }
        self.close()?;
        progress.end();
        Ok(self.added)
    }

    fn revision(&mut self, revision: &DeltaRevision) -> Result<(), WriteError> {
        let outcome = if self.group == Group::Changelog {
            self.changelog.add(revision, |_| None, &mut self.tools)?
        } else {
            let mut open = match self.open.take() {
                Some(open) => open,
                None => self.opened(revision.node)?,
            };
            let changelog = &*self.changelog;
            let outcome = open.add(revision, |link| changelog.rev(link), &mut self.tools)?;
            self.open = Some(open);
            outcome
        };
        let added = &mut self.added;
        match (outcome, &self.group) {
            (Outcome::Known, _) => added.known += 1,
            (Outcome::Added, Group::Changelog) => added.changesets.push(revision.node),
            (Outcome::Added, Group::Manifests | Group::Directory(_)) => added.manifests += 1,
            (Outcome::Added, Group::File(_)) => added.file_revisions += 1,
        }
        Ok(())
    }

    /// Opens the revlog of the group, whose first revision is `node`.
    fn opened(&mut self, node: Node) -> Result<Appender, WriteError> {
        let requirements = self.layout.requirements();
        let (place, kind) = match &self.group {
            Group::File(path) => {
                let files = self.layout.filelog(path.as_ref())?;
                (below(path.as_ref(), b"data/", b"", files)?, Kind::File)
            }
            Group::Directory(path) if requirements.has("treemanifest") => {
                let files = self.layout.directory_manifest(path.as_ref())?;
                (below(path.as_ref(), b"meta/", b"00manifest", files)?, Kind::Manifest)
            }
            Group::Directory(path) => {
                let (file, problem) = (path.to_string(), Wrong::NoDirectories);
                return Err(WriteError::Revision { file, node, problem });
            }
            Group::Manifests | Group::Changelog => {
                (place("00manifest", self.layout.manifest()), Kind::Manifest)
            }
        };
        // Two names may be that of one file, and a group may come twice.
        let transaction = &mut *self.tools.transaction;
        if transaction.is_waiting(&place.files.index) || transaction.is_waiting(&place.files.data) {
            transaction.flush()?;
        }
        Appender::open(place, kind, requirements.has("generaldelta"), self.tools.limits)
    }

    /// Writes the revlog of the group.
    fn close(&mut self) -> Result<(), WriteError> {
        match self.open.take() {
            Some(open) => open.finish(self.tools.transaction, self.made),
            None => Ok(()),
        }
    }
}

/// A revlog of a tracked file or a directory.
fn below(
    path: &RepoPath,
    before: &[u8],
    after: &[u8],
    files: RevlogFiles,
) -> Result<Place, WriteError> {
    // Names are kept in lists of lines.
    if path.is_empty() || path.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0)) {
        return Err(WriteError::Name { path: path.to_owned() });
    }
    let name = |suffix: &[u8]| [before, path, after, suffix].concat();
    Ok(Place {
        shown: path.to_string().into(),
        files,
        index_name: name(b".i"),
        data_name: name(b".d"),
    })
}
