//! Moving and removing one reference, and moving `HEAD`, in a repository that others work in too.
//!
//! libgit2 leaves `<reference>.lock` behind when its process is killed, and nobody can tell such a
//! lock from one that is held; ours is known as abandoned (see [`Lock`]).

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use git2::{ErrorCode, ReferenceType, Signature};

use super::lock::Lock;
use super::packed_refs::{PackedRefs, io_error};
use super::refs::UpdateRefsError;
use crate::base::durable::{self, Step, sync_folder};
use crate::git::ObjectId;
use crate::git::reference::is_valid_ref_name;

/// What became of the wish to move a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::git) enum Moved {
    /// It names the new object, or is removed, on the disk.
    Done,
    /// It does not have the value that it was to be moved from, and stays.
    Meanwhile,
    /// It stands for another reference, and stays.
    Alias,
}

/// Points the reference `name` at `new`, if it now points at `old`, or does not exist where that is
/// `None`. The object must be there.
pub(in crate::git) fn move_reference(
    repository: &git2::Repository,
    name: &str,
    old: Option<ObjectId>,
    new: ObjectId,
) -> Result<Moved, UpdateRefsError> {
    check_name(name)?;
    if !repository.odb().is_ok_and(|odb| odb.exists(new.into())) {
        return Err(UpdateRefsError::NoTarget { name: name.to_owned(), id: new });
    }
    let folder = repository.commondir();
    let path = folder.join(name);
    let _lock = lock(folder, name)?;
    if let Some(stays) = why_it_stays(repository, name, old)? {
        return Ok(stays);
    }
    replace(folder, &path, &format!("{new}\n")).map_err(|source| io_error(&path, source))?;
    log(repository, name, old, new);
    Ok(Moved::Done)
}

/// Removes the reference `name`, if it now points at `old`.
pub(in crate::git) fn remove_reference(
    repository: &git2::Repository,
    name: &str,
    old: ObjectId,
) -> Result<Moved, UpdateRefsError> {
    check_name(name)?;
    let folder = repository.commondir();
    let path = folder.join(name);
    let _lock = lock(folder, name)?;
    if let Some(stays) = why_it_stays(repository, name, Some(old))? {
        return Ok(stays);
    }
    // Packed first: its own file goes before the packed value, which may be an old one.
    let mut packed = PackedRefs::lock(repository)?;
    packed.remove(name);
    packed.commit()?;
    match durable::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => result.map_err(|source| io_error(&path, source))?,
    }
    if let Err(error) = repository.reflog_delete(name) {
        tracing::warn!(reference = name, %error, "the log of a reference was not removed");
    }
    Ok(Moved::Done)
}

/// Locks the reference `name`, in whose folder the lock stands.
fn lock(folder: &Path, name: &str) -> Result<Lock, UpdateRefsError> {
    let path = folder.join(name);
    let parent = path.parent().unwrap_or(folder);
    durable::create_folders(parent).map_err(|source| io_error(parent, source))?;
    Lock::take(folder, name)
}

/// Why the reference `name` is not to be touched, if it does not point at `old`.
fn why_it_stays(
    repository: &git2::Repository,
    name: &str,
    old: Option<ObjectId>,
) -> Result<Option<Moved>, UpdateRefsError> {
    let found = match repository.find_reference(name) {
        Ok(found) if found.kind() == Some(ReferenceType::Symbolic) => {
            return Ok(Some(Moved::Alias));
        }
        Ok(found) => found.target().map(ObjectId::from),
        Err(error) if error.code() == ErrorCode::NotFound => None,
        Err(_) => {
            let path = repository.commondir().join(name);
            return Err(UpdateRefsError::Damaged { path, line: 1 });
        }
    };
    Ok((found != old).then_some(Moved::Meanwhile))
}

/// Makes `HEAD` of the bare `repository` the name of a reference.
pub(in crate::git) fn point_head(
    repository: &git2::Repository,
    name: &str,
) -> Result<(), UpdateRefsError> {
    check_name(name)?;
    let folder = repository.path();
    let path = folder.join("HEAD");
    let _lock = Lock::take(folder, "HEAD")?;
    replace(folder, &path, &format!("ref: {name}\n")).map_err(|source| io_error(&path, source))
}

/// Only what Git accepts may become a path.
fn check_name(name: &str) -> Result<(), UpdateRefsError> {
    if name.starts_with("refs/") && is_valid_ref_name(name) {
        return Ok(());
    }
    Err(UpdateRefsError::BadName { name: name.to_owned() })
}

