//! Commits and what leads to them.
//!
//! libgit2's own view of commits is asked where it is much faster, and never alone: it does not read
//! all commits that other tools have made.

use std::collections::HashSet;

use git2::{ErrorClass, ObjectType, Oid};

use super::{BareRepository, RepositoryError};
use crate::git::commit;
use crate::git::reference::Reference;
use crate::git::{ObjectId, ObjectKind};

impl BareRepository {
    /// The tree of a commit.
    pub fn tree_of(&self, commit: ObjectId) -> Result<ObjectId, RepositoryError> {
        let found = self.commit(commit)?;
        commit::tree(&found).ok_or_else(|| self.no_commit(commit))
    }

    /// The contents of a commit.
    fn commit(&self, id: ObjectId) -> Result<Vec<u8>, RepositoryError> {
        match self.read(id)? {
            Some((ObjectKind::Commit, contents)) => Ok(contents),
            Some(_) => Err(self.no_commit(id)),
            None => Err(RepositoryError::MissingObject { path: self.path.clone(), id }),
        }
    }

    fn no_commit(&self, id: ObjectId) -> RepositoryError {
        self.object_error(id, git2::Error::from_str("it is not a sound commit"))
    }

    /// Whether the commit `ancestor` is `descendant` or one of its ancestors.
    pub fn is_ancestor(
        &self,
        ancestor: ObjectId,
        descendant: ObjectId,
    ) -> Result<bool, RepositoryError> {
        if ancestor == descendant {
            return Ok(true);
        }
        match self.repository().graph_descendant_of(descendant.into(), ancestor.into()) {
            // It does not read all commits that other tools have made.
            Err(error) if error.class() == ErrorClass::Invalid => {
                let mut history = self.commits_behind(&[Reference::new("", descendant)])?;
                let is_it = |found: &Result<(ObjectId, _), _>| {
                    found.as_ref().map_or(true, |(id, _)| *id == ancestor)
                };
                history.find(is_it).transpose().map(|found| found.is_some())
            }
            result => result.map_err(|error| self.object_error(ancestor, error)),
        }
    }

    /// Every commit that a branch or tag reaches, each with its contents, in no useful order.
    pub fn commits(&self) -> Result<Commits<'_>, RepositoryError> {
        self.commits_behind(&self.refs()?)
    }

    /// Every commit that one of `references` reaches, each with its contents, in no useful order.
    pub fn commits_behind(&self, references: &[Reference]) -> Result<Commits<'_>, RepositoryError> {
        Commits::behind(self, references)
    }

    /// Finds out what the annotated tags among `references`, those of another repository, finally
    /// name: a server that is pushed to does not say so. What is not here stays unknown.
    pub fn peel(&self, references: &mut [Reference]) {
        for tag in references.iter_mut().filter(|r| r.is_tag() && r.peeled.is_none()) {
            if self.contains(tag.id) {
                tag.peeled = peeled(self.repository(), tag.id.into());
            }
        }
    }
}

/// The reference `name`, which points at `id`, with what it finally names if it is an annotated tag.
pub(in crate::git) fn read_reference(
    repository: &git2::Repository,
    name: &str,
    id: Oid,
) -> Reference {
    let mut reference = Reference::new(name, id.into());
    if reference.is_tag() {
        reference.peeled = peeled(repository, id);
    }
    reference
}

/// How many tags of tags are looked through.
const MAX_TAGS: usize = 16;

/// What the annotated tag `id` finally names; `None` if it is none, or is not there.
fn peeled(repository: &git2::Repository, id: Oid) -> Option<ObjectId> {
    let mut peeled = None;
    for _ in 0..MAX_TAGS {
        let next = peeled.map_or(id, Oid::from);
        match repository.find_tag(next) {
            Ok(tag) => peeled = Some(tag.target_id().into()),
            Err(_) => return peeled,
        }
    }
    None
}

/// An iterator over commits and their contents, made by [`BareRepository::commits`].
pub struct Commits<'a> {
    repository: &'a BareRepository,
    odb: git2::Odb<'a>,
    next: Vec<Oid>,
    seen: HashSet<Oid>,
}

impl std::fmt::Debug for Commits<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Commits").field(&self.repository.path).finish()
    }
}

impl<'a> Commits<'a> {
    pub(super) fn behind(
        repository: &'a BareRepository,
        references: &[Reference],
    ) -> Result<Self, RepositoryError> {
        let ids = references.iter().map(Reference::finally);
        let next = ids.map(Oid::from).collect();
        Ok(Self { repository, odb: repository.odb()?, next, seen: HashSet::new() })
    }

    /// The contents of a commit, whose parents come later; `None` if `id` is no commit: a tag may
    /// name a tree or a file, which has no history.
    fn visit(&mut self, id: Oid) -> Result<Option<(ObjectId, Vec<u8>)>, RepositoryError> {
        let object = self.odb.read(id);
        let object = object.map_err(|error| self.repository.object_error(id.into(), error))?;
        match object.kind() {
            ObjectType::Commit => {
                let parents = commit::parents(object.data());
                let parents = parents.ok_or_else(|| self.repository.no_commit(id.into()))?;
                self.next.extend(parents.into_iter().map(Oid::from));
                Ok(Some((id.into(), object.data().to_vec())))
            }
            ObjectType::Tag => {
                let named = peeled(self.repository.repository(), id);
                self.next.extend(named.map(Oid::from));
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}

impl Iterator for Commits<'_> {
    type Item = Result<(ObjectId, Vec<u8>), RepositoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(id) = self.next.pop() {
            if self.seen.insert(id)
                && let Some(found) = self.visit(id).transpose()
            {
                return Some(found);
            }
        }
        None
    }
}
