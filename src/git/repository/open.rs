//! Opening and making repositories, and cleaning up after a kill.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{ConfigLevel, ErrorCode, RepositoryInitOptions, RepositoryOpenFlags};

use super::RepositoryError;
use crate::base::durable::{self, Step, sync_folder};
use crate::git::init;

/// What holds for every repository that we open, whatever its own configuration says: what libgit2
/// writes is flushed to disk before it is renamed into place, and a server that sends us to
/// another one is not followed.
///
/// It is not written into the repository's own file, because Git warns about the first key
/// there ever since it has a better one, which libgit2 does not know.
const OVERRIDES: &[u8] = b"[core]\n\tfsyncObjectFiles = true\n[http]\n\tfollowRedirects = false\n";

/// An open repository with our settings over its own.
pub(in crate::git) struct Opened {
    repository: git2::Repository,
    /// libgit2 looks again whether this file has changed, so it lives as long as the repository.
    _overrides: tempfile::NamedTempFile,
}

impl Opened {
    /// libgit2's view of it.
    pub(in crate::git) fn repository(&self) -> &git2::Repository {
        &self.repository
    }
}

/// Opens the repository at `path`, bare or with a working copy, without looking in folders above.
pub(in crate::git) fn open_any(path: &Path) -> Result<Opened, RepositoryError> {
    init::ensure()?;
    let failed = |source| RepositoryError::Open { path: path.to_owned(), source };
    let none: [&OsStr; 0] = [];
    let repository = git2::Repository::open_ext(path, RepositoryOpenFlags::NO_SEARCH, none)
        .map_err(|error| match error.code() {
            ErrorCode::NotFound => RepositoryError::NotARepository { path: path.to_owned() },
            ErrorCode::Owner => RepositoryError::ForeignOwner { path: path.to_owned() },
            _ => failed(error),
        })?;
    let overrides =
        overrides().map_err(|error| failed(git2::Error::from_str(&error.to_string())))?;
    let mut config = repository.config().map_err(failed)?;
    config.add_file(overrides.path(), ConfigLevel::App, true).map_err(failed)?;
    Ok(Opened { repository, _overrides: overrides })
}

/// A temporary file with [`OVERRIDES`].
fn overrides() -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix("synchroniser-git-").tempfile()?;
    file.write_all(OVERRIDES)?;
    Ok(file)
}

/// Whether a repository may be made at `path`: nothing is there, or an empty folder, or one that
/// a killed run of [`create`] left without the `HEAD` it writes last.
pub(super) fn is_vacant(path: &Path) -> bool {
    let Ok(entries) = fs::read_dir(path) else { return !path.exists() };
    entries.flatten().all(|entry| {
        let name = entry.file_name();
        ["objects", "refs", "config", "description", "info", "hooks"]
            .iter()
            .any(|half_made| name == *half_made)
            || is_left_over(name.as_encoded_bytes())
    })
}

/// Makes a bare repository at `path` whose `HEAD` is `refs/heads/<main_branch>`, durably.
pub(super) fn create(path: &Path, main_branch: &str) -> io::Result<()> {
    clear_stale(path).map_err(|(_, error)| error)?;
    let mut options = RepositoryInitOptions::new();
    options.bare(true).no_reinit(true).mkpath(true).external_template(false);
    options.initial_head(main_branch);
    durable::step(Step::Write(path))?;
    // libgit2 would make the folder too, but hides why it cannot.
    durable::create_folders(path)?;
    git2::Repository::init_opts(path, &options).map_err(io::Error::other)?;
    durable::create_folders(&path.join("objects/pack"))?;
    // libgit2 leaves a sample in it; nothing of ours runs hooks, and nobody shall wonder.
    let hooks = path.join("hooks");
    if hooks.exists() {
        durable::step(Step::Remove(&hooks))?;
        fs::remove_dir_all(hooks)?;
    }
    for file in ["config", "HEAD"] {
        durable::flush_path(&path.join(file))?;
    }
    for folder in ["objects/pack", "objects", "refs/heads", "refs/tags", "refs", ""] {
        let folder = path.join(folder);
        if folder.exists() {
            sync_folder(&folder)?;
        }
    }
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync_folder)
}

/// Removes what a killed run may have left in the repository at `path`: locks, files that were not renamed
/// into place, and packs without index. Says how many, or which one would not go.
pub(super) fn clear_stale(path: &Path) -> Result<usize, (PathBuf, io::Error)> {
    let mut cleared = 0;
    cleared += clear_folder(path, &|name, _| is_left_over(name) || name.starts_with(b".tmp-"))?;
    cleared += clear_tree(&path.join("refs"))?;
    cleared += clear_folder(&path.join("objects/pack"), &|name, path| {
        is_lock(name)
            || [&b".tmp-"[..], b"tmp_", b"pack_git2_"].iter().any(|start| name.starts_with(start))
            || is_abandoned(path)
    })?;
    Ok(cleared)
}

/// Whether this is a pack that never got its index, which comes after it: nobody reads from such a one. A day old, so
/// that it is none that Git itself is writing into a repository that is not ours alone.
fn is_abandoned(path: &Path) -> bool {
    const DAY: Duration = Duration::from_hours(24);
    let is_old = |metadata: fs::Metadata| metadata.modified()?.elapsed().map_err(io::Error::other);
    path.extension().is_some_and(|suffix| suffix == "pack")
        && !path.with_extension("idx").exists()
        && !path.with_extension("keep").exists()
        && path.symlink_metadata().and_then(is_old).is_ok_and(|age| age > DAY)
}

/// Whether this is a name of what libgit2 leaves in a repository that it was killed while making: a
/// lock, or a file or link by which it tries what the file system can do.
fn is_left_over(name: &[u8]) -> bool {
    is_lock(name) || name.starts_with(b"_git2_")
}

/// Whether a file of this name is a lock.
fn is_lock(name: &[u8]) -> bool {
    name.ends_with(b".lock")
}

/// Removes the files directly in `folder` whose name and path `is_stale`.
fn clear_folder(
    folder: &Path,
    is_stale: &dyn Fn(&[u8], &Path) -> bool,
) -> Result<usize, (PathBuf, io::Error)> {
    let mut cleared = 0;
    for entry in entries(folder)? {
        let is_file = entry.file_type().is_ok_and(|kind| !kind.is_dir());
        if is_file && is_stale(entry.file_name().as_encoded_bytes(), &entry.path()) {
            durable::remove_file(&entry.path()).map_err(|error| (entry.path(), error))?;
            cleared += 1;
        }
    }
    Ok(cleared)
}

/// Removes the locks in `folder` and the folders below it.
fn clear_tree(folder: &Path) -> Result<usize, (PathBuf, io::Error)> {
    let mut cleared = clear_folder(folder, &|name, _| is_lock(name))?;
    for entry in entries(folder)? {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            cleared += clear_tree(&entry.path())?;
        }
    }
    Ok(cleared)
}

/// What is in `folder`; nothing if it does not exist.
fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>, (PathBuf, io::Error)> {
    let listed = fs::read_dir(folder).and_then(Iterator::collect);
    match listed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(|error| (folder.to_owned(), error)),
    }
}