/// Replaces the file at `path` below `folder`, durably. What is half-written stands in `folder`
/// itself: below `refs` Git would take it for a reference.
fn replace(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    durable::step(Step::Write(path))?;
    let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    durable::flush(file.as_file(), file.path())?;
    remove_empty(path)?;
    durable::persist(file, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Removes the folder at `path`, if there is one and nothing but such folders is in it: references
/// that are gone leave them behind.
fn remove_empty(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        return Ok(());
    }
    let mut folders: Vec<PathBuf> = vec![path.to_owned()];
    let mut next = 0;
    while let Some(folder) = folders.get(next) {
        let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
        folders.extend(entries.collect::<io::Result<Vec<_>>>()?);
        next += 1;
    }
    folders.iter().rev().try_for_each(|folder| durable::remove_folder(folder))
}

/// Notes the move where the repository keeps a log of such: it helps people and nothing of ours, so
/// that a log which cannot be written is no failure.
fn log(repository: &git2::Repository, name: &str, old: Option<ObjectId>, new: ObjectId) {
    let is_kept = repository.reference_has_log(name).unwrap_or(false) || !repository.is_bare();
    if !is_kept {
        return;
    }
    let written = (|| {
        repository.reference_ensure_log(name)?;
        let mut log = repository.reflog(name)?;
        let who = repository.signature().or_else(|_| Signature::now("synchroniser", "unknown"))?;
        let message = if old.is_some() { "push" } else { "push: created" };
        log.append(new.into(), &who, Some(message))?;
        log.write()
    })();
    if let Err(error) = written {
        tracing::warn!(reference = name, %error, "the log of a reference was not written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "refs/heads/side/line";

    /// An empty bare repository, and two objects in it.
    fn repository() -> (tempfile::TempDir, git2::Repository, [ObjectId; 2]) {
        let folder = tempfile::tempdir().unwrap();
        let repository = git2::Repository::init_bare(folder.path()).unwrap();
        let ids = ["a", "b"].map(|text| repository.blob(text.as_bytes()).unwrap().into());
        (folder, repository, ids)
    }

    #[test]
    fn a_reference_moves_from_where_it_is() {
        let (folder, repository, [a, b]) = repository();
        let moved = |old, new| move_reference(&repository, NAME, old, new).unwrap();
        assert_eq!(moved(Some(a), b), Moved::Meanwhile);
        // What a reference that is gone leaves behind.
        fs::create_dir_all(folder.path().join(NAME).join("x/y")).unwrap();
        assert_eq!(moved(None, a), Moved::Done);
        assert_eq!(moved(None, b), Moved::Meanwhile);
        assert_eq!(moved(Some(a), b), Moved::Done);
        assert_eq!(repository.refname_to_id(NAME).unwrap(), b.into());
        assert!(!folder.path().join(format!("{NAME}.lock")).exists());
    }

    #[test]
    fn one_goes_if_it_is_where_it_was_packed_or_not() {
        let (folder, repository, [a, b]) = repository();
        let packed = || fs::read_to_string(folder.path().join("packed-refs")).unwrap_or_default();
        fs::write(folder.path().join("packed-refs"), format!("{b} {NAME}\n")).unwrap();
        assert_eq!(remove_reference(&repository, NAME, a).unwrap(), Moved::Meanwhile);
        move_reference(&repository, NAME, Some(b), a).unwrap();
        assert_eq!(remove_reference(&repository, NAME, b).unwrap(), Moved::Meanwhile);
        assert!(packed().contains(NAME));
        assert_eq!(remove_reference(&repository, NAME, a).unwrap(), Moved::Done);
        assert!(repository.refname_to_id(NAME).is_err());
        assert!(!packed().contains(NAME));
        assert_eq!(remove_reference(&repository, NAME, a).unwrap(), Moved::Meanwhile);
    }

    #[test]
    fn an_alias_and_what_is_no_reference_stay() {
        let (folder, repository, [a, b]) = repository();
        repository.reference_symbolic(NAME, "refs/heads/other", false, "").unwrap();
        assert_eq!(move_reference(&repository, NAME, Some(a), b).unwrap(), Moved::Alias);
        let path = folder.path().join("refs/heads/broken");
        fs::write(&path, "nonsense").unwrap();
        let error = move_reference(&repository, "refs/heads/broken", Some(a), b).unwrap_err();
        assert!(matches!(error, UpdateRefsError::Damaged { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"nonsense");
        for name in ["refs/heads/../../x", "HEAD", "refs/heads/a b"] {
            let error = move_reference(&repository, name, None, a).unwrap_err();
            assert!(matches!(error, UpdateRefsError::BadName { .. }), "{error}");
        }
    }

    #[test]
    fn a_log_that_is_kept_goes_on() {
        let (_folder, repository, [a, b]) = repository();
        move_reference(&repository, NAME, None, a).unwrap();
        assert!(!repository.reference_has_log(NAME).unwrap());
        repository.reference_ensure_log(NAME).unwrap();
        move_reference(&repository, NAME, Some(a), b).unwrap();
        let log = repository.reflog(NAME).unwrap();
        assert_eq!(log.get(0).map(|entry| entry.id_new()), Some(b.into()));
    }
}
