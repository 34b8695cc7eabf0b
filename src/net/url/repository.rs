//! Which repository an address leads to, whatever it is written like.

use std::path::{Component, Path, PathBuf};

use super::{Location, PlainHttp, SourceUrl, TargetUrl};
use crate::net::percent;

/// Forges that take upper and lower case in the path of a repository as the same.
const CASELESS: [&str; 4] = ["github.com", "gitlab.com", "bitbucket.org", "codeberg.org"];
/// The ports that an address need not name.
const USUAL_PORTS: [u16; 4] = [22, 80, 443, 9418];

/// A repository, the same for all of its addresses: forges have the same one behind HTTPS and SSH.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RepositoryId {
    /// On this machine.
    Local(PathBuf),
    /// On a server.
    Remote {
        /// With its port, if that is not a usual one.
        host: String,
        /// Without slashes at its ends, and without `.git`; in lower case where the server takes that
        /// as the same.
        path: String,
    },
}

impl RepositoryId {
    /// That of a target.
    pub fn of_target(url: &TargetUrl) -> Self {
        match url.location() {
            Location::Path(path) => Self::local(path),
            Location::Http { remote, .. }
            | Location::Git { remote }
            | Location::Ssh { remote, .. } => Self::remote(&remote.host, remote.port, &remote.path),
        }
    }

    /// That of a source on a server.
    pub fn of_source(url: &SourceUrl) -> Self {
        Self::remote(&url.host, url.port, &url.path)
    }

    /// The one at a path of this machine, which need not be there.
    pub fn local(path: &Path) -> Self {
        let mut plain = PathBuf::new();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::ParentDir => drop(plain.pop()),
                part => plain.push(part),
            }
        }
        Self::Local(plain)
    }

    /// The one that an address from outside leads to; `None` if it is none that we would fetch from or
    /// push to.
    pub fn of_hint(text: &str) -> Option<Self> {
        if text.starts_with('/') {
            return Some(Self::local(Path::new(text)));
        }
        if let Ok(url) = SourceUrl::parse(text) {
            return Some(Self::of_source(&url));
        }
        let target = TargetUrl::parse(text, PlainHttp::Allow).ok()?;
        target.host().is_some().then(|| Self::of_target(&target))
    }

    /// The same in lower case: many servers take that as the same, and which do is not known.
    #[must_use]
    pub fn to_lower_case(&self) -> Self {
        match self {
            Self::Local(path) => Self::Local(path.to_string_lossy().to_lowercase().into()),
            Self::Remote { host, path } => {
                Self::Remote { host: host.clone(), path: path.to_lowercase() }
            }
        }
    }

    fn remote(host: &str, port: Option<u16>, path: &str) -> Self {
        let host = host.to_ascii_lowercase();
        let path = percent::decode_text(path).unwrap_or_else(|| path.to_owned());
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
        let path = match CASELESS.contains(&host.as_str()) {
            true => path.to_lowercase(),
            false => path.to_owned(),
        };
        let host = match port.filter(|port| !USUAL_PORTS.contains(port)) {
            Some(port) => format!("{host}:{port}"),
            None => host,
        };
        Self::Remote { host, path }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> RepositoryId {
        RepositoryId::of_target(&TargetUrl::parse(text, PlainHttp::Allow).unwrap())
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
            assert_eq!(RepositoryId::of_hint(address), Some(at(same[0])), "{address}");
        }
        for other in ["https://github.com/acme/engine", "https://example.org/acme/rocket.git"] {
            assert_ne!(at(other), at(same[0]), "{other}");
        }
        assert_ne!(at("https://example.org/a"), at("https://example.org/A"));
        assert_eq!(
            at("https://example.org/a").to_lower_case(),
            at("https://example.org/A").to_lower_case()
        );
        assert_eq!(at("https://example.org/a%20b"), at("ssh://example.org/a b"));
        assert_ne!(at("ssh://example.org:2222/a"), at("ssh://example.org/a"));
        assert_eq!(at("/nowhere/a/../b.git"), at("/nowhere/./b.git/"));
        assert_ne!(at("/nowhere/b.git"), at("/nowhere/b"));
    }

    #[test]
    fn sources_are_where_hints_lead() {
        let source = |text| RepositoryId::of_source(&SourceUrl::parse(text).unwrap());
        let rocket = source("https://hg.example.org/acme/rocket");
        for hint in [
            "https://hg.example.org/acme/rocket/",
            "https://ada@HG.example.org:443/acme/rocket",
            "ssh://hg@hg.example.org/acme/rocket",
            "ssh://hg@hg.example.org//acme/rocket",
            "hg@hg.example.org:acme/rocket.git",
            "http://hg.example.org/acme/rocket",
        ] {
            assert_eq!(RepositoryId::of_hint(hint), Some(rocket.clone()), "{hint}");
        }
        for hint in [
            "https://hg.example.org:8443/acme/rocket",
            "https://hg.example.org/acme/Rocket",
            "https://hg.example.org.evil.example/acme/rocket",
            "https://evil.example/hg.example.org/acme/rocket",
        ] {
            assert_ne!(RepositoryId::of_hint(hint), Some(rocket.clone()), "{hint}");
        }
        for hint in ["", "rocket", "acme/rocket", "https://u:p@h/a", "https://", "file:///a", "x\0"]
        {
            assert_eq!(RepositoryId::of_hint(hint), None, "{hint}");
        }
        let local = RepositoryId::local(Path::new("/srv/hg/a"));
        assert_eq!(RepositoryId::of_hint("/srv/hg/../hg/./a/"), Some(local));
    }
}
