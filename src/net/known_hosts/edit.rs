//! A `known_hosts` file as an operator sees and extends it.

use std::fs;
use std::io;
use std::path::Path;

use base64::Engine as _;
use openssl::sha::sha256;

use super::{BASE64, Host, HostKey, HostKeyError, Line, Verdict, key_type, look_up};
use crate::base::durable::replace_file;

/// A host key that a file has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// The names and patterns of hosts, as they are written; those that are hashed cannot be told.
    pub hosts: String,
    /// `@revoked` or `@cert-authority`, if one of them is before it.
    pub marker: Option<String>,
    /// The kind of key.
    pub key_type: String,
    /// Its SHA-256 in base 64.
    pub fingerprint: String,
}

/// What became of a key that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// The file has it now.
    Now,
    /// It is known already: by the file, or, for GitHub, without one.
    Before,
}

/// The keys that the text of a file has, in its order.
pub fn list(file: &Path) -> Result<Vec<KnownKey>, HostKeyError> {
    let text = read(file)?;
    let lines = text.lines().filter_map(Line::parse);
    let known = lines.map(|line| KnownKey {
        hosts: line.hosts.to_owned(),
        marker: line.marker.map(str::to_owned),
        key_type: key_type(&line.key),
        fingerprint: BASE64.encode(sha256(&line.key)),
    });
    Ok(known.collect())
}

/// Adds the key of a host to a file, which is made if it is not there. Another key of the same kind
/// that is known for the host is never replaced, and a withdrawn one never added.
pub fn add(
    file: &Path,
    host: &str,
    port: Option<u16>,
    key: &HostKey,
) -> Result<Added, HostKeyError> {
    let mut text = read(file)?;
    let host = Host::new(host, port);
    let (name, key_type) = (host.shown.clone(), key_type(&key.blob));
    let fingerprint = key.fingerprint.clone();
    match look_up(text.as_bytes(), &host, key) {
        Verdict::Good => return Ok(Added::Before),
        Verdict::Revoked => return Err(HostKeyError::Revoked { host: name, fingerprint }),
        Verdict::Other => {
            let file = Some(file.to_owned());
            return Err(HostKeyError::Mismatch { host: name, key_type, fingerprint, file });
        }
        Verdict::Nothing => {}
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    // OpenSSH reads keys with their padding only.
    let blob = base64::engine::general_purpose::STANDARD.encode(&key.blob);
    text.push_str(&format!("{name} {key_type} {blob}\n"));
    // A name alone is one in the folder that we are in.
    let place = Path::new(".").join(file);
    replace_file(&place, text.as_bytes()).map_err(|error| failed(file, &error))?;
    Ok(Added::Now)
}

/// The text of a file; none if it is not there.
fn read(file: &Path) -> Result<String, HostKeyError> {
    match fs::read(file) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| {
            failed(file, &io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(failed(file, &error)),
    }
}

fn failed(file: &Path, error: &io::Error) -> HostKeyError {
    HostKeyError::File { file: file.to_owned(), problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    fn key(text: &str) -> HostKey {
        let blob = BASE64.decode(text).unwrap();
        HostKey::new(&blob, &sha256(&blob))
    }

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    const OTHER: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB";

    #[test]
    fn what_is_added_is_known_and_nothing_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known_hosts");
        assert_eq!(list(&file).unwrap(), []);
        fs::write(&file, "# ours\nother ssh-ed25519 AAAA").unwrap();
        assert_eq!(add(&file, "H.example", Some(2222), &key(KEY)).unwrap(), Added::Now);
        assert_eq!(add(&file, "h.example", Some(2222), &key(KEY)).unwrap(), Added::Before);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# ours\nother ssh-ed25519 AAAA\n[h.example]:2222 ssh-ed25519 "));
        assert_eq!(list(&file).unwrap().len(), 2);
        let known_hosts = file.clone().into();
        check(Some(&known_hosts), "h.example", Some(2222), &key(KEY)).unwrap();
        let changed = add(&file, "h.example", Some(2222), &key(OTHER)).unwrap_err();
        assert!(matches!(changed, HostKeyError::Mismatch { .. }), "{changed}");
        // GitHub's are built in, and no other becomes one of them.
        let github = add(&file, "github.com", None, &key(KEY)).unwrap_err();
        assert!(matches!(github, HostKeyError::Mismatch { .. }), "{github}");
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}
