//! Files that the daemon reads, each with the mode and the owner that it must have.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::base::faults;
use crate::base::users::{group_id, user_id};

/// The user that a package makes for the daemon; its group has the same name.
pub(in crate::cli) const SERVICE_USER: &str = "synchroniser";

/// A file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("write {}", path.display())]
pub(super) struct WriteError {
    path: PathBuf,
    source: io::Error,
}

faults!(WriteError {
    Self { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => Config.hint(
        "it is there already, and nothing is overwritten: remove it, or choose another name"
    ),
    Self { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Config.hint(
        "run it with sudo; or keep everything in a folder of yours, with --config FOLDER/synchroniser.toml"
    ),
    Self { source, .. } => io(source),
});

/// Whom files are given to: the user of the daemon, where root writes and there is that user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    /// The user of the daemon, as far as we can give files away.
    pub(super) fn of_service() -> Option<Self> {
        let is_root = rustix::process::geteuid().is_root();
        let (user, group) = (user_id(SERVICE_USER)?, group_id(SERVICE_USER)?);
        is_root.then_some(Self { user, group })
    }
}

/// Makes the folder for secrets, which the group of the daemon may look into, and nobody else.
pub(super) fn make_secrets_folder(path: &Path, owner: Option<Owner>) -> Result<(), WriteError> {
    if path.is_dir() {
        return Ok(());
    }
    let make = || {
        fs::create_dir_all(path)?;
        let mode = if owner.is_some() { 0o750 } else { 0o700 };
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        // It stays root's: the daemon has no business to put anything there.
        owner.map_or(Ok(()), |owner| chown(path, None, Some(owner.group)))
    };
    make().map_err(|source| WriteError { path: path.to_owned(), source })
}

/// Writes a new file that its owner alone can read.
pub(super) fn write_secret(
    path: &Path,
    contents: &[u8],
    owner: Option<Owner>,
) -> Result<(), WriteError> {
    write(path, contents, |file| {
        // A temporary file has the mode 0600 from its beginning.
        owner.map_or(Ok(()), |owner| chown(file, Some(owner.user), Some(owner.group)))
    })
}

/// Writes a new configuration, which the group of the daemon may read.
pub(super) fn write_config(
    path: &Path,
    contents: &[u8],
    owner: Option<Owner>,
) -> Result<(), WriteError> {
    write(path, contents, |file| {
        fs::set_permissions(file, Permissions::from_mode(0o640))?;
        owner.map_or(Ok(()), |owner| chown(file, None, Some(owner.group)))
    })
}

/// Puts a longer configuration in the place of one, with its mode and its owners.
pub(super) fn extend_config(path: &Path, contents: &[u8]) -> Result<(), WriteError> {
    let extend = || {
        let before = fs::metadata(path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(contents)?;
        fs::set_permissions(file.path(), before.permissions())?;
        let now = file.as_file().metadata()?;
        if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
            chown(file.path(), Some(before.uid()), Some(before.gid()))?;
        }
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    extend().map_err(|source| WriteError { path: path.to_owned(), source })
}

/// Writes a file that must not be there yet, whole or not at all.
fn write(
    path: &Path,
    contents: &[u8],
    settle: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), WriteError> {
    let write = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(contents)?;
        settle(file.path())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map(drop).map_err(|error| error.error)
    };
    write().map_err(|source| WriteError { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn modes_are_right_and_nothing_is_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let secrets = home.path().join("etc/secrets");
        make_secrets_folder(&secrets, None).unwrap();
        let secret = secrets.join("hook");
        write_secret(&secret, b"s3cret\n", None).unwrap();
        let config = home.path().join("etc/x.toml");
        write_config(&config, b"a\n", None).unwrap();
        assert_eq!((mode(&secrets), mode(&secret), mode(&config)), (0o700, 0o600, 0o640));
        assert!(write_secret(&secret, b"other\n", None).is_err());
        assert!(write_config(&config, b"other\n", None).is_err());
        assert_eq!(fs::read(&secret).unwrap(), b"s3cret\n");
        fs::set_permissions(&config, Permissions::from_mode(0o644)).unwrap();
        extend_config(&config, b"a\nb\n").unwrap();
        assert_eq!((mode(&config), fs::read(&config).unwrap()), (0o644, b"a\nb\n".to_vec()));
        let names = fs::read_dir(home.path().join("etc")).unwrap().count();
        assert_eq!(names, 2, "a temporary file is left");
    }
}
