//! Which identity a target was made with, written beside its id map.

use std::io;
use std::path::{Path, PathBuf};

use super::{Identity, IdentityChoice, NATIVE, UnknownIdentity, named};
use crate::base::durable::replace_file;
use crate::base::faults;

/// The name of the file, in the folder of the id map.
pub const FILE: &str = "identity";

/// The recorded identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordedIdentityError {
    /// The file cannot be read or written.
    #[error("use the file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// The file names an identity that there is not.
    #[error("use the identity in {}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The name.
        #[source]
        source: UnknownIdentity,
    },
    /// The target was made with another identity.
    #[error("convert with the identity {wanted}: the repository was made with {recorded}")]
    Other {
        /// What it was made with.
        recorded: &'static str,
        /// What is asked for.
        wanted: &'static str,
    },
}

faults!(RecordedIdentityError {
    Self::File { source, .. } => io(source),
    Self::Unknown { source, .. } => {
        of(source).hint("a newer version of synchroniser made it: use that one")
    },
    Self::Other { recorded, .. } => Config.hint(format!(
        "ask for the identity {recorded}, or convert into a new repository: under another identity \
         every commit has another id"
    )),
});

/// The identity that is recorded beside the id map `map`; `None` if none is, as before there was
/// more than one.
pub fn read(map: &Path) -> Result<Option<&'static dyn Identity>, RecordedIdentityError> {
    let path = map.with_file_name(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => match named(text.trim_end()) {
            Ok(identity) => Ok(Some(identity)),
            Err(source) => Err(RecordedIdentityError::Unknown { path, source }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RecordedIdentityError::File { path, source }),
    }
}

/// Records `identity` beside the id map `map`, on disk before this returns.
pub fn write(map: &Path, identity: &dyn Identity) -> Result<(), RecordedIdentityError> {
    let path = map.with_file_name(FILE);
    replace_file(&path, format!("{}\n", identity.name()).as_bytes())
        .map_err(|source| RecordedIdentityError::File { path, source })
}

/// What the map `map` is about was made with, which must be what is `wanted`; `None` if nothing is
/// recorded and there is no map. A map beside which nothing is recorded is of the time when there
/// was one identity.
pub fn settled(
    map: &Path,
    wanted: IdentityChoice,
) -> Result<Option<&'static dyn Identity>, RecordedIdentityError> {
    let recorded = match read(map)? {
        Some(recorded) => recorded,
        None if map.exists() => NATIVE,
        None => return Ok(None),
    };
    match wanted {
        IdentityChoice::Named(wanted) if wanted.name() != recorded.name() => {
            let (recorded, wanted) = (recorded.name(), wanted.name());
            Err(RecordedIdentityError::Other { recorded, wanted })
        }
        _ => Ok(Some(recorded)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{IDENTITIES, choices};
    use super::*;
    use crate::base::{Fault, HasFault};

    #[test]
    fn what_was_recorded_is_what_may_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let map = folder.path().join("map");
        let settled = |choice| {
            Ok::<_, Fault>(settled(&map, choice).map_err(|e| e.fault())?.map(Identity::name))
        };
        for choice in choices().map(|name| IdentityChoice::named(name).unwrap()) {
            assert_eq!(settled(choice), Ok(None), "nothing is there");
        }
        std::fs::write(&map, b"").unwrap();
        assert_eq!(settled(IdentityChoice::Auto), Ok(Some("native")));
        for recorded in IDENTITIES {
            write(&map, *recorded).unwrap();
            assert_eq!(settled(IdentityChoice::Auto), Ok(Some(recorded.name())));
            for identity in IDENTITIES {
                let same = identity.name() == recorded.name();
                assert_eq!(settled(IdentityChoice::Named(*identity)).is_ok(), same);
            }
        }
        std::fs::write(folder.path().join(FILE), "nativ\n").unwrap();
        assert_eq!(settled(IdentityChoice::Auto), Err(Fault::Config));
    }
}
