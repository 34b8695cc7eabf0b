//! Secrets come from files: here they are read, and never shown.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use secrecy::SecretString;

use super::error::ProblemKind;

/// No token is longer; a file that is was named by mistake.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// The one line that the file at `path` holds. The file must not be readable by everybody.
pub(super) fn read_secret(path: &Path) -> Result<SecretString, ProblemKind> {
    let file = open(path)?;
    if is_exposed(&file, path)? {
        return Err(ProblemKind::Exposed { path: path.to_owned() });
    }
    let mut text = String::new();
    file.take(MAX_SECRET_BYTES).read_to_string(&mut text).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => ProblemKind::NotASecret { path: path.to_owned() },
        _ => unreadable(path, error),
    })?;
    let secret = text.trim();
    // A line break inside would end a header that the secret is put into, and begin another.
    if secret.is_empty() || secret.chars().any(char::is_control) {
        return Err(ProblemKind::NotASecret { path: path.to_owned() });
    }
    Ok(SecretString::from(secret))
}

/// Whether the file at `path` is there and readable, for those that another library reads later.
pub(super) fn check_readable(path: &Path) -> Result<(), ProblemKind> {
    let metadata = open(path)?.metadata().map_err(|error| unreadable(path, error))?;
    if metadata.is_dir() {
        return Err(unreadable(path, std::io::ErrorKind::IsADirectory.into()));
    }
    Ok(())
}

fn open(path: &Path) -> Result<File, ProblemKind> {
    File::open(path).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, source: std::io::Error) -> ProblemKind {
    ProblemKind::Unreadable { path: path.to_owned(), source }
}

/// Whether users who are neither the owner nor of the group can read the open `file`.
fn is_exposed(file: &File, path: &Path) -> Result<bool, ProblemKind> {
    let metadata = file.metadata().map_err(|error| unreadable(path, error))?;
    Ok(metadata.mode() & 0o004 != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    fn read(contents: &[u8], mode: u32) -> Result<SecretString, ProblemKind> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), contents).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        read_secret(file.path())
    }

    #[test]
    fn a_secret_is_one_trimmed_line() {
        for contents in ["s3cret", "s3cret\n", " s3cret\r\n"] {
            assert_eq!(read(contents.as_bytes(), 0o600).unwrap().expose_secret(), "s3cret");
        }
        for contents in [&b""[..], b"\n", b"a\nb", b"a\0b", b"\xff"] {
            assert!(matches!(read(contents, 0o600), Err(ProblemKind::NotASecret { .. })));
        }
    }

    #[test]
    fn a_secret_that_everybody_can_read_is_refused() {
        assert!(matches!(read(b"s3cret", 0o644), Err(ProblemKind::Exposed { .. })));
        assert!(read(b"s3cret", 0o640).is_ok());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = read_secret(Path::new("/nowhere/token")).unwrap_err();
        assert!(error.to_string().starts_with("cannot read /nowhere/token: "), "{error}");
        let error = check_readable(Path::new("/")).unwrap_err();
        assert!(error.to_string().starts_with("cannot read /: "), "{error}");
    }
}
