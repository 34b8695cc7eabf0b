//! Paths inside a repository: bytes between slashes, in no encoding, never touched by the
//! operating system.

use bstr::{BStr, BString};

/// A borrowed path inside a repository, `/` between its components.
pub type RepoPath = BStr;

/// An owned path inside a repository.
pub type RepoPathBuf = BString;

/// The components of `path`, empty ones included: `a//b` has three.
pub fn components(path: &RepoPath) -> impl Iterator<Item = &[u8]> {
    let bytes: &[u8] = path;
    bytes.split(|&byte| byte == b'/')
}
