//! The owner of a cache. Files that another user made in it could not be written by the owner
//! afterwards, so a sync by any other user is refused, root included.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::base::users::{shown_user, user_name};
use crate::base::{durable, faults};

/// A folder in which everybody may make what is theirs, such as `/tmp`.
const STICKY: u32 = 0o1000;
/// A cache holds what a source shows to us alone.
const MODE: u32 = 0o700;

/// Why a folder cannot be the cache.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// It cannot be made or looked at.
    #[error("use the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// It belongs to another user.
    #[error(
        "use the cache {}: it belongs to the user {}, and we run as {}",
        path.display(), shown_user(*owner), shown_user(*user)
    )]
    AnotherUser {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        user: u32,
    },
}

faults!(OwnerError {
    Self::Folder { source, .. } => io(source).at(Here),
    Self::AnotherUser { owner, .. } => Config.at(Here).hint(match user_name(*owner) {
        Some(name) => format!(
            "run it as that user: `sudo -u {name} synchroniser …`, or as root `runuser -u {name} \
             -- synchroniser …`"
        ),
        None => format!("run it as that user: `sudo -u '#{owner}' synchroniser …`"),
    }),
});

/// Creates `folder`, the folder of one cache, if it does not exist, with the mode 0700. It is an error
/// if it, or the folder of all caches, belongs to another user.
pub(super) fn own(folder: &Path) -> Result<(), OwnerError> {
    let user = rustix::process::geteuid().as_raw();
    check(folder, user)?;
    let failed = |source| OwnerError::Folder { path: folder.to_owned(), source };
    let is_new = folder.parent().filter(|all| !all.exists());
    durable::create_folders(folder).map_err(failed)?;
    for made in is_new.into_iter().chain([folder]) {
        if fs::metadata(made).map_err(failed)?.mode() & 0o777 != MODE {
            fs::set_permissions(made, Permissions::from_mode(MODE)).map_err(failed)?;
        }
    }
    Ok(())
}

/// Refuses `folder` if it is there and does not belong to `user`; if it is not there, the folder that
/// it would be made in.
fn check(folder: &Path, user: u32) -> Result<(), OwnerError> {
    for path in [Some(folder), folder.parent()].into_iter().flatten() {
        match fs::metadata(path) {
            Ok(found) if found.uid() == user => return Ok(()),
            Ok(found) if path != folder && found.mode() & STICKY != 0 => return Ok(()),
            Ok(found) => {
                let path = path.to_owned();
                return Err(OwnerError::AnotherUser { path, owner: found.uid(), user });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(OwnerError::Folder { path: path.to_owned(), source }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Fault, HasFault};

    #[test]
    fn a_cache_is_of_one_user() {
        let all = tempfile::tempdir().unwrap();
        let owner = fs::metadata(all.path()).unwrap().uid();
        let folder = all.path().join("rocket");
        for made in [false, true] {
            if made {
                fs::create_dir(&folder).unwrap();
            }
            assert!(check(&folder, owner).is_ok());
            let error = check(&folder, owner + 1).unwrap_err();
            assert_eq!(error.fault(), Fault::Config);
            assert!(error.hint().unwrap().contains("sudo -u "), "{error}");
        }
        assert!(check(Path::new("/tmp/nowhere-at-all"), owner + 1).is_ok(), "/tmp is everybody's");
    }

    #[test]
    fn nobody_else_looks_into_a_cache() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("cache/rocket");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        own(&folder).unwrap();
        assert_eq!((mode(&folder), mode(folder.parent().unwrap())), (0o700, 0o700));
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        own(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
    }
}
