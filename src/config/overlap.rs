//! Mirrors that would move the same refs: each would undo, or refuse, what the other does.

use std::path::{Component, Path, PathBuf};

use super::MirrorConfig;
use super::error::ProblemKind;
use crate::net::TargetUrl;
use crate::net::url::{Location, Remote};

/// Forges that take upper and lower case in the path of a repository as the same.
const CASELESS: [&str; 4] = ["github.com", "gitlab.com", "bitbucket.org", "codeberg.org"];

/// A repository, whatever its address is written like.
#[derive(Debug, PartialEq, Eq)]
enum Repository {
    Local(PathBuf),
    /// Host and path. Forges have the same repository behind HTTPS and SSH.
    Remote(String, String),
}

/// What is wrong with `mirror` beside `other`, if they move the same refs of one repository.
pub(super) fn find(other: &MirrorConfig, mirror: &MirrorConfig) -> Option<ProblemKind> {
    let (first, second) = (&other.mirror, &mirror.mirror);
    let (there, here) = (first.target.as_ref()?, second.target.as_ref()?);
    if repository(&there.url) != repository(&here.url) {
        return None;
    }
    let (one, two) = (&first.options.naming.prefix, &second.options.naming.prefix);
    let notes = first.options.notes && second.options.notes;
    let shares = one.starts_with(two.as_str()) || two.starts_with(one.as_str());
    let prefix = if one.len() > two.len() { one } else { two }.clone();
    let same =
        || ProblemKind::SameTarget { other: first.name.clone(), prefix, notes: notes && !shares };
    (shares || notes).then(same)
}

/// The repository that an address leads to.
fn repository(url: &TargetUrl) -> Repository {
    match url.location() {
        Location::Path(path) => Repository::Local(plain(path)),
        Location::Http { remote, .. } | Location::Git { remote } | Location::Ssh { remote, .. } => {
            named(remote)
        }
    }
}

fn named(remote: &Remote) -> Repository {
    let host = remote.host.to_ascii_lowercase();
    let path = remote.path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let path = match CASELESS.contains(&host.as_str()) {
        true => path.to_lowercase(),
        false => path.to_owned(),
    };
    match remote.port.filter(|port| !matches!(port, 22 | 80 | 443 | 9418)) {
        Some(port) => Repository::Remote(format!("{host}:{port}"), path),
        None => Repository::Remote(host, path),
    }
}

/// The path without `.`, `..` and links, as far as it is there.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain.canonicalize().unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::url::PlainHttp;

    fn at(text: &str) -> Repository {
        repository(&TargetUrl::parse(text, PlainHttp::Allow).unwrap())
    }

    #[test]
    fn one_repository_has_many_addresses() {
        let same = [
            "https://github.com/acme/rocket.git",
            "https://GitHub.com/Acme/rocket/",
            "ssh://git@github.com:22/acme/rocket",
            "git@github.com:acme/rocket.git",
        ];
        for address in same {
            assert_eq!(at(address), at(same[0]), "{address}");
        }
        for other in ["https://github.com/acme/engine", "https://example.org/acme/rocket.git"] {
            assert_ne!(at(other), at(same[0]), "{other}");
        }
        assert_ne!(at("https://example.org/a"), at("https://example.org/A"));
        assert_ne!(at("ssh://example.org:2222/a"), at("ssh://example.org/a"));
        assert_eq!(at("/nowhere/a/../b.git"), at("/nowhere/./b.git/"));
        assert_ne!(at("/nowhere/b.git"), at("/nowhere/b"));
    }
}
